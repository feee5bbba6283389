"""What a test measured, the limits it was held to, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from hil.clock import T0, judge
from teiden.errors import InputError

PASS, FAIL, INCONCLUSIVE, ERROR, NOT_RUN = VERDICTS = ("pass", "fail", "inconclusive", "error", "not run")
RECORDED = "recorded"  # a value without a limit


@dataclass(frozen=True)
class Measured:
    """One value, its limits and its uncertainty, all in `unit`; a text has `expected` in the place of limits."""

    name: str
    value: float | str | None  # None: there was nothing to measure
    unit: str
    low: float | None
    high: float | None
    uncertainty: float
    verdict: str
    expected: str | None = None
    t0_source: str | None = None  # of a delay: where its zero comes from; the uncertainty is that of t0

    def reads(self) -> str:
        """Return value and limits as one line."""
        value = "none" if self.value is None else self.value if isinstance(self.value, str) else f"{self.value:.6g}"
        bound = f" ± {self.uncertainty:.2g}" if self.uncertainty else ""
        source = f" (t0 from {self.t0_source})" if self.t0_source else ""
        allowed = f", expected {self.allowed()}" if self.limited else ""
        return f"{self.name}: {value}{bound} {self.unit}".rstrip() + source + allowed

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return self.low is not None or self.high is not None or self.expected is not None

    def allowed(self) -> str:
        """Return the limits as text."""
        if self.expected is not None:
            return self.expected
        if self.low is not None and self.high is not None:
            return f"{self.low:.6g} to {self.high:.6g}" if self.low != self.high else f"{self.low:.6g}"
        if self.high is not None:
            return f"at most {self.high:.6g}"
        return "" if self.low is None else f"at least {self.low:.6g}"


class Measures:
    """Takes down what one test measures; the fixture ``measure``.

    A failed limit does not end the test, so that the evidence shows everything; the plugin fails it at its end.
    """

    def __init__(self) -> None:
        self.taken: list[Measured] = []
        self.t0: T0 | None = None  # the worst known of those the test counted from

    def __call__(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        low: float | None = None,
        high: float | None = None,
        uncertainty: float = 0.0,
    ) -> str:
        """Take down a number and return its verdict.

        Parameters
        ----------
        name : str
            What it is.
        value : float
            NaN for nothing to measure, which fails a limit.
        unit : str
            Of value, limits and uncertainty.
        low, high : float or None
            What it shall not be below and above; both None for a value that is only recorded.
        uncertainty : float
            How far the true value may be from this one. Nearer to a limit than that is inconclusive (ISO 14253-1).
        """
        if uncertainty < 0 or math.isnan(uncertainty):
            raise InputError(f"measure {name!r}: uncertainty = {uncertainty:g}, expected 0 or more")
        return self._take(name, value, unit, low, high, uncertainty, compare(value, low, high, uncertainty))

    def counts_from(self, t0: T0) -> None:
        """Take down where the times of a test begin; of several, the record keeps the one that is known worst."""
        if self.t0 is None or t0.bound_ns > self.t0.bound_ns:
            self.t0 = t0

    def delay(self, name: str, value_s: float, limit_s: float, t0: T0) -> str:
        """Take down a delay from t0 that shall be at most ``limit_s`` and return its verdict, that of `judge`."""
        self.counts_from(t0)
        verdict = FAIL if math.isnan(value_s) else judge(value_s, limit_s, t0)
        return self._take(name, value_s * 1e3, "ms", None, limit_s * 1e3, t0.bound_ns / 1e6, verdict, t0.source)

    def same(self, name: str, value: str, expected: str) -> str:
        """Take down a text and return whether it is the expected one."""
        verdict = PASS if value == expected else FAIL
        self.taken.append(Measured(name, value, "", None, None, 0.0, verdict, expected))
        return verdict

    def _take(
        self,
        name: str,
        value: float,
        unit: str,
        low: float | None,
        high: float | None,
        uncertainty: float,
        verdict: str,
        t0_source: str | None = None,
    ) -> str:
        kept = None if math.isnan(value) else float(value)
        self.taken.append(Measured(name, kept, unit, low, high, uncertainty, verdict, t0_source=t0_source))
        return verdict


def compare(value: float, low: float | None, high: float | None, uncertainty: float) -> str:
    """Return the verdict on a value."""
    limits = [limit for limit in (low, high) if limit is not None]
    if not limits:
        return RECORDED
    if math.isnan(value):
        return FAIL
    if uncertainty and any(abs(value - limit) < uncertainty for limit in limits):
        return INCONCLUSIVE
    return PASS if (low is None or value >= low) and (high is None or value <= high) else FAIL


def worst(verdicts: Iterable[str]) -> str:
    """Return the verdict of a test, or of several: the worst that counts; pass without any limit."""
    found = set(verdicts)
    for verdict in (ERROR, FAIL, INCONCLUSIVE):
        if verdict in found:
            return verdict
    return NOT_RUN if found and found <= {NOT_RUN} else PASS
