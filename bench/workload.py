"""What a workload is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.run import RunError, Runner, Sample

Command = Callable[[Runner], list[str]]


@dataclass(frozen=True)
class Setting:
    """What a workload's command depends on."""

    guest: str
    root: Path
    quick: bool

    def count(self, full: int) -> int:
        """How often something is done: an eighth for --quick."""
        return max(1, full // 8) if self.quick else full


@dataclass(frozen=True)
class Figure:
    """A number taken from a run."""

    name: str
    unit: str
    of: Callable[[Sample], float]


@dataclass(frozen=True)
class Workload:
    """One thing to measure."""

    group: str
    name: str
    command: Command
    figures: tuple[Figure, ...]
    result: Callable[[bytes], object]
    """What of the output has to be the native run's; RunError when it is wrong by itself."""
    stdin: Path | None = None
    children: bool = False
    """Whether it starts programs of the guest by execve(2)."""
    before: int = 0
    """How often it is run before it is measured."""
    first: bool = False
    """Whether each run is to be the first of its program: nothing that was kept of it is used."""

    @property
    def title(self) -> str:
        """The name for --only and the table."""
        return f"{self.group}/{self.name}"


WALL = Figure("wall", "ms", lambda sample: sample.wall * 1e3)
CPU = Figure("cpu", "ms", lambda sample: sample.cpu * 1e3)
RSS = Figure("rss", "MiB", lambda sample: sample.rss)


def inner(sample: Sample, field: int) -> float:
    """Nanoseconds as told by the program itself: "cpu wall check"."""
    return float(sample.output.split()[field])


def check(output: bytes) -> bytes:
    """The check value of a program that ends with bench_main()."""
    fields = output.split()
    if len(fields) != 3:
        raise RunError(f"unexpected output {output[:60]!r}")
    return fields[2]
