"""The guests: a package each, imported when it is asked for.

`PACKAGES` is the one list of them. A package has

==================  ==============================================================================
`__init__`          `GUESTS`: what a start has to know (:class:`qusr.arch.base.Guest`), no more
`cpu`               `ARCHES`: registers, CPU models, features (:class:`qusr.arch.base.Arch`)
`numbers`           the numbers of its system calls, made by tools/gen_syscalls.py
`constants`         those of the kernel's constants that are others than the host's
`tracing`           register sets and requests of ptrace(2), and what of them a core file has
==================  ==============================================================================

and whatever else is its own. Nothing of a guest is anywhere else in `qusr`, and a package
imports nothing from outside of `qusr.arch` (tests/test_layers.py).
"""

from __future__ import annotations

from qusr.arch.abi import HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from qusr.arch.abi import Abi
    from qusr.arch.base import Arch, Guest
    from qusr.arch.tracing import Tracing

#: Package, ELF machines (e_machine), and all names by which a command or option may call a guest.
#: With it a program's guest is found without importing the packages of others.
PACKAGES = (
    ("aarch64", (183,), "aarch64 arm64 aarch64_be"),
    ("arm", (40,), "arm armhf armel armeb"),
    ("mips", (8,), "mipsel mips mips64el mips64 mipsn32el mipsn32"),
    ("ppc", (20,), "ppc powerpc"),
    ("riscv", (243,), "riscv64 riscv32"),
    ("s390x", (22,), "s390x"),
    ("x86", (62, 3), "x86_64 amd64 i386 i486 i586 i686"),
)


def _of(package: str) -> tuple[Guest, ...]:
    # Not importlib.import_module, which takes longer than the guest's package itself.
    found: tuple[Guest, ...] = __import__(f"qusr.arch.{package}", fromlist=["GUESTS"]).GUESTS
    return found


def names() -> list[str]:
    """All names of guests, with the aliases."""
    return [name for _, _, known in PACKAGES for name in known.split()]


def guests() -> list[Guest]:
    """All guests."""
    return [guest for package, _, _ in PACKAGES for guest in _of(package)]


def guest(name: str) -> Guest | None:
    """The guest of this name or alias."""
    for package, _, known in PACKAGES:
        if name in known.split():
            for found in _of(package):
                if name == found.name or name in found.aliases:
                    return found
    return None


def guest_of(machine: int, bits: int, big_endian: bool, flags: int = 0) -> Guest | None:
    """The guest that runs programs of an ELF machine in one class and byte order, with these
    e_flags.
    """
    for package, machines, _ in PACKAGES:
        if machine in machines:
            for found in _of(package):
                if found.runs(machine, bits, big_endian, flags):
                    return found
    return None


def others(package: str) -> dict[tuple[int, int], str]:
    """What programs are called that no guest of a package runs, by e_machine and class."""
    found: dict[tuple[int, int], str] = __import__(
        f"qusr.arch.{package}", fromlist=["OTHERS"]
    ).OTHERS
    return found


def by_name(name: str) -> Arch | None:
    """The processor of the guest of this name or alias."""
    found = guest(name)
    if found is not None:
        arches: tuple[Arch, ...] = _part(found, "cpu").ARCHES
        for arch in arches:
            if arch.guest is found:
                return arch
    return None


def on_core(core: str) -> Guest:
    """The guest that the Rust side calls so (`Abi.core`)."""
    for found in guests():
        if any(abi.core == core for abi in found.abis.values()):
            return found
    raise ValueError(f"no guest is called {core} by the cores")


def abi_on_core(core: str) -> Abi:
    """The ABI that the Rust side calls so."""
    return next(abi for abi in on_core(core).abis.values() if abi.core == core)


def tracing_of(core: str) -> Tracing:
    """How debuggers see the guests that the Rust side calls so."""
    found = on_core(core)
    known: Tracing = _part(found, "tracing").TRACING[found.name]
    return known


def _part(found: Guest, module: str) -> Any:
    return __import__(f"qusr.arch.{found.package}.{module}", fromlist=[module])


def abi_named(name: str) -> Abi:
    """The ABI called `name`, the host's too; KeyError if there is none."""
    if name == HOST.name:
        return HOST
    for found in guests():
        for known in found.abis.values():
            if known.name == name:
                return known
    raise KeyError(name)
