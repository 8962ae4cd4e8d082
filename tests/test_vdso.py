"""The vDSO: what programs find in its image, and who sees a clock that is read in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerSymSection
from elftools.elf.sections import SymbolTableSection

import qusr as qusr_api
from tests.emulators import REPO, Emulator

IMAGES = REPO / "native" / "guests" / "src"

#: Versions and names of arch/*/kernel/vdso/vdso.lds.S and arch/*/vdso/vdso.lds.S of the kernel.
_ARM = ["clock_getres", "clock_gettime", "clock_gettime64", "gettimeofday"]
_RISCV = ["flush_icache", "getcpu", "riscv_hwprobe", "rt_sigreturn"]
EXPECTED = {
    "aarch64": (
        "LINUX_2.6.39",
        "__kernel_",
        ["clock_getres", "clock_gettime", "gettimeofday", "rt_sigreturn"],
    ),
    "arm": ("LINUX_2.6", "__vdso_", _ARM),
    "mips/o32": ("LINUX_2.6", "__vdso_", _ARM),
    "mips/n32": ("LINUX_2.6", "__vdso_", _ARM),
    "mips/n64": ("LINUX_2.6", "__vdso_", ["clock_getres", "clock_gettime", "gettimeofday"]),
    "riscv/rv64": (
        "LINUX_4.15",
        "__vdso_",
        sorted([*_RISCV, "clock_getres", "clock_gettime", "gettimeofday"]),
    ),
    "riscv/rv32": ("LINUX_4.15", "__vdso_", _RISCV),
}


def _images() -> list[str]:
    found = IMAGES.glob("*/linux/vdso/*.image")
    names = (f"{path.parents[2].name}/{path.stem}" for path in found)
    return sorted(name for name in names if not name.startswith("ppc"))


def test_there_are_images() -> None:
    assert len(_images()) == 13


@pytest.mark.parametrize("name", _images())
def test_image(name: str) -> None:
    isa, _, which = name.partition("/")
    key = name.removesuffix("el") if isa == "mips" else name if isa == "riscv" else isa
    version, prefix, names = EXPECTED[key]
    path = IMAGES / isa / "linux" / "vdso" / f"{which}.image"
    with path.open("rb") as file:
        elf = ELFFile(file)
        assert elf.header["e_type"] == "ET_DYN"
        kinds = [segment["p_type"] for segment in elf.iter_segments()]
        assert kinds[:3] == ["PT_LOAD", "PT_DYNAMIC", "PT_GNU_EH_FRAME"]
        load = elf.get_segment(0)
        assert load["p_vaddr"] == load["p_offset"] == 0
        assert load["p_filesz"] == load["p_memsz"] <= 4096
        assert load["p_flags"] == 5
        dynamic = elf.get_segment(1)
        assert isinstance(dynamic, DynamicSegment)
        tags = {tag.entry.d_tag: tag for tag in dynamic.iter_tags()}
        assert tags["DT_SONAME"].soname == "linux-vdso.so.1"  # type: ignore[attr-defined]
        # C libraries look names up by it.
        assert "DT_HASH" in tags
        assert "DT_NEEDED" not in tags
        sizes = [tags[name].entry.d_val for name in ("DT_RELSZ", "DT_RELASZ") if name in tags]
        assert not any(sizes)
        symbols = elf.get_section_by_name(".dynsym")
        assert isinstance(symbols, SymbolTableSection)
        versions = elf.get_section_by_name(".gnu.version")
        definitions = elf.get_section_by_name(".gnu.version_d")
        assert isinstance(versions, GNUVerSymSection)
        assert isinstance(definitions, GNUVerDefSection)
        called = {
            definition["vd_ndx"]: next(iter(names)).name
            for definition, names in definitions.iter_versions()
        }
        found = {
            symbol.name: called[versions.get_symbol(number)["ndx"] & 0x7FFF]
            for number, symbol in enumerate(symbols.iter_symbols())
            if symbol["st_info"]["type"] == "STT_FUNC"
        }
    assert found == {prefix + name: version for name in names}


def _reads(log: str) -> int:
    return sum("clock_gettime" in line for line in log.splitlines())


def test_a_clock_that_is_read_is_no_call(
    qusr: Callable[[str], Emulator], testbin: Callable[..., Path]
) -> None:
    program = testbin("c/time/vdso", "aarch64")
    run = qusr("aarch64")(program, "threads", options=("--core", "native", "-strace")).check()
    assert _reads(run.err) == 0
    # Those that the vDSO leaves to the kernel are.
    run = qusr("aarch64")(program, "other_clocks", options=("--core", "native", "-strace"))
    assert _reads(run.check().err) == 3


def test_another_core_makes_calls(
    qusr: Callable[[str], Emulator], testbin: Callable[..., Path]
) -> None:
    program = testbin("c/time/vdso", "aarch64")
    run = qusr("aarch64")(program, "threads", options=("--core", "unicorn", "-strace"))
    assert _reads(run.check().err) >= 4000


def test_hooks_of_the_call_are_called(testbin: Callable[..., Path]) -> None:
    seen = []
    process = qusr_api.Process([testbin("c/time/vdso", "aarch64"), "threads"])
    process.hook_syscalls(lambda _, name, _args: seen.append(name))
    ended = process.run()
    assert ended is not None
    assert ended.status == 0
    assert seen.count("clock_gettime") >= 4000
