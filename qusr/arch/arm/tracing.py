"""32-bit ARM's register sets. A 32-bit tracee is seen as an AArch64 kernel shows it.

Sources: arch/arm64/kernel/ptrace.c (compat), arch/arm/kernel/ptrace.c (`user_arm_view`),
arch/arm/include/uapi/asm/ptrace.h.
"""

from __future__ import annotations

from qusr.arch.arm.cpu import ARCHES, ARM
from qusr.arch.tracing import (
    NT_PRFPREG,
    NT_PRSTATUS,
    ORIGINAL,
    GdbFeature,
    GdbRegister,
    RegisterSet,
    Tracing,
    UserArea,
)

NT_ARM_VFP, NT_ARM_TLS = 0x400, 0x401
NT_ARM_HW_BREAK, NT_ARM_HW_WATCH, NT_ARM_SYSTEM_CALL = 0x402, 0x403, 0x404

_NO_SLOTS = (6 << 8, 8 + 16 * 16)

_R0, _D0, _FPSCR, _TPIDRURO = 0, 17, 49, 50
#: r0 to r15, cpsr, ORIG_r0.
_GENERAL = RegisterSet(4, *((_R0 + n, 4) for n in range(17)), (ORIGINAL, 4))
_VFP = RegisterSet(4, *((_D0 + n, 8) for n in range(32)), (_FPSCR, 4))
_TLS = RegisterSet(4, (_TPIDRURO, 4))
#: struct user_fp of the FPA, which no machine has any more: the kernel writes zeros.
_FPA = RegisterSet(4, (None, 116))

#: gdb's manual, "ARM Features". An empty feature "neon" has gdb show q0 to q15.
_GDB = (
    GdbFeature(
        "org.gnu.gdb.arm.core",
        (
            *(GdbRegister(f"r{n}", _R0 + n, 32, "uint32", "general") for n in range(13)),
            GdbRegister("sp", 13, 32, "data_ptr", "general"),
            GdbRegister("lr", 14, 32, "int", "general"),
            GdbRegister("pc", 15, 32, "code_ptr", "general"),
            GdbRegister("cpsr", 16, 32, "int", "general"),
        ),
    ),
    GdbFeature(
        "org.gnu.gdb.arm.vfp",
        (
            *(GdbRegister(f"d{n}", _D0 + n, 64, "ieee_double", "float") for n in range(32)),
            GdbRegister("fpscr", _FPSCR, 32, "int", "float"),
        ),
    ),
    GdbFeature("org.gnu.gdb.arm.neon", ()),
    GdbFeature(
        "org.gnu.gdb.arm.tls", (GdbRegister("tpidruro", _TPIDRURO, 32, "data_ptr", "system"),)
    ),
)

_TRACING = Tracing(
    ARM.registers,
    sets={NT_PRSTATUS: _GENERAL, NT_ARM_VFP: _VFP, NT_ARM_TLS: _TLS},
    fixed={NT_ARM_HW_BREAK: _NO_SLOTS, NT_ARM_HW_WATCH: _NO_SLOTS},
    call_note=NT_ARM_SYSTEM_CALL,
    core=((b"CORE", NT_PRFPREG, _FPA), (b"LINUX", NT_ARM_VFP, _VFP)),
    # compat_ptrace_read_user and its fellow; sizeof(struct user) is 296.
    user=UserArea(readable=72, writable=68, size=296, words=(0x10000, 0x10004, 0x10008)),
    requests={
        12: ("get", NT_PRSTATUS),  # PTRACE_GETREGS
        13: ("set", NT_PRSTATUS),
        27: ("get", NT_ARM_VFP),  # PTRACE_GETVFPREGS
        28: ("set", NT_ARM_VFP),
        22: ("word", NT_ARM_TLS),  # PTRACE_GET_THREAD_AREA
        23: ("call", 0),  # PTRACE_SET_SYSCALL
        29: ("zeros", 4),  # PTRACE_GETHBPREGS: register 0 says that there are no slots
    },
    gdb=("arm", _GDB),
)
TRACING = {arch.name: _TRACING for arch in ARCHES}
