"""The output stage: what the terminals carry as a function of time, between one change and the next."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hil.source.waveform import TURN, Shape, decay, sine

_CHUNK = 32768  # samples rendered at once: the work arrays stay in the cache


class OutputStage:
    """DDS, level ramp, relay and first-order amplifier.

    The reference phase runs through every change; the output's phase is the reference plus `offset`. A jump of
    the terminal voltage, whatever its cause, is followed exponentially with the time constant `fall_ns`; the
    steady-state error of such an amplifier is taken as calibrated out.

    Parameters
    ----------
    fall_ns : int
        Time constant of the amplifier.
    frequency_uhz : int
        Frequency at time 0 [µHz].
    """

    def __init__(self, fall_ns: int, frequency_uhz: int):
        self._fall_ns = fall_ns
        self._anchor_ns = 0
        self._phase = 0
        self._frequency_uhz = frequency_uhz
        self._offset = 0
        self._shape: Shape = sine()
        self._ramp_ns = 0
        self._from_v = 0.0
        self._to_v = 0.0
        self._slew_v_per_s = math.inf
        self._closed = False
        self._jump_ns = 0
        self._jump_v = 0.0

    @property
    def anchor_ns(self) -> int:
        """Time of the last change; the reference phase is known from here on."""
        return self._anchor_ns

    def reference_phase(self, t_ns: int) -> int:
        """Return the reference phase at a time since the last change, exact [1e-15 turn]."""
        return (self._phase + self._frequency_uhz * (t_ns - self._anchor_ns)) % TURN

    def crossing_ns(self, t_ns: int, angle: int, update_ns: int) -> int:
        """Return the first update tick at or after `t_ns` at which the reference has reached an angle."""
        start = _ceil(t_ns, update_ns)
        missing = (angle - self.reference_phase(start)) % TURN
        return _ceil(start - (-missing // self._frequency_uhz), update_ns)

    def volts(self, times_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the voltage at ascending times, none before the last change [V]."""
        volts = np.empty(times_ns.size)
        start = 0
        while start < times_ns.size:
            # frequency times time stays inside 63 bits within one chunk
            latest = int(times_ns[start]) + (2**63 - 1 - 2 * TURN) // self._frequency_uhz
            stop = min(start + _CHUNK, int(np.searchsorted(times_ns, latest, side="right")))
            volts[start:stop] = self._render(times_ns[start:stop])
            start = stop
        return volts

    def change(
        self,
        t_ns: int,
        *,
        voltage_v: float | None = None,
        slew_v_per_s: float = math.inf,
        frequency_uhz: int | None = None,
        offset: int | None = None,
        shape: Shape | None = None,
        closed: bool | None = None,
    ) -> None:
        """Change the output at a time not before the last change; what is None stays."""
        here = np.array([t_ns], dtype=np.int64)
        before_v = float(self._render(here)[0])
        level_v = float(self._level(here)[0])
        self._phase, self._anchor_ns = self.reference_phase(t_ns), t_ns
        if voltage_v is not None:
            self._ramp_ns, self._from_v, self._to_v, self._slew_v_per_s = t_ns, level_v, voltage_v, slew_v_per_s
        if frequency_uhz is not None:
            self._frequency_uhz = frequency_uhz
        if offset is not None:
            self._offset = offset
        if shape is not None:
            self._shape = shape
        if closed is not None:
            self._closed = closed
        self._jump_ns, self._jump_v = t_ns, 0.0
        self._jump_v = before_v - float(self._render(here)[0])

    def _level(self, times_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the set RMS level on its way along the ramp [V]."""
        if math.isinf(self._slew_v_per_s):
            return np.full(times_ns.size, self._to_v)
        moved_v = (times_ns - self._ramp_ns) * (self._slew_v_per_s * 1e-9)
        if self._to_v >= self._from_v:
            return np.minimum(self._from_v + moved_v, self._to_v)
        return np.maximum(self._from_v - moved_v, self._to_v)

    def _render(self, times_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the voltage at a few times that fit one chunk [V]."""
        if self._closed:
            base = self.reference_phase(int(times_ns[0])) + self._offset
            phase = (base + self._frequency_uhz * (times_ns - times_ns[0])) % TURN
            volts = self._level(times_ns) * self._shape.at(phase)
        else:
            volts = np.zeros(times_ns.size)
        if self._jump_v:
            volts += self._jump_v * decay(times_ns - self._jump_ns, self._fall_ns)
        return volts


def _ceil(t_ns: int, step_ns: int) -> int:
    """Return the first multiple of a step at or after a time."""
    return -(-t_ns // step_ns) * step_ns
