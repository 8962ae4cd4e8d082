"""Small pieces of guest code for tests of a CPU core: assembled, mapped, and run."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from qusr import arch as arches
from qusr._native import AddressSpace, Cpu
from qusr.arch.base import Arch, CpuModel
from qusr.cpu import unicorn

CODE = 0x40_0000
CODE_SIZE = 0x4000
DATA = 0x50_0000
#: Nothing is mapped behind it.
DATA_SIZE = 0x2000
#: Nothing is mapped here.
NOWHERE = 0x70_0000

READ, WRITE, EXEC = 1, 2, 4
_FIXED_PRIVATE_ANONYMOUS = 0x32


@dataclass(frozen=True)
class Flavour:
    """A guest as the toolchain knows it."""

    name: str
    arch: str
    prefix: str
    as_options: tuple[str, ...]
    ld_options: tuple[str, ...] = ()
    variant: str = ""

    def __str__(self) -> str:
        return self.name


_A64 = (
    "-march=armv8.6-a+crypto+sha3+sm4+fp16+fp16fml+memtag+bf16+i8mm"
    "+sve2+sve2-aes+sve2-bitperm+sve2-sha3+sve2-sm4+f32mm",
)
_A32 = ("-march=armv8.6-a", "-mfpu=crypto-neon-fp-armv8.1")
_GNU64, _GNU32 = "aarch64-linux-gnu-", "arm-linux-gnueabihf-"

AARCH64 = Flavour("aarch64", "aarch64", _GNU64, _A64)
AARCH64_BE = Flavour("aarch64_be", "aarch64_be", _GNU64, (*_A64, "-EB"), ("-EB", "-maarch64linuxb"))
ARM = Flavour("arm", "arm", _GNU32, _A32)
ARM_BE8 = Flavour("armeb-be8", "armeb", _GNU32, (*_A32, "-EB"), ("-EB", "--be8"), "be8")
ARM_BE32 = Flavour("armeb-be32", "armeb", _GNU32, (*_A32, "-EB"), ("-EB",), "be32")
A64S = (AARCH64, AARCH64_BE)
A32S = (ARM, ARM_BE8, ARM_BE32)
RISCV64 = Flavour("riscv64", "riscv64", "riscv64-linux-gnu-", ("-march=rv64gc_zicsr",))
RISCV32 = Flavour(
    "riscv32", "riscv32", "riscv64-linux-gnu-", ("-march=rv32gc_zicsr", "-mabi=ilp32d"),
    ("-melf32lriscv",),
)  # fmt: skip
RISCVS = (RISCV64, RISCV32)
S390X = Flavour("s390x", "s390x", "s390x-linux-gnu-", ("-march=z16",))
X86_64 = Flavour("x86_64", "x86_64", "", ())
I386 = Flavour("i386", "i386", "", ("--32",), ("-melf_i386",))
PPC = Flavour("ppc", "ppc", "powerpc-linux-gnu-", ("-many", "-mregnames"))
ALL = (*A64S, *A32S)


class NotAssembledError(Exception):
    """The assembler does not know the code."""


@functools.cache
def assemble(flavour: Flavour, source: str) -> bytes:
    """The bytes of `source`, linked for `CODE`, with .bss at `DATA`."""
    with tempfile.TemporaryDirectory() as folder:
        asm, obj, elf, out = (f"{folder}/code{suffix}" for suffix in (".s", ".o", ".elf", ".bin"))
        unified = "" if flavour not in A32S else ".syntax unified\n"
        Path(asm).write_text(f"{unified}{source}\n")
        command = [f"{flavour.prefix}as", *flavour.as_options, "-o", obj, asm]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise NotAssembledError(result.stderr)
        link = [f"{flavour.prefix}ld", *flavour.ld_options, "-N", "--no-warn-rwx-segments"]
        sections = [f"-Ttext={CODE:#x}", f"-Tbss={DATA:#x}"]
        subprocess.run([*link, "-e", "0", *sections, "-o", elf, obj], check=True)
        copy = [f"{flavour.prefix}objcopy", "-O", "binary", "-j", ".text", elf, out]
        subprocess.run(copy, check=True)
        return Path(out).read_bytes()


class Machine:
    """A CPU at the start of some code, with `DATA_SIZE` zeros at `DATA`."""

    def __init__(
        self,
        flavour: Flavour,
        source: str | bytes,
        model: str | None = None,
        /,
        *,
        prot: int = READ | EXEC,
        **registers: int,
    ) -> None:
        arch = arches.by_name(flavour.arch)
        assert arch is not None
        self.flavour = flavour
        self.arch: Arch = arch
        self.space = AddressSpace(arch.word_bits)
        code = source if isinstance(source, bytes) else assemble(flavour, source)
        self.map(CODE, CODE_SIZE, READ | WRITE)
        self.space.write(CODE, code)
        self.space.mprotect(CODE, CODE_SIZE, prot)
        self.map(DATA, DATA_SIZE, READ | WRITE)
        self.model: CpuModel | None = arch.model(model) if model else None
        assert model is None or self.model is not None
        self.cpu: Cpu = unicorn.open_cpu(arch, self.space, self.model, variant=flavour.variant)
        self.cpu.set(arch.registers.pc, CODE)
        for name, value in registers.items():
            self[name] = value

    def map(self, addr: int, size: int, prot: int, flags: int = 0, fd: int = -1) -> None:
        """Maps memory at this address, private and anonymous unless there is a file."""
        flags = flags or _FIXED_PRIVATE_ANONYMOUS
        self.space.mmap(addr, size, prot, flags, fd, 0)

    def __getitem__(self, register: str) -> int:
        return self.cpu.get(self.arch.registers.numbers[register])

    def __setitem__(self, register: str, value: int) -> None:
        self.cpu.set(self.arch.registers.numbers[register], value)

    def word(self, addr: int, size: int = 4) -> int:
        """A number in the guest's memory."""
        order = "big" if self.arch.big_endian else "little"
        return int.from_bytes(self.space.read(addr, size), order)  # type: ignore[arg-type]

    def patch(self, addr: int, source: str) -> None:
        """Replaces code as another process would, behind the back of whoever translates it."""
        self.space.write(addr, assemble(self.flavour, source))
