"""Is this the right board, is it wired right, and is it quiet?"""

from __future__ import annotations

import numpy as np
import pytest

from hil.campaign.looks import check_bench, check_trigger
from hil.check import phase_deg
from hil.evidence.bench import SETTLE_S, Bench
from hil.evidence.measures import Measures
from hil.source.program import Program, Step
from twin.field.meters import SAMPLE_NS

ANGLE_DEG = 90.0  # not a zero, and not the same when the voltage's two wires are swapped


def test_identity_and_noise_floor(bench: Bench, measure: Measures) -> None:
    station = bench.station
    bench.front_end.identify()
    bench.supply(station.supply.nominal_hz)
    bench.source.output_enabled = False
    bench.elapse(SETTLE_S)
    bench.front_end.arm_capture()  # the fall itself has frozen the ring
    bench.elapse(2 * SETTLE_S)
    _, volts = bench.capture()
    noise_v = float(np.std(volts))
    measure("noise floor, output off", noise_v, "V", high=station.limits.noise_pu * station.supply.nominal_v)
    check_bench(bench, measure)


def test_trigger_marks_the_point_on_wave(bench: Bench, measure: Measures) -> None:
    if not bench.instrument.trigger_out:
        pytest.skip("this source marks no step")
    supply, limit = bench.station.supply, bench.station.limits.angle_deg
    bench.supply(supply.nominal_hz)
    mark = Step(supply.nominal_v, float(supply.nominal_hz), None, trigger_out=True)
    played = bench.play(Program((mark,), ANGLE_DEG))
    check_trigger(bench, measure, played)
    at = played.t0.t_ns / SAMPLE_NS - played.capture.first
    angle = phase_deg(played.capture.volts, at, supply.nominal_hz / bench.rate_hz)
    apart = (angle - ANGLE_DEG + 180) % 360 - 180
    bound = 360 * supply.nominal_hz * played.t0.bound_ns * 1e-9
    measure("point on wave, off 90 degrees by", apart, "degrees", low=-limit, high=limit, uncertainty=bound)
    measure("events of a trigger without a change", len(played.events), "events", high=0)
    check_bench(bench, measure)
