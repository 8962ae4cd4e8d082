"""What the host's own kernel makes of an x86-64 ELF file.

The program calls pause(2) at once; its memory is then read through /proc.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE = 4096
#: mov eax, 34 (pause); syscall; jmp to the start
PAUSE = bytes.fromhex("b822000000 0f05 ebf7".replace(" ", ""))

#: The same for a program that does not stop by itself: it is traced, and so stops in execve.
TRACED = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None)
ADDR_NO_RANDOMIZE, PTRACE_TRACEME = 0x40000, 0
if libc.personality(ADDR_NO_RANDOMIZE) < 0 or libc.ptrace(PTRACE_TRACEME, 0, 0, 0) < 0:
    sys.exit(1)
os.execv(sys.argv[1], sys.argv[1:])
"""

#: Run by Python: sets the limits and becomes the program.
LAUNCHER = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_STACK, (int(sys.argv[1]), resource.RLIM_INFINITY))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.execve(sys.argv[2], sys.argv[3:], dict(os.environ))
"""

available = (
    os.uname().machine == "x86_64"
    and shutil.which("setarch") is not None
    and subprocess.run(["setarch", "-R", "true"], check=False, capture_output=True).returncode == 0
)


class KernelImage:
    """A process stopped in its first instructions."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.maps: list[tuple[int, int, str, str]] = []
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            fields = line.split(None, 5)
            start, end = (int(n, 16) for n in fields[0].split("-"))
            self.maps.append((start, end, fields[1], fields[5] if len(fields) > 5 else ""))
        self.stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        # "nr arg... sp pc" of the system call that it waits in
        call = Path(f"/proc/{pid}/syscall").read_text().split()
        self.sp, self.pc = int(call[-2], 16), int(call[-1], 16)
        self.auxv = Path(f"/proc/{pid}/auxv").read_bytes()

    def field(self, number: int) -> int:
        """A field of /proc/PID/stat, numbered as in proc(5)."""
        return int(self.stat[number - 3])

    def read(self, addr: int, size: int) -> bytes:
        with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            memory.seek(addr)
            return memory.read(size)

    @property
    def stack(self) -> tuple[int, int, str]:
        return next((s, e, p) for s, e, p, name in self.maps if name == "[stack]")

    def pages(self) -> dict[int, tuple[int, bytes]]:
        """Protection and contents of every page that came out of ELF files."""
        found = {}
        for start, end, perms, name in self.maps:
            if name.startswith("[") and name != "[heap]":
                continue
            prot = sum(bit for char, bit in zip("rwx", (1, 2, 4), strict=True) if char in perms)
            data = self.read(start, end - start)
            for at in range(0, end - start, PAGE):
                found[start + at] = (prot, data[at : at + PAGE])
        return found


@contextmanager
def run(path: Path, argv: list[str], env: dict[str, str], stack: int) -> Iterator[KernelImage]:
    """Runs a program without address randomisation until it pauses."""

    command = ["setarch", "-R", sys.executable, "-ISc", LAUNCHER, str(stack), str(path), *argv]
    child = subprocess.Popen(command, env=env)
    try:
        for _ in range(2000):
            if child.poll() is not None:
                raise ChildProcessError(child.returncode)
            try:
                here = os.readlink(f"/proc/{child.pid}/exe")
                waiting = Path(f"/proc/{child.pid}/syscall").read_text().startswith("34 ")
            except OSError:
                continue
            if here == str(path) and waiting:
                break
            time.sleep(0.005)
        else:
            raise TimeoutError
        yield KernelImage(child.pid)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


@contextmanager
def trace(path: Path) -> Iterator[KernelImage]:
    """Stops any program before its first instruction."""
    child = subprocess.Popen([sys.executable, "-ISc", TRACED, str(path)])
    try:
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            child.returncode = os.waitstatus_to_exitcode(status)
            raise ChildProcessError(status)
        yield KernelImage(child.pid)
    finally:
        child.kill()
        child.wait()
