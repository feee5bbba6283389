"""What the store answers to a batch, and the counts that must add up."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Receipt:
    """What became of the readings of one batch, or of many.

    Attributes
    ----------
    stored : int
        Kept: the first of their key.
    duplicates : int
        Not kept: the value that is stored already.
    conflicts : int
        Kept aside: another value under a stored key.
    late : int
        Of ``stored``, those later than ``schema.DUE_NS`` of their series.
    """

    stored: int = 0
    duplicates: int = 0
    conflicts: int = 0
    late: int = 0

    @property
    def arrived(self) -> int:
        """Return the readings that came in: each is stored, a duplicate or a conflict."""
        return self.stored + self.duplicates + self.conflicts

    def __add__(self, other: Receipt) -> Receipt:
        return Receipt(
            self.stored + other.stored,
            self.duplicates + other.duplicates,
            self.conflicts + other.conflicts,
            self.late + other.late,
        )


COUNTS = tuple(field.name for field in fields(Receipt))
