"""The record of one test, and what it can attach."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hdl.characterise import Dip, Reaction
from hil.evidence.comtrade_file import write_comtrade
from hil.evidence.measures import NOT_RUN, Measures
from hil.evidence.pictures import draw_waveform

WAVES = "waves"


@dataclass(frozen=True)
class Waveform:
    """A waveform that was kept: its title and its files inside the folder."""

    title: str
    picture: str
    comtrade: str


@dataclass
class TestRecord:
    """What is known of one test."""

    __test__ = False  # for pytest, which looks for classes of this name

    id: str
    title: str
    requirements: tuple[str, ...] = ()
    verdict: str = NOT_RUN
    why: str = ""
    measures: Measures = field(default_factory=Measures)
    waveforms: list[Waveform] = field(default_factory=list)
    reactions: list[tuple[Dip, Reaction]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values."""
        return {
            "id": self.id,
            "title": self.title,
            "requirements": list(self.requirements),
            "verdict": self.verdict,
            "why": self.why,
            "t0_source": None if (t0 := self.measures.t0) is None else t0.source,
            "t0_bound_us": None if t0 is None else t0.bound_ns / 1000,
            "measures": [vars(one) for one in self.measures.taken],
            "waveforms": [vars(one) for one in self.waveforms],
        }


class Attachments:
    """Keeps waveforms with the evidence of one test; the fixture ``attach``. Without a folder it keeps nothing.

    Parameters
    ----------
    record : TestRecord
    folder : Path or None
        The evidence folder being filled.
    """

    def __init__(self, record: TestRecord, folder: Path | None):
        self._record = record
        self._folder = folder

    def reaction(self, dip: Dip, reaction: Reaction) -> None:
        """Keep what the front-end made of a fall, for the table of its delays beside the evidence."""
        self._record.reactions.append((dip, reaction))

    def waveform(
        self,
        title: str,
        volts: NDArray[np.float64],
        rate_hz: float,
        nominal_hz: float,
        first: int,
        marks: Sequence[tuple[str, float | None]] = (),
    ) -> None:
        """Keep a voltage as COMTRADE and as a picture.

        Parameters
        ----------
        title : str
            What it shows.
        volts : (n,) float
            Samples [V].
        rate_hz, nominal_hz : float
            Sampling rate and line frequency [Hz].
        first : int
            Number of the first sample on the board's counter.
        marks : sequence of (str, float or None)
            Name and place on that counter of what was found; None for what did not come. The first that came is
            time 0 of the picture.
        """
        if self._folder is None:
            return
        (self._folder / WAVES).mkdir(exist_ok=True)
        slug = re.sub(r"[^A-Za-z0-9.]+", "_", f"{self._record.id.rpartition('::')[2]}_{len(self._record.waveforms)}")
        base = self._folder / WAVES / slug.strip("_")
        config, picture = base.with_name(f"{base.name}.cfg"), base.with_name(f"{base.name}.png")
        states = [(name, None if at is None else max(round(at) - first, 0)) for name, at in marks]
        write_comtrade(config, volts, rate_hz, nominal_hz, states, "Teiden bench")
        zero = next((at for _, at in marks if at is not None), float(first))
        to_ms = 1e3 / rate_hz
        times_ms = (first - zero + np.arange(volts.size, dtype=np.float64)) * to_ms
        shown = [(name, (at - zero) * to_ms) for name, at in marks if at is not None]
        draw_waveform(picture, title, times_ms, volts, [(_label(*mark), mark[1]) for mark in shown])
        inside = self._folder
        self._record.waveforms.append(
            Waveform(title, str(picture.relative_to(inside)), str(config.relative_to(inside)))
        )


def _label(name: str, at_ms: float) -> str:
    """Return what a mark of the picture says."""
    return f"{name} {at_ms:+.2f} ms" if at_ms else name
