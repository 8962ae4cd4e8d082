#!/usr/bin/env python3
"""Write docs/guests.md: the guests and their CPUs, from the registry; `--check` compares.

What was seen to run is the tests' to say: which of them are run with a guest is taken from
testbins/build.py and tests/emulators.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from qusr import _native, arch  # noqa: E402
from qusr.arch.base import NATIVE_ONLY, Guest  # noqa: E402
from testbins import build  # noqa: E402
from tests import emulators  # noqa: E402

PAGE = ROOT / "docs" / "guests.md"

HEAD = """\
# The guests

Made by `tools/gen_guest_docs.py` from what each guest declares (`qusr/arch/`), the targets of
`testbins/build.py` and the lists of `tests/emulators.py`; `tests/test_arch.py` compares. How one
is added: [adding-a-guest.md](adding-a-guest.md).

A guest's command is `qusr-NAME`, for each of its names. The core *native* translates, *unicorn*
is QEMU's TCG as a library. Programs of the tests (`testbins/`) are run with a guest all (*all*), or
one in so many of them, and all with `--slow` (*1 in N*); *freestanding* ones have no C library
under them. With a Debian root, commands of that Debian are run too.

| guest | names | cores | CPUs (`-cpu`) | programs of the tests | Debian root |
|---|---|---|---|---|---|
"""

#: Of the library, for which there is no way round: nobody else says it.
FAULTS = """
## What Unicorn does otherwise than the processor

| guest | what | what qusr does |
|---|---|---|
| s390x | STFLE tells of no facility | HWCAP has no `stfle`: programs do not ask |
| s390x | STCK, STCKE and STCKF count from another origin | nothing: C libraries call the kernel |
| s390x, x86 | of two NaNs the one with the larger fraction comes out, as of x87 | nothing |
| s390x | a branch to an odd address does not trap | nothing |
| mips* | a stop in a delay slot forgets the branch | begins with the branch (`raised.rs`) |
| mips* | tells nobody where an exception was raised | asks its own functions (`raised.rs`) |
| mips* | a block of 170 instructions overruns a table of it | blocks are 100 at most |
| mips* | RDHWR is not allowed at first, and HWREna no register | allows it when the first traps |
| m68k | TRAPV is undefined, TRAP #0 stays where it is | carries them out |
| m68k | TRAPcc is executed as Scc (as in qemu) | nothing |
| m68k | fmove.l #NUMBER, %fpcr is undefined | carries it out |
| m68k | x / 0.0 is the largest number, and not infinity | nothing |
| m68k | no exception flags in FPSR (as in qemu) | nothing |
| m68k | FMOVEM reverses FPCR, FPSR, FPIAR (as in qemu): fma(3) leaves another rounding | nothing |
| m68k | to read SR changes the flags | reads them in the state (`state.rs`) |
| m68k | BKPT is executed for ever | nothing |
| m68k | a 68060 lacks MULU.L to 64 bits and the like (as in qemu) | nothing (default: 68040) |
| ppc | the time base (MFTB) is always 0 | nothing: C libraries call the kernel for the time |
| ppc | ICBI does nothing | pages of code are watched; stores through another mapping are not seen |
| x86 | instructions of AVX are executed as those of SSE, or are undefined | no CPU has AVX |
| x86 | FDIV takes 0 / 0 for a division by zero, and does not tell of inexact results | nothing |
| x86 | SSE sets no exception flags in MXCSR, and unmasked ones do not trap | nothing |
| x86 | misaligned operands of MOVAPS and its like do not trap, nor does EFLAGS.AC | nothing |
| x86 | code that is stored through another mapping is seen behind a system call | nothing |
| x86 | IN and OUT do not trap | nothing |
| x86 | segments have no limits, and stores to read-only ones do not trap | `modify_ldt` has them |
"""


def _cores(guest: Guest) -> str:
    plain = (
        _native.Machine(guest.name, variant, cpu=None, core="", opt="", logs="")
        for variant in guest.abis
    )
    refused = any(machine.native_options is None for machine in plain)
    return "unicorn" if refused else "native, unicorn"


def _models(name: str) -> str:
    processor = arch.by_name(name)
    assert processor is not None
    names = [
        f"{model.name}{'*' if model.unicorn == NATIVE_ONLY else ''}"
        for model in processor.models
        # Not those of other settings of one.
        if "," not in model.name
    ]
    return " ".join(names)


def _programs(guest: Guest) -> str:
    sources = [source for source in build.sources() if not source.name.startswith("hello/")]
    # The targets that are variants of a guest are named after it.
    target = build.AS_GUEST if guest.name == build.NATIVE else guest.name
    kinds = {source.freestanding for source in sources if target in source.arches}
    every = emulators.SAMPLED.get(guest.name)
    how = f"1 in {every}" if every else "all"
    parts = [f"with a C library ({how})"] if False in kinds else []
    parts += ["freestanding"] if True in kinds else []
    return ", ".join(parts) or "none"


def _root(guest: Guest) -> str:
    name = emulators.DEBIAN.get(guest.name, "")
    if not name:
        return "none"
    return f"{name}{'' if guest.name in emulators.ARCHES else ' (`--slow`)'}"


def text() -> str:
    """The page."""
    rows = []
    for guest in arch.guests():
        names = " ".join((guest.name, *guest.aliases))
        cells = (
            guest.title,
            names,
            _cores(guest),
            _models(guest.name),
            _programs(guest),
            _root(guest),
        )
        rows.append(f"| {' | '.join(cells)} |\n")
    stars = "\n\\* only on the core native.\n" if any("*" in row for row in rows) else ""
    return HEAD + "".join(rows) + stars + FAULTS


def main() -> int:
    """Entry point."""
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text() == text():
            return 0
        print("docs/guests.md is not current: run tools/gen_guest_docs.py", file=sys.stderr)
        return 1
    PAGE.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
