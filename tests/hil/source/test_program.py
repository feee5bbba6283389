"""Programs and what an instrument refuses of them."""

from __future__ import annotations

import math

import pytest

from hil.source.instrument import KEYSIGHT_6812B
from hil.source.program import Program, Step, check_program, interruption, supply_return
from teiden.errors import InputError


def test_an_interruption_is_dip_then_nothing_until_the_next_command():
    program = interruption(100, 50, dip_v=30, dip_s=0.08, angle_deg=90)
    assert list(program) == [Step(30, 50, 0.08, trigger_out=True), Step(0.0, 50, None, trigger_out=True)]
    assert program.start_angle_deg == 90
    assert len(program) == 2
    assert program[-1].duration_s is None


def test_an_interruption_without_a_dip_and_with_an_end():
    assert list(interruption(100, 60, off_s=0.3)) == [Step(0.0, 60, 0.3, trigger_out=True), Step(100, 60, None)]


def test_a_dip_without_an_interruption():
    assert list(interruption(100, 60, 40, 0.1, off_s=0)) == [Step(40, 60, 0.1, trigger_out=True), Step(100, 60, None)]


def test_supply_return_lasts():
    assert supply_return(100, 50, 45) == Program((Step(100, 50, None, trigger_out=True),), 45)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"dip_s": -1}, "dip_s"), ({"off_s": -1}, "off_s"), ({"off_s": 0}, "both 0"), ({"dip_v": 101}, "dip_v = 101")],
)
def test_an_impossible_interruption_is_refused(arguments, said):
    with pytest.raises(InputError, match=said):
        interruption(100, 50, **arguments)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([Step(301, 50, 1)], "step 1: voltage_v = 301, expected 0 to 300 V"),
        ([Step(100, 50, 1), Step(100, 44, 1)], "step 2: frequency_hz = 44, expected 45 to 1000 Hz"),
        ([Step(100, 50, 0.0005)], "step 1: duration_s = 0.0005, expected 0.001 to 429497 s"),
        ([Step(100, 50, None), Step(100, 50, 1)], "step 1: duration_s = None"),
        ([Step(100, 50, 1, phase_deg=361)], "phase_deg = 361, expected -360 to 360 degrees"),
        ([Step(100, 50, 1, phase_deg=0), Step(100, 50, 1)], "for some steps only"),
        ([Step(100, 50, 1, slew_v_per_s=0)], "slew_v_per_s = 0"),
        ([Step(math.nan, 50, 1)], "voltage_v = nan"),
        ([Step(100, 50, 1)] * 101, "101 steps, expected 1 to 100"),
        ([], "0 steps"),
    ],
)
def test_what_the_instrument_cannot_do_is_named(steps, said):
    with pytest.raises(InputError, match="program for 6812B") as caught:
        check_program(steps, KEYSIGHT_6812B)
    assert said in str(caught.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(InputError) as caught:
        check_program([Step(301, 44, 1), Step(-1, 50, 1)], KEYSIGHT_6812B)
    assert len(str(caught.value).splitlines()) == 3
