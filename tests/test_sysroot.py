"""The sysroot: its file or an error, never the host's, whatever the host's kernel lacks."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import emulators
from tests.emulators import Emulator

OPENAT2 = 437
#: How the host's openat2 fails: a kernel before 5.6; Docker's old seccomp profile.
WITHOUT = {"kernel": errno.ENOSYS, "docker": errno.EPERM}


def unshare() -> list[str]:
    """The command for a mount namespace of one's own, where chroot and mount are allowed."""
    command = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    works = subprocess.run([*command, "true"], capture_output=True, check=False)
    if works.returncode:
        pytest.skip("no mount namespaces here")
    return command


def _sandbox(**errors: int) -> list[str]:
    numbers = [f"{OPENAT2}={error}" for error in errors.values()]
    return [sys.executable, "-m", "tests.sandbox", *numbers, "--"] if numbers else []


def _lookups(
    seed: int,
    steps: int,
    sandbox: list[str],
    emulator: Emulator,
    testbin: Callable[..., Path],
    *,
    race: bool,
) -> str:
    name = "c/files/lookups"
    native, guest = testbin(name, "x86_64"), testbin(name, "aarch64")
    words = [sys.executable, "-m", "tests.lookups", str(seed), str(steps), str(native)]
    words += [*sandbox, *emulator.prefix, "-L", "{}", str(guest)]
    environment = {**os.environ, **emulator.environment, "PYTHONPATH": str(emulators.REPO)}
    if race:
        environment["LOOKUPS_RACE"] = "1"
    run = subprocess.run(
        [*unshare(), *words],
        env=environment,
        cwd=emulators.REPO,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("way", ["openat2", *WITHOUT])
def test_paths_are_those_of_a_chroot(
    way: str, qusr: Callable[[str], Emulator], testbin: Callable[..., Path]
) -> None:
    sandbox = _sandbox(**{way: WITHOUT[way]}) if way in WITHOUT else []
    out = _lookups(7, 25, sandbox, qusr("aarch64"), testbin, race=True)
    lines = out.splitlines()
    assert len(lines) == 1, out
    assert int(lines[0].split()[1].rstrip(",")) > 40
    assert lines[0].endswith("ended [0, 0]")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_many_paths(
    seed: int, qusr: Callable[[str], Emulator], testbin: Callable[..., Path]
) -> None:
    way = ("openat2", *WITHOUT)[seed % 3]
    sandbox = _sandbox(**{way: WITHOUT[way]}) if way in WITHOUT else []
    out = _lookups(seed, 200, sandbox, qusr("aarch64"), testbin, race=True)
    assert len(out.splitlines()) == 1, out


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/hostname").write_text("SYSROOT\n")
    (root / "link").symlink_to("/etc")
    (root / "etc/mounts").symlink_to("../proc/self/status")
    (root / "loop").symlink_to("loop")
    (root / "file").write_text("f\n")
    (root / "deep/below").mkdir(parents=True)
    return root


def _ask(emulator: Emulator, program: Path, root: Path, lines: list[str], **more: str) -> list[str]:
    text = "".join(f"{line}\n" for line in lines).encode()
    prefix = [*(word for word in more.pop("sandbox", "").split(" ") if word), *emulator.prefix]
    run = Emulator(tuple(prefix), {**emulator.environment, "PYTHONPATH": str(emulators.REPO)})
    result = run(program, options=["-L", str(root)], stdin=text, cwd=root)
    return result.check().out.splitlines()


@pytest.mark.parametrize("error", [0, errno.ENOSYS, errno.EPERM, errno.EMFILE, errno.EAGAIN])
def test_errors_of_openat2(
    error: int, tree: Path, qusr: Callable[[str], Emulator], testbin: Callable[..., Path]
) -> None:
    program = testbin("c/files/lookups", "aarch64")
    sandbox = " ".join(_sandbox(error=error)) if error else ""
    lines = [
        "open /etc/hostname", "open /link/hostname", "open /link/../etc/hostname", "stat /loop",
        "open /file/x", "open /file/", "access /link/hostname",
        "open deep/below/../../etc/hostname", "open deep/../../../etc/hostname", "readlink /link",
        "stat /etc/nothing-at-all",
    ]  # fmt: skip
    here = "0 SYSROOT"
    expected = [
        here, here, here, f"{errno.ELOOP}", f"{errno.ENOTDIR}", f"{errno.ENOTDIR}", "0 ", here,
        here, "0 /etc", f"{errno.ENOENT}",
    ]  # fmt: skip
    found = _ask(qusr("aarch64"), program, tree, lines, sandbox=sandbox)
    assert [line.strip() for line in found] == [line.strip() for line in expected]


def test_no_memory_is_no_reason_for_the_hosts_file(
    tree: Path, qusr: Callable[[str], Emulator], testbin: Callable[..., Path]
) -> None:
    # By a relative path it is not looked for in the sysroot.
    program = Path(os.path.relpath(testbin("c/files/lookups", "aarch64"), tree))
    lines = ["open /etc/hostname", "access /etc/hostname", "open /etc/passwd"]
    sandbox = " ".join(_sandbox(error=errno.ENOMEM))
    assert _ask(qusr("aarch64"), program, tree, lines, sandbox=sandbox) == [str(errno.ENOMEM)] * 3


def test_links_to_the_kernels_trees(
    tree: Path, qusr: Callable[[str], Emulator], testbin: Callable[..., Path]
) -> None:
    """As Debian's /etc/mtab: /proc is the running kernel's, though the sysroot has none."""
    program = testbin("c/files/lookups", "aarch64")
    (answer,) = _ask(qusr("aarch64"), program, tree, ["open /etc/mounts"])
    assert answer.startswith("0 Name:"), answer


def test_names_of_what_is_inside(
    tree: Path, qusr: Callable[[str], Emulator], testbin: Callable[..., Path]
) -> None:
    """getcwd and the links of /proc name files as a process in a chroot would see them."""
    program = testbin("c/files/lookups", "aarch64")
    lines = [
        "getcwd .", "chdir /deep/below", "getcwd .", "readlink /proc/self/cwd", "chdir ..",
        "getcwd .", "fd etc/../../etc/hostname", "fd /deep/below", "readlink /deep/text",
        "chdir /proc/self", "chdir /", "getcwd .", f"chdir {tree.parent}/other", "getcwd .",
    ]  # fmt: skip
    (tree.parent / "other").mkdir()
    # A link with such a text, which is no link of /proc.
    (tree / "deep/text").symlink_to(f"{tree}/etc")
    found = _ask(qusr("aarch64"), program, tree, lines)
    assert [line.strip() for line in found] == [
        "0 /", "0", "0 /deep/below", "0 /deep/below", "0",
        "0 /deep", str(errno.ENOENT), "0 /deep/below", f"0 {tree}/etc",
        "0", "0", "0 /", "0", f"0 {tree.parent}/other",
    ]  # fmt: skip
