"""What is told of one board: key figures, flags and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin import wire
from twin.field.book import KINDS, NEVER
from twin.field.meters import SAMPLE_NS
from twin.loop import BoardRecord, Loop
from twin.plan import Plan


def board_summary(loop: Loop, rows: NDArray[Any], outcome: NDArray[Any], place: int) -> dict[str, Any]:
    """Return the key figures of a board.

    Parameters
    ----------
    loop : Loop
        After its last window.
    rows : (G,) of `twin.field.book.ROW`
        All notices.
    outcome : (G,) str
        What became of each.
    place : int
        Which board.
    """
    plan, meter, events = loop.plan, loop.plan.boards[place], loop.record.boards[place].events
    station = int(plan.population.meter_substation[meter])
    gasps = rows["board"] & (rows["meter"] == meter) & (rows["kind"] == KINDS.index("last_gasp"))
    board: dict[str, Any] = {
        "meter": meter,
        "name": plan.population.meter_name(meter),
        "substation": plan.grid.substation_name[station],
        "residual_pu": _first_pu(plan, meter),
        "detection_latency_ms": None,
    }
    loss = confirmed_loss(events)
    if loss is not None:
        t0, fail = loss
        board |= {
            "detection_latency_ms": (fail.t_ns - t0.t_ns) / 1e6,
            "t0_s": t0.t_ns / 1e9,
            "t0_source": t0.t0_source,
            "t0_bound_us": t0.t0_bound_ns / 1e3,
            "counter_at_detection": fail.sample,
        }
    mine = np.flatnonzero(gasps)
    if mine.size:
        row = rows[mine[0]]
        board |= {
            "sequence": int(row["sequence"]),
            "energy_left_j": int(row["energy_uj"]) / 1e6,
            "outcome": str(outcome[mine[0]]),
            "head_end_s": None if row["head_end_ns"] == NEVER else int(row["head_end_ns"]) / 1e9,
        }
    return board


def _first_pu(plan: Plan, meter: int) -> float:
    """Return a meter's voltage over nominal in the first stage; 1 if there is none."""
    stages = plan.supply.stages
    return float(stages[0].meters_pu(plan.population.meter_substation)[meter]) if stages else 1.0


def board_flags(board: BoardRecord) -> list[str]:
    """Return what a reader must know of a board before trusting it."""
    assert board.stopped is not None
    flags = list(board.stopped.flags)
    if any(e.kind == "power_fail_confirmed" for e in board.events) and confirmed_loss(board.events) is None:
        flags.append("board: a loss of supply without a trigger from the source, t0 unknown")
    return flags


def board_tables(board: BoardRecord) -> dict[str, dict[str, Any]]:
    """Return the tables of a board, by name."""
    events, stopped = board.events, board.stopped
    assert stopped is not None
    t0_ns = _origin_ns(events)
    wave_ns = (stopped.waveform_first + np.arange(len(stopped.waveform_v))) * SAMPLE_NS
    return {
        "board_events": {
            "kind": [e.kind for e in events],
            "t_s": [e.t_ns / 1e9 for e in events],
            "sample": [e.sample for e in events],
            "after_t0_ms": [(e.t_ns - t0_ns) / 1e6 for e in events],
            "t0_source": [e.t0_source for e in events],
            "t0_bound_us": [e.t0_bound_ns / 1e3 for e in events],
        },
        "waveform": {"t_s": wave_ns / 1e9, "after_t0_ms": (wave_ns - t0_ns) / 1e6, "u_v": stopped.waveform_v},
        "half_cycles": {
            "t_s": np.asarray(stopped.half_cycle_t_ns, dtype=np.int64) / 1e9,
            "u_rms_half_v": stopped.half_cycle_v,
            "frequency_hz": stopped.half_cycle_hz,
        },
    }


def confirmed_loss(events: Sequence[wire.BoardEvent]) -> tuple[wire.BoardEvent, wire.BoardEvent] | None:
    """Return the trigger and the suspicion of the first loss of supply that RMS confirmed; None if there was none.

    A dip may be suspected and withdrawn before; that is not a loss.
    """
    confirmed = next((e for e in events if e.kind == "power_fail_confirmed"), None)
    if confirmed is None:
        return None
    fails = [e for e in events if e.kind == "power_fail" and e.t_ns <= confirmed.t_ns]
    if not fails:  # it was suspected before the run began
        return None
    fail = max(fails, key=lambda e: e.t_ns)
    triggers = [e for e in events if e.kind == "t0" and e.t_ns <= fail.t_ns]
    return (max(triggers, key=lambda e: e.t_ns), fail) if triggers else None


def _origin_ns(events: Sequence[wire.BoardEvent]) -> int:
    """Return what the board's times are counted from: the trigger of the loss, else its detection, else 0."""
    loss = confirmed_loss(events)
    if loss is not None:
        return loss[0].t_ns
    return next((e.t_ns for e in events if e.kind == "power_fail"), 0)
