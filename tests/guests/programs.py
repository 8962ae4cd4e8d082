"""A generated Python program of about 1,000 lines, the same each time."""

from __future__ import annotations

import random

_HEADER = """\
import dataclasses
import functools
import itertools
import math

MASK = (1 << 64) - 1


@dataclasses.dataclass(order=True)
class Item:
    key: int
    name: str
    weight: float = 1.0

    def merge(self, other):
        return Item(self.key ^ other.key, self.name[:8] + other.name[-4:], self.weight + other.weight)


def mix(a, b):
    return ((a ^ (b << 7)) * 6364136223846793005 + 1442695040888963407) & MASK


def chain(*functions):
    return functools.reduce(lambda f, g: lambda x: g(f(x)), functions)

"""


def _expression(source: random.Random, depth: int) -> str:
    if depth == 0:
        return source.choice(["x", "y", "n", str(source.randint(1, 999))])
    left, right = (_expression(source, depth - 1) for _ in range(2))
    operator = source.choice(["+", "-", "*", "^", "&", "|", "%", "//"])
    if operator in ("%", "//"):
        right = f"({right} % 97 + 1)"
    return f"({left} {operator} {right})"


def _function(source: random.Random, i: int) -> str:
    kind = i % 5
    body = _expression(source, 3)
    if kind == 0:
        return f"""\
def f{i}(x, y={source.randint(1, 9)}):
    total = 0
    for n in range({source.randint(5, 20)}):
        total = mix(total, {body})
        if total % {source.randint(3, 9)} == 0:
            continue
        total += n
    return total
"""
    if kind == 1:
        return f"""\
def f{i}(x, y={source.randint(1, 9)}):
    table = {{n: {body} for n in range({source.randint(5, 15)})}}
    keys = sorted(table, key=lambda k: (table[k] % 13, k))
    return sum(table[k] * (j + 1) for j, k in enumerate(keys)) & MASK
"""
    if kind == 2:
        return f"""\
class C{i}:
    def __init__(self, seed):
        self.state = seed

    def __iter__(self):
        n = y = 0
        while n < {source.randint(4, 12)}:
            x = self.state
            self.state = mix({body}, n)
            yield self.state % 1000
            n += 1


def f{i}(x):
    pairs = itertools.pairwise(C{i}(x))
    return functools.reduce(mix, (a * 1000 + b for a, b in pairs), x)
"""
    if kind == 3:
        return f"""\
def f{i}(x):
    text = "".join(chr(97 + (x >> n) % 26) for n in range({source.randint(10, 40)}))
    items = [Item(ord(c), c * 5 + text[:3], n / 7) for n, c in enumerate(text)]
    whole = functools.reduce(Item.merge, sorted(items))
    return whole.key + len(whole.name) * 100 + round(whole.weight * 1e6)
"""
    return f"""\
def f{i}(x):
    try:
        n = y = x % {source.randint(2, 5)}
        value = ({body}) / (n - 1)
    except ZeroDivisionError as error:
        return len(str(error)) + {i}
    else:
        return int(math.fmod(abs(value), 1e9)) + int(math.log1p(abs(value)) * 1000)
    finally:
        LOG.append({i})
"""


def program() -> str:
    """Its text; it prints a line for each of its functions and a checksum."""
    source = random.Random(6)
    count = 110
    parts = [_HEADER, "LOG = []\n"]
    parts += [_function(source, i) for i in range(count)]
    parts.append(f"functions = [{', '.join(f'f{i}' for i in range(count))}]\n")
    parts.append(
        "total = 0\n"
        "for i, function in enumerate(functions):\n"
        "    values = [function(seed * 7919 + i) for seed in range(3)]\n"
        "    total = functools.reduce(mix, values, total)\n"
        "    print(function.__name__, *values)\n"
        "print(chain(*functions[3:100:5])(12345), len(LOG), f'{total:016x}')\n"
    )
    return "\n\n".join(parts)
