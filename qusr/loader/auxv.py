"""The auxiliary vector, in the order of the kernel's create_elf_tables."""

from __future__ import annotations

from qusr.arch.base import PAGE

AT_NULL = 0
AT_EXECFD = 2
AT_PHDR = 3
AT_PHENT = 4
AT_PHNUM = 5
AT_PAGESZ = 6
AT_BASE = 7
AT_FLAGS = 8
AT_ENTRY = 9
AT_UID = 11
AT_EUID = 12
AT_GID = 13
AT_EGID = 14
AT_PLATFORM = 15
AT_HWCAP = 16
AT_CLKTCK = 17
AT_SECURE = 23
AT_BASE_PLATFORM = 24
AT_RANDOM = 25
AT_HWCAP2 = 26
AT_RSEQ_FEATURE_SIZE = 27
AT_RSEQ_ALIGN = 28
AT_HWCAP3 = 29
AT_EXECFN = 31
AT_SYSINFO_EHDR = 33
AT_MINSIGSTKSZ = 51

#: USER_HZ, the unit of times(2): 100 on every guest there is here.
CLOCKS_PER_SEC = 100

_NAMES = {value: name for name, value in list(globals().items()) if name.startswith("AT_")}


def name(type_: int) -> str:
    """`AT_PHDR` for 3, for logs."""
    return _NAMES.get(type_, f"AT_{type_}")


class AuxFacts:
    """The values of an auxiliary vector that do not depend on where the stack is."""

    __slots__ = (
        "base",
        "entry",
        "execfd",
        "flags",
        "hwcap",
        "hwcap2",
        "hwcap3",
        "minsigstksz",
        "page_size",
        "phdr",
        "phent",
        "phnum",
        "rseq",
        "vdso",
    )

    def __init__(
        self,
        *,
        phdr: int,
        phent: int,
        phnum: int,
        base: int,
        entry: int,
        hwcap: int,
        page_size: int = PAGE,
        hwcap2: int | None = None,
        hwcap3: int | None = None,
        minsigstksz: int = 0,
        vdso: int = 0,
        flags: int = 0,
        execfd: int | None = None,
        rseq: tuple[int, int] | None = None,
    ) -> None:
        self.phdr = phdr
        self.phent = phent
        self.phnum = phnum
        self.base = base
        self.entry = entry
        self.hwcap = hwcap
        self.page_size = page_size
        self.hwcap2 = hwcap2
        self.hwcap3 = hwcap3
        self.minsigstksz = minsigstksz
        self.vdso = vdso
        self.flags = flags
        self.execfd = execfd
        #: (feature size, alignment) when the guest may use rseq(2).
        self.rseq = rseq


def entries(
    facts: AuxFacts, *, platform: bool = False, base_platform: bool = False
) -> list[tuple[int, int]]:
    """The vector, AT_NULL included, with zeros for what is filled in when it is put onto the stack
    (native/kernel/src/loader): addresses there, and the ids of the process.

    The order is that of create_elf_tables, which puts the architecture's own
    entries (ARCH_DLINFO) first.
    """
    out: list[tuple[int, int]] = []
    if facts.vdso:
        out.append((AT_SYSINFO_EHDR, facts.vdso))
    if facts.minsigstksz:
        out.append((AT_MINSIGSTKSZ, facts.minsigstksz))
    out += [
        (AT_HWCAP, facts.hwcap),
        (AT_PAGESZ, facts.page_size),
        (AT_CLKTCK, CLOCKS_PER_SEC),
        (AT_PHDR, facts.phdr),
        (AT_PHENT, facts.phent),
        (AT_PHNUM, facts.phnum),
        (AT_BASE, facts.base),
        (AT_FLAGS, facts.flags),
        (AT_ENTRY, facts.entry),
        (AT_UID, 0),
        (AT_EUID, 0),
        (AT_GID, 0),
        (AT_EGID, 0),
        (AT_SECURE, 0),
        (AT_RANDOM, 0),
    ]
    if facts.hwcap2 is not None:
        out.append((AT_HWCAP2, facts.hwcap2))
    if facts.hwcap3 is not None:
        out.append((AT_HWCAP3, facts.hwcap3))
    out.append((AT_EXECFN, 0))
    if platform:
        out.append((AT_PLATFORM, 0))
    if base_platform:
        out.append((AT_BASE_PLATFORM, 0))
    if facts.execfd is not None:
        out.append((AT_EXECFD, facts.execfd))
    if facts.rseq is not None:
        out += [(AT_RSEQ_FEATURE_SIZE, facts.rseq[0]), (AT_RSEQ_ALIGN, facts.rseq[1])]
    out.append((AT_NULL, 0))
    return out
