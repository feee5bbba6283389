"""Volts, hertz and samples on one side, ADC codes and register values on the other.

The ADC gives 24-bit codes; 100 V RMS (141.42 V peak) is code 2**22, so full scale is twice that. The
current's full scale follows from the largest RMS current, which has a fifth of headroom.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

SAMPLE_RATE_HZ = 8000
CODE_BITS = 24
CODE_MIN, CODE_MAX = -(1 << (CODE_BITS - 1)), (1 << (CODE_BITS - 1)) - 1
CODES_PER_VOLT = (1 << 22) / (100.0 * math.sqrt(2.0))
FULL_SCALE_V = (1 << 23) / CODES_PER_VOLT  # 282.84 V
CURRENT_HEADROOM = 1.2  # assumed: room for harmonics above the largest current
ENERGY_STEP, RUN_STEP = 1 << 16, 1 << 8  # squared codes x sample, of the energy registers and of E_RUN
RMS_STEPS_PER_CODE = 16  # 4 fraction bits
FRACTION_STEPS = 1 << 16  # of a sample
DETECTOR_SHIFT = 6  # the detector sees the top 18 of 24 bits


def codes_per_amp(max_a: float) -> float:
    """Return ADC codes per ampere for a largest RMS current [A]: its peak is at 1/1.2 of full scale."""
    return (1 << 23) / (CURRENT_HEADROOM * max_a * math.sqrt(2.0))


def codes_from_amps(amps: npt.ArrayLike, max_a: float) -> tuple[npt.NDArray[np.int32], bool]:
    """Convert currents [A] to ADC codes as `codes_from_volts` does voltages."""
    return codes_from_volts(np.asarray(amps, np.float64) * (codes_per_amp(max_a) / CODES_PER_VOLT))


def signed_64(low: int, high: int) -> int:
    """Return the signed number that two words hold."""
    value = low | high << 32
    return value - (1 << 64) if value >> 63 else value


def codes_from_volts(volts: npt.ArrayLike) -> tuple[npt.NDArray[np.int32], bool]:
    """Convert voltages to ADC codes, limited at the rails as the ADC does.

    Parameters
    ----------
    volts : (n,) float
        Instantaneous voltage [V].

    Returns
    -------
    codes : (n,) int32
        Nearest code.
    saturated : bool
        Whether a voltage was beyond the rails. The front-end's own flag is set by any code *on* a rail.

    Raises
    ------
    ValueError
        If a voltage is not a number; the message names the first.
    """
    values = np.asarray(volts, np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise ValueError(f"volts[{bad[0]}] = {values.flat[bad[0]]}, expected a finite voltage ({bad.size} such values)")
    exact = np.rint(values * CODES_PER_VOLT)
    limited = np.clip(exact, CODE_MIN, CODE_MAX)
    return limited.astype(np.int32), bool(np.any(limited != exact))


def volts_from_codes(codes: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the voltage [V] of ADC codes, same shape."""
    return np.asarray(codes, np.float64) / CODES_PER_VOLT


def volts_from_rms(register: int) -> float:
    """Return the RMS voltage [V] of a register in 1/16 code."""
    return register / (RMS_STEPS_PER_CODE * CODES_PER_VOLT)


def rms_from_volts(volts: float) -> int:
    """Return the register value, 1/16 code, nearest to an RMS voltage [V]."""
    return round(volts * RMS_STEPS_PER_CODE * CODES_PER_VOLT)


def hertz_from_period10(register: int, sample_rate_hz: float = SAMPLE_RATE_HZ) -> float:
    """Return the frequency [Hz] from the length of ten cycles, or nan for 0 (not measured yet)."""
    return 10 * sample_rate_hz * FRACTION_STEPS / register if register else math.nan


def quadrature_gain(nominal_hz: float, sample_rate_hz: float = SAMPLE_RATE_HZ) -> int:
    """Return K = round(256 cot(2 pi f0 / fs)) of the envelope: 6516 at 50 Hz, 5428 at 60 Hz."""
    return round(256 / math.tan(2 * math.pi * nominal_hz / sample_rate_hz))


def nominal_envelope(nominal_hz: float, nominal_v: float, sample_rate_hz: float = SAMPLE_RATE_HZ) -> float:
    """Return the envelope of a sine of nominal voltage, (2 cos(w) peak)**2 / 256 with w = 2 pi f0 / fs."""
    peak = nominal_v * math.sqrt(2.0) * CODES_PER_VOLT / (1 << DETECTOR_SHIFT)
    return (2 * math.cos(2 * math.pi * nominal_hz / sample_rate_hz) * peak) ** 2 / 256
