"""bench/: its ratios, and that a wrong or failing run is never a time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import report
from bench.build import HOST, Program, sources
from bench.run import RunError, Runner, Sample, run
from bench.workload import CPU, Setting, Workload

ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture(scope="module", autouse=True)
def meter() -> None:
    Program("meter", HOST).build()


def sample(cpu: float) -> Sample:
    return Sample(wall=1, cpu=cpu, rss=1, output=b"")


def workload(script: str) -> Workload:
    """Runs `script` with the runner's prefix as $0."""
    return Workload(
        "group",
        "name",
        lambda runner: ["sh", "-c", script, *runner.prefix],
        (CPU,),
        lambda output: output,
    )


def test_ratios_are_taken_round_by_round() -> None:
    row = report.Row(
        workload(""),
        {
            "native": report.Series([sample(1), sample(2), sample(4)]),
            "qemu": report.Series([sample(3), sample(8), sample(8)]),
        },
    )
    # 3, 4 and 2 times; the medians' quotient would be 4.
    assert report.ratio(row, CPU, "qemu", "native") == report.Ratio(3, 2, 4)
    assert report.ratio(row, CPU, "native", "native") is None


@pytest.mark.parametrize("source", sources())
def test_the_host_is_compared_with(source: str) -> None:
    """Each program that is built for it can be."""
    Program(source, HOST).build()


def test_a_source_has_flags_for_one_guest() -> None:
    assert "-mfpu=neon" in Program("vector", "arm").command()
    for other in (HOST, "aarch64"):
        command = Program("vector", other).command()
        assert "-mfpu=neon" not in command
        assert "-O3" in command


def test_geomean_needs_every_workload() -> None:
    done = {"native": report.Series([sample(1)]), "qemu": report.Series([sample(2)])}
    other = {"native": report.Series([sample(1)]), "qemu": report.Series([sample(8)])}
    failed = {"native": report.Series([sample(1)]), "qemu": report.Series(error="why")}
    rows = [report.Row(workload(""), series) for series in (done, other, failed)]
    assert report.geomean(rows[:2], "qemu", "native") == pytest.approx(4)
    assert report.geomean(rows, "qemu", "native") is None
    assert "failed" in report.table(rows, ["native", "qemu"])
    assert report.failures(rows) == ["failed under qemu: group/name: why"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo why >&2; exit 3", "status 3: why"),
        ("kill -SEGV $$", "killed by SIGSEGV"),
        ("sleep 60", "not ended after 1 s"),
    ],
)
def test_bad_end(script: str, message: str) -> None:
    with pytest.raises(RunError) as caught:
        run(["sh", "-c", script], ENV, timeout=1)
    assert str(caught.value) == message


def test_run_counts_children_and_memory() -> None:
    burn = "import subprocess, sys; x = b'x' * (64 << 20); subprocess.run([sys.executable, '-c', "
    burn += "'import time\\nwhile time.process_time() < 0.3: pass'])"
    done = run([sys.executable, "-c", burn], ENV)
    assert done.cpu >= 0.3
    assert done.rss >= 64


def test_small_program_is_small() -> None:
    # Less than this Python: what the harness uses must not show in what it measures.
    assert run(["true"], ENV).rss < 6


def test_wrong_result_is_a_failure(tmp_path: Path) -> None:
    ways = [Runner("native", ("right",), native=True), Runner("qusr", ("wrong",))]
    setting = Setting("aarch64", tmp_path, quick=True)
    rows = bench.measure([workload("echo $0")], ways, setting, 2, 10)
    series = rows[0].series
    assert len(series["native"].samples) == 2
    assert series["qusr"].samples == []
    assert series["qusr"].error == "wrong result: not that of the native program"
