"""The ampere limit of one meter over time: its contract's, and a reservation that begins by itself (R21, R22)."""

from __future__ import annotations

from dataclasses import dataclass

INSTALLED_NS = -(1 << 62)
NEVER_NS = 1 << 62
SECOND_NS = 10**9


@dataclass(frozen=True)
class Reservation:
    """A limit from one moment until before another, in the meter's own time turned into true time."""

    number: int
    amperes: float
    from_ns: int
    until_ns: int


class AmpereLimit:
    """A limiter (class 71): the threshold of normal operation and that of the emergency profile.

    Parameters
    ----------
    contract_a : float
        What the contract allows when the meter is installed.
    """

    def __init__(self, contract_a: float):
        self._normal: list[tuple[int, float]] = [(INSTALLED_NS, contract_a)]
        self._past: list[Reservation] = []
        self.reserved: Reservation | None = None

    def set_normal(self, amperes: float, t_ns: int) -> None:
        """Let a limit hold from ``t_ns`` on."""
        self._normal.append((t_ns, amperes))

    def reserve(self, number: int, amperes: float, from_ns: int, duration_s: int, t_ns: int) -> None:
        """Replace the reservation by another; one that has begun ends at ``t_ns``, and a duration of 0 is none."""
        before = self.reserved
        if before is not None and before.from_ns < t_ns:
            ended_ns = min(before.until_ns, t_ns)
            self._past.append(Reservation(before.number, before.amperes, before.from_ns, ended_ns))
        until_ns = from_ns + duration_s * SECOND_NS
        self.reserved = Reservation(number, amperes, max(from_ns, t_ns), until_ns) if until_ns > t_ns else None

    @property
    def reservations(self) -> list[Reservation]:
        """Those that have held, or will unless they are cancelled."""
        return [*self._past, *([self.reserved] if self.reserved else [])]

    def next_change_ns(self, t_ns: int) -> int:
        """Return the first moment after `t_ns` at which the limit may be another, by what is known now."""
        edges = [edge_ns for span in self.reservations for edge_ns in (span.from_ns, span.until_ns)]
        later = [edge_ns for edge_ns in [*edges, *(since_ns for since_ns, _ in self._normal)] if edge_ns > t_ns]
        return min(later, default=NEVER_NS)

    def at(self, t_ns: int) -> float:
        """Return the limit at a moment [A]; a reservation goes before the contract."""
        for span in self.reservations:
            if span.from_ns <= t_ns < span.until_ns:
                return span.amperes
        return next(amperes for since_ns, amperes in reversed(self._normal) if since_ns <= t_ns)
