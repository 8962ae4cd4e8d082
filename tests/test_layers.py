"""What depends on what in `qusr`: a guest is in its package only, and imports go one way."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from qusr import _native, arch

ROOT = Path(arch.__file__).parents[1]
SOURCES = sorted(ROOT.rglob("*.py"))

# --- a guest is in its package only -----------------------------------------------

#: Strings elsewhere that name a guest, and why they may.
NAMING = {
    # The one list of guests.
    "arch/__init__.py": {package for package, _, _ in arch.PACKAGES}
    | {names for _, _, names in arch.PACKAGES},
    # The kernel's names of system calls are declared among their like.
    "syscalls/system.py": {
        "ARM_breakpoint", "ARM_cacheflush", "ARM_set_tls", "ARM_get_tls", "ARM_usr26", "ARM_usr32",
        "riscv_flush_icache", "riscv_hwprobe",
    },
    "syscalls/files.py": {"arm_fadvise64_64"},
    "syscalls/prctl.py": {"PR_RISCV_V_SET_CONTROL", "PR_RISCV_V_GET_CONTROL"},
    # The host's own code, its processor's features in a text, and its interface.
    "debug/blocks.py": {"CS_ARCH_X86"},
    "arch/abi.py": {"x86_64", "x86.numbers_64"},
    "syscalls/old.py": {"sysmips", "SYSMIPS", "MIPS_FIXADE", "MIPS_ATOMIC_SET"},
}  # fmt: skip


def guests_named(source: str) -> set[str]:
    """Names and strings of Python code, but for docstrings, in which the name of a guest is."""
    found = set()
    at_start = True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.NL, tokenize.COMMENT):
            continue
        if token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            at_start = True
            continue
        text = token.string
        if token.type == tokenize.STRING:
            if at_start:
                continue  # a docstring, or what stands for one behind an attribute
            text = re.sub(r"^[a-zA-Z]*('''|\"\"\"|'|\")(.*)\1$", r"\2", text, flags=re.DOTALL)
        at_start = False
        if token.type in (tokenize.STRING, tokenize.NAME):
            words = re.split(r"[^a-z0-9]+", text.lower())
            if not GUEST_WORDS.isdisjoint(words):
                found.add(text)
    return found


GUEST_WORDS = {package for package, _, _ in arch.PACKAGES} | {
    name.partition("_")[0] for name in arch.names()
}


def test_a_guest_is_in_its_package_only() -> None:
    """Adding a guest is a folder and a line of the list: nothing else knows of any by name."""
    packages = {ROOT / "arch" / package for package, _, _ in arch.PACKAGES}
    wrong = {}
    for file in SOURCES:
        if packages.isdisjoint(file.parents):
            name = str(file.relative_to(ROOT))
            found = guests_named(file.read_text()) - NAMING.get(name, set())
            if found:
                wrong[name] = found
    assert not wrong


def test_a_name_is_noticed() -> None:
    assert guests_named('x = {"armhf": 1}\n') == {"armhf"}
    assert guests_named("def f():\n    return EM_ARM + NT_ARM_VFP\n") == {"EM_ARM", "NT_ARM_VFP"}
    assert guests_named('"""Of arm."""\nharm = alarm(3)  # arm\n') == set()
    assert guests_named('x = 1\n"""Of arm."""\n') == set()


def test_the_list_of_guests_is_complete() -> None:
    """The list that finds a guest without importing others says what the packages say."""
    for package, machines, names in arch.PACKAGES:
        guests = [guest for guest in arch.guests() if guest.package == package]
        assert guests
        assert {guest.machine for guest in guests} <= set(machines)
        said = names.split()
        assert sorted(said) == sorted(n for g in guests for n in (g.name, *g.aliases))
        assert len(set(said)) == len(said)
    folders = {file.parent.name for file in (ROOT / "arch").glob("*/__init__.py")}
    assert folders == {package for package, _, _ in arch.PACKAGES}
    # The build makes these of the list that the Rust side has (native/guests/src/names.rs).
    commands = (file.name for file in (ROOT.parent / "commands/scripts").glob("qusr-*"))
    made = {name.removeprefix("qusr-") for name in commands}
    # `make static` leaves another one.
    assert made - {"static"} == {*arch.names(), "binfmt"}
    for name in arch.names():
        guest = arch.guest(name)
        assert guest is not None
        assert _native.guest_of_command(f"qusr-{name}") == guest.name
    cores = [core for guest in arch.guests() for core in {a.core for a in guest.abis.values()}]
    assert len(set(cores)) == len(cores)


# --- imports go one way -----------------------------------------------------------

#: What a module may import: its own layer and those before it. Imports in functions count, and so
#: do those for type checkers alone: a name is as much of a dependency as a call.
LAYERS = (
    ("_native", "arch", "installed", "kept"),
    ("cpu", "execution", "loader", "options", "debug.log"),
    ("again", "borrower", "debug", "dump", "ptrace", "running", "syscalls"),
    ("syscalls.handlers",),
    ("facts", "machine", "preload", "process", "thread"),
    ("embed",),
    ("", "__main__", "api", "binfmt", "cli", "debug.gdb.client", "info", "interp", "usage"),
    ("pytest_plugin",),
)
#: Who imports what it is told by name, and what that is.
BY_NAME = {
    "": "names of the package, when they are used; declared below TYPE_CHECKING",
    "loader": "names of the package, when they are used; declared below TYPE_CHECKING",
    "arch": "guests' packages, from the list",
    "arch.abi": "the constants of an ABI",
    "syscalls.context": "the handlers that declarations name",
    "syscalls.table": "the families of declarations, and the numbers of an ABI",
    "preload": "everything",
    "binfmt.launcher": "the dependencies whose files the program takes along",
}
_IMPORTERS = {"__import__", "import_module"}


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in SOURCES}


def imports(name: str, source: str, modules: Mapping[str, object]) -> Iterator[str]:
    """The modules of qusr that a module imports, anywhere in it."""
    package = name if name in PACKAGES else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "qusr":
                    yield alias.name.removeprefix("qusr").removeprefix(".")
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join(filter(None, [*above, base]))
            elif base.partition(".")[0] == "qusr":
                base = base.removeprefix("qusr").removeprefix(".")
            else:
                continue
            for alias in node.names:
                inner = f"{base}.{alias.name}".removeprefix(".")
                yield inner if inner in modules or inner == "_native" else base


PACKAGES = {name for name, file in MODULES.items() if file.name == "__init__.py"}
GRAPH = {
    name: set(imports(name, file.read_text(), MODULES)) - {name} for name, file in MODULES.items()
}


def layer(name: str) -> int:
    """The layer of the longest part of a module's name that is listed."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        for rank, listed in enumerate(LAYERS):
            if ".".join(parts[:end]) in listed:
                return rank
    raise AssertionError(f"{name} is in no layer")


def test_no_import_goes_up() -> None:
    wrong = [
        f"{name} -> {other}"
        for name, others in sorted(GRAPH.items())
        for other in sorted(others)
        if layer(other) > layer(name)
    ]
    assert not wrong


@pytest.mark.parametrize("package", ["arch", "loader", "cpu"])
def test_these_need_nobody_but_guests(package: str) -> None:
    for name, others in GRAPH.items():
        if name.partition(".")[0] == package:
            assert {other.partition(".")[0] for other in others} <= {
                package,
                "arch",
                "installed",
                "_native",
            }


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Modules that import one another in a circle, if there is one."""
    done: set[str] = set()

    def search(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph.get(name, ())):
            found = search(other, [*way, name])
            if found:
                return found
        done.add(name)
        return []

    for name in sorted(graph):
        found = search(name, [])
        if found:
            return found
    return []


def test_no_circle() -> None:
    assert circle(GRAPH) == []


def test_imports_by_name_are_declared() -> None:
    """What is imported by a name that the program makes is in no graph: few may, with a reason."""
    found = set()
    for name, file in MODULES.items():
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                called = node.func
                text = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
                if text in _IMPORTERS:
                    found.add(name)
    assert found == set(BY_NAME)


def test_the_graph_is_seen() -> None:
    """The tests above cannot pass for want of arrows."""
    assert {"loader", "syscalls.context", "_native"} <= GRAPH["syscalls.handlers.exec"]
    assert "loader.errors" in GRAPH["loader.program"]  # relative
    assert "running" in GRAPH["syscalls.context"]  # below TYPE_CHECKING
    assert "debug.log" in GRAPH["cli"]  # in a function
    assert sum(map(len, GRAPH.values())) > 200
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    source = "from . import b\nfrom .b import x\nimport qusr.c\nfrom os import path\n"
    assert set(imports("a", source, {"b": 0})) == {"b", "c"}
