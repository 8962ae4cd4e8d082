"""The machine that a program sees: all that follows from its ISA and the options.

Made once for each kind of program, so that an execve need not work it out again.
"""

from __future__ import annotations

import os

from qusr import _native, arch
from qusr.arch.abi import Abi
from qusr.arch.base import NATIVE_ONLY
from qusr.cpu import unicorn
from qusr.options import Options, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from qusr.arch.base import Arch, CpuModel


class Machine:
    """One guest ISA with one CPU model.

    Args:
        name: the guest's name.
        variant: which of the guest's kinds of programs it runs (`Guest.variant`).
        options: the options.
        logs: what the native core is to log.

    Raises:
        UsageError: there is no such CPU or core.
    """

    __slots__ = (
        "abi", "arch", "core", "has_usual_core", "hwcap", "kernel_pages", "model",
        "native_options", "platform", "uname",
    )  # fmt: skip

    def __init__(self, name: str, variant: str, options: Options, logs: Sequence[str]) -> None:
        found = arch.by_name(name)
        assert found is not None
        self.arch: Arch = found
        self.abi: Abi = found.guest.abis[variant]
        self.native_options = _native_options(self.abi.core, options, logs)
        #: Whether a start without options has this core too, with its options.
        self.has_usual_core = self.native_options == "" or (
            self.native_options is None and _native.native_refusal(self.abi.core) is not None
        )
        model = _cpu_model(found, options, variant)
        if self.native_options is None and model.unicorn == NATIVE_ONLY:
            raise UsageError(f"-cpu {model.name}: only the core native has this CPU")
        self.model = model if self.native_options is None else model.on_native()
        self.hwcap = found.hwcap(self.model)
        self.uname = found.uname_of(self.model).encode()
        self.platform = found.platform_of(self.model).encode()
        self.kernel_pages = found.kernel_pages(variant)
        # The native core opens it only for an instruction that it does not know.
        needed = self.native_options is None
        self.core = unicorn.arguments(found, self.model, variant, needed=needed)


def _cpu_model(found: Arch, options: Options, variant: str) -> CpuModel:
    if options.cpu is None:
        return found.default_model
    model = found.model(options.cpu)
    if model is None:
        raise UsageError(f"no CPU {options.cpu!r} for {found.name}: -cpu help lists them")
    missing = found.lacks(model, variant)
    if missing:
        *most, last = (m.name for m in found.models if not found.lacks(m, variant))
        others = f"{', '.join(most)} and {last} have" if most else f"{last} has"
        raise UsageError(f"-cpu {model.name} has no {missing}: {others}")
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
