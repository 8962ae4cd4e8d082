"""Maps a load plan into a guest address space, as fs/binfmt_elf.c does.

The rules are those of Linux 6.x (elf_load, load_elf_binary, load_elf_interp),
quirks included: a segment's bss is anonymous, readable and writable memory
whatever p_flags say; the tail of the last file page is cleared only if the segment
is writable; of overlapping pages the later segment's win.
"""

from __future__ import annotations

import errno
import os

from qusr.arch.base import PAGE

from .errors import LoadError
from .plan import (
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
    STACK_DEFAULT,
    STACK_X,
    LoadPlan,
    Segment,
    page_align,
    page_start,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class AddressSpace(Protocol):
        """What the loader needs of `qusr._native.AddressSpace`."""

        @property
        def limit(self) -> int:
            """The end of what the guest can map."""

        @property
        def map_window(self) -> int:
            """The end of where things without an address of their own are placed."""

        def mmap(  # noqa: PLR0917 - as mmap(2)
            self, addr: int, len: int, prot: int, flags: int, fd: int = -1, offset: int = 0
        ) -> int:
            """mmap(2) in the guest's space."""

        def munmap(self, addr: int, len: int) -> None:
            """munmap(2)."""

        def mprotect(self, addr: int, len: int, prot: int) -> None:
            """mprotect(2)."""

        def write(self, addr: int, data: bytes) -> None:
            """Copies bytes to the guest."""

        def set_mmap_base(self, addr: int) -> None:
            """Where mappings without an address are placed downwards from."""

        def set_brk(self, start: int) -> None:
            """Where the heap starts."""

        def set_name(self, addr: int, len: int, name: str) -> None:
            """Names a range for /proc/self/maps."""


# Of the kernel's generic mman.h; these are the numbers `AddressSpace.mmap` takes.
MAP_PRIVATE = 0x02
MAP_FIXED = 0x10
MAP_ANONYMOUS = 0x20
MAP_GROWSDOWN = 0x0100
MAP_NORESERVE = 0x4000
MAP_FIXED_NOREPLACE = 0x100000

#: The stack of a guest whose limit is "unlimited" or larger than this.
MAX_STACK = {32: 64 << 20, 64: 1 << 30}
MIN_STACK = 128 << 10
#: The kernel's distances between the stack and other mappings.
MIN_GAP = 128 << 20
STACK_GUARD_PAGES = 256


class ElfFile:
    """An open ELF file with its plan; `path` is for messages."""

    __slots__ = ("fd", "path", "plan")

    def __init__(self, plan: LoadPlan, fd: int, path: str) -> None:
        self.plan = plan
        self.fd = fd
        self.path = path


class Image:
    """Where the parts of a program ended up."""

    __slots__ = (
        "base",
        "bias",
        "brk",
        "entry",
        "interp_entry",
        "phdr",
        "plan",
        "read_implies_exec",
        "stack_bottom",
        "stack_top",
    )

    def __init__(
        self,
        *,
        plan: LoadPlan,
        bias: int,
        entry: int,
        interp_entry: int | None,
        base: int,
        phdr: int,
        brk: int,
        stack_bottom: int,
        stack_top: int,
        read_implies_exec: bool,
    ) -> None:
        self.plan = plan
        self.bias = bias
        #: The program's own entry, AT_ENTRY.
        self.entry = entry
        self.interp_entry = interp_entry
        #: The interpreter's bias, AT_BASE.
        self.base = base
        self.phdr = phdr
        self.brk = brk
        self.stack_bottom = stack_bottom
        self.stack_top = stack_top
        #: The READ_IMPLIES_EXEC personality: every PROT_READ mapping is executable too.
        self.read_implies_exec = read_implies_exec

    @property
    def start(self) -> int:
        """Where execution starts; some guests' lowest bits choose an instruction set."""
        return self.entry if self.interp_entry is None else self.interp_entry

    def code_range(self) -> tuple[int, int]:
        """start_code and end_code of /proc/PID/stat."""
        start, end = self.plan.code_range()
        return start + self.bias, end + self.bias

    def data_range(self) -> tuple[int, int]:
        """start_data and end_data of /proc/PID/stat."""
        start, end = self.plan.data_range()
        return start + self.bias, end + self.bias


def task_size(space: AddressSpace, plan: LoadPlan) -> int:
    """The kernel's TASK_SIZE: the end of what user memory there is."""
    end = plan.rules.task_end
    return min(space.limit, end) if end else space.limit


def map_window(space: AddressSpace, plan: LoadPlan) -> int:
    """The kernel's DEFAULT_MAP_WINDOW: the end of where it places things."""
    return min(space.map_window, task_size(space, plan))


def stack_top(space: AddressSpace, plan: LoadPlan) -> int:
    """The kernel's STACK_TOP."""
    end = plan.rules.stack_end
    if end:
        return min(space.limit, end)
    return page_start(map_window(space, plan), plan.page)


def reads_execute(plan: LoadPlan) -> bool:
    """Whether the kernel sets the READ_IMPLIES_EXEC personality for this program.

    The tables in arch/arm/kernel/elf.c and arch/arm64/include/asm/elf.h.
    """
    return plan.rules.reads_execute and plan.stack == STACK_DEFAULT


class _Mapper:
    """Maps the segments of one file."""

    def __init__(self, space: AddressSpace, file: ElfFile, reads_execute: bool) -> None:
        self.space = space
        self.plan = file.plan
        self.fd = file.fd
        self.path = file.path
        self.reads_execute = reads_execute
        self.guarded = 0

    def prot(self, segment: Segment) -> int:
        """make_prot of the kernel, with the personality applied as mmap does."""
        prot = segment.prot
        if self.reads_execute and prot & PROT_READ:
            prot |= PROT_EXEC
        if prot & PROT_EXEC:
            prot |= self.guarded
        return prot

    def check_range(self, segment: Segment, bias: int, limit: int) -> None:
        """The checks that the kernel makes against TASK_SIZE."""
        start = segment.vaddr + bias
        if start < 0 or start >= limit or segment.memsz > limit - start:
            raise LoadError(
                f"{self.path}: segment at {start:#x} of {segment.memsz:#x} bytes is outside "
                f"of the guest's memory (it ends at {limit:#x})",
                errno.ENOMEM,
            )

    def map_all(self, bias: int, first_flags: int) -> None:
        limit = task_size(self.space, self.plan)
        for segment in self.plan.segments:
            self.check_range(segment, bias, limit)
        flags = first_flags
        for segment in self.plan.segments:
            self.map_segment(segment, bias, flags)
            flags = MAP_FIXED

    def map_segment(self, segment: Segment, bias: int, flags: int) -> None:
        """elf_load of the kernel."""
        address = segment.vaddr + bias
        page = self.plan.page
        start = page_start(address, page)
        prot = self.prot(segment)
        file_end = address + segment.filesz
        if segment.filesz:
            self.space.mmap(
                start,
                page_align(file_end, page) - start,
                prot,
                MAP_PRIVATE | flags,
                self.fd,
                segment.offset - (address - start),
            )
            zero_start = page_align(file_end, page)
        else:
            zero_start = start
        if segment.memsz <= segment.filesz:
            return
        if segment.filesz and prot & PROT_WRITE and zero_start != file_end:
            self.space.write(file_end, bytes(zero_start - file_end))
        zero_end = page_align(address + segment.memsz, page)
        if zero_end > zero_start:
            # vm_brk_flags: data protection, executable only if the segment is.
            executable = self.reads_execute or segment.prot & PROT_EXEC
            self.space.mmap(
                zero_start,
                zero_end - zero_start,
                PROT_READ | PROT_WRITE | (PROT_EXEC if executable else 0),
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
            )

    def find(self, hint: int, size: int, alignment: int) -> int:
        """A free place of `size` bytes: at `hint` if given and free, aligned downwards."""
        flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        if hint:
            flags |= MAP_FIXED_NOREPLACE
            slack = 0
        else:
            slack = alignment - self.plan.page
        found = self.space.mmap(hint, size + slack, 0, flags)
        self.space.munmap(found, size + slack)
        return (found + slack) & ~(alignment - 1)


def _bias_for_dyn(mapper: _Mapper, hint: int, alignment: int) -> int:
    """Finds room for an ET_DYN file and returns its load bias."""
    plan = mapper.plan
    size = page_align(plan.end, plan.page) - plan.start
    if size + alignment > mapper.space.limit:
        raise LoadError(
            f"{mapper.path}: needs {size:#x} bytes of memory, aligned to {alignment:#x}: "
            f"the guest has {mapper.space.limit:#x}",
            errno.ENOMEM,
        )
    if hint:
        place = hint & ~(alignment - 1)
        if place == 0:
            place = alignment
    else:
        place = 0
    where = mapper.find(place, size, alignment)
    return where - plan.start


def load(
    space: AddressSpace,
    program: ElfFile,
    interp: ElfFile | None = None,
    *,
    stack_size: int = 8 << 20,
    pie_base: int | None = None,
) -> Image:
    """Maps a program and its interpreter, and the stack, into an empty space.

    `stack_size` is the limit of the stack (RLIMIT_STACK, or -s). Raises LoadError.
    Addresses are not randomised: the same program gets the same ones each time.
    """
    try:
        return _load(space, program, interp, stack_size, pie_base)
    except OSError as error:
        number = error.errno or errno.ENOMEM
        raise LoadError(
            f"{program.path}: cannot be mapped: {os.strerror(number)}", number
        ) from None


def _load(
    space: AddressSpace,
    program: ElfFile,
    interp: ElfFile | None,
    stack_size: int,
    pie_base: int | None,
) -> Image:
    plan = program.plan
    implied = reads_execute(plan)
    bottom, top = _map_stack(space, plan, stack_size, implied)
    mapper = _Mapper(space, program, implied)
    if interp is None:
        # For a dynamic program the dynamic linker does this, not the kernel.
        mapper.guarded = plan.rules.code_protection(plan.features)
    bias = 0
    brk = page_align(plan.end, plan.page)
    if plan.is_dyn:
        base = pie_base if pie_base is not None else _pie_base(space, plan)
        # Without an interpreter it may itself be one (`ld.so program`): it goes where
        # interpreters go, out of the way of the program it will load.
        hint = base if interp is not None or pie_base is not None else 0
        bias = _bias_for_dyn(mapper, hint, plan.alignment)
        brk = page_align(plan.end + bias if hint else base, plan.page)
        mapper.map_all(bias, MAP_FIXED)
    else:
        mapper.map_all(0, MAP_FIXED_NOREPLACE)
    entry = _entry(program, bias, task_size(space, plan))

    base_address, interp_entry = 0, None
    if interp is not None:
        mapper = _Mapper(space, interp, implied)
        mapper.guarded = interp.plan.rules.code_protection(interp.plan.features)
        if interp.plan.is_dyn:
            base_address = _bias_for_dyn(mapper, 0, plan.page)
        mapper.map_all(base_address, MAP_FIXED)
        interp_entry = _entry(interp, base_address, task_size(space, plan))

    if plan.rules.stack_end:
        brk = min(brk, plan.rules.stack_end)
    space.set_brk(brk)
    return Image(
        plan=plan,
        bias=bias,
        entry=entry,
        interp_entry=interp_entry,
        base=base_address,
        phdr=plan.phdr_vaddr + bias,
        brk=brk,
        stack_bottom=bottom,
        stack_top=top,
        read_implies_exec=implied,
    )


def _entry(file: ElfFile, bias: int, limit: int) -> int:
    entry = file.plan.entry + bias
    if entry >= limit:
        raise LoadError(
            f"{file.path}: bad ELF file: the entry point {entry:#x} is outside of memory",
            errno.EINVAL,
        )
    return entry


def _pie_base(space: AddressSpace, plan: LoadPlan) -> int:
    """The kernel's ELF_ET_DYN_BASE, which need not be the start of a page."""
    return plan.rules.dyn_base or map_window(space, plan) // 3 * 2


def _map_stack(
    space: AddressSpace, plan: LoadPlan, size: int, reads_execute: bool
) -> tuple[int, int]:
    """Maps the whole stack at once, down to its limit.

    The kernel lets it grow on faults instead. Untouched pages cost nothing, and a
    program finds the same: it can use the stack down to the limit and gets SIGSEGV
    below it. MAP_GROWSDOWN asks the address space to keep the guard gap free.
    """
    top = stack_top(space, plan)
    size = page_align(max(MIN_STACK, min(size, MAX_STACK[plan.bits], top // 2)), plan.page)
    if size >= top:
        raise LoadError(f"no room for a stack: the guest has {top:#x} bytes", errno.ENOMEM)
    prot = PROT_READ | PROT_WRITE
    if plan.stack == STACK_X or reads_execute:
        prot |= PROT_EXEC
    bottom = space.mmap(
        top - size,
        size,
        prot,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE,
    )
    space.set_name(bottom, size, "[stack]")
    # mmap_base of mm/util.c: at least 128 MiB below the top, for other stack limits later.
    gap = max(size + STACK_GUARD_PAGES * plan.page, MIN_GAP)
    space.set_mmap_base(page_start(top - min(gap, top // 6 * 5), plan.page))
    return bottom, top


def map_kernel_page(space: AddressSpace, address: int, name: str, page: bytes) -> None:
    """Maps a page that the kernel maps into each process (`Arch.kernel_pages`).

    A space that was made smaller (-R) may have no room for it; only old programs need those.
    """
    size = -(-len(page) // PAGE) * PAGE
    if space.limit < address + size:
        return
    try:
        space.mmap(
            address,
            size,
            PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
        )
        space.write(address, page.ljust(size, b"\0"))
        space.mprotect(address, size, PROT_READ | PROT_EXEC)
        space.set_name(address, size, name)
    except OSError as error:
        number = error.errno or errno.ENOMEM
        raise LoadError(f"the kernel's page {name}: {os.strerror(number)}", number) from None
