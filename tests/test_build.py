"""The guest programs' builder: what it takes from an earlier build, and what it must not take."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from testbins import build

TEXT = '#include "value.h"\n#include <stdio.h>\nint main(void) { return VALUE; }\n'


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like testbins/ with one program, and nothing kept."""
    monkeypatch.setattr(build, "KEPT", tmp_path / "kept")
    return use_clone(tmp_path / "clone", monkeypatch)


def use_clone(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (here / "c").mkdir(parents=True)
    (here / "c" / "value.h").write_text("#define VALUE 1\n")
    (here / "c" / "one.c").write_text(TEXT)
    monkeypatch.setattr(build, "HERE", here)
    monkeypatch.setattr(build, "BUILD", here / "build")
    build._digest.cache_clear()
    return here


def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Builds the native program; the programs that a compiler was started for."""
    started: list[str] = []
    run = subprocess.run

    def noted(command: list[str], **options: object) -> object:
        if "-o" in command:
            started.append(command[command.index("-o") + 1])
        return run(command, **options)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", noted)
        build.build(["c/one"], [build.NATIVE])
    return started


def test_another_clone_compiles_nothing(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(compiled(monkeypatch)) == 1
    first = (clone / "build/x86_64/c/one").read_bytes()
    other = use_clone(clone.parent / "other", monkeypatch)
    assert compiled(monkeypatch) == []
    assert (other / "build/x86_64/c/one").read_bytes() == first
    assert compiled(monkeypatch) == []


@pytest.mark.parametrize("changed", ["c/one.c", "c/value.h"])
def test_another_text_is_compiled(
    clone: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    compiled(monkeypatch)
    other = use_clone(clone.parent / "other", monkeypatch)
    text = (other / changed).read_text()
    (other / changed).write_text(text.replace("VALUE 1", "VALUE 2") + "// changed\n")
    assert len(compiled(monkeypatch)) == 1


def test_another_compiler_is_asked(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(monkeypatch)
    use_clone(clone.parent / "other", monkeypatch)
    monkeypatch.setattr(build, "_identity", lambda compiler: f"{compiler} of tomorrow")
    assert len(compiled(monkeypatch)) == 1


def test_builds_where_nothing_can_be_kept(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clone.parent / "kept").write_text("not a folder")
    assert len(compiled(monkeypatch)) == 1
    assert (clone / "build/x86_64/c/one").exists()


def test_forgets_what_nobody_wants(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(monkeypatch)
    (kept,) = (path for path in (clone.parent / "kept").glob("??/*") if not path.suffix)
    monkeypatch.setattr(time, "time", lambda: kept.stat().st_mtime + build.KEPT_FOR - 9)
    build.forget()
    assert kept.exists()
    monkeypatch.setattr(time, "time", lambda: kept.stat().st_mtime + build.KEPT_FOR + 9)
    build.forget()
    assert list(kept.parent.iterdir()) == []
