"""Recordings: what is read, what is refused and with which words, and what resampling keeps."""

import numpy as np
import pytest

from hil.recording import read_recording, resample
from teiden.errors import InputError


def write_csv(path, lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def lines(count=40, rate_hz=8000):
    return ["t_s,u_v,i_a", *(f"{k / rate_hz:.9f},{k},{-k}" for k in range(count))]


def changed(at, line):
    return [*lines()[: at - 1], line, *lines()[at:]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (changed(7, "0.000625,nan,1"), "line 7, column u_v: 'nan', expected a finite number"),
        (changed(9, "0.000875,7,"), "line 9, column i_a: '', expected a finite number"),
        (changed(9, "0.000875,7,x1"), "line 9, column i_a: 'x1', expected a finite number"),
        (changed(41, "0.0049,3"), "line 41 has 2 values, expected 3; is the file truncated?"),
        (changed(5, "0.000100,2,2"), "line 5: t_s = 0.0001 follows 0.00025, expected times that increase"),
        ([*lines(), "0.7,1,1"], "line 42: a step of 0.695125 s where the others are 0.000125 s"),
        (["time,u", "0,1"], "no column t_s; it has time, u"),
        (["t_s", "0", "1"], "only a column t_s"),
        (["t_s,u,u", "0,1,1"], "two columns of one name"),
        (["t_s,u"], "0 samples, expected at least 2"),
        ([""], "no column t_s; it has nothing"),
    ],
)
def test_bad_csv_is_refused_with_its_place(text, said, tmp_path):
    with pytest.raises(InputError) as caught:
        read_recording(write_csv(tmp_path / "bad.csv", text))
    assert said in str(caught.value)
    assert "bad.csv" in str(caught.value)


def test_csv_columns_are_found_by_name_and_by_number(tmp_path):
    recording = read_recording(write_csv(tmp_path / "good.csv", [*lines(), ""]))
    assert recording.find("i_a") == recording.find("2") == 1
    assert recording.first_voltage() == 0
    segment = recording.segment(0)
    assert segment.rate_hz == 8000
    np.testing.assert_array_equal(recording.samples(1, segment), -np.arange(40.0))
    with pytest.raises(InputError, match="no channel 'u'; it has 1 u_v, 2 i_a"):
        recording.find("u")
    with pytest.raises(InputError, match="segment 1, expected 0 to 0"):
        recording.segment(1)


def comtrade_files(folder, encoding="gbk", rates=((4000, 40), (50, 44)), names=("母线_Ua", "Ib"), missing=-1):
    total = rates[-1][1]
    text = ["站,设备,1999", f"{len(names)},{len(names)}A,0D"]
    text += [f"{k + 1},{name},A,,{'V' if 'U' in name else 'A'},0.5,1.0,0,-32767,32767,1,1,S"
             for k, name in enumerate(names)]  # fmt: skip
    text += ["50", str(len(rates)), *(f"{rate},{last}" for rate, last in rates)]
    text += ["12/05/2023,19:45:25.603838", "12/05/2023,19:45:25.803774", "BINARY", "1.0"]
    (folder / "fault.cfg").write_bytes("\r\n".join(text).encode(encoding) + b"\r\n")
    row = np.dtype([("n", "<u4"), ("t", "<u4"), ("a", "<i2", len(names))])
    data = np.zeros(total, row)
    data["n"] = np.arange(1, total + 1)
    data["a"] = np.arange(total)[:, None]
    if missing >= 0:
        data["a"][missing] = -32768  # "missing" of IEEE C37.111-1999
    (folder / "fault.dat").write_bytes(data.tobytes())
    return folder / "fault.cfg"


@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "utf-8-sig"])
def test_comtrade_text_in_several_encodings_has_its_names_and_scale(encoding, tmp_path):
    recording = read_recording(comtrade_files(tmp_path, encoding))
    assert [channel.name for channel in recording.channels] == ["母线_Ua", "Ib"]
    wave = recording.samples(recording.find("母线_Ua"), recording.segment(0))
    np.testing.assert_allclose(wave, 0.5 * np.arange(40) + 1.0)  # a x + b of the configuration


def test_first_voltage_is_the_first_channel_in_volts(tmp_path):
    recording = read_recording(comtrade_files(tmp_path, names=("Ia", "Ib", "Ua")))
    assert recording.first_voltage() == 2


def test_decimated_segment_is_refused_and_the_good_ones_named(tmp_path):
    recording = read_recording(comtrade_files(tmp_path))
    with pytest.raises(InputError, match=r"segment 1 has 50 Hz, expected 1000 Hz or more.*will do: 0"):
        recording.segment(1)


def test_missing_comtrade_sample_is_named(tmp_path):
    recording = read_recording(comtrade_files(tmp_path, missing=6))
    with pytest.raises(InputError, match="sample 7, column Ib: nan"):
        recording.samples(1, recording.segment(0))


def test_truncated_or_missing_comtrade_data_is_refused(tmp_path):
    config = comtrade_files(tmp_path)
    data = tmp_path / "fault.dat"
    data.write_bytes(data.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"41 samples, but fault.cfg says 44; is the file truncated"):
        read_recording(config)
    data.unlink()
    with pytest.raises(InputError, match=r"fault.dat: no such file, but fault.cfg needs it"):
        read_recording(config)
    config.write_text("not comtrade\n")
    data.write_bytes(b"")
    with pytest.raises(InputError, match="not readable as COMTRADE"):
        read_recording(config)


@pytest.mark.parametrize("name", ["missing.csv", "notes.txt"])
def test_other_files_are_refused(name, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=r"no such file|expected .cfg"):
        read_recording(tmp_path / name)


@pytest.mark.parametrize("rate_hz", [1000.0, 3200.0, 4000.0, 7999.0, 12000.0, 30707.244140625, 48000.0])
def test_resampling_keeps_a_wave_of_80_percent_of_the_band(rate_hz):
    hz = 0.8 * min(rate_hz, 8000) / 2
    count = round(0.3 * rate_hz)
    found = resample(np.sin(2 * np.pi * hz * np.arange(count) / rate_hz + 0.3), rate_hz, 8000)
    assert len(found) == int((count - 1) * 8000 / rate_hz) + 1
    at_s = np.arange(len(found)) / 8000
    inside = slice(400, -400)  # point reflection is no continuation of so fast a wave
    # 1e-5 in the pass band; the rounded ratio moves the last sample by up to 0.3 s x 1e-7
    bound = 1e-5 + 0.3 * 1e-7 * 2 * np.pi * hz
    assert np.abs(found - np.sin(2 * np.pi * hz * at_s + 0.3))[inside].max() < bound


@pytest.mark.parametrize("rate_hz", [1000.0, 3200.0, 30707.244140625])
def test_resampling_does_not_ring_at_the_ends(rate_hz):
    count = round(0.2 * rate_hz)
    found = resample(np.cos(2 * np.pi * 50 * np.arange(count) / rate_hz), rate_hz, 8000)  # starts at its crest
    assert np.abs(found - np.cos(2 * np.pi * 50 * np.arange(len(found)) / 8000)).max() < 0.03


def test_resampling_to_the_same_rate_changes_nothing():
    wave = np.random.default_rng(1).normal(size=500)
    np.testing.assert_array_equal(resample(wave, 8000.0, 8000), wave)
