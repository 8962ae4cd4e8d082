"""``python -m bench``: qusr, qemu-user and native code on the same workloads, in turn."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

from bench import build, report
from bench.run import RunError, Runner, environment, forget_programs, run
from bench.workload import Setting, Workload
from bench.workloads import workloads

# Debian's names; None: Debian 12 has no such root, so that guest's real programs are left out.
ROOTS: dict[str, str | None] = {
    "aarch64": "arm64",
    "arm": "armhf",
    "riscv64": "riscv64",
    "mipsel": "mipsel",
    "mips64el": "mips64el",
    "mips": None,
    "mips64": None,
}
CORES = ("unicorn", "native")

# Of the start of an ELF file for the guest: the class, the byte order, the machine.
MACHINES = {
    "aarch64": (2, 1, 0xB7),
    "arm": (1, 1, 0x28),
    "riscv64": (2, 1, 0xF3),
    "mipsel": (1, 1, 0x08),
    "mips64el": (2, 1, 0x08),
    "mips": (1, 2, 0x08),
    "mips64": (2, 2, 0x08),
}

_WITH_BINFMT = """
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc &&
printf %s "$1" >/proc/sys/fs/binfmt_misc/register && shift && exec "$@"
"""


def _escaped(data: bytes) -> str:
    """As binfmt_misc reads it (Documentation/admin-guide/binfmt-misc.rst in the kernel)."""
    return "".join(f"\\x{byte:02x}" for byte in data)


def in_namespace(guest: str, interpreter: str) -> tuple[str, ...]:
    """What has the kernel run `guest`'s programs by `interpreter`, for the command behind it.

    A user namespace has its own binfmt_misc since Linux 6.7, so this needs no root.
    """
    bits, data, machine = MACHINES[guest]
    order: Literal["little", "big"] = "little" if data == 1 else "big"
    start = b"\x7fELF" + bytes((bits, data, 1)) + bytes(9)
    magic = _escaped(start + b"".join(n.to_bytes(2, order) for n in (2, machine)))
    # The bits that count: either type of program.
    mask = _escaped(b"\xff" * 7 + bytes(9) + (0xFFFE).to_bytes(2, order) + b"\xff\xff")
    entry = f":bench-{guest}:M::{magic}:{mask}:{interpreter}:F"
    return ("unshare", "-Urm", "sh", "-c", _WITH_BINFMT, "sh", entry)


def runners(guest: str, root: Path, cores: list[str], command: str) -> list[Runner]:
    """Native, qemu-user, and qusr on each core."""
    found = [Runner(report.NATIVE, native=True)]
    qemu = shutil.which(f"qemu-{guest}")
    if qemu is None:
        print(f"bench: no qemu-{guest}: it is left out", file=sys.stderr)
    else:
        found.append(Runner(report.QEMU, (qemu, "-L", str(root)), needs_binfmt=True))
    return found + [
        Runner(f"qusr {core}", (command, "--core", core, "-L", str(root))) for core in cores
    ]


def measure(
    chosen: list[Workload],
    ways: list[Runner],
    setting: Setting,
    rounds: int,
    timeout: int,
) -> list[report.Row]:
    """All workloads by all runners, one after the other, `rounds` times.

    Runs that are compared with each other so stand next to each other, and what else the
    machine does meets all of them.
    """
    rows = [report.Row(w, {way.name: report.Series() for way in ways}) for w in chosen]
    warm_up(rows, ways, setting, timeout)
    for number in range(rounds):
        for row in rows:
            if sys.stderr.isatty():
                print(
                    f"\r\033[K{number + 1}/{rounds} {row.workload.title}", end="", file=sys.stderr
                )
            expected: object = None
            for way in ways:
                series = row.series[way.name]
                if series.error is not None:
                    continue
                env = environment(setting.root, first=row.workload.first)
                try:
                    command = row.workload.command(way)
                    if row.workload.children and way.needs_binfmt:
                        command = [*in_namespace(setting.guest, way.prefix[0]), *command]
                    if row.workload.first:
                        forget_programs()
                    for _ in range(row.workload.before):
                        run(command, env, row.workload.stdin, timeout=timeout)
                    sample = run(command, env, row.workload.stdin, timeout=timeout)
                    result = row.workload.result(sample.output)
                    expected = result if expected is None else expected
                    if result != expected:
                        raise RunError("wrong result: not that of the native program")
                except RunError as error:
                    series.error = str(error)
                else:
                    series.samples.append(sample)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return rows


def warm_up(rows: list[report.Row], ways: list[Runner], setting: Setting, timeout: int) -> None:
    """Runs what is about starting programs twice: qusr's caches and the page cache are then as in
    any but the first starts. One of the programs whose first runs are measured is run as well, for
    what is not about any program is there in a first run.
    """
    firsts = [row for row in rows if row.workload.first][:1]
    for row in [row for row in rows if row.workload.group in ("start", "children")] + firsts:
        env = environment(setting.root, first=row.workload.first)
        for way in ways:
            if row.workload.children and way.needs_binfmt:
                continue
            try:
                for _ in range(2):
                    run(row.workload.command(way), env, row.workload.stdin, timeout=timeout)
            except RunError:
                continue  # it will be seen when it is measured


def describe() -> dict[str, Any]:
    """The machine and what is compared on it."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    commit = subprocess.run(
        ["git", "-C", str(build.HERE), "describe", "--always", "--dirty"],
        capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "processor": model,
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "commit": commit,
        "command": shlex.join(["python", "-m", "bench", *sys.argv[1:]]),
    }


def qemu_version(ways: list[Runner]) -> str:
    """The first line of qemu's --version."""
    for way in ways:
        if way.name == report.QEMU:
            done = subprocess.run(
                [way.prefix[0], "--version"], capture_output=True, text=True, check=False
            )
            return done.stdout.partition("\n")[0]
    return "no qemu-user"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--guest", choices=sorted(ROOTS), default="aarch64")
    parser.add_argument("--core", action="append", choices=CORES, help="only this core of qusr's")
    parser.add_argument("--only", action="append", metavar="NAME", help="as integer/fib")
    parser.add_argument("--rounds", type=int, metavar="N", help="5, or 2 if --quick")
    parser.add_argument("--quick", action="store_true", help="an eighth of the work")
    parser.add_argument(
        "--timeout", type=int, default=60, metavar="S", help="a longer run counts as failed"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--qusr", metavar="COMMAND", help="instead of the installed qusr-GUEST")
    parser.add_argument("--root", type=Path, help="a Debian root; made when it is not given")
    options = parser.parse_args()
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds: at least 1")
    return options


def debian_root(guest: str) -> Path:
    """The test suite's root for the guest, made if need be; an empty folder where there is none."""
    name = ROOTS[guest]
    if name is None:
        empty = build.BUILD / guest / "no-root"
        empty.mkdir(parents=True, exist_ok=True)
        return empty
    tool = build.HERE.parent / "tools" / "debian-root"
    done = subprocess.run([tool, name], stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())


def main() -> int:
    """Entry point."""
    options = arguments()
    guest: str = options.guest
    command = options.qusr or str(Path(sys.executable).parent / f"qusr-{guest}")
    if shutil.which(command) is None:
        print(f"bench: no {command}: `make bench` builds and installs it", file=sys.stderr)
        return 2
    try:
        build.build_all(guest)
    except build.BuildError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    root = options.root or debian_root(guest)
    setting = Setting(guest, root, options.quick)
    known = workloads(setting)
    only: list[str] = options.only or []
    chosen = [w for w in known if not only or w.title in only or w.group in only or w.name in only]
    if not chosen:
        names = " ".join(w.title for w in known)
        print(f"bench: nothing is called {' or '.join(only)}; there are {names}", file=sys.stderr)
        return 2
    ways = runners(guest, root, options.core or list(CORES), command)
    facts = describe() | {"qemu": qemu_version(ways)}
    rounds = options.rounds or (2 if options.quick else 5)
    before = os.getloadavg()
    started = time.monotonic()
    rows = measure(chosen, ways, setting, rounds, options.timeout)
    facts |= {
        "rounds": rounds,
        "seconds": round(time.monotonic() - started),
        "load_before": before,
        "load_after": os.getloadavg(),
    }
    for key, value in facts.items():
        print(f"{key}: {value}")
    print("\nn: times native, q: times qemu, [range over the rounds]; native: ± half its range\n")
    print(report.table(rows, [way.name for way in ways]))
    failed = report.failures(rows)
    if failed:
        print("\n" + "\n".join(failed))
    if options.json is not None:
        options.json.write_text(
            json.dumps({"facts": facts, "workloads": report.as_json(rows)}, indent=1) + "\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
