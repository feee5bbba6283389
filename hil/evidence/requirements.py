"""The requirements that a test can name, from a table shipped with the package."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True)
class Requirement:
    """One requirement: its number, what it asks for, and who asks."""

    id: str
    text: str
    source: str


@lru_cache(maxsize=1)
def requirements() -> dict[str, Requirement]:
    """Return every requirement by its id, in order."""
    table = (files("hil.evidence") / "requirements.csv").read_text(encoding="utf-8")
    return {row["id"]: Requirement(**row) for row in csv.DictReader(table.splitlines())}
