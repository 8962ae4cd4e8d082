"""Writes ``cold.c``: much code that is executed once, as when a program starts.

What a translator then costs is translating, so the time by the size of the code is the price of an
instruction. The functions look like compiled programs do: tests that nearly never hold, two-way
decisions, memory, calls, now and then a loop or floating point. Always the same text.
"""

from __future__ import annotations

import random
from collections.abc import Callable

FUNCTIONS = 1500
SECTION = "cold_code"
"""The section of the functions' code."""

_HEAD = """\
// Written by bench/cold.py.
// flags: -O1
#include "bench.h"

struct node { uint64_t a, b; uint32_t c, d; int16_t e; uint8_t f, g; double h; };
static struct node nodes[64];
static uint64_t bad;

KEEP static uint64_t rotate(uint64_t x, uint64_t y) { return (x << 13 | x >> 51) + y; }
KEEP static uint64_t find(const struct node *n, uint64_t x) {
    return n->c == (uint32_t)x ? n->a : n->b;
}
KEEP static void report(const struct node *n, uint64_t x) { bad += n->a ^ x; }
"""

_TAIL = """\

static uint64_t translate(unsigned long count) {
    uint64_t x = 88172645463325252;
    for (int n = 0; n < 64; n++)
        nodes[n] = (struct node){next_random(&x), next_random(&x), next_random(&x),
                                 next_random(&x), next_random(&x), n, n * 3, n};
    for (unsigned long n = 0; n < count && n < sizeof all / sizeof *all; n++)
        x = all[n](&nodes[x & 31], x | 1);
    return mix(x, bad);
}

int main(int argc, char **argv) {
    return bench_main(argc, argv, (struct workload[]){{"cold", translate}, {0}});
}
"""


def _statement(r: random.Random) -> str:
    k, bit, small = r.getrandbits(r.choice((6, 12, 31, 62))), r.randrange(60), r.randrange(1, 32)
    i, j = r.randrange(32), r.randrange(32)
    word, other = r.choice("ab"), r.choice("cdefg")
    simple = r.choice((
        f"x += n[{i}].{word} ^ {k}u;",
        f"n[{i}].{other} = x >> {small}; x ^= n[{j}].{other};",
        f"n[{i}].{word} += x; y = x * {k | 1}u + y;",
        f"y = (y >> {small}) - (uint32_t)x; n[{j}].{other} += y;",
        f"x = n[{i}].c > (uint32_t)y ? x + {small} : y;",
    ))  # fmt: skip
    choices: list[tuple[int, Callable[[], str]]] = [
        (8, lambda: simple),
        (5, lambda: f"if (n[{i}].{word} == {k}u) {{ report(n, y); {simple} return y; }}"),
        (2, lambda: f"if ((uint32_t)x == {k & 0xFFFFFFFF}u) {{ {simple} y += {small}; }}"),
        (3, lambda: f"if (y >> {bit} & 1) {{ {simple} }} else {{ n[{j}].{word} = y; y -= x; }}"),
        (2, lambda: f"x = rotate(x, n[{i}].{word});"),
        (1, lambda: f"y ^= find(n + {j}, x);"),
        (1, lambda: f"n[{i}].h = n[{i}].h * 0.5 + n[{j}].{other};"),
        (1, lambda: f"for (int k = 0; k < {2 + small % 3}; k++) y += n[k].{word} >> k;"),
    ]
    weights = [weight for weight, _ in choices]
    return r.choices(choices, weights)[0][1]()


def text() -> str:
    """The program."""
    r = random.Random(1)
    parts = [_HEAD]
    for number in range(FUNCTIONS):
        body = "\n    ".join(_statement(r) for _ in range(r.randrange(2, 14)))
        parts.append(
            f'KEEP static __attribute__((section("{SECTION}"))) uint64_t\n'
            f"f{number}(struct node *n, uint64_t x) {{\n    uint64_t y = x >> 7;\n    {body}\n"
            f"    return x ^ y;\n}}\n"
        )
    names = ", ".join(f"f{number}" for number in range(FUNCTIONS))
    parts.append(f"static uint64_t (*const all[])(struct node *, uint64_t) = {{{names}}};\n")
    return "\n".join(parts) + _TAIL
