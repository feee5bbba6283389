"""What several tests look at in the same way."""

from __future__ import annotations

from dataclasses import replace

from hil.evidence.bench import Bench, Played
from hil.evidence.comparison import model_is_later_by
from hil.evidence.measures import Measures
from hil.evidence.record import Attachments
from twin.field.meters import SAMPLE_NS

BEFORE_S, AFTER_S = 0.02, 0.05  # of the waveform that is kept, around t0
READY_S = 0.5  # docs/front-end.md: a power_return follows the voltage by 0.1 s and the two cycles of Urms(1/2)
FLAGS = ("saturated", "event_overflow", "overrun")


def check_bench(bench: Bench, measure: Measures) -> None:
    """Nothing went wrong on the way: no flag of the board, no error of the source."""
    status = bench.front_end.status()
    measure.same("flags of the board", ", ".join(name for name in FLAGS if getattr(status, name)) or "none", "none")
    measure.same("errors of the source", "; ".join(bench.source.errors()) or "none", "none")


def check_trigger(bench: Bench, measure: Measures, played: Played, marks: int = 1) -> None:
    """The wire carried as many edges as the program has marks; the test counts from the first of them."""
    measure.counts_from(played.t0)
    if bench.instrument.trigger_out:
        measure("edges on the trigger wire", played.edges, "edges", low=marks, high=marks)


def check_return(measure: Measures, played: Played, lost_s: float) -> None:
    """The return of the supply, so long after t0, was seen, and with it the detector is ready again."""
    back = replace(played.t0, t_ns=played.t0.t_ns + round(lost_s * 1e9))
    measure.delay("return of the supply seen after", played.delay_s("power_return") - lost_s, READY_S, back)


def check_model(bench: Bench, measure: Measures, played: Played) -> None:
    """The integer model, given what the board captured, decides at the board's sample."""
    later = model_is_later_by(bench, played)
    measure("power failure of the model, after the board's", later, "samples", low=0, high=0)


def keep_waveform(bench: Bench, attach: Attachments, title: str, played: Played) -> None:
    """Keep the voltage around t0 with what was found in it."""
    first, volts = played.capture
    t0 = played.t0.t_ns / SAMPLE_NS
    begin = min(max(round(t0 - BEFORE_S * bench.rate_hz) - first, 0), volts.size - 1)
    end = min(max(round(t0 + AFTER_S * bench.rate_hz) - first, begin + 1), volts.size)
    found = played.first("power_fail")
    marks = [("TRIGGER", t0), ("POWER_FAIL", None if found is None else float(found.sample))]
    attach.waveform(title, volts[begin:end], bench.rate_hz, bench.nominal_hz, first + begin, marks)
