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
    Vectors,
    VectorSet,
)

# include/uapi/linux/elf.h
NT_RISCV_VECTOR = 0x901

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


#: vstart, vl, vtype, vcsr, vlenb; whether they have been used (native/guests/src/riscv/mod.rs).
_STATUS = ("vstart", "vl", "vtype", "vcsr", "vlenb")
_VSTART = _FCSR + 1
_VLENB = _VSTART + 4
_VSTATE = _VSTART + 5


def _gdb_vectors(bits: int, length: int) -> tuple[GdbFeature, ...]:
    """The features of a processor with registers of `length` bytes."""
    views = (("b", 8), ("s", 16), ("w", 32), ("l", 64), ("q", 128))
    types = "".join(
        f'<vector id="v{letter}" type="uint{size}" count="{length * 8 // size}"/>'
        for letter, size in views
    )
    fields = "".join(f'<field name="{letter}" type="v{letter}"/>' for letter, _ in views)
    union = f'<union id="riscv_vector">{fields}</union>'
    pieces = length // 16
    vectors = (
        GdbRegister(f"v{n}", _VSTATE + 1 + n * pieces, length * 8, "riscv_vector", "vector")
        for n in range(32)
    )
    status = (
        GdbRegister(name, _VSTART + n, bits, "int", "vector") for n, name in enumerate(_STATUS)
    )
    return (
        GdbFeature("org.gnu.gdb.riscv.vector", tuple(vectors), types + union),
        GdbFeature("org.gnu.gdb.riscv.csr", tuple(status)),
    )


def _tracing(arch: RiscvArch) -> Tracing:
    word = arch.word_bits // 8
    # struct user_regs_struct: pc, x1 to x31.
    general = RegisterSet(word, (_PC, word), *((_X0 + n, word) for n in range(1, 32)))
    vectors = Vectors(_VSTATE + 1, _VLENB, lambda length: _gdb_vectors(arch.word_bits, length))
    # struct __riscv_v_regset_state; there is none before the thread uses vectors (riscv_vr_get).
    status = ((_VSTART + n, word) for n in range(len(_STATUS)))
    scalable = VectorSet(4, *status, vectors=vectors, used=(_VSTATE, 1))
    return Tracing(
        arch.registers,
        sets={NT_PRSTATUS: general, NT_PRFPREG: _FP, NT_RISCV_VECTOR: scalable},
        core=((b"CORE", NT_PRFPREG, _FP), (b"LINUX", NT_RISCV_VECTOR, scalable)),
        call_register=_A7,
        gdb=_gdb(arch),
        vectors=vectors,
    )


TRACING = {arch.name: _tracing(arch) for arch in (RISCV64, RISCV32)}
