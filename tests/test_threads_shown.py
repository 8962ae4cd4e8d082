"""``qusr -threads PID`` and QUSR_DEBUG=1: where the threads of a guest are.

What is expected is in the source of testbins/c/misc/standing.c.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from qusr import _native
from qusr.debug import symbols, threads
from qusr.ptrace import block
from tests.emulators import ARCHES, ENVIRONMENT, REPO, Emulator, need, qusr_command

Qusr = Callable[[str], Emulator]
Testbin = Callable[..., Path]

#: What each of the four threads is seen to do.
READS = r"in read\(0x0, 0x[0-9a-f]+, 0x1, .*\) at 0x[0-9a-f]+ \w+\+0x[0-9a-f]+ \(standing\)"
SPINS = r"runs guest code at 0x[0-9a-f]+ spin_here\+0x[0-9a-f]+ \(standing\)"
POLLS = r"in p?poll(_time64)?\(.*\) at 0x[0-9a-f]+ \w+\+0x[0-9a-f]+ \(standing\)"
WAITS = (
    r"in futex(_time64)?\(.*\) at 0x[0-9a-f]+ \w+\+0x[0-9a-f]+ \(standing\); "
    r"the lock is 0x[0-9a-f]+ lock_that_is_held\+0x0 \(standing\), its value 0x2$"
)


@contextmanager
def running(
    emulator: Emulator, program: str | Path, folder: Path, **env: str
) -> Iterator[subprocess.Popen[str]]:
    """A guest that stands until its standard input ends."""
    with subprocess.Popen(
        # Shells start what runs in the background with SIGQUIT ignored.
        [need("env"), "--default-signal=QUIT", *emulator.prefix, str(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**ENVIRONMENT, **emulator.environment, **env},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def shown(pid: int) -> subprocess.CompletedProcess[str]:
    """What the command says."""
    return subprocess.run(
        [qusr_command("qusr"), "-threads", str(pid)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def is_seen(text: str, *lines: str) -> bool:
    return all(re.search(line, text, re.MULTILINE) for line in lines)


def until_seen(pid: int, *lines: str) -> str:
    """Looks until all of it is so; what was seen at last."""
    end = time.monotonic() + 60
    text = ""
    while not is_seen(text, *lines):
        assert time.monotonic() < end, text
        text = shown(pid).stdout
    return text


@pytest.mark.parametrize("arch", ARCHES)
def test_threads_are_seen_where_they_stand(
    arch: str, qusr: Qusr, testbin: Testbin, tmp_path: Path
) -> None:
    """And go on as if nothing had been: the guest checks that itself."""
    program = testbin("c/misc/standing", arch)
    # The second time it is started without Python, up to the first thread.
    for _ in range(2):
        with running(qusr(arch), program, tmp_path) as process:
            text = until_seen(process.pid, READS, SPINS, WAITS, POLLS)
            assert len(text.splitlines()) == 4
            assert text.startswith(f"{process.pid} standing [S]: in read(")
            out, err = process.communicate("", timeout=60)
            assert (process.returncode, out, err) == (0, "ok standing\n", "")


def test_who_is_asked_does_not_notice(qusr: Qusr, testbin: Testbin, tmp_path: Path) -> None:
    """Not even in a call that signals end: threads may fall asleep while they are being asked."""
    with running(qusr("aarch64"), testbin("c/misc/standing", "aarch64"), tmp_path) as process:
        until_seen(process.pid, READS, SPINS, WAITS, POLLS)
        for _ in range(50):
            for tid in os.listdir(f"/proc/{process.pid}/task"):
                _native.queue_signal(process.pid, int(tid), signal.SIGSEGV, block.report())
        until_seen(process.pid, READS, SPINS, WAITS, POLLS)
        out, err = process.communicate("", timeout=60)
        assert (process.returncode, out, err) == (0, "ok standing\n", "")


@pytest.mark.parametrize(
    ("stage", "call", "expected"),
    [
        (1, (202, 0x2008), "the emulator's lock of the process"),
        (1, (202, 0x3000), "the emulator's lock of translated code"),
        (1, (202, 0x5000), "a lock of the emulator's at 0x5000 of the host"),
        (2, (202, 0x9000), "a lock of the emulator's"),
        (2, (202, 0x7020), None),
        (1, None, None),
    ],
)
def test_locks_of_the_emulator(
    stage: int, call: tuple[int, int] | None, expected: str | None
) -> None:
    """A thread that the host's kernel has at a futex that is not the guest's (202 on x86-64)."""
    locks = (
        ("guest memory", 0x1000, 0x100), ("the process", 0x2000, 0x100),
        ("translated code", 0x3000, 0x100),
    )  # fmt: skip
    aarch64, futex = 0xC00000B7, 98
    record = threads.Record(7, stage, futex, 0, (0x20, *[0] * 6), 0, 0, 0x7000, aarch64, locks)
    in_call = None if call is None else (call[0], (call[1], *[0] * 5))
    host = threads.HostState("name", "S", in_call)
    text = threads.describe(os.getpid(), record, host, symbols.Symbols(os.getpid(), [], 0, False))
    assert (expected or "") in text
    assert ("emulator's" in text) == (expected is not None)


def test_a_forked_child(qusr: Qusr, root: Callable[..., Path], tmp_path: Path) -> None:
    """A child that sleeps, of a shell that waits: each process shows its own thread."""
    sysroot = root("aarch64")
    emulator = qusr("aarch64")
    words = ("-L", str(sysroot), f"{sysroot}/bin/sh", "-c", "(read x; echo $x); :")
    emulator = Emulator((*emulator.prefix, *words[:-1]), emulator.environment)
    with running(emulator, words[-1], tmp_path) as process:
        until_seen(process.pid, r"in wait4\(")
        (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        text = until_seen(int(child), r"in read\(0x0, ")
        assert text.startswith(f"{child} sh [S]: ")
        assert len(text.splitlines()) == 1
        out, err = process.communicate("here\n", timeout=60)
        assert (process.returncode, out, err) == (0, "here\n", "")


@pytest.mark.parametrize("arch", ARCHES)
def test_sigquit_shows_them_first(arch: str, qusr: Qusr, testbin: Testbin, tmp_path: Path) -> None:
    """With QUSR_DEBUG; the guest dies of it all the same. Without, nothing is written."""
    program = testbin("c/misc/standing", arch)
    for debug in "1", "":
        with running(qusr(arch), program, tmp_path, QUSR_DEBUG=debug) as process:
            until_seen(process.pid, READS, SPINS, WAITS, POLLS)
            process.send_signal(signal.SIGQUIT)
            err = process.communicate(timeout=60)[1]
            assert process.returncode == -signal.SIGQUIT
            if debug:
                assert is_seen(err, "^SIGQUIT; the threads of process", SPINS), err
                # Whichever thread got the signal has left its call, if it was in one.
                waits = WAITS.removesuffix("$")
                assert is_seen(err, READS) or is_seen(err, READS.replace("in", "last call was", 1))
                assert is_seen(err, waits) or "last call was futex" in err, err
            else:
                assert err == ""


def test_a_handled_sigquit_is_the_guests(
    qusr: Qusr, root: Callable[..., Path], tmp_path: Path
) -> None:
    sysroot = root("aarch64")
    emulator = qusr("aarch64")
    script = "trap 'echo quit; exit 3' QUIT; kill -QUIT $$; sleep 60"
    words = ("-L", str(sysroot), f"{sysroot}/bin/sh", "-c")
    emulator = Emulator((*emulator.prefix, *words), emulator.environment)
    with running(emulator, script, tmp_path, QUSR_DEBUG="1") as process:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (3, "quit\n", "")


def test_an_internal_error_shows_them(testbin: Testbin) -> None:
    """A handler that fails, by a hook: the trace, and where the thread was."""
    code = (
        "import sys; sys.argv = ['qusr-aarch64', sys.argv[1]]\n"
        "from qusr.syscalls import context\n"
        "from qusr import thread\n"
        "def broken(*_): raise AssertionError('broken on purpose')\n"
        "thread.find_handler = lambda name: broken\n"
        "from qusr.cli import main; main()\n"
    )
    program = str(testbin("c/misc/standing", "aarch64"))
    run = subprocess.run(
        [*_python(), code, program],
        env={**ENVIRONMENT, "QUSR_DEBUG": "1"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 70, run.stderr
    assert "AssertionError: broken on purpose" in run.stderr
    assert "qusr-aarch64: internal error; the threads:" in run.stderr
    # pthread_create is what asks for Python first.
    assert re.search(r"\[R\]: in clone3?\(.*\) at 0x[0-9a-f]+ \w*clone\w*\+", run.stderr), (
        run.stderr
    )


def _python() -> list[str]:
    import sys

    return [sys.executable, "-c"]


def test_what_cannot_be_shown() -> None:
    """One line, and the status of a wrong command line."""
    with subprocess.Popen([need("sleep"), "60"]) as other:
        _refused(str(other.pid), "that is no process of qusr")
        other.kill()
    words = [*_python(), "from qusr import _native; print(flush=True); input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        _refused(str(other.pid), "no guest runs in the process")
        other.kill()
    for word, why in (
        ("4194305", "there is no process 4194305"),
        ("x", "-threads"),
        ("0", "not a process id"),
    ):
        _refused(word, why)


def _refused(word: str, why: str) -> None:
    run = subprocess.run(
        [qusr_command("qusr"), "-threads", word],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    assert why in run.stderr
    assert run.stderr.count("\n") == 1


#: A guest within a Python that somebody else has started.
WITHIN = "import sys, qusr; qusr.Process([sys.argv[1]]).run()"


@pytest.mark.parametrize(
    ("kind", "lock"),
    [
        ("native", "translated code"), ("unicorn", "the turns of guest threads"),
        ("within", "Python's interpreter"),
    ],
)  # fmt: skip
def test_locks_have_names(
    kind: str, lock: str, qusr: Qusr, testbin: Testbin, tmp_path: Path
) -> None:
    """Each thread's record names what it may wait for, by the words of who has the lock."""
    emulator = Emulator((sys.executable, "-c", WITHIN), {"PYTHONPATH": str(REPO)})
    if kind != "within":
        emulator = qusr("aarch64")
        emulator = Emulator((*emulator.prefix, "-core", kind), emulator.environment)
    with running(emulator, testbin("c/misc/standing", "aarch64"), tmp_path) as process:
        until_seen(process.pid, r"in read\(")
        records = threads._records(process.pid, threads._place(symbols.rows(process.pid)))
        for record in records.values():
            names = [name for name, start, size in record.locks if start and size]
            assert {"guest memory", "the process", "signal actions", lock} <= set(names)
