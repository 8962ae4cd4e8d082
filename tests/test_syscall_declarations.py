"""The declarations as a whole: complete, consistent, documented."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib import import_module

import pytest

from qusr import arch
from qusr.arch import abi_named
from qusr.syscalls import table
from qusr.syscalls.decl import Arg, Case, Switch, Syscall
from tools import gen_syscall_docs

ABIS = gen_syscall_docs.ABIS


def _calls() -> Iterator[tuple[str, Syscall]]:
    for family in table.FAMILIES:
        for call in import_module(f"qusr.syscalls.{family}").CALLS:
            yield family, call


@pytest.mark.parametrize("name", ABIS)
def test_every_number_has_a_declaration(name: str) -> None:
    missing = set(table.numbers(abi_named(name))) - set(table.declarations(abi_named(name)))
    assert missing == set()


@pytest.mark.parametrize("name", ABIS)
def test_declarations_compile(name: str) -> None:
    assert table.compile_for(abi_named(name)).startswith(b"QTHUNK")


def test_a_call_belongs_to_one_family() -> None:
    where: dict[str, set[str]] = {}
    for family, call in _calls():
        where.setdefault(call.name, set()).add(family)
    assert {name: found for name, found in where.items() if len(found) > 1} == {}


def test_a_declaration_is_of_some_kernel() -> None:
    abis = [abi for guest in arch.guests() for abi in guest.abis.values()]
    known = {name for abi in (*abis, abi_named("x86_64")) for name in table.numbers(abi)}
    assert {call.name for _, call in _calls()} - known == set()


def _handlers(args: tuple[Arg, ...], case: Case | Syscall) -> Iterator[tuple[str, int]]:
    """Each Python handler below `case`, with how many arguments it gets."""
    if args and isinstance(args[-1], Switch):
        switch = args[-1]
        for inner in (*(choice for _, choice in switch.cases), switch.default):
            if inner.errno is None and inner.enosys is None:
                chosen = Case(*inner.args, handler=inner.handler or case.handler)
                yield from _handlers((*args[:-1], _Fixed(switch.name), *inner.args), chosen)
    elif case.handler is not None:
        yield case.handler, len(args)


class _Fixed(Arg):
    """A Switch that was decided."""


def test_handlers_exist_and_take_the_arguments() -> None:
    wrong = []
    seen = 0
    for _, call in _calls():
        if call.enosys is not None:
            continue
        for name, count in _handlers(call.args, call):
            seen += 1
            module, _, function = name.partition(":")
            handler = getattr(import_module(f"qusr.syscalls.handlers.{module}"), function, None)
            if handler is None:
                wrong.append(f"{call.name}: no {name}")
                continue
            try:
                inspect.signature(handler).bind(None, *range(count))
            except TypeError:
                wrong.append(f"{call.name}: {name} does not take {count} arguments")
    assert wrong == []
    assert seen > 20


def test_the_page_is_current() -> None:
    assert gen_syscall_docs.PAGE.read_text() == gen_syscall_docs.page(), (
        "run tools/gen_syscall_docs.py"
    )
