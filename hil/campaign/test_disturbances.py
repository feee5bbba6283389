"""What is no loss of supply makes no power failure: docs/front-end.md, what the detector lets pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from hil.campaign.looks import check_bench, check_trigger, keep_waveform
from hil.evidence.bench import Bench
from hil.evidence.measures import Measures
from hil.evidence.record import Attachments
from hil.source.program import Program, Step

CREST_DEG = 90.0  # where a change is largest


@dataclass(frozen=True)
class Disturbance:
    """A change that passes: what the source does for a while, from nominal voltage and frequency."""

    name: str
    seconds: float
    step: Callable[[float, float], Step]
    shifts: bool = False

    def program(self, volts: float, hz: float) -> Program:
        """Return it with the nominal supply behind it."""
        back = Step(volts, hz, None, phase_deg=0.0 if self.shifts else None)
        return Program((self.step(volts, hz), back), CREST_DEG)


def _dip(share: float, seconds: float, name: str) -> Disturbance:
    return Disturbance(name, seconds, lambda volts, hz: Step(share * volts, hz, seconds, trigger_out=True))


DISTURBANCES = (
    _dip(0.7, 0.010, "dip to 70 % for 10 ms"),
    _dip(0.7, 0.200, "dip to 70 % for 200 ms"),
    _dip(0.0, 0.001, "gap of 1 ms"),
    _dip(1.1, 0.200, "swell to 110 %"),
    Disturbance("frequency 2 Hz up", 0.5, lambda volts, hz: Step(volts, hz + 2, 0.5, trigger_out=True)),
    Disturbance(
        "phase jump of 30 degrees",
        0.2,
        lambda volts, hz: Step(volts, hz, 0.2, phase_deg=30.0, trigger_out=True),
        shifts=True,
    ),
)


@pytest.mark.requirement("R17")
@pytest.mark.parametrize("hz", [50, 60], ids="{} Hz".format)
@pytest.mark.parametrize("disturbance", DISTURBANCES, ids=lambda one: one.name)
def test_no_power_failure(
    bench: Bench, measure: Measures, attach: Attachments, disturbance: Disturbance, hz: int
) -> None:
    if disturbance.shifts and not bench.instrument.shifts:
        pytest.skip("this source cannot jump in phase")
    bench.supply(hz)
    played = bench.play(disturbance.program(bench.station.supply.nominal_v, float(hz)))
    check_trigger(bench, measure, played)
    measure("power failures suspected", played.count("power_fail"), "events", high=0)
    keep_waveform(bench, attach, f"{disturbance.name}, {hz} Hz", played)
    check_bench(bench, measure)
