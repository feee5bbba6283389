"""The manifest: which files make up the store. Replacing it is the one moment at which a compaction happens."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from teiden.errors import InputError
from twin.store import durable
from twin.store.parts import Part
from twin.store.receipt import Receipt
from twin.store.schema import SCHEMA, Series

FILE = "store.json"
FORMAT, VERSION = "teiden-store", 1
COLUMNS = {column.name: str(column.type) for column in SCHEMA}


@dataclass
class Manifest:
    """What stands in ``store.json``.

    Attributes
    ----------
    log_through : int
        The last batch of the log whose readings are in the parts.
    parts, ledger : list
        Every Parquet file that counts; any other is left over from a kill.
    counts : dict
        Receipts by series, over the batches up to ``log_through``.
    """

    log_through: int = 0
    parts: list[Part] = field(default_factory=list)
    ledger: list[str] = field(default_factory=list)
    counts: dict[Series, Receipt] = field(default_factory=dict)

    def of(self, folder: str, series: Series | None = None) -> list[Part]:
        """Return the parts of a folder, of one series or of all."""
        return [part for part in self.parts if part.folder == folder and series in (None, part.series)]


def load(root: Path) -> Manifest:
    """Read the manifest of a store.

    Raises
    ------
    InputError
        If it is no store, or one of another version or schema; nothing has been touched.
    """
    path = root / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a store's manifest: {error}") from error
    _check_version(path, found)
    return Manifest(
        log_through=found["log_through"],
        parts=[Part(**row | {"series": Series(row["series"])}) for row in found["parts"]],
        ledger=found["ledger"],
        counts={Series[label.upper()]: Receipt(**row) for label, row in found["counts"].items()},
    )


def _check_version(path: Path, found: Any) -> None:
    """Refuse what this version cannot read."""
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError(f"{path}: format expected {FORMAT!r}; this is no store of Teiden")
    if found.get("version") != VERSION:
        raise InputError(
            f"{path}: a store of version {found.get('version')}, this Teiden reads version {VERSION}; nothing was "
            "changed; open it with the Teiden that wrote it, or start a new folder and ingest its Parquet files"
        )
    if found.get("columns") != COLUMNS:
        raise InputError(f"{path}: columns {found.get('columns')}, expected {COLUMNS}; nothing was changed")


def commit(root: Path, manifest: Manifest) -> None:
    """Replace the manifest on disk, whole."""
    text = json.dumps(
        {
            "format": FORMAT,
            "version": VERSION,
            "columns": COLUMNS,
            "log_through": manifest.log_through,
            "counts": {series.label: asdict(count) for series, count in manifest.counts.items()},
            "ledger": manifest.ledger,
            "parts": [asdict(part) for part in manifest.parts],
        },
        indent=1,
    )
    durable.write(root / FILE, lambda path: _write_text(path, text))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")
