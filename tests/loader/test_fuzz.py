"""Corrupt ELF files: nothing but LoadError, quickly, and without absurd mappings."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qusr.loader import program
from qusr.loader.errors import LoadError
from qusr.loader.sysroot import Sysroot
from testbins import build

from .fakespace import FakeSpace
from .loading import elf_file, load, read_plan

#: How much a corrupt file may make us map *page by page* in the model.
FILE_PAGES = 1 << 16


class CountingSpace(FakeSpace):
    """The model, with bss pages as ranges so that absurd sizes cost nothing."""

    def mmap(
        self, addr: int, len: int, prot: int, flags: int, fd: int = -1, offset: int = 0
    ) -> int:
        assert len <= self.limit
        if fd >= 0:
            # Only what the file has may be mapped from it.
            assert offset + len <= -(-os.fstat(fd).st_size // 4096) * 4096
        return super().mmap(addr, len, prot, flags, fd, offset)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Real files: prebuilt ones, and static and dynamic programs of both classes."""
    found = {
        p.name: p.read_bytes()
        for p in sorted(build.PREBUILT.iterdir())
        if p.read_bytes()[:4] == b"\x7fELF"
    }
    folder = tmp_path_factory.mktemp("samples")
    (folder / "x.c").write_text('#include <stdio.h>\nint main(void) { puts("x"); }\n')
    for compiler in ("arm-linux-gnueabihf-gcc", "aarch64-linux-gnu-gcc"):
        if shutil.which(compiler) is None:
            continue
        for flags in ("-static", "-static-pie", "-pie"):
            if flags == "-static-pie" and compiler.startswith("arm"):
                # glibc for arm comes without the start-up file of static-pie.
                continue
            name = f"{compiler}{flags}"
            subprocess.run([compiler, flags, "-o", name, "x.c"], cwd=folder, check=True)
            found[name] = (folder / name).read_bytes()
    assert len(found) >= 2
    return found


def attempt(data: bytes, path: Path) -> bool:
    """Loads a file as far as it goes; whether it went through."""
    with open(path, "wb") as stream:
        stream.write(data)
    fd = os.open(path, os.O_RDONLY)
    started = time.process_time()
    try:
        plan = read_plan(fd, "x")
        space = CountingSpace(1 << 32 if plan.bits == 32 else (1 << 47) - 4096)
        load(space, elf_file(plan, fd, "x"), stack_size=8 << 20)
        assert len(space.pages) <= FILE_PAGES
        ok = True
    except LoadError as error:
        assert "\n" not in error.message
        assert error.status in (126, 127)
        assert error.errno > 0
        ok = False
    finally:
        os.close(fd)
    assert time.process_time() - started < 2
    return ok


def headers_only(data: bytes) -> bytes:
    """The first 64 KiB of a file: large enough for all headers."""
    return data[: 1 << 16]


INTERESTING = [
    *(0, 1, 2, 3, 4, 5, 6, 7, 0x20, 0x38, 0xFFF, 0x1000, 0x1001, 0xFFFF, 0x10000),
    *(0x7FFFFFFF, 0x80000000, 0xFFFFF000, 0xFFFFFFFF, 0x100000000),
    *(0x7FFFFFFFFFFF, 0x800000000000, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 4096),
    (1 << 64) - 1,
]


def mutations(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """Endless changes of the ELF header and the program headers."""
    wide = data[4] == 2
    order = ">" if data[5] == 2 else "<"
    ehsize, phsize = (64, 56) if wide else (52, 32)
    phnum = struct.unpack_from(order + "H", data, 56 if wide else 44)[0]
    end = ehsize + phsize * phnum
    while True:
        made = bytearray(data)
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            at = rng.randrange(4, end)
            match rng.randrange(4):
                case 0:
                    made[at] = rng.randrange(256)
                case 1:
                    made[at] ^= 1 << rng.randrange(8)
                case 2:
                    # a whole field
                    size = rng.choice((2, 4, 8) if wide else (2, 4))
                    at -= at % size
                    value = rng.choice(INTERESTING) & (1 << 8 * size) - 1
                    made[at : at + size] = value.to_bytes(size, "big" if order == ">" else "little")
                case _:
                    # one program header over another
                    source, target = rng.randrange(phnum), rng.randrange(phnum)
                    made[ehsize + target * phsize : ehsize + (target + 1) * phsize] = data[
                        ehsize + source * phsize : ehsize + (source + 1) * phsize
                    ]
        yield bytes(made)


def fuzz(samples: dict[str, bytes], count: int, seed: int, path: Path) -> None:
    rng = random.Random(seed)
    streams = [mutations(headers_only(data), rng) for data in samples.values()]
    # Cut-off contents are nearly always noticed; whole files get further.
    streams += [mutations(data, rng) for data in samples.values() if len(data) < 1 << 17]
    accepted = sum(attempt(next(streams[i % len(streams)]), path) for i in range(count))
    # Both ways must have been taken, or the test tests nothing.
    assert 0 < accepted < count


def shm(tmp_path: Path) -> Path:
    """A file in memory where there is one: this is written 100,000 times."""
    folder = Path("/dev/shm")
    return (folder if os.access(folder, os.W_OK) else tmp_path) / f"qusr-fuzz-{os.getpid()}"


def test_mutated_headers(samples: dict[str, bytes], tmp_path: Path) -> None:
    path = shm(tmp_path)
    try:
        fuzz(samples, 2000, 1, path)
    finally:
        path.unlink(missing_ok=True)


@pytest.mark.slow
def test_many_mutated_headers(samples: dict[str, bytes], tmp_path: Path) -> None:
    path = shm(tmp_path)
    try:
        for seed in range(10):
            fuzz(samples, 10_000, 100 + seed, path)
    finally:
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["hello-arm", "hello-aarch64"])
def test_truncated_anywhere(name: str, tmp_path: Path) -> None:
    """A file that is cut off before the end of its contents is refused, at every byte."""
    data = (build.PREBUILT / name).read_bytes()
    path = tmp_path / "x"
    path.write_bytes(data)
    path.chmod(0o755)
    whole = program.prepare(str(path), [b"x"], Sysroot(None), caller=183)
    plan = whole.plan
    whole.close()
    assert plan is not None
    contents = max(s.offset + s.filesz for s in plan.segments)
    for size in range(contents - 1, -1, -1):
        os.truncate(path, size)
        with pytest.raises(LoadError) as caught:
            program.prepare(str(path), [b"x"], Sysroot(None), caller=183).close()
        assert caught.value.status == 126
        assert "\n" not in caught.value.message


def test_garbage_sections_do_not_matter(tmp_path: Path) -> None:
    """Linux runs a program without looking at its section headers; so must we."""
    data = bytearray((build.PREBUILT / "hello-aarch64").read_bytes())
    good = tmp_path / "good"
    good.write_bytes(data)
    shoff = struct.unpack_from("<Q", data, 40)[0]
    data[shoff:] = os.urandom(len(data) - shoff)
    struct.pack_into("<QHHH", data, 40, 0, 0, 0, 0)
    struct.pack_into("<Q", data, 40, (1 << 63) + 5)
    struct.pack_into("<HHH", data, 58, 0x1234, 0xFFF0, 0xFFFF)
    bad = tmp_path / "bad"
    bad.write_bytes(data)
    plans = []
    for path in (good, bad):
        fd = os.open(path, os.O_RDONLY)
        plans.append(read_plan(fd, "x"))
        os.close(fd)
    assert plans[0].entry == plans[1].entry
    assert [s.vaddr for s in plans[0].segments] == [s.vaddr for s in plans[1].segments]
    assert [s.memsz for s in plans[0].segments] == [s.memsz for s in plans[1].segments]
