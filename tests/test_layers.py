"""What depends on what in `qusr`: a guest is in its package only, and imports go one way."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

from qusr import arch

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
    },
    "syscalls/files.py": {"arm_fadvise64_64"},
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
    assert folders == {package for package, _, _ in arch.PACKAGES} | {"x86_64"}
    numbers = [(guest.number, guest.big_endian) for guest in arch.guests()]
    assert len(set(numbers)) == len(numbers)
