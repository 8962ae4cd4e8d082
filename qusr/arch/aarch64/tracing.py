"""AArch64's register sets.

Sources: arch/arm64/kernel/ptrace.c (`user_aarch64_view`), include/uapi/asm/ptrace.h.
"""

from __future__ import annotations

from qusr.arch.aarch64 import keys
from qusr.arch.aarch64.cpu import AARCH64, ARCHES
from qusr.arch.aarch64.vectors import VECTORS, FloatingSet, ScalableSet
from qusr.arch.tracing import (
    NT_PRFPREG,
    NT_PRSTATUS,
    GdbFeature,
    GdbRegister,
    RegisterSet,
    Tracing,
)

NT_ARM_TLS, NT_ARM_HW_BREAK, NT_ARM_HW_WATCH, NT_ARM_SYSTEM_CALL = 0x401, 0x402, 0x403, 0x404
NT_ARM_SVE = 0x405

#: The Armv8 debug architecture (6), with no slot for breakpoints or watchpoints.
NO_SLOTS = (6 << 8, 8 + 16 * 16)

_X0, _V0, _FPSR, _FPCR, _TPIDR = 0, 34, 66, 67, 68
#: x0 to x30, sp, pc, pstate.
_GENERAL = RegisterSet(8, *((_X0 + n, 8) for n in range(34)))
_FP = FloatingSet()
_TLS = RegisterSet(8, (_TPIDR, 8))

_VECTOR = "".join(
    f'<vector id="{name}" type="{of}" count="{count}"/>'
    for name, of, count in (
        ("v2d", "ieee_double", 2), ("v2u", "uint64", 2), ("v2i", "int64", 2),
        ("v4f", "ieee_single", 4), ("v4u", "uint32", 4), ("v4i", "int32", 4),
        ("v8f", "ieee_half", 8), ("v8u", "uint16", 8), ("v8i", "int16", 8),
        ("v16u", "uint8", 16), ("v16i", "int8", 16), ("v1u", "uint128", 1), ("v1i", "int128", 1),
    )
) + "".join(
    f'<union id="{union}">'
    + "".join(f'<field name="{field}" type="{of}"/>' for field, of in fields)
    + "</union>"
    for union, fields in (
        ("vnd", (("f", "v2d"), ("u", "v2u"), ("s", "v2i"))),
        ("vns", (("f", "v4f"), ("u", "v4u"), ("s", "v4i"))),
        ("vnh", (("f", "v8f"), ("u", "v8u"), ("s", "v8i"))),
        ("vnb", (("u", "v16u"), ("s", "v16i"))),
        ("vnq", (("u", "v1u"), ("s", "v1i"))),
        ("vfp", (("d", "vnd"), ("s", "vns"), ("h", "vnh"), ("b", "vnb"), ("q", "vnq"))),
    )
)  # fmt: skip
#: gdb's manual, "AArch64 Features".
_GDB = (
    GdbFeature(
        "org.gnu.gdb.aarch64.core",
        (
            *(GdbRegister(f"x{n}", _X0 + n, 64, group="general") for n in range(31)),
            GdbRegister("sp", 31, 64, "data_ptr", "general"),
            GdbRegister("pc", 32, 64, "code_ptr", "general"),
            GdbRegister("cpsr", 33, 32, "cpsr_flags", "general"),
        ),
        '<flags id="cpsr_flags" size="4"><field name="SP" start="0" end="0"/>'
        '<field name="EL" start="2" end="3"/><field name="SS" start="21" end="21"/>'
        '<field name="V" start="28" end="28"/><field name="C" start="29" end="29"/>'
        '<field name="Z" start="30" end="30"/><field name="N" start="31" end="31"/></flags>',
    ),
    GdbFeature(
        "org.gnu.gdb.aarch64.fpu",
        (
            *(GdbRegister(f"v{n}", _V0 + n, 128, "vfp", "vector") for n in range(32)),
            GdbRegister("fpsr", _FPSR, 32, group="float"),
            GdbRegister("fpcr", _FPCR, 32, group="float"),
        ),
        _VECTOR,
    ),
    GdbFeature(
        "org.gnu.gdb.aarch64.tls", (GdbRegister("tpidr", _TPIDR, 64, "data_ptr", "system"),)
    ),
    GdbFeature(
        "org.gnu.gdb.aarch64.pauth",
        (
            # What it takes off where it unwinds.
            GdbRegister("pauth_dmask", None, 64, constant=keys.CODE),
            GdbRegister("pauth_cmask", None, 64, constant=keys.CODE),
        ),
    ),
)

_SVE = ScalableSet()
_TRACING = Tracing(
    AARCH64.registers,
    sets={
        NT_PRSTATUS: _GENERAL,
        NT_PRFPREG: _FP,
        NT_ARM_TLS: _TLS,
        NT_ARM_SVE: _SVE,
        **keys.SETS,
    },
    fixed={NT_ARM_HW_BREAK: NO_SLOTS, NT_ARM_HW_WATCH: NO_SLOTS},
    call_note=NT_ARM_SYSTEM_CALL,
    core=(
        (b"CORE", NT_PRFPREG, _FP),
        (b"LINUX", NT_ARM_TLS, _TLS),
        (b"LINUX", NT_ARM_SVE, _SVE),
        *((b"LINUX", note, found) for note, found in keys.SETS.items()),
    ),
    gdb=("aarch64", _GDB),
    vectors=VECTORS,
)
TRACING = {arch.name: _TRACING for arch in ARCHES}
