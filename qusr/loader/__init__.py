"""From an ELF file to a mapped guest image.

    prepared = loader.prepare("./hello", [b"./hello"], sysroot, store=store)
    image = prepared.install(space, stack_size=8 << 20)
    stack = prepared.build_stack(image, envp, hwcap=..., hwcap2=..., platform=b"aarch64")
    space.write(stack.sp, stack.data)     # then start at image.start with sp = stack.sp

Names are imported when they are used: a program whose plan is cached starts without
pyelftools.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .cache import Store
    from .errors import LoadError
    from .identify import ElfIdent, parse_ident
    from .image import AddressSpace, Image, load, map_kuser
    from .plan import LoadPlan, Segment
    from .program import Prepared, plan_for, prepare, wrong_guest
    from .stack import Stack
    from .sysroot import Sysroot, choose

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
    "choose": "sysroot",
    "load": "image",
    "map_kuser": "image",
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
    "choose",
    "load",
    "map_kuser",
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
