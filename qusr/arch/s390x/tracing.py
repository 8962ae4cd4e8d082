"""s390x's register sets.

Sources: arch/s390/kernel/ptrace.c (`s390_regsets`, `__peek_user`),
arch/s390/include/uapi/asm/ptrace.h.
"""

from __future__ import annotations

from qusr.arch.s390x.cpu import S390X
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

NT_S390_LAST_BREAK, NT_S390_SYSTEM_CALL = 0x306, 0x307
NT_S390_VXRS_LOW, NT_S390_VXRS_HIGH = 0x309, 0x30A

_PSWM, _R0, _ACR0, _FPC, _F0, _V0L, _V16 = 0, 2, 18, 34, 35, 51, 67
#: The PSW, r0 to r15, access registers, orig_gpr2: s390_regs.
_GENERAL = RegisterSet(
    8,
    *((_PSWM + n, 8) for n in range(2)),
    *((_R0 + n, 8) for n in range(16)),
    *((_ACR0 + n, 4) for n in range(16)),
    (ORIGINAL, 8),
)
#: s390_fp_regs.
_FLOATING = RegisterSet(8, (_FPC, 4), (None, 4), *((_F0 + n, 8) for n in range(16)))
_VECTORS_LOW = RegisterSet(8, *((_V0L + n, 8) for n in range(16)))
_VECTORS_HIGH = RegisterSet(16, *((_V16 + n, 16) for n in range(16)))
#: The address of the last branch, which is not known.
_LAST_BREAK = RegisterSet(8, (None, 8))

_VECTOR_TYPES = (
    '<vector id="v4f" type="ieee_single" count="4"/><vector id="v2d" type="ieee_double" count="2"/>'
    '<vector id="v16i8" type="int8" count="16"/><vector id="v8i16" type="int16" count="8"/>'
    '<vector id="v4i32" type="int32" count="4"/><vector id="v2i64" type="int64" count="2"/>'
    '<union id="vec128"><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/>'
    '<field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/>'
    '<field name="v4_int32" type="v4i32"/><field name="v2_int64" type="v2i64"/>'
    '<field name="uint128" type="uint128"/></union>'
)
#: gdb's features/s390x-vx-linux64.xml.
_GDB = (
    GdbFeature(
        "org.gnu.gdb.s390.core",
        (
            GdbRegister("pswm", _PSWM, 64, "uint64", "psw"),
            GdbRegister("pswa", _PSWM + 1, 64, "uint64", "psw"),
            *(GdbRegister(f"r{n}", _R0 + n, 64, "uint64", "general") for n in range(16)),
        ),
    ),
    GdbFeature(
        "org.gnu.gdb.s390.acr",
        tuple(GdbRegister(f"acr{n}", _ACR0 + n, 32, "uint32", "access") for n in range(16)),
    ),
    GdbFeature(
        "org.gnu.gdb.s390.fpr",
        (
            GdbRegister("fpc", _FPC, 32, "uint32", "float"),
            *(GdbRegister(f"f{n}", _F0 + n, 64, "ieee_double", "float") for n in range(16)),
        ),
    ),
    GdbFeature(
        "org.gnu.gdb.s390.vx",
        (
            *(GdbRegister(f"v{n}l", _V0L + n, 64, "uint64", "vector") for n in range(16)),
            *(GdbRegister(f"v{n + 16}", _V16 + n, 128, "vec128", "vector") for n in range(16)),
        ),
        _VECTOR_TYPES,
    ),
)

TRACING = {
    S390X.name: Tracing(
        S390X.registers,
        sets={
            NT_PRSTATUS: _GENERAL,
            NT_PRFPREG: _FLOATING,
            NT_S390_LAST_BREAK: _LAST_BREAK,
            NT_S390_VXRS_LOW: _VECTORS_LOW,
            NT_S390_VXRS_HIGH: _VECTORS_HIGH,
        },
        call_note=NT_S390_SYSTEM_CALL,
        call_register=_R0 + 2,
        core=(
            (b"CORE", NT_PRFPREG, _FLOATING),
            (b"LINUX", NT_S390_LAST_BREAK, _LAST_BREAK),
            (b"LINUX", NT_S390_VXRS_LOW, _VECTORS_LOW),
            (b"LINUX", NT_S390_VXRS_HIGH, _VECTORS_HIGH),
        ),
        # struct user: behind the registers of both sets are those of PER, which nothing uses.
        user=UserArea(readable=216, writable=216, size=456, words=(), more=((216, NT_PRFPREG),)),
        requests={
            0x5000: ("peek area", 0),  # PTRACE_PEEKUSR_AREA
            0x5001: ("poke area", 0),
            0x5006: ("word", NT_S390_LAST_BREAK),  # PTRACE_GET_LAST_BREAK
        },
        gdb=("s390:64-bit", _GDB),
    )
}
