"""The machine that a program sees: all that follows from its ISA and the options.

Made once for each kind of program, so that an execve need not work it out again.
"""

from __future__ import annotations

import os

from qusr import _native, arch
from qusr.arch.abi import Abi, abi
from qusr.cpu import unicorn
from qusr.options import Options, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from qusr.arch.base import Arch, CpuModel

MINSIGSTKSZ = {8: 4720}
"""AT_MINSIGSTKSZ by word size: AArch64's frame without SVE (arch/arm64/kernel/signal.c)."""


class Machine:
    """One guest ISA with one CPU model.

    Args:
        name: the guest's name.
        be8: which of the two big-endian forms an armeb program has.
        options: the options.
        logs: what the native core is to log.

    Raises:
        UsageError: there is no such CPU or core.
    """

    __slots__ = (
        "abi", "arch", "args", "core", "frame", "hwcap", "kuser_page", "minsigstksz", "model",
        "native_options", "numbers", "platform", "uname",
    )  # fmt: skip

    def __init__(self, name: str, be8: bool, options: Options, logs: Sequence[str]) -> None:
        found = arch.by_name(name)
        assert found is not None
        self.arch: Arch = found
        self.abi: Abi = abi(name)
        guest = found.unicorn_guest(be8=be8)
        self.native_options = _native_options(guest, options, logs)
        model = _cpu_model(found, options, be8)
        self.model = model if self.native_options is None else model.on_native()
        self.hwcap = found.hwcap(self.model)
        self.uname = found.uname_of(self.model).encode()
        self.platform = found.platform_of(self.model).encode()
        self.minsigstksz = MINSIGSTKSZ.get(self.abi.word, 0)
        self.kuser_page = found.kuser_page(be8=be8)
        regs = found.registers
        self.numbers = (regs.syscall, regs.args[0], regs.pc, regs.sp, regs.tls, regs.status)
        self.args = list(regs.args)
        self.frame = "arm" if self.abi.frame == "arm-be8" and not be8 else self.abi.frame
        self.core = unicorn.arguments(found, self.model, be8=be8)


def _cpu_model(found: Arch, options: Options, be8: bool) -> CpuModel:
    if options.cpu is None:
        return found.default_model
    model = found.model(options.cpu)
    if model is None:
        raise UsageError(f"no CPU {options.cpu!r} for {found.name}: -cpu help lists them")
    if not found.runs_on(model, be8=be8):
        others = " and ".join(m.name for m in found.models if found.runs_on(m, be8=be8))
        raise UsageError(f"-cpu {model.name} has no big-endian code (BE32): {others} have")
    return model


def _native_options(guest: str, options: Options, logs: Sequence[str]) -> str | None:
    """What `_native.Thread` takes for the native core; None when it is another one."""
    asked = options.core or os.environ.get("QUSR_CORE") or ""
    name, _, rest = asked.partition(",")
    if name == "unicorn":
        if rest:
            raise UsageError(f"the core unicorn has no option {rest!r}")
        return None
    if name not in ("", "native"):
        raise UsageError(f"no core {name!r}: there are unicorn and native")
    refusal = _native.native_refusal(guest)
    if refusal is not None:
        if name:
            raise UsageError(refusal)
        return None
    words = ",".join(word for word in (rest, options.opt, *logs) if word)
    refusal = _native.native_refusal(guest, words)
    if refusal is not None:
        raise UsageError(refusal)
    return words
