"""The commands ``teiden store ...``: what a store holds, whether it is whole, and its Parquet files up to date."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from teiden.errors import InputError, PartFailed, TeidenError

if TYPE_CHECKING:
    from twin.store.store import Store


LONGEST_MIN = 10 * 366 * 24 * 60.0
SERIES = ("half_hour", "quarter_hour", "five_minute", "one_minute", "gas", "water")
BILLED = SERIES[:2]


class Friendly(click.Group):
    """A group whose commands end with one message and an exit code for Teiden's errors."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except TeidenError as error:
            click.echo(f"teiden: {error}", err=True)
            sys.exit(error.exit_code)


@click.group(cls=Friendly)
def store() -> None:
    """The head end's store: readings received once, as Parquet with DuckDB views.

    \b
    cd DIR && (cat store.sql; echo "select series, count(*) from readings group by series") | duckdb
    """


@store.command("info")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print it as one JSON object.")
def info(folder: Path, as_json: bool) -> None:
    """Say what the store in DIR holds and what the same would take for the whole country."""
    from twin.store.retention import bytes_a_reading, sizing

    with _existing(folder) as held:
        each = bytes_a_reading(held)
        found = {
            "conservation": held.conservation().to_pylist(),
            "in_log": held.log_readings,
            "files": len(held.files.parts),
            "bytes_a_reading": {series.label: round(size, 2) for series, size in each.items()},
            "country": sizing(each).to_pylist(),
        }
        held.close(compact=False)
    if as_json:
        click.echo(json.dumps(found))
        return
    for row in found["conservation"]:
        click.echo(
            f"{row['series']:14} {row['arrived']:,} arrived = {row['stored']:,} stored + {row['duplicates']:,} "
            f"duplicates + {row['conflicts']:,} conflicts; {row['late']:,} late; "
            + ("adds up" if row["balanced"] else "DOES NOT ADD UP")
        )
    click.echo(f"{found['files']:,} Parquet files; {found['in_log']:,} readings in the log only")
    for row in found["country"]:
        click.echo(
            f"{row['requirement']:46} {row['readings'] / 1e12:5.2f} T readings x {row['bytes_a_reading']:5.2f} B "
            f"= {row['size_tb']:6.1f} TB"
        )


@store.command("check")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def check(folder: Path) -> None:
    """Read everything the store in DIR holds; exit with 3 if a file is damaged or the counts do not add up."""
    from twin.store.check import problems

    with _existing(folder) as held:
        found = problems(held)
        rows = sum(row["readings_found"] for row in held.conservation().to_pylist())
        held.close(compact=False)
    if found:
        raise PartFailed("\n".join(found))
    click.echo(f"{folder}: {rows:,} readings, whole; every key once; counts add up")


@store.command("compact")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def compact(folder: Path) -> None:
    """Move the log of the store in DIR into Parquet and make one file a series, day and block of meters."""
    with _existing(folder) as held:
        held.compact(merge=True)
        click.echo(f"{folder}: {len(held.files.parts):,} Parquet files, nothing in the log")


@store.command("send")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Day in Japan; a run begins 2025-04-01.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("."), show_default=True, help="Folder to write in."
)
@click.option("--after-min", default=60.0, show_default=True, help="Age by which a value must be there [min].")
@click.option("--meter", "meters", type=int, multiple=True, help="Only this meter; may be given again.")
@click.option("--series", type=click.Choice(BILLED), default=BILLED[0], show_default=True, help="R8 or R9.")
def send(folder: Path, day: datetime, out: Path, after_min: float, meters: tuple[int, ...], series: str) -> None:
    """Write what a retailer is sent of a day: values.parquet, and records.bin with the daily records of R5.

    Values are those that were there after --after-min (R50). A record is 201 bytes: meter, date, direction and 48
    registers, 0xFFFFFFFE for no data; forward before reverse, by meter. Of quarter hours it has every second one.
    """
    from twin.metering.retail import RECORDS, VALUES, send_day
    from twin.store.schema import Series

    after_ns = _minutes_ns("--after-min", after_min)
    if not out.is_dir():
        raise InputError(f"--out {out}: no such folder")
    with _existing(folder) as held:
        try:
            values, records = send_day(held, day.date(), out, after_ns, list(meters), Series[series.upper()])
        finally:
            held.close(compact=False)
    click.echo(f"{out / VALUES}: {values:,} values; {out / RECORDS}: {records:,} records")


@store.command("draw")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("."), show_default=True, help="Folder to draw in.")
@click.option("--series", type=click.Choice(SERIES), default=SERIES[0], show_default=True, help="What to draw.")
@click.option("--within-min", default=60.0, show_default=True, help="Age by which a value should be there [min].")
@click.option("--group", default=500, show_default=True, help="Meters of a group: so many neighbouring numbers.")
def draw(folder: Path, out: Path, series: str, within_min: float, group: int) -> None:
    """Draw how complete the store in DIR became with time, and which groups of meters lacked values when.

    A meter that never came is unknown to a store and missing from its pictures; those of a collection run
    know every meter.
    """
    from twin.store.overview import draw_overview
    from twin.store.schema import Series

    within_ns = _minutes_ns("--within-min", within_min)
    if group < 1:
        raise InputError(f"--group {group}: expected 1 or more")
    if not out.is_dir():
        raise InputError(f"--out {out}: no such folder")
    with _existing(folder) as held:
        try:
            pictures = draw_overview(held, Series[series.upper()], out, within_ns / 1e9, group)
        finally:
            held.close(compact=False)
    for picture in pictures:
        click.echo(picture)


def _minutes_ns(option: str, minutes: float) -> int:
    """Return an age that was given in minutes [ns]."""
    if not 0 < minutes <= LONGEST_MIN:
        raise InputError(f"{option} {minutes:g}: expected more than 0, {LONGEST_MIN:g} (ten years) at most")
    return round(minutes * 60e9)


def _existing(folder: Path) -> Store:
    """Open a store that is there."""
    from twin.store.manifest import FILE
    from twin.store.store import Store

    if not (folder / FILE).exists():
        raise InputError(f"{folder}: no store here (no {FILE}); name the folder that holds one")
    return Store.open(folder)
