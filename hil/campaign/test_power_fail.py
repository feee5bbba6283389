"""A loss of supply is detected in time, wherever on the wave it begins, at both frequencies of Japan."""

from __future__ import annotations

import pytest

from hil.campaign.dips import DETECT_S
from hil.campaign.looks import check_bench, check_model, check_return, check_trigger, keep_waveform
from hil.evidence.bench import Bench
from hil.evidence.measures import Measures
from hil.evidence.record import Attachments
from hil.source.program import interruption

LOSS_S = 0.3  # confirmed after one cycle; long enough for the picture


@pytest.mark.requirement("R17")
@pytest.mark.parametrize("hz", [50, 60], ids="{} Hz".format)
@pytest.mark.parametrize("residual_percent", [0, 30], ids="to {} %".format)
def test_loss_of_supply(
    bench: Bench, measure: Measures, attach: Attachments, residual_percent: int, hz: int, fail_angle: float
) -> None:
    nominal_v = bench.station.supply.nominal_v
    bench.supply(hz)
    residual_v = nominal_v * residual_percent / 100
    played = bench.play(interruption(nominal_v, hz, residual_v, LOSS_S, fail_angle, off_s=0.0))
    check_trigger(bench, measure, played)
    measure.delay("power failure detected after", played.delay_s("power_fail"), DETECT_S, played.t0)
    measure("power failures confirmed", played.count("power_fail_confirmed"), "events", low=1, high=1)
    check_return(measure, played, LOSS_S)
    check_model(bench, measure, played)
    keep_waveform(bench, attach, f"Loss to {residual_percent} % at {fail_angle:g} degrees, {hz} Hz", played)
    check_bench(bench, measure)
