"""The store to DuckDB: views ``readings``, ``conflicts``, ``estimates`` and ``completed``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from twin.store import durable
from twin.store.manifest import Manifest
from twin.store.schema import KEY, SCHEMA

FILE = "store.sql"
ORDER = (*KEY, "received_ns")
Connection = Any  # duckdb.DuckDBPyConnection
_TYPES = {"uint32": "UINTEGER", "uint8": "UTINYINT", "int64": "BIGINT", "int32": "INTEGER"}
_HEAD = """-- Views over the store's Parquet files. Use it from the store's folder:
--   (cat store.sql; echo "select series, count(*) from readings group by series") | duckdb
-- Readings that are in the log only are not in them: `teiden store compact DIR` moves the log.
"""
# A reading that came counts before an estimate of the same key.
_COMPLETED = f"""create or replace view completed as
select * from readings where mark <> 1
union all
select * from estimates anti join (select * from readings where mark <> 1) using ({", ".join(KEY)});
"""


def write(root: Path, current: Manifest, estimates: Sequence[str]) -> None:
    """Write ``store.sql`` for the files of a manifest, unless it says so already."""
    text = _HEAD + _views(current, estimates, "", {})
    path = root / FILE
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        durable.write(path, lambda beside: _write_text(beside, text))


def connect(root: Path, current: Manifest, estimates: Sequence[str], in_log: Mapping[str, pa.Table]) -> Connection:
    """Return a connection in memory whose views hold the log's readings too."""
    import duckdb  # half a second to import, and only those who ask in SQL need it

    connection = duckdb.connect()
    tables = {folder: f"log_{folder}" for folder in in_log}
    for folder, rows in in_log.items():
        connection.register(tables[folder], rows)
    connection.execute(_views(current, estimates, f"{root}/", tables))
    return connection


def _views(current: Manifest, estimates: Sequence[str], prefix: str, tables: Mapping[str, str]) -> str:
    """Return the statements that make the views."""
    files = {folder: [part.file for part in current.of(folder)] for folder in ("readings", "conflicts")}
    files["estimates"] = list(estimates)
    made = [_view(name, [prefix + file for file in sorted(held)], tables.get(name)) for name, held in files.items()]
    return "".join(made) + _COMPLETED


def _view(name: str, files: Sequence[str], table: str | None) -> str:
    """Return the statement of one view over files and a table."""
    columns = ", ".join(SCHEMA.names)
    sources = []
    if files:
        listed = ",\n  ".join("'" + file.replace("'", "''") + "'" for file in files)
        sources.append(f"select {columns} from read_parquet([\n  {listed}], hive_partitioning = false)")
    if table:
        sources.append(f"select {columns} from {table}")
    if not sources:
        nothing = ", ".join(f"null::{_TYPES[str(column.type)]} as {column.name}" for column in SCHEMA)
        sources.append(f"select {nothing} where false")
    return f"create or replace view {name} as\n" + "\nunion all\n".join(sources) + ";\n"


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
