"""The first things anyone tries: hello, both ways of starting qusr, exit statuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from testbins import build
from tests.emulators import ARCHES, Emulator, qusr_command


@pytest.mark.parametrize("arch", ARCHES)
def test_prebuilt_hello(qusr: Callable[[str], Emulator], arch: str) -> None:
    result = qusr(arch)(build.PREBUILT / f"hello-{arch}").check()
    assert result.out == f"Hello from {arch}!\n"
    assert result.err == ""


@pytest.mark.parametrize("arch", ARCHES)
def test_exit_status_is_the_guests(qusr: Callable[[str], Emulator], arch: str) -> None:
    assert qusr(arch)(build.PREBUILT / f"hello-{arch}", "one", "two").status == 2


@pytest.mark.parametrize("arch", ARCHES)
def test_the_guest_is_found_from_the_file(qusr: Callable[[str], Emulator], arch: str) -> None:
    result = qusr("")(build.PREBUILT / f"hello-{arch}").check()
    assert result.out == f"Hello from {arch}!\n"


@pytest.mark.parametrize("arch", ARCHES)
def test_dynamic_python(
    qusr: Callable[[str], Emulator], root: Callable[[str], Path], arch: str
) -> None:
    machine = {"aarch64": "aarch64", "arm": "armv7l"}[arch]
    code = "import platform, sys; print(platform.machine(), sys.byteorder, sys.maxsize > 2**32)"
    result = qusr(arch)("/usr/bin/python3", "-c", code, root=root(arch)).check()
    assert result.out.split() == [machine, "little", str(arch == "aarch64")]


@pytest.mark.parametrize("arch", ARCHES)
def test_prebuilt_is_what_its_source_gives(testbin: Callable[..., Path], arch: str) -> None:
    built = testbin("hello/hello", arch)
    stripped = build.stripped(built, arch)
    assert stripped == (build.PREBUILT / f"hello-{arch}").read_bytes()


def test_commands_are_there() -> None:
    for name in ("qusr", "qusr-arm", "qusr-aarch64"):
        assert Path(qusr_command(name)).exists()
