"""What a check finds: one thing that was looked at, what was seen and what is right."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``limit`` is how far ``value`` may be from ``expected``, both in ``unit``.

    ``value`` is None for a number that could not be measured, ``limit`` for a text.
    """

    name: str
    value: float | str | None
    expected: float | str | None
    limit: float | None
    unit: str
    passed: bool


def compare(name: str, value: float, expected: float, limit: float, unit: str) -> Finding:
    """Return a finding on a number; NaN, on either side, fails."""
    return Finding(name, _number(value), _number(expected), _number(limit), unit, abs(value - expected) <= limit)


def same(name: str, value: str, expected: str) -> Finding:
    """Return a finding on a text."""
    return Finding(name, value, expected, None, "", value == expected)


def _number(value: float) -> float | None:
    """Return a number, None for NaN, which JSON does not have."""
    return None if math.isnan(value) else value
