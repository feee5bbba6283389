"""What the pictures and the report need out of a run folder, aggregated by DuckDB."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from teiden.errors import InputError
from twin.study.folder import PARTIAL, read_json
from twin.study.tables import read_table

ALWAYS = ("lines", "substations", "meters", "steps", "gasps", "beliefs", "curve", "air", "sections")
WITH_POLLS = ("polls",)
WITH_BOARD = ("board_events", "waveform", "half_cycles")

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class RunTables:
    """A finished run as its files tell it.

    Attributes
    ----------
    path : Path
        The folder.
    run, summary : dict
        ``run.json`` and ``summary.json``.
    db : duckdb.DuckDBPyConnection
        Every table of the folder under its name; one thread, so that sums have one order.
    tables : frozenset of str
        The tables that are there.
    """

    path: Path
    run: dict[str, Any]
    summary: dict[str, Any]
    db: duckdb.DuckDBPyConnection
    tables: frozenset[str]

    def query(self, sql: str, *parameters: Any) -> Columns:
        """Return the columns of a query; nulls of numbers become NaN, of text the empty string."""
        table = self.db.sql(sql, params=list(parameters)).to_arrow_table()
        return {name: _array(table.column(name)) for name in table.schema.names}

    def rows(self, name: str) -> int:
        """Return how many rows a table has, 0 if the folder has no such table."""
        if name not in self.tables:
            return 0
        return int(self.query(f"SELECT count(*) AS n FROM {name}")["n"][0])

    @cached_property
    def fault_s(self) -> float:
        """When the fault happened [s]; without one, the first time a meter went dark, else 0."""
        fault = self.summary.get("fault") or {}
        if fault.get("t_s") is not None:
            return float(fault["t_s"])
        first = float(self.query("SELECT min(dark_s) AS t FROM meters")["t"][0])
        return first if np.isfinite(first) else 0.0

    @cached_property
    def end_s(self) -> float:
        """End of simulated time [s]."""
        for source in (self.summary, self.run):
            if source.get("sim_s") is not None:
                return float(source["sim_s"])
        last = float(self.query("SELECT max(t_s) AS t FROM curve")["t"][0])
        return last if np.isfinite(last) else self.fault_s

    @cached_property
    def time_axis(self) -> str:
        """Label of a time axis that counts from the fault."""
        return "Time after the fault [s]" if self.summary.get("fault") else "Time in the run [s]"

    @cached_property
    def origin_s(self) -> float:
        """What time axes count from [s]."""
        return self.fault_s if self.summary.get("fault") else 0.0

    @cached_property
    def steps(self) -> list[tuple[float, str, str]]:
        """The supply's steps as (t_s, stage, text), in order, those of one moment and stage once."""
        found = self.query("SELECT DISTINCT t_s, stage, text FROM steps ORDER BY t_s, stage, text")
        return list(zip(found["t_s"].tolist(), found["stage"].tolist(), found["text"].tolist(), strict=True))

    @cached_property
    def affected(self) -> list[str]:
        """Names of the feeders that the fault or the outage touched."""
        fault = self.summary.get("fault") or {}
        found = self.query(
            "SELECT DISTINCT s.feeder AS feeder FROM substations s JOIN meters m USING (substation) "
            "WHERE m.dark_s IS NOT NULL OR s.feeder = ? ORDER BY 1",
            str(fault.get("feeder", "")),
        )
        return [str(name) for name in found["feeder"]]

    def substations_at(self, t_s: float) -> Columns:
        """Return each substation with its share of meters dark in truth and in belief at a moment.

        Truth is each meter's first outage; belief is its last state entered at or before ``t_s``.
        """
        return self.query(
            """
            WITH state AS (
              SELECT meter, arg_max(state, n) AS state
              FROM (SELECT *, row_number() OVER (ORDER BY t_s, rowid_) AS n FROM beliefs_in_order WHERE t_s <= $1)
              GROUP BY meter),
            share AS (
              SELECT substation, count(*) AS n,
                count(*) FILTER (dark_s <= $1 AND (returned_s IS NULL OR returned_s > $1)) AS truly,
                count(*) FILTER (state = 'dark') AS believed,
                count(*) FILTER (state = 'dark' AND dark_s <= $1 AND (returned_s IS NULL OR returned_s > $1)) AS rightly
              FROM meters LEFT JOIN state USING (meter) GROUP BY substation)
            SELECT s.substation, s.name, s.feeder, s.lon_deg, s.lat_deg, s.meters, s.concentrators,
              coalesce(truly, 0) AS truly, coalesce(believed, 0) AS believed,
              coalesce(rightly, 0) AS rightly,
              coalesce(truly / n, 0) AS true_share, coalesce(believed / n, 0) AS believed_share
            FROM substations s LEFT JOIN share USING (substation) ORDER BY s.substation
            """,
            t_s,
        )

    def section_at(self, t_s: float) -> dict[str, Any] | None:
        """Return the last section named at or before a moment, or None."""
        found = self.query("SELECT * FROM sections WHERE t_s <= ? ORDER BY t_s DESC LIMIT 1", t_s)
        return {key: column[0] for key, column in found.items()} if found["t_s"].size else None


def open_run(path: Path) -> RunTables:
    """Open a finished run folder.

    Raises
    ------
    InputError
        If the run is not finished, or files are missing; the message names all of them.
    """
    run = read_json(path / "run.json")
    if run.get("status") != "complete":
        raise InputError(
            f"{path / 'run.json'}: status = {run.get('status')!r}, expected 'complete'; "
            f"finish it with teiden run ... --out {path.with_name(path.name.removesuffix(PARTIAL))} --resume"
        )
    summary = read_json(path / "summary.json")
    there = {name for name in ALWAYS + WITH_POLLS + WITH_BOARD if (path / f"{name}.parquet").is_file()}
    needed: tuple[str, ...] = ALWAYS
    needed += WITH_POLLS if summary.get("polls") else ()
    needed += WITH_BOARD if summary.get("board") or there.intersection(WITH_BOARD) else ()
    missing = [f"{name}.parquet" for name in needed if name not in there]
    if missing:
        raise InputError(
            f"{path}: {', '.join(missing)} not found, expected beside run.json; "
            "copy the whole folder, or make it again with teiden run"
        )
    db = duckdb.connect(config={"threads": 1})
    for name in sorted(there):
        db.register(name, read_table(path, name))
    # Two beliefs of one moment: the later row holds.
    db.execute("CREATE TEMP TABLE beliefs_in_order AS SELECT row_number() OVER () AS rowid_, * FROM beliefs")
    return RunTables(path, run, summary, db, frozenset(there))


def open_tables(path: Path, schemas: Mapping[str, pa.Schema], optional: Collection[str] = ()) -> RunTables:
    """Open the finished run folder of another kind of run.

    Parameters
    ----------
    path : Path
    schemas : mapping
        Of its tables, by name.
    optional : collection of str
        Tables that need not be there.

    Raises
    ------
    InputError
        If the run is not finished, or files are missing; the message names all of them.
    """
    run = read_json(path / "run.json")
    if run.get("status") != "complete":
        raise InputError(f"{path / 'run.json'}: status = {run.get('status')!r}, expected 'complete'")
    there = [name for name in schemas if (path / f"{name}.parquet").is_file()]
    missing = [f"{name}.parquet" for name in schemas if name not in there and name not in optional]
    if missing:
        raise InputError(f"{path}: {', '.join(missing)} not found, expected beside run.json; copy the whole folder")
    db = duckdb.connect(config={"threads": 1})
    for name in there:
        db.register(name, read_table(path, name, schemas))
    return RunTables(path, run, read_json(path / "summary.json"), db, frozenset(there))


def section_name(named: Any) -> str:
    """Return a section's name without its kind where the name says it already: "line Line 21" is Line 21."""
    kind, _, name = str(named or "none").partition(" ")
    return name if name.lower().startswith(kind.lower()) else str(named or "none")


def _array(column: Any) -> np.ndarray:
    """Return an Arrow column as NumPy: NaN for null numbers, empty for null text."""
    if pa.types.is_string(column.type) or pa.types.is_list(column.type):
        return np.array(["" if value is None else value for value in column.to_pylist()] + [None], dtype=object)[:-1]
    if pa.types.is_boolean(column.type):
        return np.array([bool(value) for value in column.to_pylist()], dtype=bool)
    return np.asarray(column.to_numpy(zero_copy_only=False))
