"""COMTRADE files (IEEE C37.111-1999, ASCII data): one waveform and its marks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from teiden.errors import InputError
from teiden.files import write_text

STEPS = 99_990  # of the largest value: the standard's ASCII data are integers of -99999 to 99998
_START = "01/01/1970,00:00:00.000000"  # the bench knows no time of day; samples count from the trigger or the start


def write_comtrade(
    path: Path,
    volts: NDArray[np.float64],
    rate_hz: float,
    nominal_hz: float,
    marks: Sequence[tuple[str, int | None]],
    station: str,
) -> None:
    """Write a voltage as ``path`` (.cfg) and the .dat beside it.

    Parameters
    ----------
    path : Path
        The .cfg file.
    volts : (n,) float
        Samples [V].
    rate_hz, nominal_hz : float
        Sampling rate and nominal line frequency [Hz].
    marks : sequence of (str, int or None)
        Status channels: name and sample from which on it is 1; None for one that stays 0.
    station : str
        Name of the station, without commas.

    Raises
    ------
    InputError
        If there is no sample, one is not finite, or a name holds a comma.
    """
    names = [station, *(name for name, _ in marks)]
    if any("," in name or not name.isascii() for name in names):
        raise InputError(f"COMTRADE {path}: names {names}, expected ASCII without commas")
    if not volts.size or not np.all(np.isfinite(volts)):
        raise InputError(f"COMTRADE {path}: {volts.size} samples, expected 1 or more, all finite")
    scale = max(float(np.abs(volts).max()), math.ulp(1.0)) / STEPS
    values = np.rint(volts / scale).astype(int)
    lines = [
        f"{station},teiden,1999",
        f"{1 + len(marks)},1A,{len(marks)}D",
        f"1,U1,A,,V,{scale:.12g},0,0,{values.min()},{values.max()},1,1,P",
        *(f"{number},{name},,,0" for number, (name, _) in enumerate(marks, start=1)),
        f"{nominal_hz:g}",
        "1",
        f"{rate_hz:g},{volts.size}",
        _START,
        _START,
        "ASCII",
        "1",
    ]
    states = np.array([[at is not None and k >= at for _, at in marks] for k in range(volts.size)], int)
    data = [",".join(map(str, (k + 1, round(k * 1e6 / rate_hz), values[k], *states[k]))) for k in range(volts.size)]
    write_text(path, "\n".join(lines) + "\n")
    write_text(path.with_suffix(".dat"), "\n".join(data) + "\n")
