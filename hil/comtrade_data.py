"""What a COMTRADE data file says beside its values: numbers and times of samples, and lines that are no good."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from teiden.errors import InputError

WIDTHS = {"BINARY": 2, "BINARY32": 4, "FLOAT32": 4}  # bytes of an analogue value, by file type
MISSING = 0xFFFFFFFF  # time stamp that says nothing, IEC 60255-24 (2013) 8.6
UNEVEN = 0.5  # of the usual step, and one unit of the stamp for its rounding


class Layout(NamedTuple):
    """How the configuration describes the data file."""

    kind: str  # ASCII, BINARY, BINARY32 or FLOAT32
    analogs: int
    statuses: int

    @property
    def row_bytes(self) -> int:
        """Bytes of a sample of a binary file."""
        return 8 + WIDTHS[self.kind] * self.analogs + 2 * math.ceil(self.statuses / 16)


def _lines(data: Path) -> list[bytes]:
    """Return the lines of an ASCII file without empty ones and the end-of-file mark of old systems."""
    return [line for line in data.read_bytes().splitlines() if line.strip(b" \t\x1a")]


def count_samples(data: Path, layout: Layout) -> int:
    """Return how many whole samples a data file has."""
    if layout.kind not in WIDTHS:
        return len(_lines(data))
    return data.stat().st_size // layout.row_bytes


def explain_ascii(data: Path, layout: Layout, names: list[str]) -> None:
    """Raise the first line of an ASCII file that is no good, with its place; return if there is none."""
    columns = ["sample number", "time", *names, *["status"] * layout.statuses]
    for number, line in enumerate(_lines(data), start=1):
        words = line.split(b",")
        if len(words) != len(columns):
            hint = "; is the file truncated?" if len(words) < len(columns) else ""
            raise InputError(f"{data}: sample {number} has {len(words)} values, expected {len(columns)}{hint}")
        for name, word in zip(columns, words, strict=True):
            text = word.decode("latin-1").strip()
            try:
                float(text or ("0" if name == "time" else ""))
            except ValueError:
                raise InputError(f"{data}: sample {number}, column {name}: {text!r}, expected a number") from None


def read_stamps(data: Path, layout: Layout, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return numbers and times of the first ``count`` samples, (count,) each; times that are left out as `MISSING`."""
    if layout.kind in WIDTHS:
        rows = np.fromfile(data, np.dtype((np.void, layout.row_bytes)), count)
        stamps = np.frombuffer(rows.tobytes(), np.uint8).reshape(count, -1)[:, :8].copy().view("<u4").astype(np.int64)
        return stamps[:, 0], stamps[:, 1]
    words = [line.split(b",", 2)[:2] for line in _lines(data)[:count]]
    numbers = np.array([int(float(number)) for number, _ in words], np.int64)
    return numbers, np.array([int(float(time)) if time.strip() else MISSING for _, time in words], np.int64)


def check_stamps(data: Path, layout: Layout, ends: list[int]) -> None:
    """Refuse samples that are out of order or leave a gap within a segment of constant rate.

    Parameters
    ----------
    data, layout
        The file.
    ends : list of int
        Where each segment ends, exclusive, in samples.

    Raises
    ------
    InputError
        Naming the sample whose number or time goes back or jumps. Times count only where they are there and not all
        the same: with a sampling rate in the configuration the standard leaves them open.
    """
    numbers, times = read_stamps(data, layout, ends[-1])
    for first, end in zip([0, *ends], ends, strict=False):
        steps = np.diff(numbers[first:end])
        for k in np.flatnonzero(steps != 1)[:1] if steps.any() else ():  # all alike: not numbered
            at = first + int(k) + 1
            raise InputError(
                f"{data}: sample {at + 1} has number {numbers[at]} behind {numbers[at - 1]}; expected numbers that "
                "count up by one within a segment of constant rate"
            )
        inside = times[first:end]
        if inside.size < 2 or (inside == MISSING).any() or (inside == inside[0]).all():
            continue
        steps = np.diff(inside)
        usual = float(np.median(steps))
        for k in np.flatnonzero((steps < 0) | (np.abs(steps - usual) > UNEVEN * usual + 1))[:1]:
            at = first + int(k) + 1
            raise InputError(
                f"{data}: sample {at + 1} has time stamp {times[at]} behind {times[at - 1]}, where the others are "
                f"{usual:g} apart; expected times that increase evenly within a segment of constant rate"
            )
