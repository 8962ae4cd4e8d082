"""What is measured: each workload's command, its right result, and which figures count."""

from __future__ import annotations

from dataclasses import replace

from bench import cold
from bench.build import HOST, Program
from bench.programs import child_programs, real_programs
from bench.run import RunError, Runner, Sample
from bench.workload import CPU, RSS, WALL, Command, Figure, Setting, Workload, check, inner


def _built(setting: Setting, source: str, *args: str, dynamic: bool = False) -> Command:
    def command(runner: Runner) -> list[str]:
        target = HOST if runner.native else setting.guest
        return [*runner.prefix, str(Program(source, target, dynamic).path), *args]

    return command


def _start(setting: Setting) -> list[Workload]:
    def result(output: bytes) -> bytes:
        if output != b"Hello, world\n":
            raise RunError(f"wrong output {output[:60]!r}")
        return output

    later = [
        Workload(
            "start", name, _built(setting, "hello", dynamic=name == "dynamic"),
            (WALL, CPU, RSS), result,
        )
        for name in ("static", "dynamic")
    ]  # fmt: skip
    firsts = [replace(start, group="first", first=True) for start in later]
    return [*later, *firsts, _memory(setting)]


def _memory(setting: Setting) -> Workload:
    """What a small program takes while it runs, by its proportional set size."""
    waiting = _built(setting, "waiting")

    def command(runner: Runner) -> list[str]:
        return [str(Program("pss", HOST).path), *waiting(runner)]

    pss = Figure("pss", "MiB", lambda sample: inner(sample, 1) / 1024)
    return Workload("start", "pss", command, (pss,), check)


# Counts are chosen so that each takes some 20-50 ms natively.
WORK = {
    "integer": {
        "list": 500, "matrix": 300, "state": 200_000, "crc": 800, "qsort": 50, "fib": 400,
        "indirect": 30_000,
    },
    "floating": {
        "nbody": 300_000, "fft": 1000, "matmul": 40, "spectral": 50, "mandelbrot": 40,
    },
    "memory": {"memcpy": 1000, "strlen": 20_000, "stride": 30, "chase": 40},
    "vector": {"saxpy": 10_000, "dot": 20_000, "sad": 20_000, "clamp": 10_000},
}  # fmt: skip
CALLS = {"getppid": 50_000, "pread": 50_000, "stat": 20_000, "open": 20_000}
COLLATZ = 200_000
CREATED = 1000
CHILDREN = ("fork", "setuid", "setrlimit", "chroot", "spawn", "spawn_beside")
BORN = 200


def _work(setting: Setting) -> list[Workload]:
    figure = Figure("cpu", "ms", lambda sample: inner(sample, 0) / 1e6)
    return [
        Workload(
            group, name, _built(setting, group, name, str(setting.count(count))), (figure,), check
        )
        for group, table in WORK.items()
        for name, count in table.items()
    ]


def _translate(setting: Setting) -> list[Workload]:
    """The price of a guest instruction that is executed once."""
    count = setting.count(cold.FUNCTIONS)

    def per_instruction(sample: Sample) -> float:
        total = Program("cold", setting.guest).section(cold.SECTION) // 4
        return inner(sample, 0) * cold.FUNCTIONS / count / total

    built = _built(setting, "cold", "cold", str(count))

    def command(runner: Runner) -> list[str]:
        if not runner.name.startswith("qusr"):
            return built(runner)
        # What an earlier process translated is not to be used.
        rest = built(runner)[len(runner.prefix) :]
        return [*runner.prefix, "--opt", "no-stock", *rest]

    return [Workload("translate", "cold", command, (Figure("cpu", "ns", per_instruction),), check)]


def _calls(setting: Setting) -> list[Workload]:
    found = []
    for name, full in CALLS.items():
        count = setting.count(full)

        def per_call(sample: Sample, count: int = count) -> float:
            return inner(sample, 0) / count

        found.append(
            Workload(
                "calls", name, _built(setting, "calls", name, str(count)),
                (Figure("cpu", "ns", per_call),), check,
            )
        )  # fmt: skip
    return found


def _threads(setting: Setting) -> list[Workload]:
    wall = Figure("wall", "ms", lambda sample: inner(sample, 1) / 1e6)
    count = str(setting.count(COLLATZ))
    created = setting.count(CREATED)
    each = Figure("cpu", "us", lambda sample: inner(sample, 0) / 1e3 / created)
    create = _built(setting, "threads", "create", str(created))
    return [
        *(
            Workload("threads", name, _built(setting, "threads", name, count), (wall,), check)
            for name in ("one", "two")
        ),
        Workload("thread", "create", create, (each,), check),
    ]


def _children(setting: Setting) -> list[Workload]:
    """Children of a program that is no shell, which make one call or begin a program."""
    count = setting.count(BORN)
    each = Figure("wall", "us", lambda sample: inner(sample, 1) / 1e3 / count)
    return [
        Workload(
            "child", name, _built(setting, "children", name, str(count)), (each,), check,
            children=name.startswith("spawn"),
        )
        for name in CHILDREN
    ]  # fmt: skip


def workloads(setting: Setting) -> list[Workload]:
    """All of them, in the order of the table."""
    return [
        *_start(setting),
        *_translate(setting),
        *_calls(setting),
        *_work(setting),
        *_threads(setting),
        *_children(setting),
        *real_programs(setting),
        *child_programs(setting),
    ]
