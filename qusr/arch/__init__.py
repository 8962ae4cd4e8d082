"""Guest instruction sets: one module each, imported when it is asked for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from qusr.arch.base import Arch

#: Every name by which a command or option may call a guest, and the module that has it.
_MODULES = {
    "arm": "arm",
    "armhf": "arm",
    "armel": "arm",
    "armeb": "arm",
    "aarch64": "aarch64",
    "arm64": "aarch64",
    "aarch64_be": "aarch64",
    "aarch64eb": "aarch64",
    "arm64be": "aarch64",
}


def _arches(module: str) -> tuple[Arch, ...]:
    if module == "arm":
        from qusr.arch import arm

        return arm.ARCHES
    from qusr.arch import aarch64

    return aarch64.ARCHES


def names() -> list[str]:
    """All names of guests, with the aliases."""
    return list(_MODULES)


def by_name(name: str) -> Arch | None:
    """The guest of this name or alias."""
    module = _MODULES.get(name)
    if module is not None:
        for arch in _arches(module):
            if name == arch.name or name in arch.aliases:
                return arch
    return None
