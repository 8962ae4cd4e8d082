"""What the tests of the Unicorn core share: each guest as a parameter, and faults."""

from __future__ import annotations

import pytest

from tests.guestcode import A32S, A64S, ALL, DATA, DATA_SIZE, Flavour

DATA_END = DATA + DATA_SIZE
T_BIT = 1 << 5

each = pytest.mark.parametrize("flavour", ALL, ids=str)
each_a64 = pytest.mark.parametrize("flavour", A64S, ids=str)
each_a32 = pytest.mark.parametrize("flavour", A32S, ids=str)


def is_a64(flavour: Flavour) -> bool:
    return flavour in A64S


def fault(
    addr: int, access: str, *, mapped: bool = False, bus: bool = False, align: bool = False
) -> dict[str, object]:
    return {
        "reason": "fault",
        "addr": addr,
        "access": access,
        "mapped": mapped,
        "bus": bus,
        "align": align,
    }
