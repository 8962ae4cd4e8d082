"""The native core as a whole: memory order, checking itself, independence of Unicorn."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import emulators
from tests.emulators import Emulator

LITMUS = "c/threads/litmus"


def native_core(settings: str = "") -> Emulator:
    """qusr-aarch64 on the native core, whatever --core says."""
    return emulators.qusr("aarch64", "native" + settings)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
@pytest.mark.parametrize("settings", ["", ",no-all"])
def test_litmus_tests_can_fail(testbin: Callable[..., Path], settings: str) -> None:
    """Store buffering without its barriers gives the weak outcome, which x86 hosts can show."""
    program = testbin(LITMUS, "aarch64")
    for _ in range(10):
        result = native_core(settings)(program, "-n", "200000", "weak_SB")
        if result.status == 0:
            return
    pytest.fail("SB without barriers was always sequentially consistent: threads do not overlap")


@pytest.mark.slow
def test_litmus_ten_million_rounds(testbin: Callable[..., Path]) -> None:
    native_core()(testbin(LITMUS, "aarch64"), "-n", "10000000", "-v", timeout=1800).check()
