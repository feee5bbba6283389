"""Recordings: what is read, what is refused and with which words, and what resampling keeps."""

import re

import numpy as np
import pytest

from hil.recording import Channel, read_recording, resample
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
        (changed(9, "0.000875,1_0,1"), "line 9, column u_v: '1_0', expected a finite number"),
        (changed(9, "0.000875,7,５"), "line 9, column i_a: '５', expected a finite number"),
        (changed(9, '0.000875,7,"1'), "line 9, column i_a: '1\\n0.001000000,8,-8"),
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


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_csv_lines_may_end_as_on_any_system(newline, tmp_path):
    (tmp_path / "old.csv").write_bytes(newline.join(lines()).encode())
    np.testing.assert_array_equal(read_recording(tmp_path / "old.csv").values[1], -np.arange(40.0))


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


def comtrade_files(
    folder, encoding="gbk", rates=((4000, 40), (50, 44)), names=("母线_Ua", "Ib"), missing=-1, station="站,设备"
):
    total = rates[-1][1]
    text = [f"{station},1999", f"{len(names)},{len(names)}A,0D"]
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


def rewrite(config, **columns):
    """Change columns of the data that `comtrade_files` wrote."""
    row = np.dtype([("n", "<u4"), ("t", "<u4"), ("a", "<i2", 2)])
    data = np.frombuffer(config.with_suffix(".dat").read_bytes(), row).copy()
    for name, values in columns.items():
        data[name] = values
    config.with_suffix(".dat").write_bytes(data.tobytes())
    return config


def test_comtrade_samples_out_of_order_are_refused_within_a_segment_only(tmp_path):
    config = comtrade_files(tmp_path)  # 40 samples at 4 kHz, then 4 at 50 Hz
    count = np.arange(44)
    times = np.where(count < 40, 250 * count, 10**6 - 20_000 * (44 - count))
    for good in (
        times,
        0 * times,
        np.full(44, 0xFFFFFFFF),
        times // 1000,
        np.where(count < 40, times, times - 900_000),
    ):
        read_recording(rewrite(config, t=good))  # even, none, not known, in ms, a recorder that starts anew
    for k, step in ((7, -2000), (7, 5000), (39, 130)):
        with pytest.raises(
            InputError, match=rf"fault.dat: sample {k + 1} has time stamp .* expected times that increase"
        ):
            read_recording(rewrite(config, t=np.where(count == k, times + step, times)))
    rewrite(config, t=times)
    with pytest.raises(
        InputError, match=r"fault.dat: sample 12 has number 17 behind 11; expected numbers that count up"
    ):
        read_recording(rewrite(config, n=count + 1 + 5 * (count > 10)))
    read_recording(rewrite(config, n=np.where(count < 40, count, count - 40)))


def ascii_files(folder, changed=()):
    """Return a recording in ASCII of 6 samples, some lines of it replaced."""
    config = comtrade_files(folder, rates=((4000, 6),), names=("Ua", "Ib"))
    config.write_bytes(config.read_bytes().replace(b"BINARY", b"ASCII"))
    lines = [f"{k + 1},{250 * k},{k},{-k}" for k in range(6)]
    for place, line in changed:
        lines[place - 1] = line
    config.with_suffix(".dat").write_text("\r\n".join(lines) + "\r\n\x1a")
    return config


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("3,500,x,1", "sample 3, column Ua: 'x', expected a number"),
        ("3,500,1,", "sample 3, column Ib: '', expected a number"),
        ("3,500", "sample 3 has 2 values, expected 4; is the file truncated?"),
        ("3,100,1,1", "sample 3 has time stamp 100 behind 250"),
        ("3,500,99999,1", "sample 3, column Ua: nan"),  # missing, IEEE C37.111-1991
    ],
)
def test_bad_line_of_an_ascii_comtrade_is_named(line, said, tmp_path):
    config = ascii_files(tmp_path, [(3, line)])
    with pytest.raises(InputError, match=re.escape(said)):
        first_samples(config)


def first_samples(config):
    recording = read_recording(config)
    return recording.samples(0, recording.segment(0))


def test_ascii_comtrade_is_read(tmp_path):
    recording = read_recording(ascii_files(tmp_path))
    np.testing.assert_allclose(recording.samples(1, recording.segment(0)), 1 - 0.5 * np.arange(6))


@pytest.mark.parametrize(("config", "data"), [("a.CFG", "a.dat"), ("a.cfg", "a.DAT"), ("a.Cfg", "a.Dat")])
def test_data_file_is_found_in_any_case_of_its_suffix(config, data, tmp_path):
    comtrade_files(tmp_path).rename(tmp_path / config)
    (tmp_path / "fault.dat").rename(tmp_path / data)
    assert len(read_recording(tmp_path / config).values[0]) == 44


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("電圧Ａ相", "cp932"),
        ("母線電圧", "cp932"),
        ("Ｕ相電流", "cp932"),
        ("ﾃﾞﾝｱﾂ", "cp932"),
        ("母线电压Ua", "gbk"),
        ("Ⅰ段A相电流", "gbk"),
    ],
)
def test_code_pages_of_japan_and_china_are_told_apart(name, encoding, tmp_path):
    station = "站,设备" if encoding == "gbk" else "変電所,回線"
    recording = read_recording(comtrade_files(tmp_path, encoding, names=(name, "Ib"), station=station))
    assert recording.channels[0].name == name


def test_rate_that_is_no_number_and_unknown_file_type_are_refused(tmp_path):
    config = comtrade_files(tmp_path)
    good = config.read_bytes()
    config.write_bytes(good.replace(b"4000,40", b"nan,40"))
    with pytest.raises(InputError, match=r"fault.cfg: sampling rate nan Hz, expected a finite number"):
        read_recording(config)
    config.write_bytes(good.replace(b"BINARY", b"FLOAT64"))
    with pytest.raises(InputError, match=r"fault.cfg: data file type 'FLOAT64', expected ASCII, BINARY"):
        read_recording(config)


def test_units_have_a_factor_by_their_prefix_whose_case_counts():
    volts = {"V": 1, "v": 1, "volt": 1, "kV": 1e3, "KV": 1e3, "mV": 1e-3, "mv": 1e-3, "MV": 1e6, "uV": 1e-6, "": 1}
    amperes = {"A": 1, "kA": 1e3, "mA": 1e-3, "MA": 1e6, "ampere": 1, "µA": 1e-6, "": 1}
    for symbol, factors in (("V", volts), ("A", amperes)):
        assert {unit: Channel("x", unit).factor(symbol) for unit in factors} == factors
        for unit in ("pu", "k", "xV", "xA", "GV", "UV", "Hz", "VA", "A" if symbol == "V" else "V"):
            assert Channel("x", unit).factor(symbol) is None, unit


def with_units(folder, *units):
    """Write a COMTRADE recording of Ua and Ib in these units."""
    config = comtrade_files(folder, names=("Ua", "Ib"))
    text = config.read_bytes().decode("gbk")
    for unit, name, old in zip(units, ("Ua", "Ib"), "VA", strict=True):
        text = text.replace(f"{name},A,,{old},", f"{name},A,,{unit},")
    config.write_bytes(text.encode("gbk"))
    return config


def test_a_channel_in_other_units_is_refused_when_it_is_played_only(tmp_path):
    recording = read_recording(with_units(tmp_path, "MV", "xA"))
    assert recording.base_units(0, "V", "or else") == 1e6
    said = "fault.cfg: channel 2 Ib has the unit 'xA', expected A, kA, MA, mA, uA or none; or else"
    with pytest.raises(InputError, match=re.escape(said)):
        recording.base_units(1, "A", "or else")


@pytest.mark.parametrize(
    ("units", "place"), [(("Hz", "kV"), 1), (("A", "pu"), 1), (("A", ""), 1), (("pu", "MV"), 1), (("A", "Hz"), 0)]
)
def test_the_first_voltage_is_in_volts_else_of_nominal_else_without_a_unit(units, place, tmp_path):
    assert read_recording(with_units(tmp_path, *units)).first_voltage() == place


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
