"""The engine's integer tables, made with correctly rounded decimal arithmetic: the same bytes on every machine.

``Decimal.ln``, ``exp`` and ``sqrt`` are correctly rounded by their specification (IBM General Decimal
Arithmetic 1.70), unlike the C library's, so no table ever depends on a machine. Units are those of
``gpu/engine/fixed.h``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from functools import cache
from math import comb

import numpy as np
from numpy.typing import NDArray

LOG_ONE = 1 << 20  # one octave
MANTISSA_ONE = 1 << 30
NOISE_ONE = 1 << 20  # thermal noise as a linear power
COST_ONE = 1 << 40  # one bit of -log2(P)
TABLE_STEPS = 1024
COST_STEPS_PER_OCTAVE, COST_FROM_OCTAVE, COST_TO_OCTAVE = 128, -4, 8
GAUSS_SIZE, GAUSS_ONE = 256, 1 << 16

_CONTEXT = Context(prec=40, rounding=ROUND_HALF_EVEN)

Ints = NDArray[np.int64]


def _rounded(value: Decimal) -> int:
    return int(value.to_integral_value(rounding=ROUND_HALF_EVEN))


@cache
def log2_table() -> Ints:
    """Return (1025,) 2**20 log2(1 + i/1024)."""
    with localcontext(_CONTEXT):
        ln2 = Decimal(2).ln()
        step = Decimal(1) / TABLE_STEPS
        return np.array([_rounded(LOG_ONE * (1 + i * step).ln() / ln2) for i in range(TABLE_STEPS + 1)], np.int64)


@cache
def exp2_table() -> Ints:
    """Return (1025,) 2**30 * 2**(i/1024)."""
    with localcontext(_CONTEXT):
        step = Decimal(2).ln() / TABLE_STEPS
        return np.array([_rounded(MANTISSA_ONE * (i * step).exp()) for i in range(TABLE_STEPS + 1)], np.int64)


def _normal_cdf_and_density(x: Decimal) -> tuple[Decimal, Decimal]:
    """Return the normal distribution's Phi(x) and phi(x) from the series of its integral."""
    density = (-x * x / 2).exp() / (2 * _pi()).sqrt()
    term, total, k = x, x, 1
    while abs(term) > Decimal("1e-36"):
        term = term * x * x / (2 * k + 1)
        total += term
        k += 1
    return Decimal("0.5") + density * total, density


@cache
def _pi() -> Decimal:
    """Return pi by Machin's formula."""

    def arctan_inverse(n: int) -> Decimal:
        power, total, k = Decimal(1) / n, Decimal(0), 0
        while power > Decimal("1e-40"):
            total += (-1) ** k * power / (2 * k + 1)
            power /= n * n
            k += 1
        return total

    return 4 * (4 * arctan_inverse(5) - arctan_inverse(239))


def _normal_quantile(p: Decimal) -> Decimal:
    """Return x with Phi(x) = p, 0.5 < p < 1, by Newton's method from below (monotone there)."""
    x = Decimal(0)
    for _ in range(60):
        cdf, density = _normal_cdf_and_density(x)
        step = (p - cdf) / density
        x += min(step, Decimal(1))
        if abs(step) < Decimal("1e-25"):
            break
    return x


@cache
def gauss_table() -> Ints:
    """Return (256,) normal quantiles at (i + 1/2)/256, scaled to variance 1, in units of 2**-16 sigma."""
    with localcontext(_CONTEXT):
        half = [_normal_quantile((Decimal(i) + Decimal("0.5")) / GAUSS_SIZE) for i in range(128, GAUSS_SIZE)]
        sigma = (sum((x * x for x in half), Decimal(0)) / len(half)).sqrt()
        upper = [_rounded(GAUSS_ONE * x / sigma) for x in half]
    return np.array([-x for x in reversed(upper)] + upper, np.int64)


def oqpsk_bit_error(sinr: Decimal) -> Decimal:
    """Return the bit error rate of O-QPSK at 2.4 GHz (IEEE 802.15.4-2006, E.4.1.8), as ns-3 uses it."""
    total = Decimal(0)
    for k in range(2, 17):
        total += (-1) ** k * comb(16, k) * (20 * sinr * (Decimal(1) / k - 1)).exp()
    return min(total * 8 / 15 / 16, Decimal("0.5"))


def fsk_bit_error(sinr: Decimal) -> Decimal:
    """Return the bit error rate of non-coherent 2-FSK, 0.5 exp(-Eb/2N0), with the SINR in the bit-rate bandwidth."""
    return (-sinr / 2).exp() / 2


BIT_ERRORS: dict[str, Callable[[Decimal], Decimal]] = {"oqpsk": oqpsk_bit_error, "fsk": fsk_bit_error}


@cache
def cost_table(modulation: str, bit_rate_bps: int) -> Ints:
    """Return (1537,) -log2(1 - BER) a microsecond in units of 2**-40, for SINR 2**(-4 + i/128)."""
    bit_error = BIT_ERRORS[modulation]
    with localcontext(_CONTEXT):
        ln2 = Decimal(2).ln()
        per_bit = Decimal(COST_ONE) * bit_rate_bps / 1_000_000
        costs = []
        for i in range((COST_TO_OCTAVE - COST_FROM_OCTAVE) * COST_STEPS_PER_OCTAVE + 1):
            sinr = (ln2 * (Decimal(i) / COST_STEPS_PER_OCTAVE + COST_FROM_OCTAVE)).exp()
            costs.append(_rounded(-(1 - bit_error(sinr)).ln() / ln2 * per_bit))
    return np.array(costs, np.int64)


def level_lu(decibel: float | Decimal) -> int:
    """Return decibels as a logarithm to base 2 in units of 2**-20."""
    with localcontext(_CONTEXT):
        return _rounded(Decimal(str(decibel)) * LOG_ONE / (10 * Decimal(2).log10()))


def noise_multiple(decibel: float | Decimal) -> int:
    """Return the linear power that lies this many dB above the noise, from 1 to 2**62."""
    with localcontext(_CONTEXT):
        return min(max(1, _rounded(NOISE_ONE * Decimal(10) ** (Decimal(str(decibel)) / 10))), 1 << 62)


def square_log_lu(length_mm: int) -> int:
    """Return log2(length**2) in units of 2**-20."""
    with localcontext(_CONTEXT):
        return _rounded(2 * LOG_ONE * Decimal(length_mm).ln() / Decimal(2).ln())


def reach_mm(margin_db: float | Decimal, exponent: float, reference_mm: int) -> int:
    """Return a distance beyond which log-distance loss surely exceeds the loss at the reference by margin_db.

    At most 3,000 km, more than any two positions are apart, and still a 63-bit number when squared.
    """
    with localcontext(_CONTEXT):
        ratio = Decimal(10) ** (Decimal(str(margin_db)) / (10 * Decimal(str(exponent))))
        return min(_rounded(reference_mm * max(ratio, Decimal(1)) * Decimal("1.01")) + 1, 3_000_000_000)


def sha256(table: Ints) -> str:
    """Return the SHA-256 of a table's little-endian bytes."""
    return hashlib.sha256(table.astype("<i8").tobytes()).hexdigest()
