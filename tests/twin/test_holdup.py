"""Hold-up: energy and time against the textbook formula."""

import numpy as np
import pytest

from twin.field.holdup import holdup_energy_nj, holdup_time_s


@pytest.mark.parametrize(
    ("capacitance_f", "start_v", "stop_v", "load_mw", "expected_s"),
    # E = C (V0^2 - V1^2) / 2 * 0.85, t = E / P, by hand
    [(1.0, 5.0, 2.5, 100, 79.6875), (0.1, 5.0, 2.5, 50, 15.9375), (10.0, 2.7, 1.0, 300, 89.108333333)],
)
def test_time_matches_hand_calculation(capacitance_f, start_v, stop_v, load_mw, expected_s):
    energy = holdup_energy_nj([capacitance_f], start_v, stop_v, 0.85)
    assert holdup_time_s(energy, load_mw)[0] == pytest.approx(expected_s, rel=1e-9)  # energies are whole nJ of 1e9


def test_no_swing_holds_nothing():
    assert holdup_energy_nj(np.ones(3), 2.0, 2.5, 0.85).tolist() == [0, 0, 0]


def test_no_load_is_refused():
    with pytest.raises(ValueError, match="load_mw = 0"):
        holdup_time_s([1], 0)
