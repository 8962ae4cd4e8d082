"""The kinds of test programs: how each lists its cases, runs one, and says that it was skipped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from xml.etree import ElementTree


@dataclass(frozen=True)
class Format:
    """A kind of test program.

    Attributes:
        markers: the file has one of them in it.
        listing: the arguments that have it list its cases.
        names: the cases of what that printed.
        only: the arguments that have it run one.
        skipped: a pattern of output that says it was skipped; its group `why`, if any, is why.
    """

    name: str
    markers: tuple[bytes, ...]
    listing: tuple[str, ...]
    names: Callable[[str], Iterator[str]]
    only: Callable[[str], list[str]]
    skipped: str


def _google(printed: str) -> Iterator[str]:
    """Of `Suite.` and below it `  Case  # GetParam() = 1`."""
    suite = ""
    for line in printed.splitlines():
        word = line.partition("#")[0].strip()
        if line.startswith("  ") and suite:
            yield suite + word
        else:
            # The program may print lines of its own.
            suite = word if word.endswith(".") and " " not in word else ""


def _catch_2(printed: str) -> Iterator[str]:
    for line in printed.splitlines():
        # A name that would be a comment (`#`) is quoted.
        name = line[1:-1] if line.startswith('"#') and line.endswith('"') else line
        if name:
            yield name


def _catch_3(printed: str) -> Iterator[str]:
    for case in ElementTree.fromstring(printed[printed.index("<") :]).iter("TestCase"):
        yield case.findtext("Name") or ""


def _catch_only(name: str) -> list[str]:
    """A test specification that is one name, whatever is in it."""
    return [re.sub(r'([\\,\[\]"*])', r"\\\1", name)]


def _rust(printed: str) -> Iterator[str]:
    """Of `name: test`; benchmarks are not run."""
    for line in printed.splitlines():
        if line.endswith(": test"):
            yield line.removesuffix(": test")


def _go(printed: str) -> Iterator[str]:
    """Of a name in each line; what -test.run runs of them."""
    for line in printed.splitlines():
        if re.fullmatch(r"(Test|Fuzz|Example)\w*", line):
            yield line


FORMATS = (
    Format(
        "GoogleTest",
        (b"gtest_list_tests", b"InitGoogleTest"),
        ("--gtest_list_tests",),
        _google,
        lambda name: [f"--gtest_filter={name}"],
        r"(?s)\[ RUN[^\n]*\n(?P<why>.*?)\[  SKIPPED \]|(?P<more>YOU HAVE 1 DISABLED TEST)",
    ),
    Format(
        "Catch2 2",
        (b"list-test-names-only",),
        ("--list-test-names-only",),
        _catch_2,
        _catch_only,
        r"(?!)",
    ),
    Format(
        "Catch2 3",
        (b"Catch2 v", b"libCatch2"),
        ("--list-tests", "--reporter", "xml"),
        _catch_3,
        _catch_only,
        r"(?s)SKIPPED:\n(?P<why>.*?)\n\n.*test cases: 1 \| 1 skipped",
    ),
    Format(
        "Rust",
        (b"RUST_TEST_THREADS",),
        ("--list",),
        _rust,
        lambda name: ["--exact", name],
        r"(?m)^test .* \.\.\. ignored(, (?P<why>.*))?$",
    ),
    Format(
        "Go",
        (b"test.testlogfile",),
        ("-test.list=.",),
        _go,
        lambda name: [f"-test.run=^{name}$", "-test.v"],
        r"(?m)(?P<why>(^ .*\n)*)^--- SKIP: .*\n(?P<more>(^ .*\n)*)",
    ),
)

#: Status of a skipped test, in automake's and Meson's protocol.
SKIPPED = 77
#: That of Catch2 3 where it has skipped all cases.
STATUS_SKIPPED = 4


def format_of(program: bytes) -> Format | None:
    """The kind of a test program, by what is in its file; None: one that has no cases."""
    for form in FORMATS:
        if any(program.find(marker) >= 0 for marker in form.markers):
            return form
    return None


def why_skipped(form: Format, printed: str) -> str | None:
    """Why a case was skipped; None: it was not."""
    found = re.search(form.skipped, printed)
    if found is None:
        return None
    said = [found[name] for name in ("why", "more") if name in found.re.groupindex]
    return " ".join(" ".join(part for part in said if part).split()) or "skipped"
