"""Functional coverage of a bench: which combinations of conditions its stimulus has met."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence


class Cross:
    """Every combination of the values of some axes, to be met at least once.

    Parameters
    ----------
    name : str
    impossible : callable, optional
        Gets the value of each axis by name and tells which combinations cannot be.
    axes : sequences
        The values of each axis, by name.
    """

    def __init__(self, name: str, impossible: Callable[..., bool] | None = None, **axes: Sequence[Hashable]):
        self.name = name
        self._axes = axes
        every = itertools.product(*axes.values())
        possible = [one for one in every if impossible is None or not impossible(**dict(zip(axes, one, strict=True)))]
        self.counts = dict.fromkeys(possible, 0)

    def hit(self, **values: Hashable) -> None:
        """Count a combination; KeyError for one that is outside the axes or was called impossible."""
        self.counts[tuple(values[axis] for axis in self._axes)] += 1

    def missing(self) -> list[dict[str, Hashable]]:
        """Return the combinations that were not met."""
        return [dict(zip(self._axes, one, strict=True)) for one, count in self.counts.items() if not count]

    def check(self) -> None:
        """Raise AssertionError naming what was not met."""
        missing = self.missing()
        assert not missing, f"{self.name}: {len(missing)} of {len(self.counts)} combinations not met: {missing[:10]}"
