"""Immunity tests as ready programs: the tables of IEC 61000-4-11 and SEMI F47."""

from __future__ import annotations

from dataclasses import dataclass

from hil.source.program import Program, interruption
from teiden.errors import InputError


@dataclass(frozen=True)
class DipTest:
    """One row of an immunity table.

    Parameters
    ----------
    name : str
        Standard, residual voltage and duration.
    residual_percent : float
        Voltage that remains, in percent of the nominal one.
    duration_s : float
        How long [s].
    """

    name: str
    residual_percent: float
    duration_s: float

    def program(self, nominal_v: float, hz: float, angle_deg: float | None = 0.0) -> Program:
        """Return the dip and the return of the supply, with a trigger-out pulse at the dip."""
        residual_v = nominal_v * self.residual_percent / 100
        return interruption(nominal_v, hz, residual_v, self.duration_s, angle_deg, off_s=0.0)


# IEC 61000-4-11:2020, tables 1 and 2: residual [%], cycles at 50 Hz, cycles at 60 Hz
_CLASS_2 = ((0.0, 0.5, 0.5), (0.0, 1.0, 1.0), (70.0, 25.0, 30.0), (0.0, 250.0, 300.0))
_CLASS_3 = (
    (0.0, 0.5, 0.5),
    (0.0, 1.0, 1.0),
    (40.0, 10.0, 12.0),
    (70.0, 25.0, 30.0),
    (80.0, 250.0, 300.0),
    (0.0, 250.0, 300.0),
)

# SEMI F47-0706, table 1: residual [%], duration [s]
_SEMI_F47 = ((50.0, 0.2), (70.0, 0.5), (80.0, 1.0))


def iec_61000_4_11(hz: float, environment: int = 3) -> tuple[DipTest, ...]:
    """Return the dips and the short interruption of IEC 61000-4-11 for class 2 or 3 and 50 or 60 Hz.

    Raises
    ------
    InputError
        For another frequency or class.
    """
    if hz not in (50, 60):
        raise InputError(f"hz = {hz:g}, expected 50 or 60 (IEC 61000-4-11 has durations for these)")
    if environment not in (2, 3):
        raise InputError(f"environment = {environment}, expected 2 or 3 (class X is agreed between the parties)")
    tests = []
    for residual, cycles_50, cycles_60 in _CLASS_2 if environment == 2 else _CLASS_3:
        cycles = cycles_50 if hz == 50 else cycles_60
        tests.append(DipTest(f"IEC 61000-4-11 {residual:g} %, {cycles:g} cycles", residual, cycles / hz))
    return tuple(tests)


def semi_f47() -> tuple[DipTest, ...]:
    """Return the dips of SEMI F47-0706; their durations do not depend on the frequency."""
    return tuple(DipTest(f"SEMI F47 {residual:g} %, {s:g} s", residual, s) for residual, s in _SEMI_F47)
