"""What hangs on the simulated source's terminals, the source's own impedance, and its protection."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_AVERAGE_S = 0.02  # time constant of the RMS current detector; assumed: one cycle
_FOLD_BACK = 0.05  # part of the excess that the current limit takes away at a sample; assumed


@dataclass(frozen=True)
class RectifierLoad:
    """A bridge rectifier with a bulk capacitor and a constant-power load: a meter's supply, or many.

    Parameters
    ----------
    capacitance_f : float
        Bulk capacitance [F].
    power_w : float
        Power drawn from the capacitor [W]; below `dropout_v` nothing is drawn.
    series_ohm : float
        Resistance from terminals to capacitor [ohm].
    diode_v : float
        Voltage across the two conducting diodes [V].
    dropout_v : float
        Voltage of the capacitor below which the load is off [V].
    """

    capacitance_f: float
    power_w: float
    series_ohm: float = 1.0
    diode_v: float = 1.4
    dropout_v: float = 20.0


@dataclass(frozen=True)
class Impedance:
    """Output impedance of the source: resistance [ohm] and inductance [H] in series."""

    ohm: float = 0.0
    henry: float = 0.0


@dataclass
class Protection:
    """Limits of the output and what they did; `tripped` stays until cleared.

    Parameters
    ----------
    peak_v : float
        Voltage at the terminals above which the output trips [V].
    rms_a, peak_a : float
        Current limits [A]. The peak is clipped; the RMS is folded back, or trips with `trip_on_current`.
    trip_on_current : bool
        Whether an RMS current above the limit trips the output.
    """

    peak_v: float = math.inf
    rms_a: float = math.inf
    peak_a: float = math.inf
    trip_on_current: bool = False
    tripped: str = ""
    limiting: bool = False

    def clear(self) -> None:
        """Forget a trip; the output stays off until it is commanded on."""
        self.tripped = ""


class Terminals:
    """Voltage and current at the terminals, sample by sample, from the voltage behind the impedance.

    The load is solved by the implicit Euler rule at each sample, so it is stable at any rate; what happens within a
    sample is not resolved. Plain arithmetic only: the same bits on every CPU.

    Parameters
    ----------
    load : RectifierLoad or None
        None for open terminals.
    impedance : Impedance
        The source's own.
    protection : Protection
        Its limits, read at each sample.
    """

    def __init__(self, load: RectifierLoad | None, impedance: Impedance, protection: Protection):
        self._load = load
        self._impedance = impedance
        self._protection = protection
        self._capacitor_v = 0.0
        self._current_a = 0.0  # into the rectifier, with its sign at the terminals
        self._mean_square = 0.0
        self._gain = 1.0

    def play(self, emf: NDArray[np.float64], step_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
        """Return voltage and current at the terminals and how many samples came before the output tripped.

        Parameters
        ----------
        emf : (n,) float64
            Voltage behind the impedance [V].
        step_s : float
            Time between samples [s].

        Returns
        -------
        volts, amps : (n,) float64
            At the terminals [V], [A].
        good : int
            n, or the number of the sample at which `Protection.tripped` was set.
        """
        watched = not self._protection.tripped
        if self._load is None:
            amps = np.zeros(emf.size)
            over = np.flatnonzero(np.abs(emf) > self._protection.peak_v)
            if not (watched and over.size):
                return emf, amps, emf.size
            self._protection.tripped = "over-voltage"
            return emf, amps, int(over[0])
        volts, amps = np.empty(emf.size), np.empty(emf.size)
        for index, value in enumerate(emf.tolist()):
            volts[index], amps[index] = self._sample(value, step_s, self._load)
            if watched and self._trips(float(volts[index])):
                return volts, amps, index
        return volts, amps, emf.size

    def _sample(self, emf: float, step_s: float, load: RectifierLoad) -> tuple[float, float]:
        protection, source = self._protection, self._impedance
        emf *= self._gain
        sign = 1.0 if emf >= 0 else -1.0
        drawn_a = load.power_w / self._capacitor_v if self._capacitor_v > load.dropout_v else 0.0
        # implicit: v_c' = v_c + (i - drawn) T / C and i' (R + r + L/T) = |e| - diodes - v_c' + i L/T
        inertia = source.henry / step_s
        flowing_a = max(0.0, sign * self._current_a)
        stiffness = source.ohm + load.series_ohm + inertia + step_s / load.capacitance_f
        settled_v = self._capacitor_v - drawn_a * step_s / load.capacitance_f
        current_a = max(0.0, (abs(emf) - load.diode_v - settled_v + inertia * flowing_a) / stiffness)
        current_a = min(current_a, protection.peak_a)
        self._capacitor_v = max(0.0, settled_v + current_a * step_s / load.capacitance_f)
        self._current_a = sign * current_a
        self._limit(current_a, step_s)
        if current_a >= protection.peak_a:  # the limit lowers the terminals to what lets just this current through
            return sign * (self._capacitor_v + load.diode_v + load.series_ohm * current_a), self._current_a
        return emf - sign * (source.ohm * current_a + inertia * (current_a - flowing_a)), self._current_a

    def _limit(self, current_a: float, step_s: float) -> None:
        """Fold the voltage back while the RMS current is above its limit, and let it recover below."""
        share = step_s / (step_s + _AVERAGE_S)
        self._mean_square += share * (current_a * current_a - self._mean_square)
        limit = self._protection.rms_a**2
        self._protection.limiting = self._mean_square > limit
        if self._protection.trip_on_current:
            return
        if self._protection.limiting:
            self._gain *= 1 - _FOLD_BACK * (1 - limit / self._mean_square)
        else:
            self._gain = min(1.0, self._gain + share * (1 - self._gain))

    def _trips(self, volts: float) -> bool:
        protection = self._protection
        if abs(volts) > protection.peak_v:
            protection.tripped = "over-voltage"
        elif protection.trip_on_current and protection.limiting:
            protection.tripped = "over-current"
        return bool(protection.tripped)
