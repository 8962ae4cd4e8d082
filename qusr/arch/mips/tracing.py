"""MIPS' register sets.

Sources: arch/mips/kernel/ptrace.c (`gpr32_get`, `gpr64_get`, `fpr_get`), asm/elf.h
(`MIPS32_EF_*`, `MIPS64_EF_*`), uapi/asm/ptrace.h.
"""

from __future__ import annotations

from qusr.arch.mips.cpu import ARCHES, MipsArch
from qusr.arch.tracing import (
    NT_PRFPREG,
    NT_PRSTATUS,
    GdbFeature,
    GdbRegister,
    RegisterSet,
    Tracing,
)

_R0, _V0, _LO, _HI, _PC, _F0, _FCSR, _FIR = 0, 2, 32, 33, 34, 35, 67, 68
#: DT_MIPS_RLD_MAP, DT_MIPS_RLD_MAP_REL (elf.h)
_RLD_MAP = (0x70000016, 0x70000035)
#: elf_fpregset_t: 33 doublewords, the last one being FCSR and FIR.
_FP = RegisterSet(8, *((_F0 + n, 8) for n in range(32)), (_FCSR, 4), (_FIR, 4))


def _general(bits: int) -> RegisterSet:
    """elf_gregset_t (ELF_NGREG is 45). BadVAddr, Status and Cause read as zeros."""
    word = bits // 8
    registers = [*((_R0 + n, word) for n in range(32)), (_LO, word), (_HI, word), (_PC, word)]
    if bits == 32:
        return RegisterSet(word, *((None, word),) * 6, *registers, *((None, word),) * 4)
    return RegisterSet(word, *registers, *((None, word),) * 10)


def _gdb(arch: MipsArch) -> tuple[str, tuple[GdbFeature, ...]]:
    """gdb's manual, "MIPS Features"."""
    bits = arch.register_bits
    # n32's pointers are half as long as its registers, which gdb refuses as their type.
    pointers = {29: "data_ptr", 31: "code_ptr", _PC: "code_ptr"}
    types = pointers if arch.word_bits == bits else {}
    general = [
        *(GdbRegister(f"r{n}", _R0 + n, bits, types.get(n, "int"), "general") for n in range(32)),
        GdbRegister("lo", _LO, bits, "int", "general"),
        GdbRegister("hi", _HI, bits, "int", "general"),
        GdbRegister("pc", _PC, bits, types.get(_PC, "int"), "general"),
    ]
    control = [GdbRegister(name, None, bits, "int") for name in ("status", "badvaddr", "cause")]
    floating = [
        *(GdbRegister(f"f{n}", _F0 + n, 64, "ieee_double", "float") for n in range(32)),
        GdbRegister("fcsr", _FCSR, 32, "int", "float"),
        GdbRegister("fir", _FIR, 32, "int", "float"),
    ]
    return "mips:isa64r2" if bits == 64 else "mips:isa32r2", (
        GdbFeature("org.gnu.gdb.mips.cpu", general),
        GdbFeature("org.gnu.gdb.mips.cp0", control),
        GdbFeature("org.gnu.gdb.mips.fpu", floating),
    )


def _tracing(arch: MipsArch) -> Tracing:
    return Tracing(
        arch.registers,
        sets={NT_PRSTATUS: _general(arch.register_bits), NT_PRFPREG: _FP},
        core=((b"CORE", NT_PRFPREG, _FP),),
        call_register=_V0,
        gdb=_gdb(arch),
        debug_map=_RLD_MAP,
    )


TRACING = {arch.name: _tracing(arch) for arch in ARCHES}
