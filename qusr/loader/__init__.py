"""Programs of guests: described and inspected here, loaded by Rust (`native/kernel/src/loader`).

    asked = loader.explicit(option_L, os.environ)
    prepared = loader.prepare(
        "./hello", [b"./hello"], loader.Sysroot(asked and asked[0]), seeks=not asked)
    image = prepared.install(space, stack_size=8 << 20)
    stack = prepared.build_stack(image, envp, hwcap=..., hwcap2=..., platform=b"aarch64", ...)
    stack.store(space)     # then start at image.start with sp = stack.sp

Names are imported when they are used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .cache import Store
    from .errors import LoadError
    from .program import prepare, read_plan
    from .sysroot import Sysroot, explicit, found

_WHERE = {
    "LoadError": "errors",
    "Store": "cache",
    "Sysroot": "sysroot",
    "explicit": "sysroot",
    "found": "sysroot",
    "prepare": "program",
    "read_plan": "program",
}

__all__ = ["LoadError", "Store", "Sysroot", "explicit", "found", "prepare", "read_plan"]


def __getattr__(name: str) -> object:
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = __import__(f"{__name__}.{module}", fromlist=[name])
    return getattr(found, name)
