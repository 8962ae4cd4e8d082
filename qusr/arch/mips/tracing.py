"""MIPS' register sets.

Sources: arch/mips/kernel/ptrace.c (`gpr32_get`, `gpr64_get`, `fpr_get`, `ptrace_getregs`,
`arch_ptrace`), arch/mips/kernel/ptrace32.c, asm/elf.h (`MIPS32_EF_*`, `MIPS64_EF_*`),
uapi/asm/ptrace.h (struct pt_regs; `FPR_BASE` and what follows).
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
    UserRegisters,
)

_R0, _V0, _LO, _HI, _PC, _F0, _FCSR, _FIR, _USERLOCAL, _STATUS = (
    0, 2, 32, 33, 34, 35, 67, 68, 69, 70,
)  # fmt: skip
#: Status.FR: all floating-point registers have 64 bits.
_FR = 1 << 26
#: DT_MIPS_RLD_MAP, DT_MIPS_RLD_MAP_REL (elf.h)
_RLD_MAP = (0x70000016, 0x70000035)
#: What PTRACE_GETREGS alone gives.
_WHOLE = -1
_CONTROL = ((_FCSR, 4), (_FIR, 4))
#: elf_fpregset_t: 33 doublewords, the last one being FCSR and FIR.
_FP = RegisterSet(8, *((_F0 + n, 8) for n in range(32)), *_CONTROL)


def _floating(arch: MipsArch) -> RegisterSet:
    """The same where Status.FR may be 0: an even register has the odd one in its upper half."""
    if arch.register_bits == 64:
        return _FP
    pairs: list[tuple[int | None, int]] = []
    for n in range(0, 32, 2):
        halves = (_F0 + n + 1, _F0 + n) if arch.big_endian else (_F0 + n, _F0 + n + 1)
        pairs += [(halves[0], 4), (halves[1], 4), (None, 8)]
    return RegisterSet(8, *pairs, *_CONTROL, other=(_FP, _STATUS, _FR))


def _whole(bits: int) -> RegisterSet:
    """struct pt_regs of uapi/asm/ptrace.h, which has 64 bits each with all ABIs. BadVAddr and
    Cause read as zeros.
    """
    numbers = (*range(_R0, _R0 + 32), _LO, _HI, _PC, None, _STATUS, None)
    return RegisterSet(8, *((number, 8) for number in numbers), signed=bits)


#: Numbers of PTRACE_PEEKUSR: 0 to 31 and FPR_BASE on, PC, CAUSE, BADVADDR, MMHI, MMLO, FPC_CSR,
#: FPC_EIR.
_USER: dict[int, int | None] = {
    **{n: _R0 + n for n in range(32)},
    **{32 + n: _F0 + n for n in range(32)},
    64: _PC, 65: None, 66: None, 67: _HI, 68: _LO, 69: _FCSR, 70: _FIR,
}  # fmt: skip
_USER_WRITABLE = frozenset(_USER) - {65, 66, 70}


def _general(bits: int) -> RegisterSet:
    """elf_gregset_t (ELF_NGREG is 45). BadVAddr and Cause read as zeros."""
    word = bits // 8
    registers = (*range(_R0, _R0 + 32), _LO, _HI, _PC, None, _STATUS, None)
    rest = ((None, word),)
    if bits == 32:
        return RegisterSet(word, *rest * 6, *((n, word) for n in registers), *rest)
    return RegisterSet(word, *((n, word) for n in registers), *rest * 7)


def _gdb(arch: MipsArch) -> tuple[str, tuple[GdbFeature, ...]]:
    """gdb's manual, "MIPS Features"."""
    bits = arch.register_bits
    # gdb takes the size of pointers for that of the register: n32's are shorter.
    sized = arch.pointer_bits == bits
    types = {29: "data_ptr", 31: "code_ptr"} if sized else {}
    general = [
        *(GdbRegister(f"r{n}", _R0 + n, bits, types.get(n, "int"), "general") for n in range(32)),
        GdbRegister("lo", _LO, bits, "int", "general"),
        GdbRegister("hi", _HI, bits, "int", "general"),
        GdbRegister("pc", _PC, bits, "code_ptr" if sized else "int", "general"),
    ]
    control = [
        GdbRegister("status", _STATUS, bits, "int"),
        *(GdbRegister(name, None, bits, "int") for name in ("badvaddr", "cause")),
    ]
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
    floating = _floating(arch)
    return Tracing(
        arch.registers,
        sets={NT_PRSTATUS: _general(arch.register_bits), NT_PRFPREG: floating},
        core=((b"CORE", NT_PRFPREG, floating),),
        call_register=_V0,
        user=UserRegisters(_USER, _USER_WRITABLE),
        requests={
            12: ("get", _WHOLE),  # PTRACE_GETREGS
            13: ("set", _WHOLE),
            14: ("get", NT_PRFPREG),  # PTRACE_GETFPREGS
            15: ("set", NT_PRFPREG),
            25: ("register", _USERLOCAL),  # PTRACE_GET_THREAD_AREA
        },
        whole={_WHOLE: _whole(arch.register_bits)},
        gdb=_gdb(arch),
        debug_map=_RLD_MAP,
    )


TRACING = {arch.name: _tracing(arch) for arch in ARCHES}
