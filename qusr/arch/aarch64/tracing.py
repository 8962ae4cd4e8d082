"""AArch64's register sets.

Sources: arch/arm64/kernel/ptrace.c (`user_aarch64_view`), include/uapi/asm/ptrace.h.
"""

from __future__ import annotations

from qusr.arch.aarch64.cpu import AARCH64, ARCHES
from qusr.arch.tracing import NT_PRFPREG, NT_PRSTATUS, RegisterSet, Tracing

NT_ARM_TLS, NT_ARM_HW_BREAK, NT_ARM_HW_WATCH, NT_ARM_SYSTEM_CALL = 0x401, 0x402, 0x403, 0x404

#: The Armv8 debug architecture (6), with no slot for breakpoints or watchpoints.
NO_SLOTS = (6 << 8, 8 + 16 * 16)

_X0, _V0, _FPSR, _FPCR, _TPIDR = 0, 34, 66, 67, 68
#: x0 to x30, sp, pc, pstate.
_GENERAL = RegisterSet(8, *((_X0 + n, 8) for n in range(34)))
#: struct user_fpsimd_state.
_FP = RegisterSet(4, *((_V0 + n, 16) for n in range(32)), (_FPSR, 4), (_FPCR, 4), (None, 8))
_TLS = RegisterSet(8, (_TPIDR, 8))

_TRACING = Tracing(
    AARCH64.registers,
    sets={NT_PRSTATUS: _GENERAL, NT_PRFPREG: _FP, NT_ARM_TLS: _TLS},
    fixed={NT_ARM_HW_BREAK: NO_SLOTS, NT_ARM_HW_WATCH: NO_SLOTS},
    call_note=NT_ARM_SYSTEM_CALL,
    core=((b"CORE", NT_PRFPREG, _FP), (b"LINUX", NT_ARM_TLS, _TLS)),
)
TRACING = {arch.name: _TRACING for arch in ARCHES}
