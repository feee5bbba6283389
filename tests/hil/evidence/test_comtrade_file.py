"""What is written as COMTRADE reads back in the comtrade package, and in our own reader."""

import comtrade
import numpy as np
import pytest

from hil.evidence.comtrade_file import STEPS, write_comtrade
from hil.recording import read_recording
from teiden.errors import InputError

RATE_HZ = 8000


@pytest.fixture
def volts():
    rng = np.random.default_rng(5)
    return 141.4 * np.sin(2 * np.pi * 50 / RATE_HZ * np.arange(700)) + rng.normal(0, 1, 700)


def test_a_peer_reads_samples_times_and_marks(tmp_path, volts):
    path = tmp_path / "dip.cfg"
    write_comtrade(path, volts, RATE_HZ, 50, [("TRIGGER", 160), ("POWER_FAIL", None)], "Teiden bench")
    record = comtrade.load(str(path), str(path.with_suffix(".dat")))
    step = np.abs(volts).max() / STEPS
    # Half a step of the rounding, and what the peer's single precision loses: 2**-24 of the largest value.
    np.testing.assert_allclose(record.analog[0], volts, rtol=0, atol=0.5 * step + np.abs(volts).max() * 2**-23)
    np.testing.assert_allclose(record.time, np.arange(volts.size) / RATE_HZ, rtol=0, atol=1e-6)  # written in us
    assert (record.station_name, record.frequency, record.rev_year) == ("Teiden bench", 50.0, "1999")
    assert record.status_channel_ids == ["TRIGGER", "POWER_FAIL"]
    np.testing.assert_array_equal(record.status[0], np.arange(volts.size) >= 160)
    assert not any(record.status[1])


def test_our_own_reader_plays_it(tmp_path, volts):
    write_comtrade(tmp_path / "dip.cfg", volts, RATE_HZ, 60, [], "Teiden bench")
    recording = read_recording(tmp_path / "dip.cfg")
    (segment,) = recording.segments
    assert (segment.rate_hz, recording.channels[0].unit) == (RATE_HZ, "V")
    step = np.abs(volts).max() / STEPS
    # As above: rounding and single precision.
    np.testing.assert_allclose(recording.samples(0, segment), volts, rtol=0, atol=step)


def test_a_dead_wire_is_written_as_zeros(tmp_path):
    write_comtrade(tmp_path / "dead.cfg", np.zeros(16), RATE_HZ, 50, [], "Teiden bench")
    record = comtrade.load(str(tmp_path / "dead.cfg"), str(tmp_path / "dead.dat"))
    assert not any(record.analog[0])


@pytest.mark.parametrize(
    ("volts", "station", "named"),
    [
        (np.zeros(0), "bench", "0 samples, expected 1 or more"),
        (np.array([1.0, np.nan]), "bench", "all finite"),
        (np.zeros(4), "bench, left", "expected ASCII without commas"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, volts, station, named):
    with pytest.raises(InputError, match=named):
        write_comtrade(tmp_path / "x.cfg", volts, RATE_HZ, 50, [], station)
    assert not list(tmp_path.iterdir())
