"""Servers, compilers and language run times of Debian, each driven by a guest shell script.

What must come out is known beforehand: from the script's own arithmetic, or because the program
says so itself. The output of `node` is that of the algorithms' published test vectors.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.emulators import ROOTED, Emulator, need

SCRIPTS = Path(__file__).parent / "scripts"

pytestmark = pytest.mark.slow


def _make_sum() -> int:
    x = 0
    for i in range(1, 51):
        x = x % 10007 * 3 + i
    return x


EXPECTED = {
    "git": "3\nc3\nc2\nc1\n 1 file changed, 198 insertions(+)\n",
    "make": f"{_make_sum()}\n" * 2,
    "redis": "PONG\nOK\n2\n3\nOK\nsaved\nended 0\n",
    "sqlite": "wal\n80|80\nok\n",
    "sshd": "valid 0\nport 2222\nGood file signature\n".replace("file", '"file"'),
    "rust": "7\n22\nhello 17 needle3\n11\nfound f5\n",
    "shell": f"""\
n100$n10$n1$
100000
pipe 1 0
pipefail {128 + signal.SIGPIPE}
4
$quoted
long here-document
usr1 0
term
interrupted {128 + signal.SIGTERM}
child {128 + signal.SIGTERM}
bye
exit 3
ignored
signal {128 + signal.SIGSEGV}
chld
Stopped sleep 100
job {128 + signal.SIGTERM}
bash -c 'kill -STOP $$; echo continued'
continued
one group
COPROCESS
4
{9 * sum(range(51))}
22
same
9
55 0
UPPER
status 5 9
2
got from the child
9
alarm
reaped 1
exec
""",
    "go": "1 snapshots\nrestored\nrclone\nsynced\n",
    "node": "hello\nba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n"
    f"46368 {2**70}\nchild\nworker 42\nhi\n9999\n",
    "java": f"80000 80000\n{199999 * 100000}\n4500\nchild 4\n",
    "languages": f"perl {500500 * 10}\n328350\n328350\n285\n600\n"
    f"luajit {sum(i % 7 for i in range(1, 3000001))}\nruby {500500 * 6}\n3\n"
    f"tcl {2**40}\nsub\ndone\nz b \ns: 1 windows\n",
}


@pytest.mark.parametrize("arch", ROOTED)
@pytest.mark.parametrize("name", EXPECTED)
def test_program(
    name: str,
    arch: str,
    qusr: Callable[[str], Emulator],
    root: Callable[..., Path],
    tmp_path: Path,
) -> None:
    emulator, log = qusr(arch), tmp_path / "python.log"
    run = emulator(
        "/bin/bash", SCRIPTS / f"{name}.sh", options=("-d", "python", "-D", str(log)),
        root=root(arch, "programs"), cwd=tmp_path, env={"PWD": str(tmp_path)}, timeout=400,
    ).check()  # fmt: skip
    assert run.out == EXPECTED[name], run.describe()
    if name != "shell" and arch in ("aarch64", "arm") and "unicorn" not in emulator.prefix:
        # What a program does in its ordinary life enters no Python. (The shell's script traces.)
        assert not log.exists(), log.read_text()


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.mark.parametrize("arch", ROOTED)
def test_nginx_serves_the_host(
    arch: str,
    qusr: Callable[[str], Emulator],
    root: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """Files of a guest server, with sendfile and compressed, fetched by the host's curl."""
    need("curl")
    emulator, guest_root, port = qusr(arch), root(arch, "programs"), _free_port()
    command = [*emulator.prefix, "-L", str(guest_root), f"{guest_root}/bin/bash"]
    command += [str(SCRIPTS / "nginx.sh"), str(port)]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", **emulator.environment},
        start_new_session=True,
    ) as server:
        try:
            deadline = time.monotonic() + 60
            while not (tmp_path / "started").exists() and time.monotonic() < deadline:
                time.sleep(0.1)
            want = "".join(f"{n}\n" for n in range(1, 60001)).encode()
            for options in ([], ["--compressed"]):
                got = subprocess.run(
                    ["curl", "-sf", "-m", "30", *options, f"{url}/f"],
                    stdout=subprocess.PIPE, check=True,
                )  # fmt: skip
                assert got.stdout == want
            missing = subprocess.run(
                ["curl", "-s", "-m", "30", "-o", "/dev/null", "-w", "%{http_code}", f"{url}/none"],
                stdout=subprocess.PIPE, check=True,
            )  # fmt: skip
            assert missing.stdout == b"404"
        finally:
            (tmp_path / "stop").touch()
            try:
                out, _ = server.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                server.send_signal(signal.SIGKILL)
                raise
    assert out.decode() == "valid 0\nstarted 0\nstopped\n"
