"""pytest's plugin (entry point `pytest11`): test programs of other machines, and what tests run.

A test program that is for another machine is collected, and each of its cases is one item:
GoogleTest's, Catch2's, Rust's and Go's test programs are asked for their cases
(`formats.py`); any other program is one case, which passes with status 0 and is skipped with 77,
as automake's are. docs/pipelines.md shows it in use.
"""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Protocol

import pytest

from qusr import api
from qusr.pytest_plugin.programs import Program, is_foreign

#: Seconds that a case may take, if `qusr_timeout` says nothing else.
TIMEOUT = "300"
#: Names of test programs, if `qusr_files` says nothing else: Go's have the last one.
FILES = ["test_*", "*_test", "*.test"]


class Run(Protocol):
    """What `guest_run` gives."""

    def __call__(
        self, program: str | Path, *arguments: str | Path, **more: Any
    ) -> CompletedProcess[Any]:
        """Runs a program; `more` is for `qusr.run`. What it writes is kept, as text."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--qusr-root`, and settings."""
    group = parser.getgroup("qusr", "programs of other machines")
    group.addoption(
        "--qusr-root",
        metavar="DIR",
        help="the folder that stands for / for programs of other machines",
    )
    parser.addini("qusr_root", "as --qusr-root; relative to this file", "string", "")
    parser.addini("qusr_files", "patterns of the names of test programs", "args", FILES)
    parser.addini("qusr_timeout", "seconds that a program may take", "string", TIMEOUT)


def pytest_configure(config: pytest.Config) -> None:
    """Refuses settings that cannot be."""
    root = sysroot(config)
    if root is not None and not root.is_dir():
        raise pytest.UsageError(f"--qusr-root: {root} is no folder")
    timeout(config)


def sysroot(config: pytest.Config) -> Path | None:
    """The root that the programs get; None: the one that qusr finds."""
    named = config.getoption("--qusr-root")
    if named is not None:
        return config.invocation_params.dir.joinpath(named)
    setting: str = config.getini("qusr_root")
    return config.rootpath / setting if setting else None


def timeout(config: pytest.Config) -> float:
    """The seconds that a program may take."""
    setting = config.getini("qusr_timeout")
    try:
        seconds = float(setting)
    except ValueError:
        seconds = 0
    if not seconds > 0:
        raise pytest.UsageError(f"qusr_timeout: {setting!r} is no number of seconds")
    return seconds


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Program | None:
    """Test programs by their names, and those that the command line names."""
    config = parent.config
    named = parent.session.isinitpath(file_path)
    if not named and not any(file_path.match(word) for word in config.getini("qusr_files")):
        return None
    if not is_foreign(file_path):
        return None
    program: Program = Program.from_parent(
        parent, path=file_path, sysroot=sysroot(config), timeout=timeout(config)
    )
    return program


@pytest.fixture(scope="session")
def guest_sysroot(pytestconfig: pytest.Config) -> Path | None:
    """The folder of --qusr-root; None: qusr looks for one (docs/programs.md)."""
    return sysroot(pytestconfig)


@pytest.fixture
def guest_run(guest_sysroot: Path | None, pytestconfig: pytest.Config) -> Run:
    """Runs programs of other machines, as `qusr.run` does."""

    def run(program: str | Path, *arguments: str | Path, **more: Any) -> CompletedProcess[Any]:
        usual: dict[str, Any] = {"sysroot": guest_sysroot, "timeout": timeout(pytestconfig)}
        if not {"stdout", "stderr"} & more.keys():
            usual["capture_output"] = True
        if not {"text", "encoding", "errors"} & more.keys():
            usual["text"] = True
        return api.run([program, *arguments], **{**usual, **more})

    return run
