"""Hold-up: what a meter's capacitor still holds when the mains dies, and for how long."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holdup_energy_nj(capacitance_f: ArrayLike, start_v: float, stop_v: float, efficiency: float) -> NDArray[np.int64]:
    """Return the usable energy between two capacitor voltages, E = C (V0**2 - V1**2) / 2 * eta.

    Parameters
    ----------
    capacitance_f : (N,) float
        Capacitance [F], already derated for age.
    start_v, stop_v : float
        Voltage when the mains is lost and at which the regulator drops out [V].
    efficiency : float
        Of the converter behind the capacitor.

    Returns
    -------
    (N,) int64
        Energy [nJ]; 0 where ``start_v <= stop_v``.
    """
    swing = max(start_v**2 - stop_v**2, 0.0)
    return np.rint(0.5e9 * efficiency * swing * np.asarray(capacitance_f, dtype=np.float64)).astype(np.int64)


def holdup_time_s(energy_nj: ArrayLike, load_mw: float) -> NDArray[np.float64]:
    """Return how long the energy [nJ] lasts at a constant load [mW], in seconds."""
    if load_mw <= 0:
        raise ValueError(f"load_mw = {load_mw:g}, expected above 0")
    return np.asarray(energy_nj, dtype=np.float64) / (load_mw * 1e6)
