"""Options and fixtures of all tests; what is behind them is in tests/emulators.py."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from testbins import build
from tests import emulators
from tests.emulators import Emulator


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run what takes minutes")
    parser.addoption("--core", help="the CPU core that qusr is to use: unicorn, native")


def pytest_configure(config: pytest.Config) -> None:
    cache = config.rootpath / ".cache" / "tests"
    emulators.QUSR_ENVIRONMENT["XDG_CACHE_HOME"] = str(cache)
    # The processor that tests are to see, see docs/testing.md.
    if masked := os.environ.get("QUSR_MASK_CPU"):
        emulators.QUSR_ENVIRONMENT["QUSR_MASK_CPU"] = masked
    # A shell's background job ignores these, and so would every guest that it starts.
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        # nohup: we stay, and programs get the default action, as an execve does with a handler.
        signal.signal(signal.SIGHUP, lambda _number, _frame: None)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Which programs are run with the guests of which the normal set has a sample."""
    sources = [source for source in build.sources() if not source.name.startswith("hello/")]
    lines = []
    for arch in emulators.SAMPLED:
        all_ = [source.name for source in sources if arch in source.arches]
        taken = all_
        if not config.getoption("--slow"):
            taken = [name for name in all_ if not emulators.is_sampled_out(arch, name)]
        names = "all" if len(taken) == len(all_) else " ".join(taken)
        lines.append(f"testbins of {arch}: {len(taken)} of {len(all_)}: {names}")
    return lines


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: run with --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def core(request: pytest.FixtureRequest) -> str | None:
    """The core asked for by --core; None is qusr's own choice."""
    name: str | None = request.config.getoption("--core")
    return name


@pytest.fixture(scope="session")
def qusr(core: str | None) -> Callable[[str], Emulator]:
    """``qusr("arm")("/bin/ls", "-l", root=...)`` runs a program under qusr."""
    return lambda arch: emulators.qusr(arch, core)


@pytest.fixture(scope="session")
def qemu() -> Callable[[str], Emulator]:
    """``qemu("arm")``: the same under qemu-user."""
    return emulators.qemu


@pytest.fixture(scope="session")
def native() -> Emulator:
    """The same on the host itself."""
    return emulators.NATIVE


@pytest.fixture(scope="session")
def root() -> Callable[..., Path]:
    """``root("arm")``: the guest's Debian root. ``root("arm", "programs")``: the bigger one."""
    return emulators.root


@pytest.fixture(scope="session")
def testbin() -> Callable[..., Path]:
    """``testbin("c/files/open", "arm", dynamic=False)``: a program of testbins/, built."""

    def find(name: str, arch: str, *, dynamic: bool = False) -> Path:
        source = build.read_source(build.HERE / f"{name}.c")
        for program in source.programs():
            # There is one native program of a source, however it is linked.
            if program.arch == arch and (program.dynamic == dynamic or arch == build.NATIVE):
                if not program.is_current():
                    emulators.need(program.command[0])
                    program.build()
                return program.path
        raise LookupError(f"{name} is not built for {arch}{' as dynamic' * dynamic}")

    return find
