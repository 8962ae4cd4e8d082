"""The syscall-number tables are what tools/gen_syscalls.py makes of the installed headers."""

from __future__ import annotations

import pytest

from tools import gen_syscalls


def _table(abi: str) -> dict[str, int]:
    return gen_syscalls.committed(abi)


@pytest.mark.parametrize("abi", gen_syscalls.IN_USE)
def test_table_is_current(abi: str) -> None:
    table, source = gen_syscalls.numbers(abi)
    assert list(_table(abi).items()) == list(table.items()), f"differs from {source}"


@pytest.mark.parametrize("abi", gen_syscalls.IN_USE)
def test_every_number_has_one_name(abi: str) -> None:
    values = list(_table(abi).values())
    assert len(set(values)) == len(values)


# From the kernel's tables (arch/arm/tools/syscall.tbl, scripts/syscall.tbl, x86's
# syscall_64.tbl): one call of each period, so that a table of the wrong ABI shows.
@pytest.mark.parametrize(
    ("abi", "known"),
    [
        ("arm", {"read": 3, "mmap2": 192, "openat": 322, "clock_gettime64": 403, "mseal": 462}),
        ("arm", {"ARM_cacheflush": 0xF0002, "ARM_set_tls": 0xF0005, "sync_file_range2": 341}),
        ("aarch64", {"read": 63, "mmap": 222, "openat": 56, "statx": 291, "mseal": 462}),
        ("x86_64", {"read": 0, "mmap": 9, "openat": 257, "statx": 332, "uretprobe": 335}),
    ],
)
def test_known_numbers(abi: str, known: dict[str, int]) -> None:
    table = _table(abi)
    assert {name: table[name] for name in known} == known


def test_a_further_guest_needs_no_compiler() -> None:
    table, _ = gen_syscalls.numbers("riscv64")
    assert table["riscv_flush_icache"] == 259
    assert table["openat"] == 56
