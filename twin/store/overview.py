"""One series of a whole store as pictures: completeness over the age of a value, and where values were missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from teiden.errors import InputError
from twin.store.completeness import ages_ns, completeness, missing_map
from twin.store.pictures import draw_completeness, draw_missing_map
from twin.store.schema import INTERVAL_NS, SECOND_NS, Series
from twin.store.store import Store

AGES = 120  # steps of the curve, up to twice the age asked for


def draw_overview(store: Store, series: Series, out: Path, within_s: float, group_size: int) -> list[Path]:
    """Draw from the first to the last interval that the store holds, over the meters it has heard of.

    Parameters
    ----------
    store : Store
    series : Series
    out : Path
        Folder of the pictures.
    within_s : float
        Age by which a value should be there [s].
    group_size : int
        Meters of a group: so many neighbouring numbers.

    Returns
    -------
    list of Path
        in_time_<series>.png and missing_map_<series>.png.

    Raises
    ------
    InputError
        If the store holds nothing of the series.
    """
    readings = store.readings(series, -1, np.iinfo(np.int64).max)
    if not readings.num_rows:
        raise InputError(f"{store.root}: holds no {series.label} readings")
    meters = pc.unique(readings["meter"]).to_numpy()
    ends = pc.min_max(readings["interval_end_ns"]).as_py()
    from_ns, to_ns = ends["min"] - INTERVAL_NS[series], ends["max"]
    ages = ages_ns(readings, series, meters, from_ns, to_ns)
    group = meters // group_size
    curve, missing = out / f"in_time_{series.label}.png", out / f"missing_map_{series.label}.png"
    draw_completeness(completeness(ages, group, np.linspace(0, 2 * within_s, AGES + 1).tolist()), curve, within_s)
    where = missing_map(ages, group, series, from_ns, to_ns, round(within_s * SECOND_NS))
    draw_missing_map(where, missing, f"groups of {group_size} meters")
    return [curve, missing]
