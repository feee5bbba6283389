"""What a capacitor holds for the time after the mains has gone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from teiden.errors import InputError

RATED_YEARS = 10.0
"""Life at which FADE is reached; the verification life of a Japanese meter."""

FADE = 0.3
"""Share of the capacitance lost over the rated life: the end of an EDLC's life by IEC 62391-1."""


def capacitor_nj(
    farad: ArrayLike,
    from_v: ArrayLike,
    to_v: ArrayLike,
    *,
    age_years: ArrayLike = 0.0,
    fade: float = FADE,
    rated_years: float = RATED_YEARS,
    efficiency: float = 0.85,
) -> NDArray[np.int64]:
    """Return the energy a node can draw, C (V1**2 - V2**2) / 2 * efficiency, for `Mesh.power_off`.

    Parameters
    ----------
    farad : float or (N,) float
        Capacitance when new [F].
    from_v, to_v : float or (N,) float
        Voltage when the mains goes and at which the regulator drops out [V].
    age_years : float or (N,) float
        Age; the capacitance falls linearly, by ``fade`` in ``rated_years``, and not below 0 (assumed: linear).
    fade : float
        0 to 1.
    rated_years : float
        Above 0.
    efficiency : float
        Of the converter behind the capacitor, above 0 to 1 (DOMAIN 3.4: 0.85).

    Returns
    -------
    (N,) int64
        Energy [nJ], rounded to whole nanojoules; shape as broadcast.

    Raises
    ------
    InputError
        A value that is not finite or out of range; the message names it.
    """
    values = {"farad": farad, "from_v": from_v, "to_v": to_v, "age_years": age_years}
    given = {key: np.asarray(value, np.float64) for key, value in values.items()}
    for key, value in given.items():
        if not (np.isfinite(value) & (value >= 0)).all():
            raise InputError(f"{key} = {value[~(np.isfinite(value) & (value >= 0))].flat[0]:g}, expected 0 or more")
    if (given["to_v"] > given["from_v"]).any():
        raise InputError("to_v is above from_v, expected at most from_v: a capacitor is discharged from from_v to to_v")
    if not 0 <= fade <= 1 or not 0 < efficiency <= 1 or not rated_years > 0:
        raise InputError(f"fade = {fade}, efficiency = {efficiency}, rated_years = {rated_years}; "
                         "expected 0 to 1, above 0 to 1, above 0")  # fmt: skip
    left = np.maximum(1 - fade * given["age_years"] / rated_years, 0)
    swing = given["from_v"] ** 2 - given["to_v"] ** 2
    return np.asarray(np.rint(0.5e9 * efficiency * given["farad"] * left * swing), np.int64)
