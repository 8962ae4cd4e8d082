"""What a condition costs that does not hold: where the program evaluates it, and where gdb does.

`python -m pytest --slow -s tests/gdb/test_conditions.py` prints the figures of docs/gdb.md.
"""

from __future__ import annotations

import re

import pytest

from tests.gdb.conftest import LIBC, Begin
from tests.gdb.test_gdb import QUIET

HITS = 999_999
FEW = 2_000


def seconds(begin: Begin, arch: str, where: str, hits: int) -> float:
    """How long gdb waits for the hit behind so many that do not hold."""
    program = begin(arch, "events", "many")
    text = program.gdb(
        QUIET + f"set breakpoint condition-evaluation {where}\nbreak add\ncontinue\n"
        f"condition 1 x == {hits}\npython import time; begun = time.time()\ncontinue\n"
        "python print('took', time.time() - begun)\nprint x\nkill\n",
        timeout=300,
    )
    assert re.search(rf"\$1 = {hits}\n", text), text
    (took,) = re.findall(r"^took ([\d.]+)$", text, re.MULTILINE)
    return float(took)


@pytest.mark.slow
@pytest.mark.parametrize("arch", LIBC)
def test_fifty_times_faster(begin: Begin, arch: str) -> None:
    stub = seconds(begin, arch, "target", HITS) / HITS
    host = seconds(begin, arch, "host", FEW) / FEW
    print(f"\n{arch}: {stub * 1e6:.2f} µs, {host * 1e6:.0f} µs by gdb: {host / stub:.0f} times")
    assert host > 50 * stub
