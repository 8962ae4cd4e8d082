"""What describes a guest: its programs (:class:`Guest`) and its processor (:class:`Arch`).

The packages of the guests make the objects; :mod:`qusr.arch` finds them. This is on the way of
every program start, so the classes are plain ones and nothing is imported.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

#: Attributes are set once, when the module of the ISA is imported.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from qusr.arch.abi import Abi

    #: The numbers by which an instruction names a system register (AArch64, with op0 = 3:
    #: op1, CRn, CRm, op2).
    SysReg = tuple[int, int, int, int]

    #: Mask and value of e_flags, and the variant's name.
    Variant = tuple[int, int, str]

    #: A program is refused whose entry under the first mask has the first value, and whose
    #: e_flags under the second one have the second; the message says why.
    Refusal = tuple[int, int, int, int, str]

PAGE = 4096

#: The number in unicorn of a CPU that is not in it.
NATIVE_ONLY = -1


class Guest:
    """One guest ISA in one byte order: which programs are its own and how Linux loads them.

    A package derives a class for what its guests have in common and makes an object for each.

    Attributes:
        package: the name of the package below `qusr.arch`.
        name: as in the command `qusr-NAME`.
        aliases: other names for it.
        title: what people call the machine.
        machine, bits, big_endian: e_machine, EI_CLASS (32 or 64) and EI_DATA of its programs.
        flags: (mask, value) of e_flags, where these tell its programs from another guest's.
        abis: by the variants of its programs (`variants`).
        triplets: the multiarch names under which Debian has its libraries, best first.
        libraries: what to install when a program's dynamic linker is missing.
        min_address: the lowest address that programs may map (vm.mmap_min_addr).
        task_end: where user memory ends at the latest (TASK_SIZE); 0: where the space does.
        stack_end: where the stack begins at the latest, downwards (STACK_TOP), and what the heap
            stays below; 0: `task_end`.
        dyn_base: where programs without a fixed address go (ELF_ET_DYN_BASE); 0: two thirds up.
        reads_execute: programs without PT_GNU_STACK get READ_IMPLIES_EXEC.
        feature_property: the GNU property whose bits are a program's `features`; 0: none is read.
        abi_flags: the type of the program header that tells of a program's own ABI (struct
            mips_abiflags), as far as a loader looks at that; 0: there is none.
        minsigstksz: AT_MINSIGSTKSZ; 0: there is no such entry.
        auxv: what the auxiliary vector has at its start besides (ARCH_DLINFO): (type, value).
        marks_functions: bit 0 of a function's symbol says of which kind its code is.
        variants: which of `abis` a program has: (mask, value, name), the first one whose masked
            e_flags are the value.
        refusals: what the kernel's elf_check_arch refuses of this machine's programs.
        flag_names: what e_flags say to people: (mask, value, words).
        of_host: the host's processor is of its kind: it runs its programs where nobody asks for
            the emulator.
        guarded: what the kernel adds to the protection of code: (bit of `features`, protection).
    """

    package: str = ""
    machine: int
    bits: int
    libraries: str = ""
    min_address: int = 0x1_0000
    stack_end: int = 0
    reads_execute: bool = False
    feature_property: int = 0
    abi_flags: int = 0
    minsigstksz: int = 0
    auxv: tuple[tuple[int, int], ...] = ()
    marks_functions: bool = False
    of_host: bool = False
    flags: tuple[int, int] = (0, 0)
    variants: tuple[Variant, ...] = ((0, 0, ""),)
    refusals: tuple[Refusal, ...] = ()
    guarded: tuple[tuple[int, int], ...] = ()
    flag_names: tuple[Variant, ...] = ()
    #: The size of its kernel's pages in bytes, at least that of the host's.
    page_size: int = PAGE

    def __init__(
        self,
        name: str,
        *,
        title: str,
        big_endian: bool,
        abis: Mapping[str, Abi],
        triplets: tuple[str, ...],
        aliases: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.title = title
        self.big_endian = big_endian
        self.abis = abis
        self.triplets = triplets
        self.aliases = aliases

    def __repr__(self) -> str:
        return f"<Guest {self.name}>"

    def runs(self, machine: int, bits: int, big_endian: bool, flags: int) -> bool:
        """Whether programs with this e_machine, class, byte order and e_flags are its own."""
        mask, value = self.flags
        wanted = (self.machine, self.bits, self.big_endian, value)
        return (machine, bits, big_endian, flags & mask) == wanted

    @property
    def task_end(self) -> int:
        """TASK_SIZE_32 of arm64 is 4 GiB less a page, and so is x86's IA32_PAGE_OFFSET nearly."""
        return (1 << 32) - PAGE if self.bits == 32 else 0

    @property
    def dyn_base(self) -> int:
        """0x400000 is that of arm64's and x86's 32-bit programs."""
        return 0x400000 if self.bits == 32 else 0


class Feature:
    """A CPU feature that a kernel tells programs of.

    Attributes:
        name: as in /proc/cpuinfo.
        word: 1 for AT_HWCAP, 2 for AT_HWCAP2.
        bit: the bit's number there (the kernel's uapi asm/hwcap.h).
        probe: an instruction that is undefined without the feature, in assembly; ""
            when nothing that a program can execute shows it.
        id_fields: fields of ID registers (register, lowest bit, value) that say the same, where
            programs can read some. Of several values for a field the largest counts.
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
        unicorn: its number in unicorn (UC_CPU_*); NATIVE_ONLY: that does not run it.
        ident: the number by which the processor names itself (Arm's MIDR, PowerPC's PVR, MIPS'
            PRId), for /proc/cpuinfo.
        features: names of the features it has, in no order.
        version: arm: of the architecture, as the native core calls it (v4t ... v8).
        native: of those that only the native core executes.
        hidden: names of features that no bit of AT_HWCAP tells of, as the native core calls them.
        settings: the properties that `-cpu NAME,PROPERTY=on|off` can ask for, as this model has
            them: of those whose names begin alike, up to a comma, the first one that has what is
            asked for.
        description: one line for `-cpu help`.
    """

    __slots__ = (
        "description", "features", "hidden", "ident", "name", "native", "settings", "unicorn",
        "version",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        *,
        unicorn: int,
        ident: int,
        features: str,
        description: str,
        native: str = "",
        version: str = "",
        hidden: str = "",
        settings: Mapping[str, bool] | None = None,
    ) -> None:
        self.name = name
        self.settings = settings or {}
        self.unicorn = unicorn
        self.ident = ident
        self.features = frozenset(features.split())
        self.native = frozenset(native.split())
        self.hidden = frozenset(hidden.split())
        self.description = description
        self.version = version

    def on_native(self) -> CpuModel:
        """The CPU as the native core has it: with the features that Unicorn cannot execute."""
        if not self.native:
            return self
        return CpuModel(
            self.name,
            unicorn=self.unicorn,
            ident=self.ident,
            features=" ".join(self.features | self.native),
            description=self.description,
            version=self.version,
            hidden=" ".join(self.hidden),
            settings=self.settings,
        )

    def __repr__(self) -> str:
        return f"CpuModel({self.name!r})"


class Calling:
    """How C functions are called that have integers and addresses as arguments.

    Attributes:
        arguments: the registers of the first ones.
        result: the register of what they return.
        link: that of the return address; None: it is on the stack.
        pushes: further arguments are on the stack, right above the return address if that is there.
        own_address: registers that are to have the function's own address.
        marked: bit 0 of a code address says of which kind the code is.
    """

    __slots__ = ("arguments", "link", "marked", "own_address", "pushes", "result")

    def __init__(
        self,
        arguments: tuple[str, ...],
        result: str,
        link: str | None = None,
        *,
        pushes: bool = False,
        own_address: tuple[str, ...] = (),
        marked: bool = False,
    ) -> None:
        self.arguments = arguments
        self.result = result
        self.link = link
        self.pushes = pushes
        self.own_address = own_address
        self.marked = marked


class Registers:
    """The register file, by the numbers that the cores use (docs/internals.md).

    Attributes:
        numbers: name to number.
        gdb: names in the order of gdb's target description (g packet).
        bits: widths of the registers that are not as wide as a word.
        pc, sp, tls: numbers of these.
        status_name: of the register with the flags and the mode; "" where there is none.
        args: numbers of the registers with a system call's arguments.
        result: number of the one with its result, mostly the first of these.
        failed: number of the one that is not 0 in the bits `failed_bits` if the result is an errno;
            None: that is negative.
        stack_args: how far above the stack pointer further arguments are; None: there are none.
        aliases: other names for people: the register, and how many of its lowest bits are meant
            (0: all of them).
        calling: how C functions are called; None: it is not said.
    """

    __slots__ = (
        "aliases",
        "args",
        "bits",
        "calling",
        "failed",
        "failed_bits",
        "gdb",
        "numbers",
        "pc",
        "result",
        "sp",
        "stack_args",
        "status_name",
        "tls",
    )

    def __init__(
        self,
        *,
        numbers: Mapping[str, int],
        gdb: tuple[str, ...],
        bits: Mapping[str, int],
        pc: str,
        sp: str,
        tls: str,
        args: tuple[str, ...],
        status: str = "",
        result: str = "",
        failed: str = "",
        failed_bits: int = -1,
        stack_args: int | None = None,
        aliases: Mapping[str, tuple[str, int]] | None = None,
        calling: Calling | None = None,
    ) -> None:
        self.numbers = numbers
        self.gdb = gdb
        self.bits = bits
        self.pc = numbers[pc]
        self.sp = numbers[sp]
        self.status_name = status
        self.tls = numbers[tls]
        self.args = tuple(numbers[name] for name in args)
        self.result = numbers[result] if result else self.args[0]
        self.failed = numbers[failed] if failed else None
        self.failed_bits = failed_bits
        self.stack_args = stack_args
        self.aliases = aliases or {}
        self.calling = calling


class Arch(ABC):
    """The processor of a guest.

    Attributes:
        guest: whose it is; `name`, `aliases`, `big_endian`, `triplets`, `word_bits` (32 or 64),
            `elf_machine`, `elf_class`, `elf_data` are the guest's.
        uname_machine: what uname(2) says on the default CPU.
        platform: AT_PLATFORM on the default CPU; "": there is no such entry.
        registers: the register file.
        flags: bits of the status register that logs show by a letter.
        features: all that could be advertised, in the kernel's order.
        models: the CPUs, the default one first.
    """

    registers: Registers
    flags: tuple[tuple[int, str], ...] = ()
    features: tuple[Feature, ...]
    models: tuple[CpuModel, ...]

    def __init__(self, guest: Guest, *, uname_machine: str, platform: str) -> None:
        self.guest = guest
        self.name = guest.name
        self.aliases = guest.aliases
        self.big_endian = guest.big_endian
        self.triplets = guest.triplets
        self.word_bits = guest.bits
        self.elf_machine = guest.machine
        self.elf_class = guest.bits // 32
        self.elf_data = 2 if guest.big_endian else 1
        self.uname_machine = uname_machine
        self.platform = platform

    def __repr__(self) -> str:
        return f"<Arch {self.name}>"

    @property
    def register_bits(self) -> int:
        """The width of the general registers and the pc: mostly that of a word."""
        return self.word_bits

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

    def hwcap(self, model: CpuModel) -> tuple[int, int | None]:
        """AT_HWCAP and AT_HWCAP2; None: the ISA has no such entry."""
        words = [0, 0]
        for feature in self.advertised(model):
            words[feature.word - 1] |= 1 << feature.bit
        second = any(feature.word == 2 for feature in self.features)
        return words[0], words[1] if second else None

    def uname_of(self, model: CpuModel) -> str:
        """What uname(2) says on this CPU."""
        del model
        return self.uname_machine

    def platform_of(self, model: CpuModel) -> str:
        """AT_PLATFORM on this CPU."""
        del model
        return self.platform

    def lacks(self, model: CpuModel, variant: str) -> str:
        """What of programs of a `variant` the CPU cannot execute; "" when it runs them."""
        del model, variant
        return ""

    def kernel_pages(self, variant: str) -> list[tuple[int, str, bytes]]:
        """Pages that the kernel maps into each process, which may read and execute them:
        address, name in /proc/self/maps, contents.
        """
        del variant
        return []

    def system_registers(self, model: CpuModel) -> list[tuple[int, int]]:
        """The system registers that programs may read and that are not 0, by the numbers that
        native/guests/src/<isa>/linux has for them.
        """
        del model
        return []

    def core_features(self, model: CpuModel) -> list[str]:
        """What the native core is to know of a model: its version and features; empty: all."""
        del model
        return []

    def hardware_probe(self, model: CpuModel) -> dict[int, int]:
        """What the call that asks for properties of the processors says, by key."""
        del model
        return {}

    @abstractmethod
    def cpuinfo(self, model: CpuModel, cpus: list[int]) -> str:
        """The text of /proc/cpuinfo for these CPU numbers."""

    def mode(self, status: int) -> str:
        """Which of its instruction sets the processor is in, by the status register; "" where
        there is but one, or it is the usual one.
        """
        del status
        return ""

    def located(self, pc: int) -> tuple[int, str]:
        """Where the code of a pc of the translator's is, and its mode as by :meth:`mode`: the
        translator tells its blocks apart by pcs that say the instruction set, too.
        """
        return pc, ""

    @abstractmethod
    def capstone(self, variant: str, mode: str) -> tuple[str, tuple[str, ...]]:
        """How capstone's `Cs` takes apart code of a `variant` in a `mode`: the names, without
        `CS_`, of the architecture and of what its mode is or'ed of.
        """
