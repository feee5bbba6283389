"""Recordings of voltage and current: COMTRADE and CSV in, one segment of constant rate out."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import comtrade
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv
from scipy.signal import firwin, resample_poly

from hil.comtrade_data import WIDTHS, Layout, check_stamps, count_samples, explain_ascii
from teiden.errors import InputError

# Recorders of East Asia write their own code pages. Either decodes most text of the other, to other characters: where
# both do, the one counts in which more characters are everyday ones.
EVERYDAY = {
    "gbk": (range(0xB0, 0xD8), range(0xA1, 0xFF)),  # lead and second bytes of GB 2312's first 3755 characters
    "cp932": (range(0x82, 0x98), range(0x40, 0xFD)),  # kana, full-width letters, the first 2965 kanji of JIS X 0208
}
# Units of COMTRADE (IEEE C37.111-1999, `uu` of an analogue channel): V and A behind a prefix whose case counts, m for a
# thousandth, M for a million. K and the words are what recorders write besides.
PREFIXES = {"": 1.0, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6}
NAMES = {"V": ("v", "volt", "volts"), "A": ("a", "amp", "amps", "ampere", "amperes")}
PER_UNIT = ("pu", "p.u.")
LEAST_RATE_HZ = 1000  # 20 samples a cycle at 50 Hz; below, a recorder has decimated to the line frequency
TIME = "t_s"
UNEVEN = 0.5  # of a sampling interval: rounding of a written time may shift it by less

TAPS_EACH_SIDE = 32  # zero crossings of the interpolating sinc
KAISER_BETA = 12.0  # stop band below -115 dB; flat to 88 % of half the lower rate
RATIO_ERROR = 1e-7  # of the time axis, that a short filter may cost
EDGE_SAMPLES = 64  # continued beyond the ends by point reflection


@dataclass(frozen=True)
class Channel:
    """One recorded quantity."""

    name: str
    unit: str  # as written in the file; empty if it says nothing

    def factor(self, symbol: str) -> float | None:
        """Return how many V or A (``symbol``) one of the file's units is, 1 if it says none; None for other units."""
        if not self.unit:
            return 1.0
        for name in NAMES[symbol]:
            prefix = self.unit[: -len(name)]
            if self.unit.lower().endswith(name) and prefix in PREFIXES:
                return PREFIXES[prefix]
        return None

    @property
    def per_unit(self) -> bool:
        """Whether it is written in units of a nominal value that the file does not tell."""
        return self.unit.lower() in PER_UNIT


@dataclass(frozen=True)
class Segment:
    """Samples ``first`` to ``last`` (exclusive) at one rate."""

    rate_hz: float
    first: int
    last: int

    @property
    def duration_s(self) -> float:
        """Return how long it lasts [s]."""
        return (self.last - self.first) / self.rate_hz


@dataclass(frozen=True)
class Recording:
    """A file in memory: channels (C), samples of all of them, segments of constant rate."""

    path: Path
    channels: tuple[Channel, ...]
    values: tuple[NDArray[np.float64], ...]  # one (n,) a channel, as scaled by the file
    segments: tuple[Segment, ...]
    where: str  # what counts the samples in messages: "line" of a CSV, "sample" of a COMTRADE file
    first_place: int  # number of the first sample in that count

    def find(self, wanted: str) -> int:
        """Return the place of a channel given by name, or by number from 1 when no name fits."""
        names = [channel.name for channel in self.channels]
        if wanted in names:
            if names.count(wanted) > 1:
                numbers = ", ".join(str(k + 1) for k, name in enumerate(names) if name == wanted)
                raise InputError(f"{self.path}: {len(numbers.split(','))} channels are called {wanted!r}; "
                                 f"give the number: {numbers}")  # fmt: skip
            return names.index(wanted)
        if wanted.isdecimal() and 1 <= int(wanted) <= len(names):
            return int(wanted) - 1
        known = ", ".join(f"{k + 1} {name}" for k, name in enumerate(names))
        raise InputError(f"{self.path}: no channel {wanted!r}; it has {known}")

    def first_voltage(self) -> int:
        """Return the place of the first channel in volts, else per unit, else without a unit, else the first."""
        for is_one in (
            lambda channel: channel.unit and channel.factor("V") is not None,
            lambda channel: channel.per_unit,
            lambda channel: not channel.unit,
        ):
            if found := [place for place, channel in enumerate(self.channels) if is_one(channel)]:
                return found[0]
        return 0

    def base_units(self, place: int, symbol: str, otherwise: str) -> float:
        """Return how many V or A one unit of a channel is.

        Parameters
        ----------
        place : int
            The channel's.
        symbol : str
            "V" or "A".
        otherwise : str
            What would do instead, for the message.

        Raises
        ------
        InputError
            If the channel is in other units, or with a prefix that is not known.
        """
        channel = self.channels[place]
        factor = channel.factor(symbol)
        if factor is None:
            allowed = ", ".join(f"{prefix}{symbol}" for prefix in ("", "k", "M", "m", "u"))
            raise InputError(
                f"{self.path}: channel {place + 1} {channel.name} has the unit {channel.unit!r}, expected {allowed} or "
                f"none; {otherwise}"
            )
        return factor

    def segment(self, number: int) -> Segment:
        """Return a segment, by number from 0; one whose rate is too low is refused."""
        if not 0 <= number < len(self.segments):
            listed = ", ".join(
                f"{k}: {one.rate_hz:g} Hz for {one.duration_s:.3f} s" for k, one in enumerate(self.segments)
            )
            raise InputError(f"{self.path}: segment {number}, expected 0 to {len(self.segments) - 1} ({listed})")
        chosen = self.segments[number]
        if chosen.rate_hz < LEAST_RATE_HZ:
            good = [str(k) for k, one in enumerate(self.segments) if one.rate_hz >= LEAST_RATE_HZ]
            raise InputError(
                f"{self.path}: segment {number} has {chosen.rate_hz:g} Hz, expected {LEAST_RATE_HZ} Hz or more: mains "
                f"waves cannot be rebuilt from it; segments that will do: {', '.join(good) or 'none'}"
            )
        return chosen

    def samples(self, channel: int, segment: Segment) -> NDArray[np.float64]:
        """Return one channel of one segment, (n,); a missing value is refused with its place."""
        wave = self.values[channel][segment.first : segment.last]
        bad = np.flatnonzero(~np.isfinite(wave))
        if bad.size:
            place = self.first_place + segment.first + int(bad[0])
            raise InputError(
                f"{self.path}: {self.where} {place}, column {self.channels[channel].name}: {wave[bad[0]]}, expected a "
                f"finite number ({bad.size} such values)"
            )
        return wave


def read_recording(path: Path) -> Recording:
    """Read a COMTRADE (.cfg with its .dat) or CSV file, told apart by the suffix."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.suffix.lower() == ".cfg":
        return _read_comtrade(path)
    if path.suffix.lower() == ".csv":
        return _read_csv(path)
    raise InputError(f"{path}: suffix {path.suffix!r}, expected .cfg (COMTRADE, with its .dat beside it) or .csv")


def resample(wave: NDArray[np.float64], from_hz: float, to_hz: float) -> NDArray[np.float64]:
    """Return a wave at another rate, first sample at the same instant, none beyond the last.

    Band-limited polyphase interpolation, flat within 1e-5 to 80 % of half the lower rate. The ratio of
    the rates is rounded to a fraction of two integers: by less than 1e-7, near 1 by less than 5e-6.

    Parameters
    ----------
    wave : (n,) float64
    from_hz, to_hz : float
        Rates [Hz].

    Returns
    -------
    (m,) float64
        m = floor((n - 1) to_hz / from_hz) + 1.
    """
    exact = Fraction(to_hz) / Fraction(from_hz)
    ratio = exact.limit_denominator(2000)
    if abs(ratio - exact) > exact * RATIO_ERROR:
        ratio = exact.limit_denominator(100_000)
    up, down = ratio.numerator, ratio.denominator
    if up == down:
        return wave
    longest = max(up, down)
    taps = firwin(2 * TAPS_EACH_SIDE * longest + 1, 1 / longest, window=("kaiser", KAISER_BETA))
    # A point reflection keeps value and slope at the ends, where zeros would ring. The zeros in front of
    # it put the first sample on the output's grid; they are out of the filter's reach.
    edge = min(EDGE_SAMPLES * math.ceil(longest / up), wave.size - 1)
    lead = -edge % down
    padded = np.concatenate([np.zeros(lead), np.pad(wave, edge, mode="reflect", reflect_type="odd")])
    first = (lead + edge) // down * up
    count = (wave.size - 1) * up // down + 1
    return np.asarray(resample_poly(padded, up, down, window=taps)[first : first + count])


# ---- COMTRADE -----------------------------------------------------------------------------------------


def _read_comtrade(path: Path) -> Recording:
    encoding = _encoding_of(path.read_bytes())
    data = data_beside(path)
    config = comtrade.Cfg(ignore_warnings=True)
    reader = comtrade.Comtrade(ignore_warnings=True, use_numpy_arrays=True, use_double_precision=True)
    try:  # the package lets ValueError, IndexError and others of its parser through
        config.load(str(path), encoding=encoding)
    except Exception as error:
        raise InputError(f"{path}: not readable as COMTRADE ({type(error).__name__}: {error})") from error
    if config.ft.upper() not in ("ASCII", *WIDTHS):
        raise InputError(f"{path}: data file type {config.ft!r}, expected ASCII, {', '.join(WIDTHS)}")
    try:
        reader.load(str(path), str(data), encoding=encoding)
    except Exception as error:
        if config.ft.upper() == "ASCII":
            explain_ascii(data, _layout(config), [channel.name for channel in config.analog_channels])
        raise InputError(f"{data}: not readable as COMTRADE ({type(error).__name__}: {error})") from error
    if not reader.cfg.analog_channels:
        raise InputError(f"{path}: no analogue channel")
    segments = _rate_segments(path, reader)
    layout, expected = _layout(config), segments[-1].last
    there = count_samples(data, layout)
    if there < expected:
        raise InputError(f"{data}: {there} samples, but {path.name} says {expected}; is the file truncated?")
    check_stamps(data, layout, [segment.last for segment in segments])
    return Recording(
        path,
        tuple(Channel(one.name.strip(), (one.uu or "").strip()) for one in reader.cfg.analog_channels),
        tuple(np.asarray(one, np.float64) for one in reader.analog),
        segments,
        "sample",
        1,
    )


def data_beside(path: Path) -> Path:
    """Return the data file of a configuration: the same name with .dat, in any case, the same case first."""
    data = path.with_suffix(".DAT" if path.suffix.isupper() else ".dat")
    if data.is_file():
        return data
    others = [one for one in path.parent.iterdir() if one.stem == path.stem and one.suffix.lower() == ".dat"]
    if len(others) != 1:
        raise InputError(f"{data}: no such file, but {path.name} needs it beside it")
    return others[0]


def _layout(config: comtrade.Cfg) -> Layout:
    return Layout(config.ft.upper(), config.analog_count, config.status_count)


def _rate_segments(path: Path, reader: comtrade.Comtrade) -> tuple[Segment, ...]:
    found: list[Segment] = []
    first = 0
    for rate_hz, last in reader.cfg.sample_rates:
        if not math.isfinite(rate_hz):
            raise InputError(f"{path}: sampling rate {rate_hz:g} Hz, expected a finite number")
        if rate_hz <= 0:
            raise InputError(f"{path}: no sampling rate, only time stamps; expected segments of constant rate")
        if last <= first:
            raise InputError(f"{path}: a segment of {rate_hz:g} Hz ends at sample {last}, expected above {first}")
        found.append(Segment(float(rate_hz), first, int(last)))
        first = int(last)
    return tuple(found)


# ---- CSV ------------------------------------------------------------------------------------------------


def _read_csv(path: Path) -> Recording:
    raw = path.read_bytes()
    text = raw.decode(_encoding_of(raw)).replace("\r\n", "\n").replace("\r", "\n").rstrip() + "\n"
    try:
        names = [name.strip() for name in next(csv.reader(io.StringIO(text)), [])]
    except csv.Error as error:
        raise InputError(f"{path}: line 1: {error}; is it a CSV file?") from error
    if TIME not in names:
        raise InputError(f"{path}: no column {TIME}; it has {', '.join(names) or 'nothing'}")
    if len(names) < 2:
        raise InputError(f"{path}: only a column {TIME}, expected one more for each channel")
    if len(set(names)) < len(names):
        raise InputError(f"{path}: two columns of one name in {', '.join(names)}")
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(text.encode()),
            read_options=arrow_csv.ReadOptions(column_names=names, skip_rows=1),
            parse_options=arrow_csv.ParseOptions(ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64())),
        )
    except pa.ArrowInvalid as error:
        _explain(path, text, names)
        raise InputError(f"{path}: {error}") from error
    columns = {name: np.asarray(table[name].to_numpy(), np.float64) for name in names}
    if any(not np.isfinite(column).all() for column in columns.values()):
        _explain(path, text, names)
    time_s = columns.pop(TIME)
    rate_hz = _rate_of(path, time_s)
    return Recording(
        path,
        tuple(Channel(name, "") for name in columns),
        tuple(columns.values()),
        (Segment(rate_hz, 0, time_s.size),),
        "line",
        2,
    )


def _explain(path: Path, text: str, names: Sequence[str]) -> None:
    """Raise the first problem of the lines with its place, slowly; return if there is none."""
    for line, row in enumerate(csv.reader(io.StringIO(text)), start=1):
        if line == 1:
            continue
        if len(row) != len(names):
            hint = "; is the file truncated?" if len(row) < len(names) else ""
            raise InputError(f"{path}: line {line} has {len(row)} values, expected {len(names)}{hint}")
        for name, word in zip(names, row, strict=True):
            if not _is_number(word):
                said = repr(word.strip()[:40])
                raise InputError(f"{path}: line {line}, column {name}: {said}, expected a finite number")


def _is_number(word: str) -> bool:
    """Return whether a word is a finite number in plain digits."""
    try:
        return word.isascii() and "_" not in word and math.isfinite(float(word))
    except ValueError:
        return False


def _rate_of(path: Path, time_s: NDArray[np.float64]) -> float:
    """Return the one rate of a time column [Hz]; refuse one that goes back, jumps or changes its step."""
    if time_s.size < 2:
        raise InputError(f"{path}: {time_s.size} samples, expected at least 2")
    steps = np.diff(time_s)
    back = np.flatnonzero(steps <= 0)
    if back.size:
        k = int(back[0])
        raise InputError(
            f"{path}: line {k + 3}: {TIME} = {time_s[k + 1]:.9g} follows {time_s[k]:.9g}, expected times that increase"
        )
    usual = float(np.median(steps))
    odd = np.flatnonzero(np.abs(steps - usual) > UNEVEN * usual)
    if odd.size:
        k = int(odd[0])
        raise InputError(
            f"{path}: line {k + 3}: a step of {steps[k]:.6g} s where the others are {usual:.6g} s; expected one "
            "constant rate without gaps: keep one segment a file"
        )
    return _tidy((time_s.size - 1) / float(time_s[-1] - time_s[0]))


def _tidy(rate_hz: float) -> float:
    """Return the whole number of hertz that written times were rounded from, if one is that near."""
    whole = round(rate_hz)
    return float(whole) if whole and abs(rate_hz / whole - 1) < 1e-6 else rate_hz


def _encoding_of(raw: bytes) -> str:
    """Return utf-8-sig if it fits, else GBK or CP932, else latin-1, which takes any byte."""
    if _decodes(raw, "utf-8-sig"):
        return "utf-8-sig"
    fitting = [encoding for encoding in EVERYDAY if _decodes(raw, encoding)]
    return max(fitting, key=lambda encoding: _everyday_share(raw, encoding), default="latin-1")


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _everyday_share(raw: bytes, encoding: str) -> float:
    """Return which share of the characters outside ASCII are everyday ones of an encoding that fits."""
    leads, seconds = EVERYDAY[encoding]
    wide = [one.encode(encoding) for one in raw.decode(encoding) if ord(one) > 0x7F]
    everyday = [one for one in wide if len(one) == 2 and one[0] in leads and one[1] in seconds]
    return len(everyday) / len(wide)
