"""Medians, ratios and spreads of what was measured: as a table and as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, log
from statistics import median
from typing import Any

from bench.run import Sample
from bench.workload import Figure, Workload

NATIVE = "native"
QEMU = "qemu"


@dataclass
class Series:
    """The runs of one workload by one runner: one sample a round, or why there are none."""

    samples: list[Sample] = field(default_factory=list)
    error: str | None = None

    def values(self, figure: Figure) -> list[float]:
        """One figure, by round."""
        return [figure.of(sample) for sample in self.samples]


@dataclass
class Row:
    """One workload, with a series for each runner."""

    workload: Workload
    series: dict[str, Series]


@dataclass(frozen=True)
class Ratio:
    """How many times as long as another runner: the median over the rounds, and the range."""

    median: float
    low: float
    high: float


def ratio(row: Row, figure: Figure, runner: str, base: str) -> Ratio | None:
    """Compared round by round, since the two runs of a round stand next to each other."""
    if base == runner or base not in row.series:
        return None
    pairs = zip(row.series[runner].values(figure), row.series[base].values(figure), strict=False)
    found = [value / other for value, other in pairs if other > 0]
    return Ratio(median(found), min(found), max(found)) if found else None


def number(value: float) -> str:
    """Three digits."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _cell(row: Row, figure: Figure, runner: str) -> str:
    series = row.series.get(runner)
    if series is None:
        return ""
    if series.error is not None or not series.samples:
        return "failed"
    values = series.values(figure)
    text = f"{number(median(values))} {figure.unit}"
    if runner == NATIVE:
        middle = median(values)
        spread = (max(values) - min(values)) / middle * 100 if middle else 0
        return f"{text} ±{spread / 2:.0f}%"
    compared = []
    if (native := ratio(row, figure, runner, NATIVE)) is not None:
        compared.append(f"{number(native.median)}n")
    if (qemu := ratio(row, figure, runner, QEMU)) is not None:
        compared.append(f"{number(qemu.median)}q [{number(qemu.low)}-{number(qemu.high)}]")
    return f"{text} {' '.join(compared)}"


def table(rows: list[Row], runners: list[str]) -> str:
    """A Markdown table, which reads as plain text too."""
    lines = [["workload", "", *runners]]
    for row in rows:
        for index, figure in enumerate(row.workload.figures):
            title = row.workload.title if index == 0 else ""
            lines.append([title, figure.name, *(_cell(row, figure, name) for name in runners)])
        lines += _derived_after(row, rows, runners)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)


def _derived_after(row: Row, rows: list[Row], runners: list[str]) -> list[list[str]]:
    """What follows from several rows, behind the last of them."""
    group = [other for other in rows if other.workload.group == row.workload.group]
    if row is not group[-1] or len(group) < 2 or row.workload.group == "start":
        return []
    if row.workload.group == "threads":
        return [["", "speed-up by the second", *(_speed_up(group, name) for name in runners)]]
    cells = []
    for name in runners:
        parts = []
        for base, letter in ((NATIVE, "n"), (QEMU, "q")):
            mean = geomean(group, name, base)
            parts += [] if mean is None else [f"{number(mean)}{letter}"]
        cells.append(" ".join(parts))
    return [[f"{row.workload.group}: geomean", group[0].workload.figures[0].name, *cells]]


def geomean(group: list[Row], runner: str, base: str) -> float | None:
    """Of the first figures' median ratios; None unless every workload has one."""
    found = [ratio(row, row.workload.figures[0], runner, base) for row in group]
    known = [one.median for one in found if one is not None]
    if not known or len(known) < len(found):
        return None
    return exp(sum(map(log, known)) / len(known))


def _speed_up(group: list[Row], runner: str) -> str:
    by_name = {row.workload.name: row for row in group}
    if not {"one", "two"} <= by_name.keys():
        return ""
    one, two = by_name["one"], by_name["two"]
    figure = one.workload.figures[0]
    pairs = zip(one.series[runner].values(figure), two.series[runner].values(figure), strict=False)
    found = [first / second for first, second in pairs]
    return f"{median(found):.2f}x [{min(found):.2f}-{max(found):.2f}]" if found else "failed"


def failures(rows: list[Row]) -> list[str]:
    """A line for each reason why a runner could not do a workload."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for name, series in row.series.items():
            if series.error is not None:
                found.setdefault((name, series.error), []).append(row.workload.title)
    return [f"failed under {name}: {' '.join(of)}: {why}" for (name, why), of in found.items()]


def as_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Everything: each round's values, medians, ratios."""
    found = []
    for row in rows:
        runners: dict[str, Any] = {}
        for name, series in row.series.items():
            if series.error is not None:
                runners[name] = {"error": series.error}
                continue
            figures: dict[str, Any] = {}
            for figure in row.workload.figures:
                values = series.values(figure)
                figures[figure.name] = {
                    "unit": figure.unit, "values": values, "median": median(values),
                    "min": min(values), "max": max(values),
                    **{
                        f"to_{base}": {"median": r.median, "min": r.low, "max": r.high}
                        for base in (NATIVE, QEMU)
                        if (r := ratio(row, figure, name, base)) is not None
                    },
                }  # fmt: skip
            runners[name] = {
                "figures": figures,
                "wall_s": [sample.wall for sample in series.samples],
                "cpu_s": [sample.cpu for sample in series.samples],
                "rss_mib": [sample.rss for sample in series.samples],
            }
        found.append({"name": row.workload.title, "runners": runners})
    return found
