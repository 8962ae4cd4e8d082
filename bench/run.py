"""Runs one command and says what it took."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.build import BUILD, HOST, Program

CACHE = BUILD / "cache"
"""What qusr keeps."""
FIRST = BUILD / "cache-first"
"""The same for first runs."""


class RunError(Exception):
    """Why a run gives no figures; one line."""


@dataclass(frozen=True)
class Sample:
    """What one run of a command took, and what it wrote."""

    wall: float
    """Seconds from fork to the end."""
    cpu: float
    """User and system time of it and its children, in seconds."""
    rss: float
    """The largest resident set, in MiB."""
    output: bytes


@dataclass(frozen=True)
class Runner:
    """One way to run a guest's programs; `native` runs the host's builds of them."""

    name: str
    prefix: tuple[str, ...] = ()
    native: bool = False
    needs_binfmt: bool = False
    """Whether the kernel must be told (binfmt_misc) how to run a guest's child programs."""


def environment(root: Path, *, first: bool = False) -> dict[str, str]:
    """The same small environment for every run; host settings do not get in."""
    kept = {"HOME": os.environ["HOME"]} if "HOME" in os.environ else {}
    return {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C",
        "QEMU_LD_PREFIX": str(root),
        "QUSR_CACHE_DIR": str(FIRST if first else CACHE),
        **kept,
    }


def forget_programs() -> None:
    """Has the next run be a first one: no translations."""
    for kind in ("plan", "start", "code", "late"):
        for file in FIRST.glob(f"{kind}-*"):
            file.unlink(missing_ok=True)


def run(
    command: list[str], env: dict[str, str], stdin: Path | None = None, *, timeout: int = 60
) -> Sample:
    """Runs `command` to its end; RunError when it does not end well within `timeout` seconds."""
    read, write = os.pipe()
    meter = [str(Program("meter", HOST).path), str(timeout), str(write), *command]
    with open(stdin or os.devnull, "rb") as source, open(read, "rb") as report:
        try:
            done = subprocess.run(
                meter, stdin=source, env=env, capture_output=True, pass_fds=[write], check=False
            )
        finally:
            os.close(write)
        fields = report.read().split()
    if len(fields) != 7:
        raise RunError(f"meter failed with status {done.returncode}")
    wall, user, system, rss, status, killer, late = map(int, fields)
    if late:
        raise RunError(f"not ended after {timeout} s")
    if killer:
        raise RunError(f"killed by {signal.Signals(killer).name}{_last_line(done.stderr)}")
    if status:
        raise RunError(f"status {status}{_last_line(done.stderr)}")
    return Sample(wall / 1e9, (user + system) / 1e6, rss / 1024, done.stdout)


def _last_line(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").strip().splitlines()
    return f": {lines[-1][:150]}" if lines else ""
