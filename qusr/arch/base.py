"""What describes a guest instruction set: :class:`Arch` and its parts.

One module each (`arm`, `aarch64`) makes the objects; :mod:`qusr.arch` finds them. This is on
the way of every program start, so the classes are plain ones and nothing is imported.
"""

from __future__ import annotations

#: Attributes are set once, when the module of the ISA is imported.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    #: (op1, CRn, CRm, op2) of an AArch64 system register with op0 = 3.
    SysReg = tuple[int, int, int, int]


class Feature:
    """A CPU feature that a kernel tells programs of.

    Attributes:
        name: as in /proc/cpuinfo.
        word: 1 for AT_HWCAP, 2 for AT_HWCAP2.
        bit: the bit's number there (the kernel's uapi asm/hwcap.h).
        probe: an instruction that is undefined without the feature, in assembly; ""
            when nothing that a program can execute shows it.
        id_fields: AArch64: ID register fields (register, lowest bit, value) that say the same.
            Of several values for a field the largest counts.
    """

    __slots__ = ("bit", "id_fields", "name", "probe", "word")

    def __init__(
        self,
        name: str,
        word: int,
        bit: int,
        probe: str = "",
        id_fields: tuple[tuple[SysReg, int, int], ...] = (),
    ) -> None:
        self.name = name
        self.word = word
        self.bit = bit
        self.probe = probe
        self.id_fields = id_fields

    def __repr__(self) -> str:
        return f"Feature({self.name!r})"


class CpuModel:
    """A CPU that `-cpu` can name.

    Attributes:
        name: as qemu names it.
        unicorn: its number in unicorn (UC_CPU_ARM_*, UC_CPU_ARM64_*).
        midr: the Main ID Register, for /proc/cpuinfo.
        features: names of the features it has, in no order.
        version: arm: of the architecture, as the native core calls it (v4t ... v8).
        native: of those that only the native core executes.
        description: one line for `-cpu help`.
    """

    __slots__ = ("description", "features", "midr", "name", "native", "unicorn", "version")

    def __init__(
        self,
        name: str,
        *,
        unicorn: int,
        midr: int,
        features: str,
        description: str,
        native: str = "",
        version: str = "",
    ) -> None:
        self.name = name
        self.unicorn = unicorn
        self.midr = midr
        self.features = frozenset(features.split())
        self.native = frozenset(native.split())
        self.description = description
        self.version = version

    def on_native(self) -> CpuModel:
        """The CPU as the native core has it: with the features that Unicorn cannot execute."""
        if not self.native:
            return self
        return CpuModel(
            self.name,
            unicorn=self.unicorn,
            midr=self.midr,
            features=" ".join(self.features | self.native),
            description=self.description,
            version=self.version,
        )

    def __repr__(self) -> str:
        return f"CpuModel({self.name!r})"


class Registers:
    """The register file, by the numbers that the cores use (docs/internals.md).

    Attributes:
        numbers: name to number.
        gdb: names in the order of gdb's target description (g packet).
        bits: widths of the registers that are not as wide as a word.
        pc, sp, status, tls: numbers of these.
        syscall: number of the register with the system call's number; its result is in args[0].
        args: numbers of the registers with a system call's arguments.
    """

    __slots__ = ("args", "bits", "gdb", "numbers", "pc", "sp", "status", "syscall", "tls")

    def __init__(
        self,
        *,
        numbers: Mapping[str, int],
        gdb: tuple[str, ...],
        bits: Mapping[str, int],
        pc: str,
        sp: str,
        status: str,
        tls: str,
        syscall: str,
        args: tuple[str, ...],
    ) -> None:
        self.numbers = numbers
        self.gdb = gdb
        self.bits = bits
        self.pc = numbers[pc]
        self.sp = numbers[sp]
        self.status = numbers[status]
        self.tls = numbers[tls]
        self.syscall = numbers[syscall]
        self.args = tuple(numbers[name] for name in args)


class Arch:
    """A guest instruction set in one byte order.

    Attributes:
        name: as in the command `qusr-NAME`; also the name of the ABI in :mod:`qusr.arch.abi`.
        aliases: other names for it.
        elf_machine, elf_class, elf_data: e_machine, EI_CLASS, EI_DATA of its programs.
        word_bits: 32 or 64.
        big_endian: byte order of data.
        uname_machine: what uname(2) says on the default CPU.
        platform: AT_PLATFORM on the default CPU.
        triplets: the multiarch names under which Debian has its libraries, best first.
        registers: the register file.
        features: all that could be advertised, in the kernel's order.
        models: the CPUs, the default one first.
    """

    aliases: tuple[str, ...] = ()
    elf_machine: int
    elf_class: int
    word_bits: int
    registers: Registers
    features: tuple[Feature, ...]
    models: tuple[CpuModel, ...]

    def __init__(
        self,
        name: str,
        *,
        big_endian: bool,
        uname_machine: str,
        platform: str,
        triplets: tuple[str, ...],
        aliases: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.big_endian = big_endian
        self.elf_data = 2 if big_endian else 1
        self.uname_machine = uname_machine
        self.platform = platform
        self.triplets = triplets
        self.aliases = aliases

    def __repr__(self) -> str:
        return f"<Arch {self.name}>"

    @property
    def default_model(self) -> CpuModel:
        """The CPU without `-cpu`."""
        return self.models[0]

    def model(self, name: str) -> CpuModel | None:
        """The CPU of this name."""
        for model in self.models:
            if model.name == name:
                return model
        return None

    def advertised(self, model: CpuModel) -> list[Feature]:
        """The features that programs are told of, in the kernel's order."""
        return [feature for feature in self.features if feature.name in model.features]

    def hwcap(self, model: CpuModel) -> tuple[int, int]:
        """AT_HWCAP and AT_HWCAP2."""
        words = [0, 0]
        for feature in self.advertised(model):
            words[feature.word - 1] |= 1 << feature.bit
        return words[0], words[1]

    def uname_of(self, model: CpuModel) -> str:
        """What uname(2) says on this CPU."""
        del model
        return self.uname_machine

    def platform_of(self, model: CpuModel) -> str:
        """AT_PLATFORM on this CPU."""
        del model
        return self.platform

    def runs_on(self, model: CpuModel, *, be8: bool = True) -> bool:
        """Whether the CPU executes programs of this byte order of code."""
        del model, be8
        return True

    def unicorn_guest(self, *, be8: bool = True) -> str:
        """The name that the Unicorn core has for the guest."""
        raise NotImplementedError

    def kuser_page(self, *, be8: bool = True) -> bytes:
        """The page of kernel helpers that user code may call; empty where there is none."""
        del be8
        return b""

    def id_registers(self, model: CpuModel) -> list[tuple[SysReg, int]]:
        """The ID registers that programs may read and that are not 0."""
        del model
        return []

    def core_features(self, model: CpuModel) -> list[str]:
        """What the native core is to know of a model: its version and features; empty: all."""
        del model
        return []

    def cpuinfo(self, model: CpuModel, cpus: list[int]) -> str:
        """The text of /proc/cpuinfo for these CPU numbers."""
        raise NotImplementedError


def cpu_lines(model: CpuModel, architecture: int) -> str:
    """The lines of /proc/cpuinfo that show the Main ID Register."""
    midr = model.midr
    return (
        f"CPU implementer\t: 0x{midr >> 24:02x}\n"
        f"CPU architecture: {architecture}\n"
        f"CPU variant\t: 0x{midr >> 20 & 0xF:x}\n"
        f"CPU part\t: 0x{midr >> 4 & 0xFFF:03x}\n"
        f"CPU revision\t: {midr & 0xF}\n"
    )
