"""RISC-V's register sets.

Sources: arch/riscv/kernel/ptrace.c (`riscv_user_native_view`), include/uapi/asm/ptrace.h,
include/asm/elf.h (ELF_NFPREG).
"""

from __future__ import annotations

from qusr.arch.riscv.cpu import RISCV32, RISCV64, STATUS, RiscvArch
from qusr.arch.tracing import (
    NT_PRFPREG,
    NT_PRSTATUS,
    GdbFeature,
    GdbRegister,
    RegisterSet,
    Tracing,
)

_X0, _A7, _PC, _F0, _FCSR = 0, 17, 32, 33, 67
#: struct __riscv_d_ext_state.
_FP = RegisterSet(8, *((_F0 + n, 8) for n in range(32)), (_FCSR, 4), (None, 4))


def _gdb(arch: RiscvArch) -> tuple[str, tuple[GdbFeature, ...]]:
    """gdb's manual, "RISC-V Features"."""
    bits = arch.word_bits
    names = list(arch.registers.numbers)
    types = {"pc": "code_ptr", "ra": "code_ptr", "sp": "data_ptr", "gp": "data_ptr"}
    general = (
        GdbRegister(name, number, bits, types.get(name, "int"), "general")
        for number, name in enumerate(names[: _PC + 1])
    )
    numbers = arch.registers.numbers
    status = (GdbRegister(name, numbers[name], 32, "int", "float") for name in STATUS)
    double = (
        '<union id="riscv_double"><field name="float" type="ieee_single"/>'
        '<field name="double" type="ieee_double"/></union>'
    )
    floating = (
        GdbRegister(name, _F0 + number, 64, "riscv_double", "float")
        for number, name in enumerate(names[_F0 : _F0 + 32])
    )
    return f"riscv:rv{bits}", (
        GdbFeature("org.gnu.gdb.riscv.cpu", tuple(general)),
        GdbFeature("org.gnu.gdb.riscv.fpu", (*floating, *status), double),
    )


def _tracing(arch: RiscvArch) -> Tracing:
    word = arch.word_bits // 8
    # struct user_regs_struct: pc, x1 to x31.
    general = RegisterSet(word, (_PC, word), *((_X0 + n, word) for n in range(1, 32)))
    return Tracing(
        arch.registers,
        sets={NT_PRSTATUS: general, NT_PRFPREG: _FP},
        core=((b"CORE", NT_PRFPREG, _FP),),
        call_register=_A7,
        gdb=_gdb(arch),
    )


TRACING = {arch.name: _tracing(arch) for arch in (RISCV64, RISCV32)}
