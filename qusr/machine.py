"""The machine that a program sees: all that follows from its ISA and the options.

Made once for each kind of program, so that an execve need not work it out again.
"""

from __future__ import annotations

import os

from qusr import _native, arch
from qusr.arch.abi import Abi
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
        "abi", "arch", "core", "hwcap", "kernel_pages", "model", "native", "native_options",
        "platform", "table", "uname",
    )  # fmt: skip

    def __init__(self, name: str, variant: str, options: Options, logs: Sequence[str]) -> None:
        found = arch.by_name(name)
        assert found is not None
        self.arch: Arch = found
        self.abi: Abi = found.guest.abis[variant]
        try:
            native = _native.Machine(
                name,
                variant,
                cpu=options.cpu,
                core=options.core or os.environ.get("QUSR_CORE") or "",
                opt=options.opt,
                logs=",".join(logs),
            )
        except ValueError as error:
            raise UsageError(str(error)) from None
        self.native = native
        model = found.model(native.model)
        assert model is not None
        self.native_options = native.native_options
        self.model: CpuModel = model if self.native_options is None else model.on_native()
        self.hwcap = native.hwcap
        self.uname = native.uname
        self.platform = native.platform
        self.kernel_pages = native.kernel_pages
        self.table = native.table
        # The native core needs Unicorn only for an instruction that it has no lifter for.
        self.core = (unicorn.library(missing_ok=self.native_options is not None), *native.core)
