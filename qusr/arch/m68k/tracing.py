"""680x0's register sets.

Sources: arch/m68k/kernel/ptrace.c, arch/m68k/include/asm/elf.h (`ELF_CORE_COPY_REGS`),
asm/user.h (`user_m68kfp_struct`).
"""

from __future__ import annotations

from qusr.arch.m68k.cpu import M68K
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

_D0, _A0, _SP, _PS, _PC, _FP0, _FPCR = 0, 8, 15, 16, 17, 18, 26

#: What PTRACE_GETREGS alone gives: d1 to d7, a0 to a6, d0, the stack pointer, the call's number,
#: status, pc.
_WHOLE = -1
_WORDS = RegisterSet(
    4,
    *((_D0 + n, 4) for n in range(1, 8)),
    *((_A0 + n, 4) for n in range(7)),
    *((number, 4) for number in (_D0, _SP, ORIGINAL, _PS, _PC)),
)
#: The same, and a word with format and vector.
_GENERAL = RegisterSet(4, *_WORDS.fields, (None, 4))
_FLOAT = RegisterSet(
    4, *((_FP0 + n, 12) for n in range(8)), *((_FPCR + n, 4) for n in range(3))
)  # fmt: skip


def _gdb() -> tuple[GdbFeature, ...]:
    """gdb's manual, "M68K Features"."""
    types = {"fp": "data_ptr", "sp": "data_ptr", "pc": "code_ptr"}
    numbers = M68K.registers.numbers
    names = list(numbers)
    return (
        GdbFeature(
            "org.gnu.gdb.m68k.core",
            [
                GdbRegister(name, numbers[name], 32, types.get(name, "int32"), "general")
                for name in names[: _PC + 1]
            ],
        ),
        GdbFeature(
            "org.gnu.gdb.coldfire.fp",
            [
                # By its width, which only the long double of the ABI has.
                *(GdbRegister(f"fp{n}", _FP0 + n, 96, "float", "float") for n in range(8)),
                *(
                    GdbRegister(name, numbers[name], 32, "int32", "float")
                    for name in names[_FPCR : _FPCR + 3]
                ),
            ],
        ),
    )


#: Words of PTRACE_PEEKUSR: 19 general ones, and from the 21st on the floating-point unit's.
_GENERAL_END, _FLOAT_AT = 19 * 4, 21 * 4

TRACING = {
    M68K.name: Tracing(
        M68K.registers,
        sets={NT_PRSTATUS: _GENERAL, NT_PRFPREG: _FLOAT},
        core=((b"CORE", NT_PRFPREG, _FLOAT),),
        call_register=ORIGINAL,
        user=UserArea(
            readable=_GENERAL_END, writable=_GENERAL_END, size=_FLOAT_AT + _FLOAT.size, words=(),
            more=((_FLOAT_AT, NT_PRFPREG),), gaps=range(_GENERAL_END, _FLOAT_AT),
        ),
        requests={
            12: ("get", _WHOLE),  # PTRACE_GETREGS
            13: ("set", _WHOLE),
            14: ("get", NT_PRFPREG),  # PTRACE_GETFPREGS
            15: ("set", NT_PRFPREG),
        },
        whole={_WHOLE: _WORDS},
        gdb=("m68k", _gdb()),
    )
}  # fmt: skip
