"""RISC-V's register sets.

Sources: arch/riscv/kernel/ptrace.c (`riscv_user_native_view`), include/uapi/asm/ptrace.h,
include/asm/elf.h (ELF_NFPREG).
"""

from __future__ import annotations

from qusr.arch.riscv.cpu import RISCV32, RISCV64, RiscvArch
from qusr.arch.tracing import NT_PRFPREG, NT_PRSTATUS, RegisterSet, Tracing

_X0, _PC, _F0, _FCSR = 0, 32, 33, 67
#: struct __riscv_d_ext_state.
_FP = RegisterSet(8, *((_F0 + n, 8) for n in range(32)), (_FCSR, 4), (None, 4))


def _tracing(arch: RiscvArch) -> Tracing:
    word = arch.word_bits // 8
    # struct user_regs_struct: pc, x1 to x31.
    general = RegisterSet(word, (_PC, word), *((_X0 + n, word) for n in range(1, 32)))
    return Tracing(
        arch.registers,
        sets={NT_PRSTATUS: general, NT_PRFPREG: _FP},
        core=((b"CORE", NT_PRFPREG, _FP),),
    )


TRACING = {arch.name: _tracing(arch) for arch in (RISCV64, RISCV32)}
