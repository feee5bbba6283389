"""How long this bench's front-end takes to detect a loss: the table from which the twin's virtual meters draw."""

from __future__ import annotations

import math

import pytest

from hdl.characterise import Dip, Reaction
from hil.campaign.dips import DETECT_S, SURE_PERCENT
from hil.campaign.looks import check_bench, check_trigger
from hil.evidence.bench import Bench, Played
from hil.evidence.measures import Measures
from hil.evidence.record import Attachments
from hil.source.program import interruption

LOSS_S = 0.3  # confirmed or withdrawn within two cycles


@pytest.mark.requirement("R17")
@pytest.mark.parametrize("residual_percent", [0, 15, 30, 44], ids="to {} %".format)
def test_detection_delay(
    bench: Bench, measure: Measures, attach: Attachments, residual_percent: int, fail_angle: float
) -> None:
    if not bench.instrument.trigger_out:
        pytest.skip("this source marks no step: a delay from the command's time on the host says nothing")
    nominal_v, hz = bench.station.supply.nominal_v, bench.station.supply.nominal_hz
    bench.supply(hz)
    residual_pu = residual_percent / 100
    played = bench.play(interruption(nominal_v, hz, residual_pu * nominal_v, LOSS_S, fail_angle, off_s=0.0))
    check_trigger(bench, measure, played)
    if residual_percent <= SURE_PERCENT:
        measure.delay("power failure detected after", played.delay_s("power_fail"), DETECT_S, played.t0)
    else:
        measure("power failure detected after", played.delay_s("power_fail"), "s")
    dip = Dip(hz, float(hz), residual_pu, LOSS_S * 1e3, fail_angle, "none")
    attach.reaction(dip, reaction_of(played))
    check_bench(bench, measure)


def reaction_of(played: Played) -> Reaction:
    """Return what the front-end made of a program, as ``teiden characterise`` has it."""
    return Reaction(
        _delay_ms(played, "power_fail"),
        _delay_ms(played, "power_fail_confirmed"),
        _delay_ms(played, "power_fail_withdrawn"),
        played.count("power_fail"),
    )


def _delay_ms(played: Played, kind: str) -> float | None:
    delay_s = played.delay_s(kind)
    return None if math.isnan(delay_s) else delay_s * 1e3
