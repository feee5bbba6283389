"""Print what the power-fail detector sees, how soon, and what it lets pass, as JSON.

python -m hdl.tb.detection            everything: 44,560 losses, 87,840 non-events, 19,200 of the declared rows
python -m hdl.tb.detection --quick    every eighth point on wave

The cases run through the integer model over arrays (`hdl.tb.batch`); a random sample of them is played into the
compiled RTL, from reset, and must make the same events at the same samples. With TEIDEN_DATA the recordings of
real transients join the non-events.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np

from hdl.driver import FrontEnd
from hdl.model import POWER_FAIL, POWER_FAIL_CONFIRMED, Settings
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb import batch, corpus, declared, nonevents
from hdl.tb.corpus import RATE_HZ, Case
from hdl.tb.trial import SHORT_RETURN_SAMPLES, codes

BANDS: dict[int, tuple[float, ...]] = {50: (45.0, 47.5, 50.0, 52.5, 55.0), 60: (55.0, 57.5, 60.0, 62.5, 65.0)}
BEFORE_S = 0.08  # the detector is idle 68 ms after reset at 45 Hz: two half cycles, 32 ms of return
LATEST_S = 2e-3
TOGETHER = 2048  # cases in one batch
SEED = 20260211


class Tried(NamedTuple):
    """What came of one case."""

    label: Any
    case: Case
    nominal_hz: int
    ready: bool  # idle just before the change, no event before
    events: tuple[tuple[int, int], ...]  # (kind, sample)

    @property
    def delay_s(self) -> float | None:
        """From the change, or the mark, to the first power_fail [s]; None: none came."""
        samples = [sample for kind, sample in self.events if kind == POWER_FAIL]
        start_s = self.case.change_s if self.case.mark_s is None else self.case.mark_s
        return samples[0] / RATE_HZ - start_s if samples else None


class _Written:
    """A port that only remembers what the driver writes."""

    def __init__(self) -> None:
        self.words: dict[int, int] = {}

    def read32(self, address: int) -> int:
        return self.words.get(address, 0) if address != regs.EVENT else 0

    def write32(self, address: int, value: int) -> None:
        self.words[address] = value

    def wait_irq(self, timeout_s: float) -> bool:
        return False

    def read_block(self, address: int, count: int) -> np.ndarray:
        return np.array([self.read32(address + 4 * place) for place in range(count)], np.uint32)


def settings_for(nominal_hz: int) -> Settings:
    """Return the model's settings as the driver sets them for 100 V, with the short return of the trials."""
    port = _Written()
    FrontEnd(port).configure(nominal_hz)
    words = port.words
    timing = words[regs.CROSS_TIMING]
    return Settings(
        hysteresis=words[regs.CROSS_HYSTERESIS],
        blank=timing >> regs.CROSS_TIMING_BLANK_SHIFT & 0xFF,
        timeout=timing >> regs.CROSS_TIMING_TIMEOUT_SHIFT & 0xFF,
        cadence=timing >> regs.CROSS_TIMING_CADENCE_SHIFT & 0xFF,
        k=words[regs.DET_K],
        drop=words[regs.DET_DROP],
        low=words[regs.DET_LOW],
        floor=words[regs.DET_FLOOR],
        ratio=words[regs.DET_SHAPE] & 0xFF,
        persist=words[regs.DET_SHAPE] >> regs.DET_SHAPE_PERSIST_SHIFT,
        confirm=words[regs.DET_CONFIRM],
        confirm_rms=words[regs.DET_CONFIRM_RMS],
        return_rms=words[regs.DET_RETURN_RMS],
        return_samples=SHORT_RETURN_SAMPLES,
    )


def try_all(cases: Iterable[tuple[Any, Case]], nominal_hz: int) -> Iterator[Tried]:
    """Yield what the model makes of (label, case), each from reset on, in their order."""
    settings = settings_for(nominal_hz)
    left = iter(cases)
    while together := list(islice(left, TOGETHER)):
        lengths = np.array([case.wave.size for _, case in together])
        samples = np.zeros((lengths.max(), lengths.size), np.int32)
        for place, (_, case) in enumerate(together):
            samples[: lengths[place], place] = codes(case.wave)
        look = np.array([int(case.change_s * RATE_HZ) for _, case in together])
        look = np.minimum(look, lengths - 1)
        found = batch.detect(samples, settings, look)
        events: list[list[tuple[int, int]]] = [[] for _ in together]
        for place, sample, kind in zip(found.case.tolist(), found.sample.tolist(), found.kind.tolist(), strict=True):
            if sample < lengths[place]:  # behind it lies the padding
                events[place].append((kind, sample))
        for place, (label, case) in enumerate(together):
            yield Tried(label, case, nominal_hz, bool(found.idle[place]), tuple(events[place]))


def replay(tried: Tried) -> tuple[tuple[int, int], ...]:
    """Return the events, (kind, sample), that the compiled RTL makes of a case from reset on."""
    board = CompiledFrontEnd()
    driver = FrontEnd(board)
    driver.configure(tried.nominal_hz)
    board.write32(regs.DET_RETURN, SHORT_RETURN_SAMPLES)
    board.push(codes(tried.case.wave))
    names = {"power_fail": 1, "power_fail_confirmed": 2, "power_fail_withdrawn": 3, "power_return": 4}
    events = tuple((names[event.kind], event.sample) for event in driver.events())
    board.close()
    return events


@dataclass
class Sample:
    """A random sample of all cases that pass by, each kept with the same probability."""

    share: float
    rng: Random = field(default_factory=lambda: Random(SEED))
    kept: list[Tried] = field(default_factory=list)

    def watch(self, tried: Iterable[Tried]) -> Iterator[Tried]:
        """Yield every case and keep some."""
        for one in tried:
            if self.rng.random() < self.share:
                self.kept.append(one)
            yield one


def all_losses(hz: float, points: int) -> Iterator[tuple[str, Case]]:
    """Yield losses the 2 ms bar speaks of: on a grid with and without noise of -60 dB, then at random."""
    rng = np.random.default_rng([SEED, round(hz * 10)])
    grid = corpus.losses([hz], points, (0.0, 0.1, 0.2, 0.3), (0.9, 1.0, 1.1), BEFORE_S, nonevents.WAVEFORMS)
    for seed, case in enumerate(grid):
        yield "grid", case
        yield "grid, noise", declared.with_noise(case, -60, seed)
    for _ in range(points * 1000 // 48):
        at_hz = float(np.clip(hz + rng.uniform(-1.25, 1.25), 45, 65))
        waveform = nonevents.WAVEFORMS[rng.integers(3)]
        case = corpus.loss(at_hz, rng.random(), rng.uniform(0, 0.3), rng.uniform(0.9, 1.1), waveform, BEFORE_S, 0.03)
        yield "random", declared.with_noise(case, -60, int(rng.integers(1 << 32)))


def recordings(folder: Path, points: int) -> Iterator[tuple[int, tuple[str, Case]]]:
    """Yield (nominal_hz, (family, case)) of real transients that are no power failure, at shifts of the sampling.

    Behind 0.1 s of the record's own first cycle: the switching transient of Keating on three phases, and the
    phases beside the faulted one of two earth faults.
    """
    for name, nominal_hz, phases in (("keating_1999", 60, (0, 1, 2)), ("xtz", 50, (1, 2)), ("ymz", 50, (1, 2))):
        rows = np.genfromtxt(folder / "waveforms" / f"{name}_u_pu.csv", delimiter=",", skip_header=1)
        rows = rows[rows[:, 0] == 0]
        t_s = rows[:, 1] - rows[0, 1]
        for phase in phases:
            for place in range(points):
                at_s = (np.arange(-800, int(t_s[-1] * RATE_HZ) - 1) + place / points) / RATE_HZ
                wave = np.interp(np.where(at_s < 0, at_s % (1 / nominal_hz), at_s), t_s, rows[:, 2 + phase])
                yield nominal_hz, (f"recorded: {name}", Case(f"{name} phase {phase} shift {place}", wave, 0.1))


def loss_figures(points: int, sample: Sample) -> dict[str, Any]:
    """Return counts and delays of the losses that the 2 ms bar speaks of."""
    delays_s: list[float] = []
    unready = missed = 0
    for nominal_hz, hz in each_band():
        for one in sample.watch(try_all(all_losses(hz, points), nominal_hz)):
            unready += not one.ready
            missed += one.delay_s is None
            delays_s += [] if one.delay_s is None else [one.delay_s]
    low, middle, high = (round(float(value) * 1e3, 3) for value in np.quantile(delays_s, (0, 0.5, 1)))
    return {
        "losses": len(delays_s) + missed, "missed": missed, "not_ready": unready,
        "later_than_2_ms": sum(delay_s > LATEST_S for delay_s in delays_s),
        "delay_ms_min": low, "delay_ms_median": middle, "delay_ms_max": high,
    }  # fmt: skip


def nonevent_figures(points: int, sample: Sample) -> dict[str, Any]:
    """Return false alarms of everything that is no power failure, by family."""
    tried, alarms, unready = Counter[str](), Counter[str](), 0
    first: list[str] = []

    def count(outcomes: Iterable[Tried]) -> None:
        nonlocal unready
        for one in sample.watch(outcomes):
            tried[one.label] += 1
            unready += not one.ready
            if one.events:
                alarms[one.label] += 1
                first.append(one.case.name)

    for nominal_hz, hz in each_band():
        count(try_all(nonevents.nonevents([hz], points, BEFORE_S), nominal_hz))
    data = os.environ.get("TEIDEN_DATA")
    if data:
        found = list(recordings(Path(data), points))
        for nominal_hz in BANDS:
            count(try_all((entry for hz, entry in found if hz == nominal_hz), nominal_hz))
    return {
        "non_events": tried.total(), "false_alarms": alarms.total(), "not_ready": unready,
        "families": {name: {"cases": tried[name], "false_alarms": alarms[name]} for name in tried},
        "first_false_alarms": first[:10],
    }  # fmt: skip


def declared_figures(points: int, sample: Sample) -> dict[str, Any]:
    """Return the rows with bars of their own."""
    late_s: dict[declared.Row, list[float]] = defaultdict(list)
    missed: Counter[declared.Row] = Counter()
    rings = trips = confirmed = 0
    for nominal_hz, hz in each_band():
        for one in sample.watch(try_all(declared.declared(nominal_hz, [hz], points, BEFORE_S), nominal_hz)):
            if one.delay_s is None or not one.ready:
                missed[one.label] += 1
            else:
                late_s[one.label].append(one.delay_s)
        strong = ((declared.STRONG_RING, case) for case in declared.strong_rings([hz], points, BEFORE_S))
        for one in sample.watch(try_all(strong, nominal_hz)):
            rings += 1
            trips += one.delay_s is not None
            confirmed += any(kind == POWER_FAIL_CONFIRMED for kind, _ in one.events)
    rows: dict[str, Any] = {
        row.name: {
            "cases": len(values) + missed[row], "missed": missed[row],
            "worst_ms": round(max(values) * 1e3, 3), "bar_ms": row.bar_s * 1e3,
        }
        for row, values in late_s.items()
    }  # fmt: skip
    rows[declared.STRONG_RING] = {"cases": rings, "trips": int(trips), "confirmed": confirmed}
    return rows


def each_band() -> Iterator[tuple[int, float]]:
    """Yield (nominal frequency, frequency), 45 to 65 Hz."""
    for nominal_hz, band in BANDS.items():
        for hz in band:
            yield nominal_hz, hz


def figures(points: int, replays: int) -> dict[str, Any]:
    """Return everything; about ``replays`` of the cases are played into the compiled RTL too."""
    sample = Sample(replays / (points * 3150))
    found = {
        "points_on_wave": points,
        "losses": loss_figures(points, sample),
        "non_events": nonevent_figures(points, sample),
        "declared": declared_figures(points, sample),
    }
    differ = [one.case.name for one in sample.kept if replay(one) != one.events]
    board = CompiledFrontEnd()
    found["replayed_on_rtl"] = {"cases": len(sample.kept), "differ": len(differ), "first": differ[:10]}
    found["rtl_hash"] = board.rtl_hash
    board.close()
    return found


def main(arguments: list[str]) -> None:
    """Print everything as one JSON object."""
    points, replays = (6, 60) if arguments == ["--quick"] else (48, 1000)
    print(json.dumps(figures(points, replays), indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
