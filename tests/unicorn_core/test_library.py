"""Finding and loading the library."""

from pathlib import Path

import pytest

from qusr.cpu import unicorn
from tests.guestcode import (
    ARM,
    ARM_BE8,
    Machine,
)


def test_library_is_found_without_importing_it() -> None:
    assert Path(unicorn.library()).is_file()


def test_library_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unicorn, "_found", [])
    monkeypatch.setattr(unicorn, "_PACKAGE", "unicorn_of_nobody")
    with pytest.raises(unicorn.UnicornNotFoundError, match="pip install unicorn"):
        unicorn.library()


@pytest.mark.parametrize("content", [None, b"", b"no library"])
def test_library_damaged(tmp_path: Path, content: bytes | None) -> None:
    machine = Machine(ARM_BE8, "nop")
    path = tmp_path / "libunicorn.so.2"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OSError, match="cannot load the unicorn library"):
        type(machine.cpu)(str(path), "arm", 33, [], [], machine.space)


def test_model_that_does_not_exist() -> None:
    machine = Machine(ARM, "nop")
    with pytest.raises(OSError, match="model 99"):
        type(machine.cpu)(unicorn.library(), "arm", 99, [], [], machine.space)
    with pytest.raises(ValueError, match="no such guest: vax"):
        type(machine.cpu)(unicorn.library(), "vax", 0, [], [], machine.space)
