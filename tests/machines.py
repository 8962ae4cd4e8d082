"""Other Linux kernels: a virtual machine whose whole disk is an initial RAM file system."""

from __future__ import annotations

import gzip
import os
import re
import shlex
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests import emulators
from tests.emulators import REPO

#: Debian 11's, the oldest that qusr is to run on. Its suite gets no further versions.
LINUX_5_10 = ("bullseye", "linux-image-5.10.0-32-cloud-amd64-unsigned")

_BEGIN = """#!/bin/busybox sh
/bin/busybox mkdir -p /bin /sbin /proc /sys /dev /tmp /mnt
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
# What the kernel says of itself does not come between.
dmesg -n 1
cd /tmp
"""
_END = """
echo "== end"
poweroff -f
"""


def kernel(suite: str, package: str) -> Path:
    """The folder of a Debian kernel's package."""
    tool = REPO / "tools" / "unpacked-package"
    found = subprocess.run(
        [tool, suite, "amd64", package], capture_output=True, text=True, check=False
    )
    if found.returncode:
        emulators.lack(f"{tool}: {found.stderr}")
    return Path(found.stdout.strip())


def module(folder: Path, name: str) -> Path:
    """One of a kernel's modules."""
    (found,) = folder.glob(f"lib/modules/*/kernel/**/{name}.ko")
    return found


def _archive(files: Mapping[str, Path | bytes | str]) -> Iterator[bytes]:
    """An archive as Documentation/driver-api/early-userspace/buffer-format.rst has it ("newc")."""
    folders = {str(folder) for name in files for folder in Path(name).parents}
    folder = (stat.S_IFDIR | 0o755, b"")
    entries: dict[str, tuple[int, bytes]] = dict.fromkeys(folders - {"."}, folder)
    for name, content in files.items():
        if isinstance(content, Path):
            entries[name] = (stat.S_IFREG | 0o755, content.read_bytes())
        elif isinstance(content, str):
            entries[name] = (stat.S_IFLNK | 0o777, content.encode())
        else:
            entries[name] = (stat.S_IFREG | 0o755, content)
    # Folders come before what is in them.
    listed = [*sorted(entries.items()), ("TRAILER!!!", (0, b""))]
    for number, (name, (mode, data)) in enumerate(listed):
        path = name.encode() + b"\0"
        fields = (number + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        yield head + bytes(-len(head) % 4)
        yield data + bytes(-len(data) % 4)


def boot(
    folder: Path,
    files: Mapping[str, Path | bytes | str],
    cases: Mapping[str, str],
    place: Path,
    *,
    memory: int = 1024,
    timeout: float = 600,
) -> dict[str, str]:
    """What shell scripts print, one after the other, on a machine with a kernel and these files.

    A file is a path of this machine's, its content, or (text) a symbolic link's target.
    """
    qemu = emulators.need("qemu-system-x86_64")
    script = _BEGIN + "".join(
        f"echo '== {name}'\n(\n{case}\n) 2>&1 </dev/null\n" for name, case in cases.items()
    )
    busybox = emulators.debian_root("x86_64") / "usr/bin/busybox-static"
    all_files = {"bin/busybox": busybox, **files, "init": (script + _END).encode()}
    ram_disk = place / "initrd"
    ram_disk.write_bytes(gzip.compress(b"".join(_archive(all_files)), 1))
    (image,) = folder.glob("boot/vmlinuz-*")
    # By translation, not by KVM: that is not to be had inside of every other virtual machine.
    words = [
        qemu, "-accel", "tcg", "-cpu", "max", "-m", str(memory), "-nodefaults", "-display", "none",
        "-serial", "stdio", "-no-reboot", "-kernel", str(image), "-initrd", str(ram_disk),
        "-append", "console=ttyS0 quiet panic=-1",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=timeout,
            env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"{shlex.join(words)}: {(late.stdout or b'').decode()}") from late
    text = done.stdout.decode(errors="replace").replace("\r", "")
    parts = re.split(r"^== (.*)\n", text, flags=re.MULTILINE)[1:]
    printed = dict(zip(parts[::2], parts[1::2], strict=True))
    assert "end" in printed, text[-3000:] + done.stderr.decode()
    return printed
