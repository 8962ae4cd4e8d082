"""grep, sed, mawk, gawk, bc and jq."""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path

from tests.guests.compare import Case, Guest, each, numbers, words

_LINES = words().splitlines()


def _matching(pattern: str) -> str:
    return "".join(f"{line}\n" for line in _LINES if re.search(pattern, line))


def _document() -> str:
    source = random.Random(5)
    items = [
        {"id": i, "name": source.choice(_LINES), "size": source.randint(0, 9999),
         "tags": source.sample(["a", "b", "c", "d"], 2), "nested": {"x": [i, None, True, 1.5]}}
        for i in range(100)
    ]  # fmt: skip
    return json.dumps({"items": items, "title": "Größe \u2192 \U0001f600"}, indent=1)


_DOCUMENT = _document()
_TOTAL = sum(item["size"] for item in json.loads(_DOCUMENT)["items"])

_AWK = """
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }
BEGIN { printf "%d %.6f %s\\n", fib(16), atan2(0, -1), toupper("done") }
{ for (i = 1; i <= NF; i++) count[$i]++; len += length($0) }
/alpha.*omega/ { both++ }
NR % 50 == 0 { print NR ": " substr($0, 1, 20) "|" $NF }
END {
    n = 0
    for (w in count) names[n++] = w
    for (i = 1; i < n; i++)
        for (j = i; j > 0 && names[j - 1] > names[j]; j--) {
            t = names[j]; names[j] = names[j - 1]; names[j - 1] = t
        }
    for (i = 0; i < n; i++) print names[i], count[names[i]]
    print len, both + 0, split("a:b:c", parts, ":"), parts[3], index("hello", "ll")
    x = "aXbXc"; print gsub(/X/, "-", x), x, match("foobar", "o+"), RSTART, RLENGTH
    printf "%5.2f|%e|%g|%x|%c|%-5s|\\n", 3.14159, 12345.678, 0.0001, 255, 65, "ab"
    print 2 ^ 40, 7 % 3, -7 % 3, int(-3.7), log(10), exp(1), sqrt(2), sin(1), cos(1)
}
"""

_BC_PI = "scale=60\n4*a(1)\n"

CASES = [
    Case("grep alpha words", _matching("alpha")),
    Case("grep -E '^(mu|nu) .*(chi|psi)$' words", _matching("^(mu|nu) .*(chi|psi)$")),
    Case("grep -vc e words", f"{sum('e' not in line for line in _LINES)}\n"),
    Case("grep -noi linux words"),
    Case("grep -P '(?<=kernel )\\w{{4,}}\\b' words", _matching(r"(?<=kernel )\w{4,}\b")),
    Case("grep -F -x -f patterns words", files={"patterns": "\n".join(_LINES[:20]) + "\n"}),
    Case("grep -r -l 7 tree"),
    Case("grep -A1 -B1 register words"),
    Case("grep -w -e alpha --color=always words"),
    Case("grep '\\(.\\)\\1.*\\(.\\)\\2' words", _matching(r"(.)\1.*(.)\2")),
    Case("grep -c . blob"),
    Case("grep nothing_like_this words", "", status=1),
    Case("grep '[' words", "", status=2),
    Case("sed 's/alpha/<&>/g' words", words().replace("alpha", "<alpha>")),
    Case("sed -n '10,20p;$=' words"),
    Case("sed -E 's/(\\w+) (\\w+)/\\2 \\1/' words"),
    Case("sed '/beta/,/gamma/d' words"),
    Case("sed -i.bak -e '1!G;h;$!d' words"),
    Case("sed -f script words", files={"script": ":a\nN\n$!ba\ns/\\n/;/g\n"}),
    Case("sed y/abc/xyz/ words", words().translate(str.maketrans("abc", "xyz"))),
    Case("mawk -f script words", files={"script": _AWK}),
    Case("gawk -f script words", files={"script": _AWK}),
    Case("mawk '{{ s += $1 }} END {{ print s }}' numbers", f"{sum(numbers())}\n"),
    Case("gawk '{{ s += $1 }} END {{ print s }}' numbers", f"{sum(numbers())}\n"),
    Case("gawk 'BEGIN {{ n = split(\"c a b\", v); asort(v); print v[1], v[3], strftime(\"%F\", 0) }}'",
         "a c 1970-01-01\n"),
    Case("gawk -M 'BEGIN {{ print 2 ^ 200 }}'", f"{2**200}\n"),
    Case("gawk '{{ print > (\"out\" NR % 3) }}' words"),
    Case("bc", f"{2**200}\n", stdin=b"2^200\n"),
    Case("bc -l", stdin=_BC_PI.encode()),
    Case("bc", f"{math.factorial(40)}\n", stdin=b"define f(n) { if (n < 2) return (1); return (n*f(n-1)); }\nf(40)\n"),
    Case("bc -l", stdin=b"scale=40\ne(1)\ns(1)\nl(2)\nsqrt(2)\nj(1,2)\nobase=16\n255\n"),
    Case("jq .", files={}, stdin=_DOCUMENT.encode()),
    Case("jq '[.items[].size] | add'", f"{_TOTAL}\n", stdin=_DOCUMENT.encode()),
    Case("jq -c '.items[] | select(.size > 5000) | {{id, tags}}'", stdin=_DOCUMENT.encode()),
    Case("jq -r '.items | group_by(.tags[0]) | map({{key: .[0].tags[0], value: length}}) | from_entries'",
         stdin=_DOCUMENT.encode()),
    Case("jq -S '.items[3:5] | map(.nested.x |= map(. // \"none\"))'", stdin=_DOCUMENT.encode()),
    Case("jq -n '[range(10)] | map(. * . | sqrt) | @csv'", stdin=b""),
    Case("jq -r '.title | test(\"\\\\p{{L}}+\"), explode, ascii_downcase, @uri'", stdin=_DOCUMENT.encode()),
    Case("jq .", "", status=(4, 5), stdin=b"{broken"),
]  # fmt: skip


def test_pi_of_bc(guest: Guest, tmp_path: Path) -> None:
    digits = "3.14159265358979323846264338327950288419716939937510582097494"
    result = guest.check(Case("bc -l", stdin=_BC_PI.encode()), tmp_path)
    assert result.out.startswith(digits)


@each(CASES)
def test_command(guest: Guest, case: Case, tmp_path: Path) -> None:
    guest.check(case, tmp_path)
