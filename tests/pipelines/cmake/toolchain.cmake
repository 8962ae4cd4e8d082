# cmake --toolchain toolchain.cmake -DMACHINE=aarch64 -DTRIPLET=aarch64-linux-gnu
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${MACHINE})
set(CMAKE_C_COMPILER ${TRIPLET}-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qusr-${MACHINE})
# Compilers are tried with this file, too, in projects of their own.
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES MACHINE TRIPLET)
