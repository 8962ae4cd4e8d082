"""dist/qusr-static on Linux 5.10, in a virtual machine: what takes a kernel of the test's own.

Yama's ptrace_scope, vm.overcommit_memory and control groups hold for a whole machine. `apt install
qemu-system-x86` for it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import emulators, machines
from tests.test_static import static

__all__ = ["static"]

pytestmark = pytest.mark.slow

#: What bash and a few commands take of a Debian root.
_NEEDED = (
    "bin/bash", "bin/cat", "bin/ls", "bin/uname", "bin/id", "bin/tr", "lib/ld-linux*",
    *(f"lib/*-linux-gnu*/lib{name}.so.*" for name in ("c", "tinfo", "selinux", "pcre2-8")),
)  # fmt: skip
MACHINES = {"aarch64": "aarch64", "arm": "armv7l"}

#: Pipes, exit statuses, a program that is executed by a guest, and one that dies by a signal.
_SCRIPT = """
uname -m; (exit 3); echo $?; echo one | tr a-z A-Z; id -u
bash -c 'kill -PIPE $$'; echo $?
"""
_CASES = {
    "plain": "run",
    "no environment, read-only": """
        mount -t tmpfs none /mnt && cp /bin/qusr-static /mnt && mount -o remount,ro /mnt
        env -i /mnt/qusr-static -L /$arch /$arch/bin/bash -c "$script"; umount /mnt
    """,
    "address space": "ulimit -v 400000; run",
    "no new privileges": 'setpriv --nnp $start -c "$script"',
    "hidden processes": """
        mount -o remount,hidepid=2 /proc
        as_user; script='ls -d /proc/1 /proc/self' as_user
        mount -o remount,hidepid=0 /proc
    """,
    "512 MiB": """
        mount -t cgroup2 none /sys/fs/cgroup; cd /sys/fs/cgroup
        echo +memory >cgroup.subtree_control; mkdir guest; echo 512M >guest/memory.max
        echo 0 >guest/memory.swap.max
        sh -c 'echo $$ >guest/cgroup.procs; exec "$0" "$@"' $start -c "$script"
        grep -E "^oom_kill " guest/memory.events
    """,
    "nothing overcommitted": """
        cd /proc/sys/vm; echo 50 >overcommit_ratio; echo 2 >overcommit_memory
        run; cat overcommit_memory; echo 0 >overcommit_memory
    """,
    "registered": """
        insmod /binfmt_misc.ko; mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
        qusr-static qusr-binfmt install $arch >&2
        grep flags /proc/sys/fs/binfmt_misc/qusr-$arch
        chroot /$arch /bin/bash -c "$script"
    """,
    "without proc": """
        cp /bin/qusr-static /$arch/bin/qemu-$arch-static
        umount /proc/sys/fs/binfmt_misc /proc
        chroot /$arch /bin/qemu-$arch-static /bin/bash -c "$script"; ls /proc
        mount -t proc none /proc
    """,
    **{
        f"ptrace_scope {scope}": f"""
            echo {scope} >/proc/sys/kernel/yama/ptrace_scope
            cat /proc/sys/kernel/yama/ptrace_scope; as_user
        """
        for scope in (1, 2, 3)
    },
}
_BEFORE = """
export arch={arch} script='{script}' start='qusr-static -L /{arch} /{arch}/bin/bash' QUSR_CACHE_DIR=
run() {{ $start -c "$script"; }}
as_user() {{ su -m -s /bin/sh guest -c '$start -c "$script"'; }}
"""
_MORE = {
    "hidden processes": "ls: cannot access '/proc/1': No such file or directory\n/proc/self\n",
    "512 MiB": "oom_kill 0\n",
    "nothing overcommitted": "2\n",
}


@pytest.fixture(scope="module", params=emulators.ARCHES)
def printed(
    static: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, str]]:
    """The guest, and what each case printed."""
    arch: str = request.param
    root = emulators.debian_root(arch)
    kernel = machines.kernel(*machines.LINUX_5_10)
    files: dict[str, Path | bytes | str] = {
        "bin/qusr-static": static,
        "etc/passwd": b"root:x:0:0::/:/bin/sh\nguest:x:1234:1234::/:/bin/sh\n",
        "etc/group": b"root:x:0:\nguest:x:1234:\n",
        "binfmt_misc.ko": machines.module(kernel, "binfmt_misc"),
    }
    for pattern in _NEEDED:
        for found in (root / "usr").glob(pattern):
            files[f"{arch}/usr/{found.relative_to(root / 'usr')}"] = found
    files |= {f"{arch}/{name}": f"usr/{name}" for name in ("bin", "lib")}
    before = _BEFORE.format(arch=arch, script=_SCRIPT.replace("'", "'\\''"))
    cases = {name: before + case for name, case in _CASES.items()}
    return arch, machines.boot(kernel, files, cases, tmp_path_factory.mktemp("machine"))


@pytest.mark.parametrize("case", _CASES)
def test_on_linux_5_10(printed: tuple[str, dict[str, str]], case: str) -> None:
    arch, parts = printed
    user = 1234 if case.startswith(("hidden", "ptrace")) else 0
    expected = f"{MACHINES[arch]}\n3\nONE\n{user}\n141\n"
    expected = {"registered": "flags: OF\n"}.get(case, "") + expected + _MORE.get(case, "")
    if case.startswith("ptrace"):
        expected = case.removeprefix("ptrace_scope ") + "\n" + expected
    assert parts[case] == expected
