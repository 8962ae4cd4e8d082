"""The image and the stack are, byte for byte, what the host's kernel makes of the same file."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import pytest

from qusr import _native
from qusr.loader.errors import LoadError

from . import hostkernel, loading
from .elfmaker import ET_DYN, PT_GNU_STACK, PT_INTERP, Elf, Phdr, R, W, X
from .fakespace import FakeSpace
from .hostkernel import PAUSE

pytestmark = pytest.mark.skipif(
    not hostkernel.available, reason="the host does not let a process turn ASLR off"
)

TASK_SIZE = (1 << 47) - 4096
STACK = 8 << 20
CODE = Phdr(flags=R | X, offset=0, vaddr=0x400000, filesz=0x1000, memsz=0x1000)


def elf(*phdrs: Phdr, entry: int = 0x400800, size: int = 0x8000, **more: object) -> Elf:
    made = Elf(phdrs=list(phdrs), entry=entry, size=size)
    for name, value in more.items():
        setattr(made, name, value)
    code = next(p for p in phdrs if p.vaddr <= entry < p.vaddr + p.filesz)
    made.contents[entry - code.vaddr + code.offset] = PAUSE
    return made


def seg(flags: int, vaddr: int, filesz: int, memsz: int, **more: int) -> Phdr:
    offset = more.pop("offset", vaddr & 0x7FFF if filesz else 0)
    return Phdr(flags=flags, offset=offset, vaddr=vaddr, filesz=filesz, memsz=memsz, **more)


def dyn(*phdrs: Phdr, **more: object) -> Elf:
    return elf(*phdrs, type=ET_DYN, **more)  # type: ignore[arg-type]


BASE = Phdr(flags=R | X, offset=0, vaddr=0, filesz=0x1000, memsz=0x1000)

CASES = {
    "one segment": elf(CODE),
    "unaligned offsets": elf(CODE, seg(R | W, 0x402234, 0x333, 0x333)),
    "bss in the last page": elf(CODE, seg(R | W, 0x402234, 0x333, 0x433)),
    "bss ends with the page": elf(CODE, seg(R | W, 0x402800, 0x200, 0x800)),
    "bss across pages": elf(CODE, seg(R | W, 0x402234, 0x333, 0x4321)),
    "data ends with its page": elf(CODE, seg(R | W, 0x402000, 0x1000, 0x3000)),
    "bss of a read-only segment": elf(CODE, seg(R, 0x402234, 0x333, 0x2321)),
    "bss of a code segment": elf(CODE, seg(R | X, 0x402234, 0x333, 0x2321)),
    "bss of a writable code segment": elf(CODE, seg(R | W | X, 0x402234, 0x333, 0x2321)),
    "no bytes in the file": elf(CODE, seg(R | W, 0x402234, 0, 0x2321)),
    "no bytes in the file, read-only": elf(CODE, seg(R, 0x402000, 0, 0x2000)),
    "no bytes in the file, code": elf(CODE, seg(R | X, 0x402000, 0, 0x2000)),
    "nothing at all": elf(CODE, seg(R | W, 0x402234, 0, 0)),
    "two in one page": elf(
        seg(R | X, 0x400000, 0x1900, 0x1900), seg(R | W, 0x401900, 0x100, 0x100)
    ),
    "two in one page, second has bss": elf(
        seg(R | X, 0x400000, 0x1900, 0x1900), seg(R | W, 0x401900, 0x100, 0x3000)
    ),
    "data over the first one's bss": elf(
        CODE, seg(R | W, 0x402000, 0x100, 0x2800), seg(R | W, 0x404900, 0x100, 0x100)
    ),
    "bss over the last one's data": elf(
        CODE, seg(R | W, 0x404000, 0x1800, 0x1800), seg(R | W, 0x402000, 0x100, 0x2800)
    ),
    "descending": elf(seg(R | W, 0x404000, 0x1800, 0x2800), CODE),
    "overlapping whole pages": elf(
        CODE, seg(R | W, 0x402000, 0x3000, 0x3000), seg(R, 0x403000, 0x800, 0x800, offset=0x1000)
    ),
    "same bytes twice": elf(CODE, seg(R | W, 0x410000, 0x1000, 0x1000, offset=0)),
    "no rights": elf(CODE, seg(0, 0x402000, 0x1000, 0x2000)),
    "write only": elf(CODE, seg(W, 0x402000, 0x800, 0x2000)),
    "execute only": elf(CODE, seg(X, 0x402000, 0x800, 0x800)),
    "far apart": elf(CODE, seg(R | W, 0x7000000, 0x800, 0x800, offset=0x2000)),
    "executable stack": elf(CODE, Phdr(PT_GNU_STACK, R | W | X)),
    "stack not executable": elf(CODE, Phdr(PT_GNU_STACK, R | W)),
    "last PT_GNU_STACK counts": elf(CODE, Phdr(PT_GNU_STACK, R | W | X), Phdr(PT_GNU_STACK, R | W)),
    "program headers not loaded": elf(seg(R | X, 0x401000, 0x1000, 0x1000), entry=0x401800),
    "program headers at the end": elf(seg(R | X, 0x400000, 0x7000, 0x7000), phoff=0x5008),
    "program headers in two segments": elf(
        CODE, seg(R, 0x406000, 0x1000, 0x1000, offset=0), seg(R | W, 0x402000, 0x10, 0x20)
    ),
    "static PIE": dyn(BASE, seg(R | W, 0x2234, 0x333, 0x4321), entry=0x800),
    "static PIE with holes": dyn(
        BASE, seg(R, 0x4000, 0x333, 0x333), seg(R | W, 0x20000, 0x10, 0x10), entry=0x800
    ),
    "static PIE not at 0": dyn(
        seg(R | X, 0x12000, 0x1000, 0x1000, offset=0), seg(R | W, 0x14000, 9, 99), entry=0x12800
    ),
    "static PIE, odd alignment": dyn(seg(R | X, 0, 0x1000, 0x1000, align=3), entry=0x800),
    "static PIE, no alignment": dyn(seg(R | X, 0, 0x1000, 0x1000, align=0), entry=0x800),
    "static PIE, 64 KiB": dyn(
        seg(R | X, 0, 0x1000, 0x1000, align=0x10000),
        seg(R | W, 0x12000, 0x10, 0x20, align=0x10000),
        entry=0x800,
    ),
    "static PIE, 2 MiB": dyn(seg(R | X, 0, 0x1000, 0x1000, align=2 << 20), entry=0x800),
}


def ours(path: Path) -> tuple[FakeSpace, _native.Image, _native.Plan]:
    """Loads a file with our loader."""
    space = FakeSpace(TASK_SIZE)
    fd = os.open(path, os.O_RDONLY)
    try:
        plan = loading.read_plan(fd, str(path))
        interp = None
        if plan.interp is not None:
            name = plan.interp.decode()
            interp_fd = os.open(name, os.O_RDONLY)
            interp = loading.elf_file(loading.read_plan(interp_fd, name), interp_fd, name)
        loaded = loading.load(
            space, loading.elf_file(plan, fd, str(path)), interp, stack_size=STACK
        )
    finally:
        os.close(fd)
    return space, loaded, plan


def write(path: Path, made: Elf) -> Path:
    path.write_bytes(made.bytes())
    path.chmod(0o755)
    return path


def compare(kernel: hostkernel.KernelImage, space: FakeSpace, loaded: _native.Image) -> None:
    theirs = kernel.pages()
    vector = dict(struct.iter_unpack("<QQ", kernel.auxv))
    shift = vector[loading.AT_ENTRY] - loaded.entry
    # The interpreter is placed on its own.
    interp_start = loaded.base or TASK_SIZE
    move = vector[loading.AT_BASE] - loaded.base
    mine = {
        page + (move if page >= interp_start else shift): (prot, bytes(data))
        for page, (prot, data) in space.pages.items()
    }
    assert sorted(map(hex, mine)) == sorted(map(hex, theirs))
    for page, (prot, data) in theirs.items():
        assert (hex(page), mine[page][0]) == (hex(page), prot)
        assert mine[page][1] == data, hex(page)
    assert vector[loading.AT_PHDR] == loaded.phdr + shift
    assert kernel.field(26) == loaded.code_range()[0] + shift
    assert kernel.field(27) == loaded.code_range()[1] + shift
    assert kernel.field(45) == loaded.data_range()[0] + shift
    assert kernel.field(46) == loaded.data_range()[1] + shift
    stack_prot = kernel.stack[2]
    bottom = loaded.stack_bottom
    (mine_prot,) = {prot for start, _, prot in space.ranges if start == bottom}
    assert ("x" in stack_prot) == bool(mine_prot & 4)


@pytest.mark.parametrize("name", CASES)
def test_image(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "program", CASES[name])
    space, loaded, _ = ours(path)
    with hostkernel.run(path, ["program"], {}, STACK) as kernel:
        compare(kernel, space, loaded)
        # the start of the heap, for a static PIE too: it is not behind the program
        assert kernel.field(47) == loaded.brk


INTERPRETERS = {
    "at any address": dyn(BASE, seg(R | W, 0x2234, 0x333, 0x4321), entry=0x800),
    "not at 0": dyn(seg(R | X, 0x12000, 0x1000, 0x1000, offset=0), entry=0x12800),
    "at a fixed address": elf(seg(R | X, 0x10000000, 0x1000, 0x1000, offset=0), entry=0x10000800),
}

DYNAMIC = {
    "PIE": (dyn, 0),
    "PIE not at 0": (dyn, 0x20000),
    "fixed": (elf, 0x400000),
}


@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("kind", DYNAMIC)
@pytest.mark.parametrize("align", [0x1000, 0x10000, 0x200000])
def test_dynamic(kind: str, interpreter: str, align: int, tmp_path: Path) -> None:
    interp = write(tmp_path / "ld.so", INTERPRETERS[interpreter])
    name = bytes(interp) + b"\0"
    make, base = DYNAMIC[kind]
    made = make(
        Phdr(PT_INTERP, R, offset=0x300, filesz=len(name), memsz=len(name)),
        seg(R | X, base, 0x1000, 0x1000, offset=0, align=align),
        seg(R | W, base + 0x3456, 0x100, 0x2000, align=align),
        entry=base + 0x800,
    )
    made.contents[0x300] = name
    path = write(tmp_path / "program", made)
    space, loaded, plan = ours(path)
    with hostkernel.run(path, ["program"], {}, STACK) as kernel:
        compare(kernel, space, loaded)
        vector = dict(struct.iter_unpack("<QQ", kernel.auxv))
        assert kernel.pc - 7 == loaded.start - loaded.base + vector[loading.AT_BASE]
        if plan.is_dyn:
            # Without randomisation the addresses are the very same.
            assert vector[loading.AT_ENTRY] == loaded.entry
        assert kernel.field(47) == loaded.brk


@pytest.mark.parametrize(
    "path", ["/bin/ls", "/bin/bash", "/usr/bin/perl", "/usr/bin/qemu-arm-static", sys.executable]
)
def test_installed_programs(path: str) -> None:
    """Real programs, which linkers made: dynamic ones with the real dynamic linker."""
    if not os.path.exists(path):
        pytest.skip(f"no {path}")
    real = Path(os.path.realpath(path))
    space, loaded, _ = ours(real)
    with hostkernel.trace(real) as kernel:
        compare(kernel, space, loaded)
        assert kernel.field(47) == loaded.brk


ENVIRONMENTS = {
    "empty": (["x"], {}),
    "some": (["program", "", "a b", "ü" * 7], {"HOME": "/", "EMPTY": "", "Ü": "1"}),
    "many": ([str(i) for i in range(501)], {f"V{i}": "x" * (i % 40) for i in range(300)}),
    "long": (["p", "y" * 131071], {}),
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_stack(name: str, tmp_path: Path) -> None:
    argv, env = ENVIRONMENTS[name]
    path = write(tmp_path / "program", CASES["one segment"])
    with hostkernel.run(path, argv, env, STACK) as kernel:
        _, top, _ = kernel.stack
        theirs = kernel.read(kernel.sp, top - kernel.sp)
        environ = Path(f"/proc/{kernel.pid}/environ").read_bytes().split(b"\0")[:-1]
        vector = dict(struct.iter_unpack("<QQ", kernel.auxv))
        mine = _native.build_stack(
            top,
            [a.encode() for a in argv],
            environ,
            bytes(path),
            bits=64,
            big_endian=False,
            platform=b"x86_64",
            random=kernel.read(vector[loading.AT_RANDOM], 16),
            phdr=vector[loading.AT_PHDR],
            phent=56,
            phnum=1,
            base=0,
            entry=0x400800,
            hwcap=vector[loading.AT_HWCAP],
            hwcap2=vector.get(loading.AT_HWCAP2),
            minsigstksz=vector.get(loading.AT_MINSIGSTKSZ, 0),
            vdso=vector[loading.AT_SYSINFO_EHDR],
            rseq=(vector[loading.AT_RSEQ_FEATURE_SIZE], vector[loading.AT_RSEQ_ALIGN])
            if loading.AT_RSEQ_ALIGN in vector
            else None,
        )
        assert mine.auxv[: len(mine.auxv)] == list(struct.iter_unpack("<QQ", mine.auxv_bytes))
        assert mine.sp == kernel.sp
        assert mine.data == theirs
        assert mine.auxv_bytes == kernel.auxv[: len(mine.auxv_bytes)]
        assert (mine.arg_start, mine.arg_end, mine.env_start, mine.env_end) == tuple(
            kernel.field(n) for n in (48, 49, 50, 51)
        )


def test_argument_limits(tmp_path: Path) -> None:
    """E2BIG starts at the same byte as the kernel's."""
    path = write(tmp_path / "program", CASES["one segment"])
    for stack_limit in (256 << 10, 1 << 20, 8 << 20, 64 << 20):
        low, high = 0, 7 << 20

        def mine(size: int, limit: int = stack_limit) -> bool:
            try:
                _native.check_limits(split(size), [], bytes(path), word=8, stack_limit=limit)
            except LoadError:
                return False
            return True

        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if mine(middle) else (low, middle)
        assert runs(path, split(low), stack_limit)
        assert not runs(path, split(high), stack_limit)


def split(size: int) -> list[bytes]:
    whole, rest = divmod(size, 100_000)
    return [b"z" * 100_000] * whole + [b"z" * rest]


def runs(path: Path, argv: list[bytes], stack_limit: int) -> bool:
    """Whether the kernel's execve takes these arguments with an empty environment."""
    import resource

    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            resource.setrlimit(resource.RLIMIT_STACK, (stack_limit, resource.RLIM_INFINITY))
            os.execve(path, argv, {})
        except OSError as error:
            os.write(writer, str(error.errno).encode())
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as stream:
        failed = stream.read()
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    assert failed in ("", "7")
    return not failed
