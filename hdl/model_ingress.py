"""Bit-exact model of the sigma-delta path: sinc, droop correction, half-bands (td_decimate).

Written from the definition of the filters as sums over past samples, not as the integrators and
differences of the RTL. Arrays are whole records, so that seconds of bits take seconds.

The coefficients: both half-bands are minimax over 0 to 2.6 kHz (40 x 65 Hz) in double precision,
rounded to 18 fraction bits, the tap beside the middle so that the sum is exact. The droop filter
is then minimax for the product of everything over the same band.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FAST_HZ, SLOW_HZ = 32000, 8000
CODE_MIN, CODE_MAX = -(1 << 23), (1 << 23) - 1
CLIP_CODE = 0x7C0000  # 31/32 of full scale


class Filter(NamedTuple):
    """Symmetric filter: taps from one end to the middle, in units of 2**-bits."""

    half: tuple[int, ...]
    bits: int
    step: int  # decimation

    @property
    def taps(self) -> Codes:
        """All taps, (n,)."""
        return np.array([*self.half, *self.half[-2::-1]], np.int64)


DROOP = Filter((2689, -27141, 179976), 17, 1)
FIRST = Filter((-499, 0, 3922, 0, -16981, 0, 79094, 131072), 18, 2)
SECOND = Filter((-50, 0, 275, 0, -922, 0, 2414, 0, -5421, 0, 11264, 0, -24191, 0, 82167, 131072), 18, 2)
CHAIN = (DROOP, FIRST, SECOND)


def sinc3(bits: npt.ArrayLike, oversampling: int = 256) -> Codes:
    """Return one sample per whole group of bits, (n // oversampling,), and limit it as td_sinc3 does.

    Parameters
    ----------
    bits : (n,) integers
        0 or 1, the first one after reset first.
    """
    signs = 2 * np.asarray(bits, np.int64) - 1
    groups = signs.size // oversampling
    kernel = np.ones(1, np.int64)
    for _ in range(3):
        kernel = np.convolve(kernel, np.ones(oversampling, np.int64))
    padded = np.concatenate([np.zeros(kernel.size + 2, np.int64), signs])  # nothing before reset
    sums = np.empty(groups, np.int64)
    for k in range(groups):
        end = kernel.size + 2 + (k + 1) * oversampling - 2  # two bits still wait in the integrators
        sums[k] = kernel @ padded[end - kernel.size : end]
    shift = 3 * (oversampling.bit_length() - 1) - 23
    scaled = sums << -shift if shift <= 0 else sums + (1 << shift - 1) >> shift
    return np.minimum(scaled, CODE_MAX)


def clipped(sums: Codes) -> npt.NDArray[np.bool_]:
    """Return which samples behind the sinc lie beyond the range of a modulator, (n,)."""
    return np.abs(sums) > CLIP_CODE


def filtered(samples: Codes, kind: Filter, start: int) -> Codes:
    """Return what one filter makes of samples behind a cleared memory; ``start``: place of its first output."""
    taps = kind.taps
    padded = np.concatenate([np.zeros(taps.size - 1, np.int64), np.asarray(samples, np.int64)])
    sums = np.convolve(padded, taps, "valid")[start :: kind.step]
    return np.clip(sums + (1 << kind.bits - 1) >> kind.bits, CODE_MIN, CODE_MAX)


def half_bands(fast: Codes) -> Codes:
    """Return the 8 kS/s samples of 32 kS/s ones, (n // 4,)."""
    return filtered(filtered(filtered(fast, DROOP, 0), FIRST, 1), SECOND, 1)


class Decimated(NamedTuple):
    """What td_decimate shows of one channel with each of its outputs."""

    slow: Codes  # 8 kS/s, behind everything
    fast: Codes  # newest sample behind the sinc


def decimate(bits: npt.ArrayLike, oversampling: int = 256) -> Decimated:
    """Return the samples of one channel, both (n // (4 oversampling),)."""
    fast = sinc3(bits, oversampling)
    slow = half_bands(fast)
    return Decimated(slow, fast[3::4][: slow.size])


def response(hz: npt.ArrayLike, oversampling: int = 256) -> Floats:
    """Return the gain of bits to 8 kS/s at frequencies [Hz], (n,), from the theory of each filter."""
    at = np.asarray(hz, np.float64)
    bit_angle = np.pi * at / (FAST_HZ * oversampling)
    gain = (np.sin(oversampling * bit_angle) / (oversampling * np.sin(bit_angle))) ** 3
    rate = float(FAST_HZ)
    for kind in CHAIN:
        places = np.arange(kind.taps.size) - kind.taps.size // 2
        gain = gain * (np.cos(np.outer(2 * np.pi * at / rate, places)) @ kind.taps) / (1 << kind.bits)
        rate /= kind.step
    return np.asarray(gain)


def delay_s(oversampling: int = 256) -> float:
    """Return the delay of the 8 kS/s samples [s], from the middle of each filter, behind the last bit they saw."""
    delay, rate = 1.5 * (oversampling - 1) / (FAST_HZ * oversampling) + 2 / (FAST_HZ * oversampling), float(FAST_HZ)
    for kind in CHAIN:
        delay += kind.taps.size // 2 / rate
        rate /= kind.step
    return delay


def fast_delay_s(oversampling: int = 256) -> float:
    """Return the delay of the samples behind the sinc [s]."""
    return (1.5 * (oversampling - 1) + 2) / (FAST_HZ * oversampling)
