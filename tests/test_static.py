"""dist/qusr-static: one file that runs anywhere (`make static`)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from qusr.binfmt import launcher, registry
from tests import emulators, namespaces
from tests.emulators import REPO, Result
from tests.namespaces import OVERLAY, shell
from tools import freeze

HELLO = REPO / "testbins" / "prebuilt"
STATIC = REPO / "dist" / "qusr-static"
MAX_SIZE = 16 << 20

#: Names in linux/audit.h's table of x86-64: what kernels from 5.6 to 6.10 have brought.
NEW_CALLS = {"clone3": 435, "close_range": 436, "openat2": 437, "faccessat2": 439}
ENOSYS, EPERM = 38, 1


@pytest.fixture(scope="module")
def static() -> Path:
    """The file. It takes minutes to build, so no test does that."""
    if not STATIC.is_file():
        emulators.lack("dist/qusr-static is not there: make static")
    return STATIC


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> Result:
    """With nothing in the environment but `env`."""
    words = tuple(str(word) for word in command)
    done = subprocess.run(
        words, env=env or {}, capture_output=True, check=False, timeout=60, cwd=cwd,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Result(words, done.returncode, done.stdout, done.stderr)


# --- the file ---


def test_nothing_is_beside_it(static: Path) -> None:
    """Position-independent, no dynamic linker, no library, and small enough."""
    emulators.need("readelf")
    shown = run("/usr/bin/readelf", "-hldW", static).check().out
    assert re.search(r"Type: +DYN", shown) and re.search(r"Machine: .*X86-64", shown)
    assert "INTERP" not in shown and "NEEDED" not in shown
    assert static.stat().st_size <= MAX_SIZE


# --- names ---


@pytest.mark.parametrize(
    "name",
    [
        "qusr",
        "qusr-aarch64",
        "qusr-arm64",
        "qusr-aarch64-static",
        "qemu-aarch64",
        "qemu-aarch64-static",
    ],
)
def test_it_is_the_command_whose_name_it_has(static: Path, tmp_path: Path, name: str) -> None:
    os.link(shutil.copy(static, tmp_path / "copy"), tmp_path / name)
    hello = HELLO / "hello-aarch64"
    assert run(tmp_path / name, hello).check().out == "Hello from aarch64!\n"
    assert run(static, name, hello).check().out == "Hello from aarch64!\n"
    assert run(tmp_path / name, "-version").check().out.startswith(f"{name} version")
    other = run(tmp_path / name, HELLO / "hello-arm")
    if name == "qusr":
        assert other.check().out == "Hello from arm!\n"
    else:
        assert f"{name}: {HELLO}/hello-arm: built for ARM" in other.check(126).err, other.describe()


def test_any_other_name_is_qusr(static: Path, tmp_path: Path) -> None:
    path = tmp_path / "with blanks" / "née: $x"
    path.parent.mkdir()
    shutil.copy(static, path)
    for guest in ("arm", "aarch64"):
        assert run(path, HELLO / f"hello-{guest}").check().out == f"Hello from {guest}!\n"
    assert run(path, "qusr-arm", "-version").check().out.startswith("qusr-arm version")
    assert run(path).check(1).err == "qusr: no program to run (-help shows how)\n"


def test_argv0_counts_where_the_file_has_no_name(static: Path) -> None:
    """fexecve(3) of a memfd."""
    script = """
import os, sys
fd = os.memfd_create("anything")
os.sendfile(fd, os.open(sys.argv[1], os.O_RDONLY), 0, 1 << 30)
os.execve(fd, ["qusr-arm", sys.argv[2]], {})
"""
    words = (sys.executable, "-c", script, static)
    assert run(*words, HELLO / "hello-arm").check().out == "Hello from arm!\n"
    assert "qusr-arm: " in run(*words, HELLO / "hello-aarch64").err


def test_the_registrar_is_in_it(static: Path) -> None:
    assert run(static, "qusr-binfmt", "status").check().out.startswith("binfmt_misc: ")
    printed = run(static, "qusr-binfmt", "print", "arm", "--interpreter", "/x").check().out
    assert printed.startswith(":qusr-arm:M:") and printed.endswith(":/x:OF\n")
    # Of what it cannot run, nothing is registered: no variable would name a library.
    every = run(static, "qusr-binfmt", "print").check()
    listed = re.findall(r"^:qusr-([^:]+):", every.out, re.MULTILINE)
    assert listed == launcher.without_unicorn(registry.guests([]))
    others = [guest for guest in registry.guests([]) if guest not in listed]
    assert not others or ", ".join(others) in every.err
    for guest in others:
        assert "only the Unicorn core" in run(static, "qusr-binfmt", "print", guest).check(1).err
    assert run(static, "qusr-binfmt", "bind", "/tmp").check(1).err == (
        "qusr-binfmt: bind: this executable needs no other file in a root\n"
    )


# --- the Python in it ---


@pytest.mark.parametrize("guest", ["aarch64", "arm"])
def test_what_every_start_with_python_imports_is_not_packed(guest: str) -> None:
    """It would have to be unpacked each time (tools/freeze.py)."""
    packages = sysconfig.get_path("purelib")
    words = ["-", "-", "0", f"qusr-{guest}", "-d", "python", str(HELLO / f"hello-{guest}")]
    code = f"import sys; sys.path[:0] = [{str(REPO)!r}, {packages!r}]; sys.argv[1:] = {words!r}; "
    code += "from qusr import interp; interp.command()"
    python = (sys.executable, "-I", "-S", "-X", "importtime", "-c", code)
    done = run(*python).check()
    assert done.out == f"Hello from {guest}!\n"
    imported = re.findall(r"^import time: +\d+ \| +\d+ \| *(\S+)$", done.err, re.MULTILINE)
    own = {*sys.builtin_module_names, "_frozen_importlib_external", "zipimport", "marshal"}
    shared = {"fcntl", "_struct"}  # built into a static Python
    packed = {
        name
        for name in imported
        if name not in own | shared and name != "qusr._native"
        if not freeze.is_at_start(name, is_package=name == f"qusr.arch.{guest}")
    }
    assert "qusr.process" in imported and not packed


def test_no_module_misses_one_that_is_left_out() -> None:
    """Each is imported by a Python that has no more than the frozen ones."""
    packages = sysconfig.get_path("purelib")
    script = """
import importlib, sys
from _frozen_importlib_external import PathFinder

class Others:
    def find_spec(self, name, path=None, target=None):
        if name in there or name == "qusr._native":
            return None
        # Modules in C may be files here, and are built into that Python.
        spec = PathFinder.find_spec(name, path)
        if spec is None or not spec.origin.endswith(".so") or name in left_out:
            raise ModuleNotFoundError(f"No module named {name!r}")

tree, packages, left_out, there = sys.argv[1], sys.argv[2], sys.argv[3].split(), sys.argv[4].split()
sys.path[:0] = [tree, packages]
sys.meta_path.insert(0, Others())
its = [name for name in there if name.split(".")[0] in ("qusr", "elftools")]
for name in its:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(len(its))
"""
    files, built_in = freeze.found(REPO, Path(packages))
    more = {*built_in, *sys.builtin_module_names, *freeze.BOOTSTRAP, *freeze.BOOTSTRAP.values()}
    words = (REPO, packages, " ".join(freeze.LEFT_OUT), " ".join({*files, *more}))
    done = run(sys.executable, "-I", "-S", "-c", script, *words).check()
    assert int(done.out) > 200, done.describe()


def test_packed_modules_are_there(static: Path) -> None:
    """Modules of few starts, in packages that are packed and in one that is not."""
    shown = run(static, "qusr", "info", HELLO / "hello-arm").check()
    assert "ARM" in shown.out  # elftools
    assert "usage: " in run(static, "qusr-binfmt", "--help").check().out  # argparse


# --- surroundings ---


def test_no_environment_and_nothing_to_write_to(static: Path, tmp_path: Path) -> None:
    """All file systems read-only, nobody's user id, no HOME."""
    script = """
        mount -t tmpfs none /mnt && cp "$1" "$2" /mnt && chmod 755 /mnt /mnt/*
        mount -o remount,ro /mnt
        cd /mnt && env -i ./qusr-static ./hello-aarch64; touch /mnt/x
    """
    done = shell(script, static, HELLO / "hello-aarch64", prelude="")
    assert done.out == "Hello from aarch64!\n"
    assert done.err.endswith("Read-only file system\n") and done.err.count("\n") == 1


@pytest.mark.parametrize("error", [ENOSYS, EPERM])
def test_kernels_and_sandboxes_without_new_calls(static: Path, error: int) -> None:
    """As before Linux 5.6, and as filters of container engines that are older than a call."""
    calls = [f"{number}={error}" for number in NEW_CALLS.values()]
    if error == EPERM:  # libc does not fall back for clone3 then, natively either
        calls = [f"{NEW_CALLS['openat2']}={error}"]
    root = emulators.debian_root("aarch64")
    words = (sys.executable, "-m", "tests.sandbox", *calls, "--", str(static), "-L", str(root))
    script = "uname -m; ls /etc/debian_version; (exit 3); echo $?"
    done = run(*words, root / "bin/bash", "-c", script, cwd=REPO, env={"PATH": "/usr/bin"})
    assert done.check().out == "aarch64\n/etc/debian_version\n3\n", done.describe()


@pytest.mark.parametrize("kibibytes", [400_000, 4_000_000])
def test_little_address_space(static: Path, kibibytes: int) -> None:
    """ulimit -v: no room for the usual 4 TiB."""
    script = f'ulimit -v {kibibytes}; "$0" "$1"; exec "$0" "$2"'
    words = ("/bin/bash", "-c", script, static, HELLO / "hello-aarch64", HELLO / "hello-arm")
    assert run(*words).check().out == "Hello from aarch64!\nHello from arm!\n"


@pytest.mark.parametrize("arch", emulators.ARCHES)
def test_nothing_is_overcommitted(static: Path, arch: str, root: Callable[[str], Path]) -> None:
    """As where vm.overcommit_memory is 2 and little is left.

    That counts private memory that may be written to, touched or not, with MAP_NORESERVE or without
    (mm/mmap.c, accountable_mapping); so does RLIMIT_DATA (may_expand_vm), for each process.
    """
    script = 'ulimit -d 60000; exec "$0" "$1" -L "$2" "$2"/bin/bash -c "$3"'
    inner = "uname -m | tr a-z A-Z; (exit 3); echo $?"
    words = ("/bin/bash", "-c", script, static, f"qusr-{arch}", root(arch), inner)
    done = run(*words, env={"PATH": "/usr/bin:/bin"}).check()
    assert done.out == {"aarch64": "AARCH64\n3\n", "arm": "ARMV7L\n3\n"}[arch], done.describe()
    assert done.err == ""


@pytest.mark.parametrize("arch", emulators.ARCHES)
def test_no_process_may_look_into_another(
    static: Path, arch: str, root: Callable[[str], Path]
) -> None:
    """As with Yama's kernel.yama.ptrace_scope 3: no ptrace(2), nor what asks for its permission."""
    calls = {"ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312}
    refused = [f"{number}={EPERM}" for number in calls.values()]
    sandbox = (sys.executable, "-m", "tests.sandbox", *refused, "--")
    words: tuple[str | Path, ...] = (*sandbox, static, f"qusr-{arch}")
    script = "uname -m; (exit 3); echo $?; cat </proc/self/comm | tr a-z A-Z; kill -9 $$"
    place = root(arch)
    done = run(
        *words,
        "-L",
        place,
        place / "bin/bash",
        "-c",
        script,
        cwd=REPO,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert done.status == -9, done.describe()
    machine = {"aarch64": "aarch64", "arm": "armv7l"}[arch]
    assert done.out == f"{machine}\n3\nCAT\n", done.describe()


def test_another_user_with_hidden_processes(static: Path, tmp_path: Path) -> None:
    """proc's hidepid=2, as a user who is not root and may write nowhere."""
    if os.geteuid() != 0:
        pytest.skip("takes root: a namespace with more than one user")
    script = """
        mount -t tmpfs none /mnt && cp "$1" "$2" /mnt && chmod 755 /mnt /mnt/*
        mount -t proc -o hidepid=2 none /proc
        setpriv --reuid 1234 --regid 1235 --clear-groups --inh-caps=-all --no-new-privs \
            env -i /mnt/qusr-static /mnt/busybox-static sh -c 'id -u; ls -d /proc/1 /proc/self/exe
                (exit 4); echo $?' 2>&1
    """
    busybox = emulators.debian_root("aarch64") / "usr/bin/busybox-static"
    more = ("unshare", "--pid", "--fork")
    done = shell(script, static, busybox, prelude="", users=True, more=more).check()
    assert done.out == ("1234\nls: /proc/1: No such file or directory\n/proc/self/exe\n4\n"), (
        done.describe()
    )


@pytest.mark.parametrize("arch", emulators.ARCHES)
def test_chroot_without_proc(
    static: Path, arch: str, tmp_path: Path, root: Callable[[str], Path]
) -> None:
    """The file is in the root under qemu's name, and nothing else: neither /proc nor /dev."""
    script = (
        OVERLAY
        + """
        cp "$3" "$2"/root/usr/bin/qemu-$4-static
        export PATH=/usr/sbin:/usr/bin:/sbin:/bin QUSR_CACHE_DIR=
        chroot "$2"/root /usr/bin/qemu-$4-static /bin/bash -c '
            ls -d /proc/self /dev/zero; uname -m
            (cd /home && echo "$(pwd) $(ls /usr | grep -c lib)" | sed s/home/HOME/)
            exec 5</etc/debian_version; (exit 6); echo $?
            find /etc -name passwd -exec head -c 5 {} +; echo
            exec -a name sh -c "echo \\$0 \\$#" name x y z
        ' 2>&1
        find "$2"/up -type f
    """
    )
    done = shell(script, root(arch), tmp_path, static, arch, prelude="").check()
    machine = {"aarch64": "aarch64", "arm": "armv7l"}[arch]
    assert done.out.splitlines() == [
        "ls: cannot access '/proc/self': No such file or directory",
        "ls: cannot access '/dev/zero': No such file or directory",
        machine,
        f"/HOME {len(list((root(arch) / 'usr').glob('*lib*')))}",
        "6", "root:", "name 3",
        f"{tmp_path}/up/usr/bin/qemu-{arch}-static",
    ]  # fmt: skip


# --- other parts of it ---


def test_every_option_is_there(static: Path) -> None:
    """Those that take other modules: logs, strace, lists, the Unicorn core."""
    hello = HELLO / "hello-aarch64"
    strace = run(static, "-strace", hello).check()
    assert 'write(1,"Hello from aarch64!\\n",20) = 20' in strace.err.replace(", ", ","), strace.err
    assert "OP:" in run(static, "-d", "op", hello).check().err
    assert "IN:" in run(static, "-d", "in_asm", hello).check().err
    assert "cortex-a53" in run(static, "-cpu", "help").check().out
    missing = run(static, "-core", "unicorn", hello)
    assert missing.err == (
        "qusr: this qusr has no Unicorn core: QUSR_LIBUNICORN may name its library\n"
    )


def test_core_unicorn_where_a_variable_names_it(static: Path) -> None:
    """On a machine whose C library is the one that it was linked with."""
    import unicorn

    library = Path(unicorn.__file__).parent / "lib" / "libunicorn.so.2"
    env = {"QUSR_LIBUNICORN": str(library)}
    done = run(static, "-core", "unicorn", HELLO / "hello-aarch64", env=env)
    if "this machine has" in done.err:
        pytest.skip(done.err.strip())
    assert done.check().out == "Hello from aarch64!\n"
    done = run(static, "-core", "unicorn", HELLO / "hello-arm", env={"QUSR_LIBUNICORN": "/none"})
    assert done.out == "" and "cannot load the unicorn library /none" in done.err


# --- the kernel starts it ---


_REGISTERED = """
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    "$3" qusr-binfmt install --interpreter "$2"/interp && rm "$2"/interp
"""


@pytest.mark.parametrize("arch", emulators.ARCHES)
def test_registered_with_f_it_is_there_in_every_chroot(
    static: Path, arch: str, tmp_path: Path, root: Callable[[str], Path]
) -> None:
    namespaces.need_binfmt()
    script = (
        OVERLAY
        + _REGISTERED
        + """
        export PATH=/usr/sbin:/usr/bin:/sbin:/bin XDG_CACHE_HOME=/home
        chroot "$2"/root /bin/bash -c 'uname -m; ls / | wc -l; exec /bin/sh -c "exit 3"'; echo $?
        mkdir -p "$2"/root/proc; mount --rbind /proc "$2"/root/proc
        chroot "$2"/root /bin/bash -c 'ls -l /proc/self/exe | sed "s/.*-> //"; echo $0 $#' x y z
        find "$2"/up -name .cache; ls "$2"/root/home
    """
    )
    done = shell(script, root(arch), tmp_path, static, prelude="").check()
    machine = {"aarch64": "aarch64", "arm": "armv7l"}[arch]
    lines = done.out.splitlines()
    assert lines[0] == machine and lines[2:] == ["3", "/usr/bin/ls", "x 2"], done.describe()


def test_names_of_qemu(static: Path, tmp_path: Path) -> None:
    """For tools that look for a registration by its name (mmdebstrap)."""
    namespaces.need_binfmt()
    script = """
        mount -t binfmt_misc none /proc/sys/fs/binfmt_misc; cd /proc/sys/fs/binfmt_misc
        binfmt() { "$1" qusr-binfmt "${@:2}" --interpreter "$path"; }
        path="$2"/sub/interp; binfmt "$1" install --as-qemu arm64 arm; echo *
        grep -E "^(enabled|interpreter|flags)" qemu-aarch64
        binfmt "$1" install arm64; echo *
        binfmt "$1" uninstall; echo *; ls "$2"
    """
    done = shell(script, static, tmp_path, prelude="").check()
    assert done.out.splitlines() == [
        "qemu-aarch64 qemu-arm register status",
        "enabled", f"interpreter {tmp_path}/sub/interp", "flags: OF",
        "qemu-arm qusr-aarch64 register status",
        "register status",
    ]  # fmt: skip
