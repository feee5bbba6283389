"""The tables of a run folder: one schema each, units in the column names.

Times ``*_s`` are simulated seconds from the start of the run; null means it never happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from teiden.errors import InputError
from teiden.files import written_whole

F64, F32, I64, I32, I16, STR, BOOL = (
    pa.float64(),
    pa.float32(),
    pa.int64(),
    pa.int32(),
    pa.int16(),
    pa.string(),
    pa.bool_(),
)

SCHEMAS: dict[str, pa.Schema] = {
    # One row per MV line of the grid, for maps; polyline as two lists.
    "lines": pa.schema(
        [("line", I32), ("name", STR), ("feeder", STR), ("lon_deg", pa.list_(F64)), ("lat_deg", pa.list_(F64))]
    ),
    # One row per MV/LV substation.
    "substations": pa.schema(
        [
            ("substation", I32),
            ("name", STR),
            ("feeder", STR),
            ("lon_deg", F64),
            ("lat_deg", F64),
            ("meters", I32),
            ("concentrators", I32),
        ]
    ),
    # One row per meter: where it is, what its radio and its energy did, and its first outage.
    "meters": pa.schema(
        [
            ("meter", I32),
            ("name", STR),
            ("substation", I32),
            ("concentrator", I32),
            ("lon_deg", F64),
            ("lat_deg", F64),
            ("hops", I16),
            ("etx", F32),
            ("extra_loss_db", F32),
            ("holdup_j", F32),
            ("board", BOOL),
            ("dark_s", F64),
            ("returned_s", F64),
            ("died_s", F64),
            ("airtime_ms", F64),
        ]
    ),
    # One row per step of the supply's timeline.
    "steps": pa.schema([("t_s", F64), ("stage", STR), ("text", STR), ("dark_substations", I32), ("dark_meters", I32)]),
    # One row per notice a meter made: Last Gasp or power return. Exactly one outcome each.
    "gasps": pa.schema(
        [
            ("gasp", I64),
            ("meter", I32),
            ("kind", STR),  # last_gasp | power_return
            ("sequence", I32),
            ("board", BOOL),
            ("detected_s", F64),
            ("offered_s", F64),  # first handed to the radio's MAC
            ("first_tx_s", F64),
            ("concentrator_s", F64),  # first heard by a concentrator
            ("head_end_s", F64),  # verified at the head end
            ("outcome", STR),  # delivered | lost | died
            ("cause", STR),  # why lost or where it died; empty when delivered
            ("attempts", I32),
            ("hops", I16),
            ("heard_by", I32),  # the concentrator that heard it first
        ]
    ),
    # One row per poll of one meter by the head end.
    "polls": pa.schema(
        [
            ("poll", I64),
            ("meter", I32),
            ("asked_s", F64),
            ("answered_s", F64),
            ("verdict", STR),  # lit | dark, as the meter said | silent | open: the run ended before
            ("cause", STR),  # why no answer; empty when answered
        ]
    ),
    # One row per change of what the head end believes of a meter.
    "beliefs": pa.schema([("t_s", F64), ("meter", I32), ("state", STR), ("source", STR)]),
    # The truth/belief curve, one row a second.
    "curve": pa.schema(
        [
            ("t_s", F64),
            ("truly_dark", I32),
            ("gasps_sent", I32),
            ("heard_by_concentrators", I32),
            ("known_at_head_end", I32),
            ("believed_dark", I32),
            ("rightly_dark", I32),
            ("wrongly_dark", I32),
        ]
    ),
    # Channel load, one row a second: transmitting time over all nodes, and frames put on air.
    "air": pa.schema(
        [
            ("t_s", F64),
            ("data_air_s", F64),
            ("ack_air_s", F64),
            ("data_frames", I64),
            ("ack_frames", I64),
            ("busiest_substation", I32),
            ("busiest_load", F64),  # share of the second occupied by the nodes of that substation, summed
        ]
    ),
    # What the head end named, at each moment it was asked.
    "sections": pa.schema(
        [
            ("t_s", F64),
            ("stage", STR),
            ("named", STR),
            ("kind", STR),
            ("truth", STR),
            ("right", BOOL),
            ("jaccard", F64),
            ("distance_hops", I32),
            ("margin", F64),
        ]
    ),
    # What the front-end registered, against the trigger latched from the source.
    "board_events": pa.schema(
        [("kind", STR), ("t_s", F64), ("sample", I64), ("after_t0_ms", F64), ("t0_source", STR), ("t0_bound_us", F64)]
    ),
    # The front-end's captured waveform, read out of the board.
    "waveform": pa.schema([("t_s", F64), ("after_t0_ms", F64), ("u_v", F64)]),
    # Half-cycle values read from the registers.
    "half_cycles": pa.schema([("t_s", F64), ("u_rms_half_v", F64), ("frequency_hz", F64)]),
}


def write_table(
    folder: Path, name: str, columns: Mapping[str, Any], schemas: Mapping[str, pa.Schema] = SCHEMAS
) -> None:
    """Write one table of the run folder whole; NaN in a time column becomes null.

    Parameters
    ----------
    folder : Path
        The run folder.
    name : str
        A key of ``schemas``.
    columns : mapping of str to array or sequence
        All columns of the schema, equal lengths.
    schemas : mapping of str to pyarrow.Schema
        Of this kind of run.
    """
    schema = schemas[name]
    arrays = [_array(columns[field.name], field.type) for field in schema]
    with written_whole(folder / f"{name}.parquet") as beside:
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), beside)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    """Return a column as Arrow's: masked entries and NaN become nulls."""
    if isinstance(values, np.ma.MaskedArray):
        return pa.array(values.data, type=kind, mask=np.ma.getmaskarray(values), from_pandas=True)
    return pa.array(values if isinstance(values, np.ndarray) else list(values), type=kind, from_pandas=True)


def read_table(folder: Path, name: str, schemas: Mapping[str, pa.Schema] = SCHEMAS) -> pa.Table:
    """Read one table of a run folder; InputError if it is missing or has other columns."""
    path = folder / f"{name}.parquet"
    if not path.is_file():
        raise InputError(f"{path}: not found; is {folder} a finished run folder?")
    table = pq.read_table(path)
    if table.schema.names != schemas[name].names:
        raise InputError(
            f"{path}: columns {table.schema.names}, expected {schemas[name].names}; written by another version?"
        )
    return table
