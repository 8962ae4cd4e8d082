"""The loader on any address space, and numbers of the kernel's auxvec.h."""

from __future__ import annotations

import os

from qusr import _native

AT_NULL = 0
AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_ENTRY = 3, 4, 5, 6, 7, 9
AT_UID, AT_PLATFORM, AT_HWCAP, AT_CLKTCK, AT_SECURE = 11, 15, 16, 17, 23
AT_RANDOM, AT_HWCAP2, AT_RSEQ_FEATURE_SIZE, AT_RSEQ_ALIGN = 25, 26, 27, 28
AT_EXECFN, AT_SYSINFO_EHDR, AT_MINSIGSTKSZ = 31, 33, 51

ElfFile = tuple[_native.Plan, int, bytes]


def elf_file(plan: _native.Plan, fd: int, path: str) -> ElfFile:
    """An open ELF file with its plan; `path` is for messages."""
    return plan, fd, os.fsencode(path)


def load(
    space: _native.Space, program: ElfFile, interp: ElfFile | None = None, *, stack_size: int
) -> _native.Image:
    """Maps a program and its interpreter, and the stack, into an empty space."""
    return _native.load_image(space, program, interp, stack_size)


def read_plan(fd: int, path: str) -> _native.Plan:
    """The plan of an open file."""
    return _native.read_plan(fd, os.fsencode(path))
