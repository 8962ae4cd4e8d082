"""Debian installs itself: mmdebstrap's configure step, and apt-get in the finished root.

All that a package's installation runs in the root (dpkg, ldconfig, perl, shell scripts) is the
guest's, started by the kernel through a private registration of qusr.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import emulators
from tests.emulators import DEBIAN, REPO, ROOTED, SUITE, Result, need

pytestmark = pytest.mark.slow

# Ten packages with libraries (ldconfig), alternatives, triggers, a debconf question (man-db).
PACKAGES = ("bc", "file", "jq", "less", "make", "man-db", "patch", "rsync", "sqlite3", "tree")

# Each works, and the whole root is in order.
CHECK = r"""
set -e
uname -m
echo '2^64' | bc
file -bL --mime-type /bin/sh
echo '{"a":[1,2]}' | jq -c .a
printf 'x:\n\t@echo made\n' | make -sf -
echo old >/tmp/f
printf -- '--- f\n+++ f\n@@ -1 +1 @@\n-old\n+new\n' | patch -s /tmp/f && cat /tmp/f
mkdir -p /tmp/a && echo r >/tmp/a/r && rsync -a /tmp/a/ /tmp/b && cat /tmp/b/r
sqlite3 :memory: 'select 6*7'
tree --noreport -i /tmp/a | tail -n 1
less --version | cut -d' ' -f1 | head -n 1
man --version | cut -d' ' -f1
dpkg --audit
dpkg-query -Wf '${db:Status-Abbrev}\n' | sort | uniq -c | wc -l
dpkg -V
ldconfig -p | grep -c 'libsqlite3.so.0 '
apt-get check -qq
"""
EXPECTED = f"{2**64}\napplication/x-pie-executable\n[1,2]\nmade\nnew\nr\n42\nr\nless\nman\n1\n1\n"
MACHINE = {
    "aarch64": "aarch64",
    "arm": "armv7l",
    "riscv64": "riscv64",
    "s390x": "s390x",
    "mipsel": "mips",
    "mips64el": "mips64",
    "x86_64": "x86_64",
    "i386": "i686",
}


def _archive(suite: str) -> list[str]:
    """The archive that this machine's apt uses, if it is one of Debian 12."""
    form = f"$(CODENAME) $(COMPONENT) deb $(REPO_URI) {suite} main"
    command = ("apt-get", "indextargets", "--format", form, "Created-By: Packages")
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = [row for row in run.stdout.splitlines() if row.startswith("bookworm main ")]
    return [rows[0].removeprefix("bookworm main ")] if rows else []


def _binfmt(*words: str | Path, timeout: float) -> Result:
    command = (sys.executable, "-m", "qusr.binfmt", "run", *map(str, words))
    env = {
        **emulators.ENVIRONMENT,
        **emulators.QUSR_ENVIRONMENT,
        "PYTHONPATH": str(REPO),
        "DEBIAN_FRONTEND": "noninteractive",
    }
    # With /proc of its own process namespace, so that whatever is left over ends with it.
    run = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *command],
        stdin=subprocess.DEVNULL, capture_output=True, check=False, env=env, timeout=timeout,
    )  # fmt: skip
    return Result(command, run.returncode, run.stdout, run.stderr)


@pytest.mark.parametrize("arch", ROOTED)
def test_a_root_installs_itself_and_then_ten_packages(arch: str, tmp_path: Path) -> None:
    need("mmdebstrap")
    if os.geteuid() != 0:
        pytest.skip("takes more than one user id: run as root")
    root, suite = tmp_path / "root", SUITE.get(arch, "bookworm")
    bind = f"{sys.executable} -m qusr.binfmt"
    _binfmt(
        # mmdebstrap looks for a registration by qemu's name.
        "--as-qemu", "--preserve-argv0", "--", "mmdebstrap", "--mode=root", "--variant=minbase",
        f"--arch={DEBIAN[arch]}",
        f'--setup-hook=mkdir -p "$1"/run && {bind} bind "$1"',
        f'--customize-hook={bind} unbind "$1"',
        suite, root, *_archive(suite), timeout=3600,
    ).check()  # fmt: skip
    resolver = Path("/etc/resolv.conf")
    if resolver.exists():
        (root / "etc/resolv.conf").write_bytes(resolver.read_bytes())
    for words in (("apt-get", "update"), ("apt-get", "install", "-qy", *PACKAGES)):
        run = _binfmt("-L", root, "--", *words, timeout=3600).check()
        complaints = [
            row
            for row in (run.out + run.err).splitlines()
            if "core dumped" in row or "Segmentation fault" in row or row.startswith("qusr:")
        ]
        assert not complaints, run.describe()
    check = _binfmt("-L", root, "--", "/bin/bash", "-c", CHECK, timeout=300).check()
    assert check.out == f"{MACHINE[arch]}\n{EXPECTED}", check.describe()
