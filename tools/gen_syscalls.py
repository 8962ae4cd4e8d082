#!/usr/bin/env python3
"""Generate the guests' modules ``numbers`` (below ``qusr/arch``) from Debian's kernel headers.

``tools/gen_syscalls.py`` rewrites the tables of the ABIs in use, ``--check``
compares them with the headers, and ``tools/gen_syscalls.py riscv64 s390x``
adds tables for more guests. Headers that are not installed are taken from
their package (``apt-get download``, unpacked in a temporary folder), so
neither root nor a cross compiler is needed.
"""

from __future__ import annotations

import argparse
import ast
import operator
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path

ARCH = Path(__file__).resolve().parent.parent / "qusr" / "arch"
IN_USE = (
    "aarch64", "arm", "i386", "mips_n32", "mips_n64", "mips_o32", "riscv32", "riscv64", "s390x",
    "x86_64",
)  # fmt: skip


@dataclass(frozen=True)
class Headers:
    """Where the numbers of one ABI are found."""

    package: str
    include: str
    defines: tuple[str, ...] = ()
    """What ``asm/unistd.h`` asks the compiler about this ABI."""
    canonical: dict[str, str] = field(default_factory=dict)
    """Old names of calls that have a name shared with other ABIs."""
    extra: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Numbers newer than the headers that only this ABI has: (number, kernel)."""
    module: str = ""
    """Below qusr/arch, where it is not ABI/numbers."""


def _cross(debian: str, triplet: str, *defines: str, module: str = "") -> Headers:
    package, include = f"linux-libc-dev-{debian}-cross", f"/usr/{triplet}/include"
    return Headers(package, include, defines, module=module)


def _riscv(bits: int, *defines: str) -> Headers:
    """The headers of Debian's riscv64 serve both."""
    return Headers(
        "linux-libc-dev-riscv64-cross",
        "/usr/riscv64-linux-gnu/include",
        (f"__riscv_xlen={bits}", f"__SIZEOF_POINTER__={bits // 8}", *defines),
        canonical={"llseek": "_llseek"} if bits == 32 else {},
        extra={"riscv_hwprobe": (258, "6.4")},
        module=f"riscv/numbers_{bits}",
    )


ABIS: dict[str, Headers] = {
    "aarch64": _cross("arm64", "aarch64-linux-gnu"),
    # 341 is arm_sync_file_range in arm's table, but sys_sync_file_range2 is what it calls.
    "arm": Headers(
        "linux-libc-dev-armhf-cross",
        "/usr/arm-linux-gnueabihf/include",
        ("__ARM_EABI__",),
        canonical={"arm_sync_file_range": "sync_file_range2"},
    ),
    "x86_64": Headers(
        "linux-libc-dev",
        "/usr/include/x86_64-linux-gnu",
        ("__x86_64__",),
        extra={"uretprobe": (335, "6.11"), "uprobe": (336, "6.18")},
        module="x86/numbers_64",
    ),
    "i386": _cross("i386", "i686-linux-gnu", "__i386__", module="x86/numbers_32"),
    "mips_o32": Headers(
        "linux-libc-dev-mipsel-cross",
        "/usr/mipsel-linux-gnu/include",
        ("_MIPS_SIM=1", "_ABIO32=1"),
        module="mips/numbers_o32",
    ),
    "mips_n64": _cross(
        "mips64el", "mips64el-linux-gnuabi64", "_MIPS_SIM=3", "_ABI64=3", module="mips/numbers_n64"
    ),
    "mips_n32": _cross(
        "mips64el", "mips64el-linux-gnuabi64", "_MIPS_SIM=2", "_ABIN32=2", module="mips/numbers_n32"
    ),
    "ppc": _cross("powerpc", "powerpc-linux-gnu"),
    "ppc64": _cross("ppc64el", "powerpc64le-linux-gnu", "__powerpc64__"),
    "riscv64": _riscv(64, "__LP64__"),
    "riscv32": _riscv(32),
    "s390x": _cross("s390x", "s390x-linux-gnu", "__s390x__"),
    "sparc64": _cross("sparc64", "sparc64-linux-gnu", "__sparc__", "__arch64__"),
    "m68k": _cross("m68k", "m68k-linux-gnu"),
    "hppa": _cross("hppa", "hppa-linux-gnu"),
    "sh4": _cross("sh4", "sh4-linux-gnu"),
    "alpha": _cross("alpha", "alpha-linux-gnu"),
}

# Since Linux 5.1 a new call has one number on all ABIs (alpha adds 110). These came after
# the headers of Debian 12 (Linux 6.1); with the kernel that brought each.
NEWER: dict[str, tuple[int, str]] = {
    "cachestat": (451, "6.5"),
    "fchmodat2": (452, "6.6"),
    "map_shadow_stack": (453, "6.6"),
    "futex_wake": (454, "6.7"),
    "futex_wait": (455, "6.7"),
    "futex_requeue": (456, "6.7"),
    "statmount": (457, "6.8"),
    "listmount": (458, "6.8"),
    "lsm_get_self_attr": (459, "6.8"),
    "lsm_set_self_attr": (460, "6.8"),
    "lsm_list_modules": (461, "6.8"),
    "mseal": (462, "6.10"),
    "setxattrat": (463, "6.13"),
    "getxattrat": (464, "6.13"),
    "listxattrat": (465, "6.13"),
    "removexattrat": (466, "6.13"),
    "open_tree_attr": (467, "6.15"),
    "file_getattr": (468, "6.17"),
    "file_setattr": (469, "6.17"),
    "listns": (470, "6.19"),
    "rseq_slice_yield": (471, "7.0"),
}
NEWEST_KERNEL = "7.0"

# Macros named like a call that are none.
NOT_CALLS = {"syscalls", "arch_specific_syscall", "SYSCALL_BASE", "SYSCALL_MASK", "Linux"}

_MACRO = re.compile(r"#define (?:__NR_|__(ARM)_NR_)(\w+) ")
_VALUE = re.compile(r"^@(\w+) (.*)$", re.M)
_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.BitOr: operator.or_,
}


class GenerateError(Exception):
    """Something that the user can act on; printed as one line."""


def _evaluate(expression: str) -> int:
    def walk(node: ast.expr) -> int:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](walk(node.left), walk(node.right))
        raise GenerateError(f"not a number: {expression}")

    return walk(ast.parse(expression.strip(), mode="eval").body)


def _preprocess(source: str, include: Path, defines: tuple[str, ...], *options: str) -> str:
    command = ["gcc", "-E", "-P", "-undef", "-nostdinc", *options]
    # A package holds common headers one folder above its own where the host uses multiarch.
    command += [f"-I{include}", f"-I{include.parent}", *(f"-D{d}" for d in defines), "-"]
    run = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    if run.returncode:
        raise GenerateError(f"gcc -E: {run.stderr.strip().splitlines()[0]}")
    return run.stdout


def _read(headers: Headers, include: Path) -> dict[str, int]:
    source = "#include <asm/unistd.h>\n"
    macros = _preprocess(source, include, headers.defines, "-dM")
    lines = [source]
    for arm, name in _MACRO.findall(macros):
        if name in NOT_CALLS or name.startswith(("OABI_", "BASE", "3264_")):
            continue
        lines.append(f"@{arm}_{name} __{arm}_NR_{name}\n" if arm else f"@{name} __NR_{name}\n")
    values = _preprocess("".join(lines), include, headers.defines)
    return {name: _evaluate(text) for name, text in _VALUE.findall(values)}


def _installed_version(package: str) -> str | None:
    query = ["dpkg-query", "-W", "-f", "${Version}", package]
    run = subprocess.run(query, capture_output=True, text=True, check=False)
    return run.stdout if run.returncode == 0 and run.stdout else None


def _download(package: str, folder: Path) -> str:
    """Unpack ``package`` in ``folder`` and return its version."""
    run = subprocess.run(
        ["apt-get", "download", "-q", package],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    debs = list(folder.glob("*.deb"))
    if run.returncode or not debs:
        raise GenerateError(f"package {package} is not to be had: try apt-get update")
    subprocess.run(["dpkg-deb", "-x", str(debs[0]), str(folder)], check=True)
    version = ["dpkg-deb", "-f", str(debs[0]), "Version"]
    return subprocess.run(version, capture_output=True, text=True, check=True).stdout.strip()


def numbers(abi: str) -> tuple[dict[str, int], str]:
    """The table of ``abi``, sorted by number, and the package version it is from."""
    headers = ABIS[abi]
    include = Path(headers.include)
    version = _installed_version(headers.package)
    if version and (include / "asm" / "unistd.h").exists():
        table = _read(headers, include)
    else:
        with tempfile.TemporaryDirectory() as name:
            version = _download(headers.package, Path(name))
            table = _read(headers, Path(name + headers.include))
    for old, new in headers.canonical.items():
        table[new] = table.pop(old)
    for name, (number, _) in (NEWER | headers.extra).items():
        value = number + 110 if abi == "alpha" else number
        value += {"mips_o32": 4000, "mips_n64": 5000, "mips_n32": 6000}.get(abi, 0)
        if table.setdefault(name, value) != value:
            raise GenerateError(f"{abi}: {name} is {table[name]} in {headers.package}, not {value}")
    table = dict(sorted(table.items(), key=lambda item: (item[1], item[0])))
    return table, f"{headers.package} {version}"


def render(abi: str, table: dict[str, int], source: str) -> str:
    """The Python module that holds ``table``."""
    lines = [
        f'"""System call numbers of {abi}: generated by tools/gen_syscalls.py, do not edit.',
        "",
        f"Source: {source}, and the calls added up to Linux {NEWEST_KERNEL}.",
        '"""',
        "",
        "NUMBERS: dict[str, int] = {",
        *(
            f'    "{name}": 0x{number:X},' if number >= 0xF0000 else f'    "{name}": {number},'
            for name, number in table.items()
        ),
        "}",
    ]
    return "\n".join(lines) + "\n"


def place(abi: str) -> Path:
    """The module with the table of `abi`."""
    return ARCH / f"{ABIS[abi].module or abi + '/numbers'}.py"


def committed(abi: str) -> dict[str, int]:
    """The table of ``abi`` as it is in the repository; empty when there is none."""
    path = place(abi)
    if not path.exists():
        return {}
    spec = util.spec_from_file_location(f"numbers_{abi}", path)
    assert spec and spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.NUMBERS)


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description="generate qusr/arch/PACKAGE/numbers.py")
    parser.add_argument("abi", nargs="*", choices=[*ABIS, []], metavar="ABI",
                        help=f"one of {', '.join(ABIS)}; none: those in use")  # fmt: skip
    parser.add_argument("--check", action="store_true", help="write nothing; fail if out of date")
    options = parser.parse_args()
    stale = []
    for abi in options.abi or IN_USE:
        try:
            table, source = numbers(abi)
        except GenerateError as error:
            print(f"gen_syscalls: {error}", file=sys.stderr)
            return 1
        if list(table.items()) == list(committed(abi).items()):
            continue  # a newer package with the same numbers changes nothing
        if options.check:
            stale.append(abi)
        else:
            place(abi).parent.mkdir(exist_ok=True)
            place(abi).write_text(render(abi, table, source))
            print(f"{place(abi).relative_to(ARCH)}: {len(table)} calls")
    if stale:
        print(f"gen_syscalls: out of date: {' '.join(stale)}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
