"""PowerPC's register sets.

Sources: arch/powerpc/kernel/ptrace/ (`native_regsets`, ptrace.c), uapi/asm/ptrace.h.
"""

from __future__ import annotations

from qusr.arch.ppc.cpu import PPC
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

NT_PPC_VMX = 0x100

_F0, _PC, _MSR, _CR, _LR, _CTR, _XER, _FPSCR, _VR0, _VSCR, _VRSAVE = (
    32, 64, 65, 66, 67, 68, 69, 70, 71, 103, 104,
)  # fmt: skip
#: struct pt_regs, and what ELF_NGREG has behind it: r0 to r31, nip, msr, orig_gpr3, ctr, link, xer,
#: ccr, mq, trap, dar, dsisr, result, four more.
_GENERAL = RegisterSet(
    4,
    *((n, 4) for n in range(32)),
    *((n, 4) for n in (_PC, _MSR, ORIGINAL, _CTR, _LR, _XER, _CR)),
    *((None, 4),) * 9,
)
_FLOATING = RegisterSet(8, *((_F0 + n, 8) for n in range(32)), (_FPSCR, 8))
#: v0 to v31, VSCR in the last word of the next and VRSAVE in the first word of the last quadword.
_VECTORS = RegisterSet(
    16,
    *((_VR0 + n, 16) for n in range(32)),
    (None, 12),
    (_VSCR, 4),
    (_VRSAVE, 4),
    (None, 12),
)

_VECTOR_TYPES = (
    '<vector id="v4f" type="ieee_single" count="4"/><vector id="v4i32" type="int32" count="4"/>'
    '<vector id="v8i16" type="int16" count="8"/><vector id="v16i8" type="int8" count="16"/>'
    '<union id="vec128"><field name="uint128" type="uint128"/><field name="v4_float" type="v4f"/>'
    '<field name="v4_int32" type="v4i32"/><field name="v8_int16" type="v8i16"/>'
    '<field name="v16_int8" type="v16i8"/></union>'
)
#: gdb's features/rs6000/powerpc-altivec32.xml.
_GDB = (
    GdbFeature(
        "org.gnu.gdb.power.core",
        (
            *(GdbRegister(f"r{n}", n, 32, "uint32", "general") for n in range(32)),
            GdbRegister("pc", _PC, 32, "code_ptr", "general"),
            GdbRegister("msr", _MSR, 32, "uint32", "general"),
            GdbRegister("cr", _CR, 32, "uint32", "general"),
            GdbRegister("lr", _LR, 32, "code_ptr", "general"),
            GdbRegister("ctr", _CTR, 32, "uint32", "general"),
            GdbRegister("xer", _XER, 32, "uint32", "general"),
        ),
    ),
    GdbFeature(
        "org.gnu.gdb.power.fpu",
        (
            *(GdbRegister(f"f{n}", _F0 + n, 64, "ieee_double", "float") for n in range(32)),
            GdbRegister("fpscr", _FPSCR, 32, "int", "float"),
        ),
    ),
    GdbFeature(
        "org.gnu.gdb.power.altivec",
        (
            *(GdbRegister(f"vr{n}", _VR0 + n, 128, "vec128", "vector") for n in range(32)),
            GdbRegister("vscr", _VSCR, 32, "int", "vector"),
            GdbRegister("vrsave", _VRSAVE, 32, "int", "vector"),
        ),
        _VECTOR_TYPES,
    ),
)

TRACING = {
    PPC.name: Tracing(
        PPC.registers,
        sets={NT_PRSTATUS: _GENERAL, NT_PRFPREG: _FLOATING, NT_PPC_VMX: _VECTORS},
        call_register=0,
        core=((b"CORE", NT_PRFPREG, _FLOATING), (b"LINUX", NT_PPC_VMX, _VECTORS)),
        # PT_FPR0 is 48: behind the registers are those of floating point.
        user=UserArea(readable=176, writable=176, size=456, words=(), more=((192, NT_PRFPREG),)),
        requests={
            0xC: ("get", NT_PRSTATUS),  # PTRACE_GETREGS
            0xD: ("set", NT_PRSTATUS),
            0xE: ("get", NT_PRFPREG),  # PTRACE_GETFPREGS
            0xF: ("set", NT_PRFPREG),
            0x12: ("get", NT_PPC_VMX),  # PTRACE_GETVRREGS
            0x13: ("set", NT_PPC_VMX),
        },
        gdb=("powerpc:common", _GDB),
    )
}
