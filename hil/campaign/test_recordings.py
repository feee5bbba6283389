"""Recordings of real disturbances: the front-end detects in them what the integer model does, when it does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hdl.driver import RETURN_PU
from hdl.model_settings import settings_of
from hil.campaign.looks import check_bench, check_model, check_trigger
from hil.campaign.recordings import Expected, Recorded, expect, ready
from hil.evidence.bench import Bench, Played
from hil.evidence.comparison import model_failures
from hil.evidence.measures import Measures
from hil.evidence.record import Attachments
from hil.source.program import check_program
from teiden.errors import InputError
from twin.field.meters import SAMPLE_NS

# Of the ring's 0.512 s, so much lies behind what is worth seeing; the model needs 0.2 s before it, and the program may
# begin 0.1 s sooner than reckoned.
AFTER_S = 0.1


@pytest.mark.requirement("R17")
def test_recording(bench: Bench, measure: Measures, attach: Attachments, recording: Path) -> None:
    try:
        played_back = ready(recording, bench.station)
        check_program(bench.playable(played_back.program), bench.instrument)
    except InputError as error:
        pytest.skip(str(error).removeprefix(f"{recording}: ").replace(f"{recording.parent}/", ""))
    bench.supply(played_back.hz)
    expected = expect(played_back, settings_of(bench.front_end.port.read32))
    measure("frequency of the recording", played_back.hz, "Hz")
    measure("volts of the source per unit of the file", played_back.scale, "V")
    measure("begin in the recording", played_back.begin_s, "s")
    measure("steps of the program", len(played_back.program), "steps")
    measure("largest difference from the recording, of nominal peak", played_back.apart_pu, "pu")
    played = bench.play(played_back.program, look_s=_look_s(played_back, expected))
    check_trigger(bench, measure, played)
    fewest, most = expected.failures
    suspected = played.count("power_fail")
    measure("power failures suspected, as the model does", suspected, "events", low=fewest, high=most)
    if suspected and expected.first_s is not None:
        early_s, late_s = expected.first_s
        sample_s = SAMPLE_NS * 1e-9
        measure(
            "first one after the begin, as the model does",
            played.delay_s("power_fail"),
            "s",
            low=early_s - sample_s,
            high=late_s + sample_s,
            uncertainty=played.t0.bound_ns * 1e-9,
        )
    _record_dips(measure, played)
    if suspected and not _seen_armed(bench, played):
        measure("samples in the capture, all of a fall that began before it", played.capture.volts.size, "samples")
    elif suspected:
        check_model(bench, measure, played)
    else:
        declared = len(model_failures(bench, played))
        measure("power failures of the model in what the board captured", declared, "events", high=0)
    first, volts = played.capture
    found = played.first("power_fail")
    attach.waveform(
        f"{recording.name}, around its {'first power failure' if found else 'lowest cycle'}",
        volts,
        bench.rate_hz,
        bench.nominal_hz,
        first,
        [("POWER_FAIL", None if found is None else float(found.sample))],
    )
    check_bench(bench, measure)


def _look_s(recorded: Recorded, expected: Expected) -> float:
    """Return when to take the capture, from the begin on: it then holds what is worth seeing, and 0.2 s before it."""
    return max(recorded.lowest_s, *(expected.first_s or (0.0, 0.0))) + AFTER_S


def _seen_armed(bench: Bench, played: Played) -> bool:
    """Return whether the capture holds, before the failure, a voltage at which a detector that begins there is armed.

    It holds half a second; of a slower fall the model has seen less than the board, and cannot be compared.
    """
    found = played.first("power_fail")
    assert found is not None
    before = played.capture.volts[: max(found.sample - played.capture.first, 0)]
    cycle = round(bench.rate_hz / bench.nominal_hz)
    whole = before[: before.size // cycle * cycle].reshape(-1, cycle)
    return bool((np.sqrt(np.mean(whole**2, axis=1)) > RETURN_PU * bench.station.supply.nominal_v).any())


def _record_dips(measure: Measures, played: Played) -> None:
    """Take down what the voltage-quality events say; the model has none."""
    measure("dips", played.count("dip_start"), "events")
    depths = [event.extreme_v for event in played.events if event.kind == "dip_end" and event.extreme_v is not None]
    if depths:
        measure("lowest residual voltage", min(depths), "V")
