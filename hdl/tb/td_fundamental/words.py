"""Words of td_fundamental from the values of its model."""

from __future__ import annotations

from hdl.model_spectrum import Fundamental


def words_of(shown: Fundamental) -> list[int]:
    """Return the 32 words in which the values are read."""
    long = [half & 0xFFFFFFFF for value in (*shown.powers, *shown.energies) for half in (value, value >> 32)]
    return [*shown.rms, shown.windows, shown.period10, int(shown.locked), 0, *long]
