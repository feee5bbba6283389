"""What a generation of meters can do: which series it keeps, for how long, and what each of them holds."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from teiden.errors import InputError
from twin.metering.calendar import DAY_NS
from twin.store.schema import HOUR_NS, INTERVAL_NS, Series

ENERGY = ("import_wh", "export_wh")
POWER = ("p_w", "q_var", "u_dv")
REGISTER = ("import_wh",)  # gas and water: litres


@dataclass(frozen=True)
class Kept:
    """How one series is kept.

    Attributes
    ----------
    columns : tuple of str
        What an entry holds, in the order it is sent.
    span_ns : int
        How far back the buffer reaches.
    """

    columns: tuple[str, ...]
    span_ns: int

    def slots(self, series: Series) -> int:
        """Return how many intervals the buffer holds."""
        return self.span_ns // INTERVAL_NS[series]


@dataclass(frozen=True)
class Profile:
    """A generation of meters.

    Attributes
    ----------
    name : str
    series : mapping of Series to Kept
    last_gasp : bool
        The meter tells of its loss of supply by itself.
    instantaneous : tuple of str
        What an on-demand read returns (R15).
    """

    name: str
    series: Mapping[Series, Kept]
    last_gasp: bool
    instantaneous: tuple[str, ...]

    def kept(self, series: Series) -> Kept:
        """Return how a series is kept; InputError if this generation does not measure it."""
        if series not in self.series:
            has = ", ".join(known.label for known in self.series)
            raise InputError(f"profile {self.name}: no series {Series(series).label}, expected one of {has}")
        return self.series[series]


_HALF_HOURS = Kept(ENERGY, 45 * DAY_NS)  # R13: 45 days, 2,160 slots
_GAS_WATER = {Series.GAS: Kept(REGISTER, 45 * DAY_NS), Series.WATER: Kept(REGISTER, 45 * DAY_NS)}  # assumed as R13
_NEXT = {
    Series.HALF_HOUR: _HALF_HOURS,  # R14: as long as billing needs; 45 days assumed
    Series.QUARTER_HOUR: Kept(ENERGY, 45 * DAY_NS),  # R9, R14; the same span, assumed
    Series.FIVE_MINUTE: Kept(POWER, 10 * DAY_NS),  # R10, R14: transfer within days and after a disaster; 10 assumed
    Series.ONE_MINUTE: Kept(ENERGY, HOUR_NS),  # R12: 60 minutes
    **_GAS_WATER,
}

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            # R13, R15: half hours for 45 days; P and V on demand. Gas and water came with the next generation (R39).
            Profile("present", {Series.HALF_HOUR: _HALF_HOURS}, False, ("p_w", "u_dv")),
            Profile("seed-2021", _NEXT, True, POWER),
            # DOMAIN 4.1: low-voltage Last Gasp passed over in 2021; P, Q and V kept down to the minute (電気新聞
            # 190338, which says so of 15 and 30 minutes too; there only energy is kept here).
            Profile("final-2022", {**_NEXT, Series.ONE_MINUTE: Kept(ENERGY + POWER, HOUR_NS)}, False, POWER),
        )
    }
)


def find_profile(name: str) -> Profile:
    """Return a profile by name; InputError lists the known ones."""
    if name in PROFILES:
        return PROFILES[name]
    near = difflib.get_close_matches(name, PROFILES, 1, 0.4)
    hint = f"; near: {near[0]}" if near else ""
    raise InputError(f"no profile {name!r}, expected one of {', '.join(PROFILES)}{hint}")
