"""Pictures of the evidence: one waveform with its marks, and the spread of a value over the tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.study import pictures_style as style

HEIGHT_IN, HISTOGRAM_HEIGHT_IN = 2.6, 2.8
BINS = 40


def draw_waveform(
    path: Path,
    title: str,
    times_ms: NDArray[np.float64],
    volts: NDArray[np.float64],
    marks: Sequence[tuple[str, float]],
) -> None:
    """Draw a voltage over time as PNG, with the moments that were found in it.

    Parameters
    ----------
    path : Path
        Of the picture.
    title : str
        What it shows.
    times_ms, volts : (n,) float
        Time [ms] and voltage [V].
    marks : sequence of (str, float)
        Name and time [ms].
    """
    with style.styled():
        figure = style.new_figure(HEIGHT_IN)
        axes = figure.subplots()
        axes.plot(times_ms, volts, color=style.KNOWN, linewidth=1.0)
        axes.set_xlim(times_ms[0], times_ms[-1])
        style.mark_times(axes, [(at, name) for name, at in marks])
        axes.set_xlabel("Time [ms]")
        axes.set_ylabel("Voltage [V]")
        style.headline(figure, title)
        style.save(figure, path)


def draw_histogram(path: Path, title: str, unit: str, values: Sequence[float], limits: Sequence[float]) -> None:
    """Draw how often a value came out how large, as PNG, with its limits.

    Parameters
    ----------
    path : Path
        Of the picture.
    title : str
        What it shows.
    unit : str
        Of values and limits.
    values, limits : sequence of float
    """
    with style.styled():
        figure = style.new_figure(HISTOGRAM_HEIGHT_IN)
        axes = figure.subplots()
        drawn = [*values, *limits]  # bins of all of it, so that a bar can be seen
        ends = min(drawn), max(drawn)
        axes.hist(values, bins=BINS, range=ends, color=style.KNOWN, edgecolor="white", linewidth=0.5)
        axes.locator_params(axis="y", integer=True)
        for limit in limits:
            axes.axvline(limit, color=style.FAULT, linewidth=1.5)
        middle = sum(axes.get_xlim()) / 2
        for limit in limits:
            axes.text(limit, 1.0, f" limit {limit:g} {unit} ", color=style.FAULT, va="top",
                      ha="right" if limit > middle else "left", transform=axes.get_xaxis_transform())  # fmt: skip
        axes.set_xlabel(f"Value [{unit}]")
        axes.set_ylabel("Times")
        style.headline(figure, title)
        style.save(figure, path)
