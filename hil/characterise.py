"""``teiden characterise``: the front-end's reactions as a table and a picture, and what the twin takes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hdl.characterise import Dip, Reaction, grid, losses, reactions
from hdl.sim import toolchain
from hil.kept_reactions import KeptReactions
from teiden import __version__
from teiden.build import cached_library, content_hash
from teiden.errors import InputError, MissingPart
from teiden.files import written_whole
from twin.field.detection import MISSED, DetectionTable

COLUMNS = pa.schema(
    [
        ("nominal_hz", pa.int64()),
        ("frequency_hz", pa.float64()),
        ("residual_pu", pa.float64()),
        ("duration_ms", pa.float64()),  # inf: the fall lasts
        ("point_on_wave_deg", pa.float64()),
        ("harmonics", pa.string()),
        ("detection_delay_ms", pa.float64()),  # null: not detected
        ("confirmation_delay_ms", pa.float64()),
        ("withdrawal_delay_ms", pa.float64()),
        ("detections", pa.int64()),
        ("missed", pa.bool_()),
        ("confirmed", pa.bool_()),
        ("withdrawn", pa.bool_()),
    ]
)


def check_board(board: str) -> None:
    """Raise MissingPart unless the board that is asked for can be characterised here."""
    if board == "sim":
        return
    if find_spec("pynq") is None:
        raise MissingPart(
            "board pynq asked for, but there is no pynq package here; run this on the board's own Python, "
            "or use --board sim (the same RTL, compiled)"
        )
    raise MissingPart(
        "board pynq asked for, but a real board sees what its AC source plays, and no source is under the control of "
        "this command; use --board sim (the same RTL, compiled)"
    )


def characterise(
    out: Path,
    points: int,
    heard: Callable[[int, int], None] = lambda done, cases: None,
    taken_up: Callable[[int], None] = lambda cases: None,
) -> dict[str, Any]:
    """Drive the compiled front-end through the grid; write the table and, beside it, the picture.

    What an interrupted call has measured is kept beside ``out`` and taken up by the next, as long as RTL, grid and
    driver are the same; the table is the same as that of one uninterrupted call.

    Parameters
    ----------
    out : Path
        A .parquet file in a folder that exists; the picture gets the suffix .svg.
    points : int
        Points on wave, evenly over a cycle.
    heard : callable
        Hears after each case how many are done, and of how many.
    taken_up : callable
        Hears, once and before the rest, how many cases an interrupted call has left.

    Returns
    -------
    dict
        Counts and the longest delay, for people.
    """
    from hil.characterise_picture import draw

    check_out(out)
    dips = grid(points=points)
    with KeptReactions(out.with_name(f"{out.name}.partial"), _key(repr(dips))) as kept:
        if kept.reactions:
            taken_up(len(kept.reactions))
        for reaction in reactions(dips[len(kept.reactions) :]):
            kept.add(reaction)
            heard(len(kept.reactions), len(dips))
        table = as_table(dips, kept.reactions)
        write_table(out, table)
        picture = out.with_suffix(".svg")
        draw(table, picture)
        kept.discard()
    about = {"table": str(out), "picture": str(picture), "rtl_hash": toolchain.rtl_hash()}
    return about | summary(dips, kept.reactions)


def _key(cases: str) -> str:
    """Return what a reaction depends on: RTL, driver, scaling, how cases are played, and which they are."""
    sources = [toolchain.HDL / name for name in ("characterise.py", "driver.py", "scaling.py")]
    return content_hash([*toolchain.rtl_files(), *sources], [cases, *COLUMNS.names])


def check_out(out: Path) -> None:
    """Raise InputError unless a table can be written to ``out``."""
    if out.suffix != ".parquet":
        raise InputError(f"--out {out}: expected a file ending in .parquet")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: no folder {out.parent}")


def summary(dips: Sequence[Dip], reactions: Sequence[Reaction]) -> dict[str, Any]:
    """Return what the table says of the bars: deep and long falls seen, shallow ones let pass."""
    pairs = list(zip(dips, reactions, strict=True))
    deep = [reaction.detection_delay_ms for dip, reaction in pairs if dip.residual_pu <= 0.3 and dip.duration_ms >= 5]
    seen = [delay for delay in deep if delay is not None]
    shallow = [reaction for dip, reaction in pairs if dip.residual_pu >= 0.7]
    return {
        "cases": len(pairs),
        "deep": len(deep),
        "deep_missed": len(deep) - len(seen),
        "deep_longest_delay_ms": round(max(seen), 4) if seen else None,
        "shallow": len(shallow),
        "shallow_detected": sum(reaction.detections > 0 for reaction in shallow),
    }


def as_table(
    dips: Sequence[Dip], reactions: Sequence[Reaction], rtl_hash: str | None = None, board: str = "sim"
) -> pa.Table:
    """Return one row a case, with what was measured in the metadata: by default this very RTL, compiled."""
    rows = [
        dip._asdict()
        | reaction._asdict()
        | {
            "missed": reaction.detection_delay_ms is None,
            "confirmed": reaction.confirmation_delay_ms is not None,
            "withdrawn": reaction.withdrawal_delay_ms is not None,
        }
        for dip, reaction in zip(dips, reactions, strict=True)
    ]
    kept = {"rtl_hash": rtl_hash or toolchain.rtl_hash(), "board": board, "teiden": __version__}
    return pa.Table.from_pylist(rows, schema=COLUMNS.with_metadata(kept))


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table whole."""
    with written_whole(path) as beside:
        pq.write_table(table, beside)


def read_table(path: Path, nominal_hz: float) -> DetectionTable:
    """Return the twin's table from a file of ``teiden characterise``: its longest falls, at one nominal frequency.

    Raises
    ------
    InputError
        If the file is missing, no such table, or holds nothing for that frequency.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise InputError(f"detection table {path}: no such file; make one with teiden characterise") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"detection table {path}: not a Parquet file ({error})") from error
    lacking = [name for name in COLUMNS.names if name not in table.column_names]
    if lacking:
        raise InputError(f"detection table {path}: no column {lacking[0]}; make one with teiden characterise")
    column = {name: np.array(table[name].to_pylist(), dtype=object) for name in COLUMNS.names}
    here = column["nominal_hz"] == nominal_hz
    if not here.any():
        raise InputError(f"detection table {path}: nothing for a nominal frequency of {nominal_hz:g} Hz")
    durations = column["duration_ms"].astype(float)
    here &= durations == durations[here].max()
    residual = column["residual_pu"].astype(float)
    steps = np.unique(residual[here])
    rows = []
    for step in steps:
        of_step = here & (residual == step)
        rows.append([
            round(delay * 1e6) if held else MISSED
            for delay, held in zip(column["detection_delay_ms"][of_step], column["confirmed"][of_step], strict=True)
        ])  # fmt: skip
    if len({len(row) for row in rows}) > 1:
        raise InputError(f"detection table {path}: not the same number of cases at every residual voltage")
    kept = table.schema.metadata or {}
    return DetectionTable(steps, np.array(rows, np.int64), kept.get(b"rtl_hash", b"unknown").decode())


def rtl_table(nominal_hz: float, tell: Callable[[str], None] = lambda text: None) -> DetectionTable:
    """Return the table of this very RTL: lasting falls, measured when first asked for and kept in the build cache.

    Raises
    ------
    MissingPart
        If the RTL cannot be compiled.
    """

    def build(work: Path) -> Path:
        tell("detection delays of the front-end (measured once for each version of the RTL)")
        dips = losses(round(nominal_hz))
        path = work / "detection.parquet"
        write_table(path, as_table(dips, list(reactions(dips))))
        return path

    path = cached_library("detection", _key(f"{nominal_hz:g} Hz"), build, suffix=".parquet")
    return read_table(path, nominal_hz)


def detection_table(chosen: str, nominal_hz: float, tell: Callable[[str], None]) -> DetectionTable | None:
    """Return what a scenario's ``meter.detection`` names; None for "even"."""
    if chosen == "even":
        return None
    return rtl_table(nominal_hz, tell) if chosen == "rtl" else read_table(Path(chosen), nominal_hz)
