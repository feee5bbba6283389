"""Code coverage of the cocotb benches: Verilator's coverage.dat files, merged by module, against the gates.

Points are merged over benches and instances: a line of `td_divide` counts as run when any bench ran it. What
cannot be reached is waived in hdl/lint/coverage_waivers.toml, each waiver with its reason; one that matches
nothing is an error.

python -m hdl.tb.coverage FILE...      prints the table and what is missing
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from hdl.sim.toolchain import HDL

KINDS = ("line", "branch", "expr", "toggle")
GATES = {"line": 1.0, "branch": 1.0, "expr": 1.0, "toggle": 0.95}
WAIVERS = HDL / "lint" / "coverage_waivers.toml"


class Point(NamedTuple):
    """One thing to be covered."""

    module: str  # name of the file
    kind: str  # one of KINDS
    line: int
    column: int
    what: str  # Verilator's words: a branch, values of an expression, "signal[bit]:0->1"


class Waiver(NamedTuple):
    """Points that need no cover: those of a module and kind whose words or source line match."""

    module: str
    kind: str
    match: re.Pattern[str] | None  # in Point.what
    source: re.Pattern[str] | None  # in the text of the source line
    reason: str


@dataclass
class Score:
    """Coverage of one kind in one module."""

    covered: int = 0
    waived: int = 0
    missing: list[Point] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Covered over what is to be covered; 1 when there is nothing."""
        total = self.covered + len(self.missing)
        return self.covered / total if total else 1.0


def read_points(path: Path) -> Iterator[tuple[Point, int]]:
    """Yield every point of a coverage.dat and its count; modules of hdl/rtl only.

    A line is ``C '<^A key ^B value>*' count`` (Verilator manual, "Coverage data format"): f file, l line, n column,
    t kind, o comment.
    """
    for text in path.read_text(errors="replace").splitlines():
        if not text.startswith("C '"):
            continue
        keys, count = text[3:].rsplit("'", 1)
        entry = dict(part.split("\x02", 1) for part in keys.split("\x01")[1:])
        file = Path(entry["f"])
        if file.parent.name == "rtl" and entry.get("t") in KINDS:
            yield Point(file.stem, entry["t"], int(entry["l"]), int(entry["n"]), entry.get("o", "")), int(count)


def merged(paths: Iterable[Path]) -> Counter[Point]:
    """Return the counts of all points over several files."""
    total: Counter[Point] = Counter()
    for path in paths:
        for point, count in read_points(path):
            total[point] += count
    return total


def read_waivers(path: Path = WAIVERS) -> list[Waiver]:
    """Return the waivers; ValueError for one without a reason or with nothing to match."""
    waivers = []
    for entry in tomllib.loads(path.read_text()).get("waiver", []):
        match, source = (re.compile(entry[key]) if key in entry else None for key in ("match", "source"))
        if not entry.get("reason") or (match is None and source is None) or entry["kind"] not in KINDS:
            raise ValueError(f"{path.name}: {entry}: expected module, kind, match or source, and a reason")
        waivers.append(Waiver(entry["module"], entry["kind"], match, source, entry["reason"]))
    return waivers


def scores(counts: Counter[Point], waivers: list[Waiver]) -> tuple[dict[str, dict[str, Score]], list[Waiver]]:
    """Return the scores, by module and kind, and the waivers that waived nothing."""
    found: dict[str, dict[str, Score]] = defaultdict(lambda: {kind: Score() for kind in KINDS})
    used: set[int] = set()
    text: dict[str, list[str]] = {}
    for point, count in sorted(counts.items()):
        score = found[point.module][point.kind]
        if count:
            score.covered += 1
            continue
        lines = text.setdefault(point.module, (HDL / "rtl" / f"{point.module}.sv").read_text().splitlines())
        hit = [place for place, waiver in enumerate(waivers) if _waives(waiver, point, lines[point.line - 1])]
        used |= set(hit)
        if hit:
            score.waived += 1
        else:
            score.missing.append(point)
    return dict(found), [waiver for place, waiver in enumerate(waivers) if place not in used]


def _waives(waiver: Waiver, point: Point, source: str) -> bool:
    return (
        (waiver.module, waiver.kind) == (point.module, point.kind)
        and (waiver.match is None or waiver.match.search(point.what) is not None)
        and (waiver.source is None or waiver.source.search(source) is not None)
    )


def table(found: dict[str, dict[str, Score]]) -> str:
    """Return one line a module: covered / to be covered of each kind, and what is waived."""
    head = f"{'module':18}" + "".join(f"{kind:>22}" for kind in KINDS)
    lines = [head]
    for module, by_kind in sorted(found.items()):
        cells = []
        for kind in KINDS:
            score = by_kind[kind]
            total = score.covered + len(score.missing)
            waived = f" -{score.waived}" if score.waived else ""
            mark = " " if score.share >= GATES[kind] else "!"
            cells.append(f"{score.covered}/{total}{waived} {100 * score.share:5.1f} %{mark}")
        lines.append(f"{module:18}" + "".join(f"{cell:>22}" for cell in cells))
    return "\n".join(lines)


def shortfalls(found: dict[str, dict[str, Score]]) -> list[str]:
    """Return what misses its gate, with the first missing points."""
    said = []
    for module, by_kind in sorted(found.items()):
        for kind, score in by_kind.items():
            if score.share < GATES[kind]:
                said.append(f"{module}: {kind} {100 * score.share:.1f} %, expected {100 * GATES[kind]:.0f} %")
                said += [f"    {module}.sv:{point.line}:{point.column} {point.what}" for point in score.missing[:40]]
    return said


def main(arguments: list[str]) -> int:
    """Print the table for coverage.dat files; return 1 if a gate is missed."""
    found, idle = scores(merged(map(Path, arguments)), read_waivers())
    print(table(found))
    short = shortfalls(found)
    print("\n".join(short))
    for waiver in idle:
        print(f"waiver matches nothing: {waiver.module} {waiver.kind} {waiver.match or waiver.source}")
    return int(bool(short or idle))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
