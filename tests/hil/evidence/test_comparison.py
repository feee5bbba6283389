"""The integer model is asked with the board's own registers and samples, and its answer is not taken for granted."""

import math
from contextlib import ExitStack

import pytest

from hdl.model import Settings
from hdl.model_settings import settings_of
from hil.evidence import benches
from hil.evidence.comparison import model_is_later_by
from hil.source.program import interruption
from hil.station import Station


@pytest.fixture(scope="module")
def lost():
    """The stand-ins, and a loss of supply played on them."""
    with ExitStack() as stack:
        bench, _ = stack.enter_context(benches.stand_ins(Station(), None))
        bench.supply(50)
        yield bench, bench.play(interruption(100, 50, 0, 0.3, 90, off_s=0.0))


def test_the_registers_of_a_nominal_supply_are_the_models_defaults(lost):
    """hdl.model.Settings holds the reset values for 100 V and 50 Hz, which the driver sets too."""
    assert settings_of(lost[0].front_end.port.read32) == Settings()


def test_board_and_model_decide_at_the_same_sample(lost):
    assert model_is_later_by(*lost) == 0


def test_a_board_with_more_patience_is_told_from_its_model(lost, monkeypatch):
    """A persistence of 16 instead of 13 samples decides 3 samples later."""
    bench, played = lost
    patient = settings_of(bench.front_end.port.read32)
    monkeypatch.setattr("hil.evidence.comparison.settings_of", lambda read: patient)
    object.__setattr__(patient, "persist", patient.persist + 3)
    assert model_is_later_by(bench, played) == 3


def test_nothing_is_compared_where_the_model_had_no_time(lost):
    bench, played = lost
    late = played.capture._replace(first=played.first("power_fail").sample - 100, volts=played.capture.volts[-2148:])
    short = type(played)(played.t0, played.edges, played.events, late)
    assert math.isnan(model_is_later_by(bench, short))
