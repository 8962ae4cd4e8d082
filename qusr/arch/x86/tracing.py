"""x86's register sets.

Sources: arch/x86/kernel/ptrace.c (`x86_64_regsets`, `x86_32_regsets`),
arch/x86/include/asm/user_64.h and user_32.h, uapi/asm/ptrace-abi.h.
"""

from __future__ import annotations

from qusr.arch.tracing import (
    NT_PRFPREG,
    NT_PRSTATUS,
    ORIGINAL,
    GdbFeature,
    GdbRegister,
    RegisterSet,
    ThreadAreas,
    Tracing,
    UserArea,
)
from qusr.arch.x86.cpu import I386, X86_64

NT_PRXFPREG = 0x46E62B7F
NT_386_TLS = 0x200

_NUMBERS64 = X86_64.registers.numbers
_NUMBERS32 = I386.registers.numbers


def _fields(numbers: dict[str, int], size: int, names: str) -> list[tuple[int | None, int]]:
    return [(ORIGINAL if name == "orig" else numbers[name], size) for name in names.split()]


#: struct user_regs_struct.
_GENERAL64 = RegisterSet(
    8,
    *_fields(
        dict(_NUMBERS64),
        8,
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig rip cs eflags rsp ss "
        "fs_base gs_base ds es fs gs",
    ),
)
#: What FXSAVE stores with 64 bits, struct user_i387_struct.
_FXSAVE64 = RegisterSet(
    8,
    *_fields(dict(_NUMBERS64), 2, "fctrl fstat ftw fop"),
    *_fields(dict(_NUMBERS64), 8, "fioff fooff"),
    *_fields(dict(_NUMBERS64), 4, "mxcsr mxcsr_mask"),
    *((_NUMBERS64[f"st{n}"], 16) for n in range(8)),
    *((_NUMBERS64[f"xmm{n}"], 16) for n in range(16)),
    (None, 96),
)

#: The same with 32 bits.
_GENERAL32 = RegisterSet(
    4,
    *_fields(
        dict(_NUMBERS32),
        4,
        "ebx ecx edx esi edi ebp eax ds es fs gs orig eip cs eflags esp ss",
    ),
)
#: What FSAVE stores.
_FSAVE = RegisterSet(
    4,
    *_fields(dict(_NUMBERS32), 4, "fctrl fstat ftag fioff fiseg fooff foseg"),
    *((_NUMBERS32[f"st{n}"], 10) for n in range(8)),
)
#: What FXSAVE stores with 32 bits.
_FXSAVE32 = RegisterSet(
    4,
    *_fields(dict(_NUMBERS32), 2, "fctrl fstat ftw fop"),
    *_fields(dict(_NUMBERS32), 4, "fioff fiseg fooff foseg mxcsr mxcsr_mask"),
    *((_NUMBERS32[f"st{n}"], 16) for n in range(8)),
    *((_NUMBERS32[f"xmm{n}"], 16) for n in range(8)),
    (None, 224),
)

_FLAGS = (
    '<flags id="i386_eflags" size="4">'
    '<field name="CF" start="0" end="0"/><field name="" start="1" end="1"/>'
    '<field name="PF" start="2" end="2"/><field name="AF" start="4" end="4"/>'
    '<field name="ZF" start="6" end="6"/><field name="SF" start="7" end="7"/>'
    '<field name="TF" start="8" end="8"/><field name="IF" start="9" end="9"/>'
    '<field name="DF" start="10" end="10"/><field name="OF" start="11" end="11"/>'
    '<field name="NT" start="14" end="14"/><field name="RF" start="16" end="16"/>'
    '<field name="VM" start="17" end="17"/><field name="AC" start="18" end="18"/>'
    '<field name="VIF" start="19" end="19"/><field name="VIP" start="20" end="20"/>'
    '<field name="ID" start="21" end="21"/></flags>'
)
_MXCSR = (
    '<vector id="v4f" type="ieee_single" count="4"/><vector id="v2d" type="ieee_double" count="2"/>'
    '<vector id="v16i8" type="int8" count="16"/><vector id="v8i16" type="int16" count="8"/>'
    '<vector id="v4i32" type="int32" count="4"/><vector id="v2i64" type="int64" count="2"/>'
    '<union id="vec128"><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/>'
    '<field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/>'
    '<field name="v4_int32" type="v4i32"/><field name="v2_int64" type="v2i64"/>'
    '<field name="uint128" type="uint128"/></union>'
    '<flags id="i386_mxcsr" size="4">'
    '<field name="IE" start="0" end="0"/><field name="DE" start="1" end="1"/>'
    '<field name="ZE" start="2" end="2"/><field name="OE" start="3" end="3"/>'
    '<field name="UE" start="4" end="4"/><field name="PE" start="5" end="5"/>'
    '<field name="DAZ" start="6" end="6"/><field name="IM" start="7" end="7"/>'
    '<field name="DM" start="8" end="8"/><field name="ZM" start="9" end="9"/>'
    '<field name="OM" start="10" end="10"/><field name="UM" start="11" end="11"/>'
    '<field name="PM" start="12" end="12"/><field name="FZ" start="15" end="15"/></flags>'
)


def _gdb(numbers: dict[str, int], bits: int) -> tuple[GdbFeature, ...]:
    """gdb's manual, "i386 Features"."""
    types = {"rip": "code_ptr", "eip": "code_ptr"}
    pointers = ("rsp", "rbp", "esp", "ebp")
    general = [name for name, number in numbers.items() if number < numbers["eflags"]]
    x87 = ("fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop")

    def word(name: str) -> GdbRegister:
        default = "data_ptr" if name in pointers else f"int{bits}" if bits == 64 else "int32"
        return GdbRegister(name, numbers[name], bits, types.get(name, default), "general")

    return (
        GdbFeature(
            "org.gnu.gdb.i386.core",
            (
                *map(word, general),
                GdbRegister("eflags", numbers["eflags"], 32, "i386_eflags", "general"),
                *(
                    GdbRegister(name, numbers[name], 32, "int32", "general")
                    for name in ("cs", "ss", "ds", "es", "fs", "gs")
                ),
                *(
                    GdbRegister(f"st{n}", numbers[f"st{n}"], 80, "i387_ext", "float")
                    for n in range(8)
                ),
                *(GdbRegister(name, numbers[name], 32, "int", "float") for name in x87),
            ),
            _FLAGS,
        ),
        GdbFeature(
            "org.gnu.gdb.i386.sse",
            (
                *(
                    GdbRegister(name, number, 128, "vec128", "vector")
                    for name, number in numbers.items()
                    if name.startswith("xmm")
                ),
                GdbRegister("mxcsr", numbers["mxcsr"], 32, "i386_mxcsr", "vector"),
            ),
            _MXCSR,
        ),
    )


_SEGMENTS64 = GdbFeature(
    "org.gnu.gdb.i386.segments",
    tuple(GdbRegister(name, _NUMBERS64[name], 64, "int") for name in ("fs_base", "gs_base")),
)


def _linux(name: str, bits: int) -> GdbFeature:
    """Without it gdb knows neither system calls nor frames of signals."""
    return GdbFeature("org.gnu.gdb.i386.linux", (GdbRegister(name, ORIGINAL, bits, "int"),))


#: Offsets of u_debugreg in struct user, of which there are no 4 and 5. With 64 bits, nothing else
#: behind the general registers can be stored to; with 32, everything else takes any store.
_DEBUG64 = frozenset(848 + 8 * n for n in (0, 1, 2, 3, 6, 7))
_DEBUG32_MISSING = (268, 272)

TRACING = {
    X86_64.name: Tracing(
        X86_64.registers,
        sets={NT_PRSTATUS: _GENERAL64, NT_PRFPREG: _FXSAVE64},
        core=((b"CORE", NT_PRFPREG, _FXSAVE64),),
        call_register=ORIGINAL,
        # struct user: debug registers and all else behind the general ones read as 0.
        user=UserArea(
            readable=216, writable=216, size=928, words=(),
            constant=frozenset(range(216, 928)) - _DEBUG64,
        ),
        requests={
            12: ("get", NT_PRSTATUS),  # PTRACE_GETREGS
            13: ("set", NT_PRSTATUS),
            14: ("get", NT_PRFPREG),  # PTRACE_GETFPREGS
            15: ("set", NT_PRFPREG),
        },
        gdb=("i386:x86-64", (*_gdb(dict(_NUMBERS64), 64), _linux("orig_rax", 64), _SEGMENTS64)),
    ),
    I386.name: Tracing(
        I386.registers,
        sets={NT_PRSTATUS: _GENERAL32, NT_PRFPREG: _FSAVE, NT_PRXFPREG: _FXSAVE32},
        core=((b"CORE", NT_PRFPREG, _FSAVE), (b"LINUX", NT_PRXFPREG, _FXSAVE32)),
        call_register=ORIGINAL,
        user=UserArea(readable=68, writable=68, size=288, words=(), constant=_DEBUG32_MISSING),
        requests={
            12: ("get", NT_PRSTATUS),  # PTRACE_GETREGS
            13: ("set", NT_PRSTATUS),
            14: ("get", NT_PRFPREG),  # PTRACE_GETFPREGS
            15: ("set", NT_PRFPREG),
            18: ("get", NT_PRXFPREG),  # PTRACE_GETFPXREGS
            19: ("set", NT_PRXFPREG),
            25: ("get thread area", 0),  # PTRACE_GET_THREAD_AREA
            26: ("set thread area", 0),
        },
        # GDT_ENTRY_TLS_MIN of a 32-bit kernel.
        areas=ThreadAreas(NT_386_TLS, 6, [_NUMBERS32[f"tls{n}"] for n in range(3)]),
        gdb=("i386", (*_gdb(dict(_NUMBERS32), 32), _linux("orig_eax", 32))),
    ),
}  # fmt: skip
