"""The tables of a collection run's folder: one schema each, units in the column names.

Times ``*_s`` are simulated seconds from the start of the run; null means it never happened.
"""

from __future__ import annotations

import pyarrow as pa

F64, I64, I32, I16, STR = pa.float64(), pa.int64(), pa.int32(), pa.int16(), pa.string()

SCHEMAS: dict[str, pa.Schema] = {
    # Where the values of each class are at the end; the rows of a class add up to what it generated.
    "accounts": pa.schema([("class", STR), ("fate", STR), ("place", STR), ("values", I64)]),
    # One row per class and interval end: messages owed, those without re-request, within the limit, stored.
    "intervals": pa.schema(
        [("class", STR), ("interval_end_s", F64), ("owed", I64), ("first_pass", I64), ("on_time", I64), ("stored", I64),
         ("age_p50_s", F64), ("age_p99_s", F64)]
    ),
    # Share of the messages owed that are stored at an age or before.
    "curve": pa.schema([("class", STR), ("age_s", F64), ("stored_share", F64)]),
    # One row per interval and retailer: billing values owed, there within the limit, later, never (also in the dark).
    "retailers": pa.schema(
        [("retailer", I32), ("interval_end_s", F64), ("expected", I64), ("in_time", I64), ("late", I64),
         ("missing", I64)]
    ),
    # One row per concentrator, billing values of the meters it serves.
    "concentrators": pa.schema(
        [("concentrator", I32), ("lon_deg", F64), ("lat_deg", F64), ("meters", I32), ("hops_mean", F64),
         ("hops_max", I16), ("owed", I64), ("first_pass", I64), ("on_time", I64), ("stored", I64),
         ("on_time_share", F64), ("airtime_s", F64), ("peak_kept_values", I64)]
    ),
    # One row per concentrator and interval: billing values owed, and those that were not there within the limit.
    "late_or_missing": pa.schema(
        [("concentrator", I32), ("interval_end_s", F64), ("owed", I64), ("missing", I64)]
    ),
    # One row per meter, billing values.
    "meters": pa.schema(
        [("meter", I32), ("name", STR), ("municipality", STR), ("concentrator", I32), ("lon_deg", F64),
         ("lat_deg", F64), ("hops", I16), ("link", STR), ("cell", I32), ("owed", I32), ("on_time", I32),
         ("stored", I32), ("oldest_age_s", F64),
         ("airtime_ms", F64)]
    ),
    # Every message that is not stored at the end, and why.
    "missing": pa.schema(
        [("class", STR), ("meter", I32), ("interval_end_s", F64), ("place", STR), ("cause", STR), ("asked", I16)]
    ),
    # Channel and head end, one row each five minutes.
    "load": pa.schema(
        [("t_s", F64), ("data_air_s", F64), ("ack_air_s", F64), ("data_frames", I64), ("ack_frames", I64),
         ("waiting_batches", I64), ("worker_load", F64), ("stored_values", I64)]
    ),
    # One row per request or command to one meter.
    "errands": pa.schema(
        [("errand", I64), ("kind", STR), ("meter", I32), ("asked_s", F64), ("reached_s", F64), ("answered_s", F64),
         ("tries", I16), ("received", I16), ("acted", I16), ("refused", I16)]
    ),
    # An island minute by minute, as it went and as it would have gone with one limit for everybody from the start.
    "island": pa.schema(
        [("case", STR), ("t_s", F64), ("stored_kwh", F64), ("net_wanted_kw", F64), ("net_drawn_kw", F64)]
    ),
    # One row per meter that was to get a new image.
    "firmware": pa.schema([("meter", I32), ("blocks_held", I32), ("complete_s", F64), ("activated_s", F64)]),
    # Meters that lost their supply and got it back; after its return: the first value stored, the last gap filled.
    "returns": pa.schema(
        [("meter", I32), ("dark_s", F64), ("returned_s", F64), ("first_value_s", F64), ("filled_s", F64)]
    ),
    # One meter's messages through every stage (--trace-meter).
    "trace": pa.schema(
        [("class", STR), ("interval_end_s", F64), ("values", I16), ("offered_s", F64), ("concentrator_s", F64),
         ("head_end_s", F64), ("stored_s", F64), ("place", STR), ("cause", STR), ("asked", I16)]
    ),
}  # fmt: skip
