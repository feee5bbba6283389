"""Real recordings, where the folder of them is given: TEIDEN_DATA/waveforms."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hdl.tb.trial import RATE_HZ, codes, ready_front_end

DATA = os.environ.get("TEIDEN_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="TEIDEN_DATA does not name the folder of recordings")


def read_phase(name: str, column: int) -> tuple[np.ndarray, np.ndarray]:
    """Return times [s] and one phase [pu of nominal peak] of a recording's first segment."""
    assert DATA is not None
    rows = np.genfromtxt(Path(DATA) / "waveforms" / name, delimiter=",", skip_header=1)
    rows = rows[rows[:, 0] == 0]
    return rows[:, 1], rows[:, 2 + column]


def with_lead_in(t_s: np.ndarray, wave: np.ndarray, hz: float) -> tuple[np.ndarray, int]:
    """Return the record at 8 kS/s behind 0.4 s of its own first cycle, and where the record starts."""
    lead = round(0.4 * RATE_HZ)
    at_s = np.arange(-lead, int((t_s[-1] - t_s[0]) * RATE_HZ)) / RATE_HZ
    return np.interp(np.where(at_s < 0, at_s % (1 / hz), at_s), t_s - t_s[0], wave), lead


@pytest.mark.parametrize("phase", [0, 1, 2])
def test_keating_transient_is_no_power_failure(phase: int) -> None:
    # PROVENANCE.md: sub-cycle transient, half-cycle RMS never below 0.987 pu.
    wave, lead = with_lead_in(*read_phase("keating_1999_u_pu.csv", phase), hz=60)
    board, driver = ready_front_end(60, 60)
    board.push(codes(wave[:lead]))
    driver.events()  # of joining the lead-in to the warm-up
    assert driver.measure().state == "idle"
    board.push(codes(wave[lead:]))
    assert driver.events() == []
    board.close()


@pytest.mark.parametrize("name", ["xtz_u_pu.csv", "ymz_u_pu.csv"])
@pytest.mark.parametrize("phase", [1, 2])
def test_phases_beside_the_faulted_one_are_no_power_failure(name: str, phase: int) -> None:
    # PROVENANCE.md: phases B and C stay above 0.96 pu.
    wave, lead = with_lead_in(*read_phase(name, phase), hz=50)
    board, driver = ready_front_end(50, 50)
    board.push(codes(wave[:lead]))
    driver.events()
    assert driver.measure().state == "idle"
    board.push(codes(wave[lead:]))
    assert driver.events() == []
    board.close()
