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
        native: it, if it has been made.
        usual: its core is the one that it has without the core direct.

    Raises:
        UsageError: there is no such CPU or core.
    """

    __slots__ = (
        "abi", "arch", "library", "model", "native"
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        variant: str,
        options: Options,
        logs: Sequence[str],
        native: _native.Machine | None = None,
        *,
        usual: bool = False,
    ) -> None:
        found = arch.by_name(name)
        assert found is not None
        self.arch: Arch = found
        self.abi: Abi = found.guest.abis[variant]
        if native is None:
            native = self._native(name, variant, options, logs, usual=usual)
        self.native = native
        model = found.model(native.model)
        assert model is not None
        is_native = native.native_options is not None
        self.model: CpuModel = model.on_native() if is_native else model
        # The native core needs Unicorn only for an instruction that it has no lifter for.
        self.library = unicorn.library(missing_ok=is_native or native.direct)

    @staticmethod
    def _native(
        name: str, variant: str, options: Options, logs: Sequence[str], *, usual: bool
    ) -> _native.Machine:
        core = options.core or os.environ.get("QUSR_CORE") or ""
        if usual:
            core = ""
        words = ",".join(logs)
        try:
            return _native.Machine(
                name, variant, cpu=options.cpu, core=core, opt=options.opt, logs=words
            )
        except ValueError as error:
            raise UsageError(str(error)) from None
