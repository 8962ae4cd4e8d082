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
#: (e_machine, EI_CLASS) and the module.
_ELF_MODULES = {(40, 1): "arm", (183, 2): "aarch64"}

#: EF_ARM_BE8: code is little-endian in a big-endian program.
EF_ARM_BE8 = 0x00800000


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


def by_elf(machine: int, elf_class: int, data: int, flags: int = 0) -> Arch | None:
    """The guest whose programs have these in their ELF header.

    `flags` does not choose between guests so far; :func:`is_be8` is what it says on arm.
    """
    del flags
    module = _ELF_MODULES.get((machine, elf_class))
    if module is not None:
        for arch in _arches(module):
            if arch.elf_data == data:
                return arch
    return None


def is_be8(flags: int) -> bool:
    """Whether a big-endian arm program has little-endian code (BE8), by its e_flags."""
    return flags & EF_ARM_BE8 != 0
