"""The Rust extension (native/src/python)."""

from typing import final

VERSION: str

@final
class AddressSpace:
    """The guest's memory.

    Calls raise OSError with the errno that the guest's system call would give; a bad
    guest address in a copy is EFAULT. Protections and mmap flags are the host's numbers.
    """

    def __new__(
        cls,
        va_bits: int,
        guest_base: int | None = None,
        reserved_va: int | None = None,
        mmap_min_addr: int = 0x10000,
    ) -> AddressSpace: ...
    @property
    def base(self) -> int:
        """Host address of guest address 0."""
    @property
    def limit(self) -> int:
        """The first address that is not the guest's."""
    @property
    def mmap_base(self) -> int:
        """Where mappings are placed downwards from."""
    def set_mmap_base(self, addr: int) -> None: ...
    def mmap(
        self, addr: int, len: int, prot: int, flags: int, fd: int = -1, offset: int = 0
    ) -> int: ...
    def munmap(self, addr: int, len: int) -> None: ...
    def mprotect(self, addr: int, len: int, prot: int) -> None: ...
    def brk(self, addr: int) -> int:
        """Move the break as brk(2) does; the break as it is then."""
    def set_brk(self, start: int) -> None:
        """Say where the heap starts."""
    def prot_at(self, addr: int) -> int | None: ...
    def read(self, addr: int, len: int) -> bytes: ...
    def write(self, addr: int, data: bytes) -> None: ...
    def fill_zero(self, addr: int, len: int) -> None: ...
    def read_cstr(self, addr: int, max: int = 4096) -> bytes:
        """Read a NUL-terminated string; ENAMETOOLONG if there is no NUL within max bytes."""
    def regions(self) -> list[tuple[int, int, int, int, str, bytes, int]]:
        """All mappings: (start, end, prot, flags, kind, name, offset).

        kind is anonymous, shared, file, shm or special; flags are those of memory/region.rs.
        """
