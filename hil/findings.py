"""What a check finds: one thing that was looked at, what was seen and what is right."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``limit`` is how far ``value`` may be from ``expected``, both in ``unit``."""

    name: str
    value: float | str
    expected: float | str
    limit: float
    unit: str
    passed: bool


def compare(name: str, value: float, expected: float, limit: float, unit: str) -> Finding:
    """Return a finding on a number; one that is not a number fails."""
    return Finding(name, value, expected, limit, unit, abs(value - expected) <= limit)


def same(name: str, value: str, expected: str) -> Finding:
    """Return a finding on a text."""
    return Finding(name, value, expected, 0.0, "", value == expected)
