"""From an ELF file to a mapped guest image.

    asked = loader.explicit(option_L, os.environ)
    prepared = loader.prepare(
        "./hello", [b"./hello"], loader.Sysroot(asked and asked[0]), store=store,
        triplets=None if asked else triplets_of_guest)   # prepared.sysroot is the one in use
    image = prepared.install(space, stack_size=8 << 20)
    stack = prepared.build_stack(image, envp, hwcap=..., hwcap2=..., platform=b"aarch64")
    stack.store(space)     # then start at image.start with sp = stack.sp

Names are imported when they are used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .cache import Store
    from .errors import LoadError
    from .identify import ElfIdent, parse_ident
    from .image import AddressSpace, Image, load, map_kernel_page
    from .plan import LoadPlan, Segment
    from .program import Prepared, plan_for, prepare, wrong_guest
    from .stack import Stack
    from .sysroot import Sysroot, explicit, found

_WHERE = {
    "AddressSpace": "image",
    "ElfIdent": "identify",
    "Image": "image",
    "LoadError": "errors",
    "LoadPlan": "plan",
    "Prepared": "program",
    "Segment": "plan",
    "Stack": "stack",
    "Store": "cache",
    "Sysroot": "sysroot",
    "explicit": "sysroot",
    "found": "sysroot",
    "load": "image",
    "map_kernel_page": "image",
    "parse_ident": "identify",
    "plan_for": "program",
    "prepare": "program",
    "wrong_guest": "program",
}

__all__ = [
    "AddressSpace",
    "ElfIdent",
    "Image",
    "LoadError",
    "LoadPlan",
    "Prepared",
    "Segment",
    "Stack",
    "Store",
    "Sysroot",
    "explicit",
    "found",
    "load",
    "map_kernel_page",
    "parse_ident",
    "plan_for",
    "prepare",
    "wrong_guest",
]


def __getattr__(name: str) -> object:
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = __import__(f"{__name__}.{module}", fromlist=[name])
    return getattr(found, name)
