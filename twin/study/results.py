"""From a finished loop to the run folder: tables, summary and manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gpu
from twin import wire
from twin.field.book import KINDS, NEVER
from twin.field.supply import SupplyStep
from twin.loop import Loop
from twin.office.headend import STATE_NAMES
from twin.office.locate import grade_location, locate_outage
from twin.scenario import Scenario, ns
from twin.study import kpis
from twin.study.tables import write_table

SECOND_NS = 1_000_000_000
ONE_TRANSMISSION = 128  # of the engine's ETX (mbed-os ws_common_defines.h)
STAGE_TEXT = {
    "fault": "short circuit: the feeder's voltage dips",
    "trip": "breaker trips: the whole feeder is dark",
    "isolate": "section isolated, breaker closed again",
    "tie": "tie closed: healthy parts return",
    "repair": "line repaired, normal state",
}


class Results:
    """Everything that is told of a run, computed once from its loop.

    Parameters
    ----------
    loop : Loop
        After its last window.
    """

    def __init__(self, loop: Loop):
        self.loop = loop
        self.plan = loop.plan
        self.scenario: Scenario = loop.plan.scenario
        self.rows = loop.meters.book.rows
        self.fates = kpis.settle(self.rows)
        self.frames = loop.plan.mesh.frames(self.rows["frame"])
        self.changes = loop.office.head_end.beliefs.changes
        self.end_ns = ns(self.scenario.time.duration_s)
        self.meters_at = np.bincount(
            self.plan.population.meter_substation, minlength=self.plan.grid.substation_bus.size
        )
        self.curve = self._curve()
        self.sections = self._sections()

    def write(self, folder: Path) -> None:
        """Write all tables."""
        for name, columns in self._tables().items():
            write_table(folder, name, columns)

    def summary(self) -> dict[str, Any]:
        """Return the key figures, limits and verdicts (``summary.json``)."""
        trip_ns = self.steps_by_kind["trip"].t_ns
        gasps = kpis.account(self.rows, self.fates, "last_gasp", trip_ns)
        backs = [self.steps_by_kind[k].t_ns for k in ("isolate", "tie") if k in self.steps_by_kind]
        returns = kpis.account(self.rows, self.fates, "power_return", backs[0] if backs else trip_ns)
        board = self._board()
        summary: dict[str, Any] = {
            "name": self.scenario.name,
            "sim_s": self.end_ns / 1e9,
            "meters": self.plan.population.meter_count,
            "concentrators": int(self.plan.population.concentrator_substation.size),
            "fault": self._fault(),
            "dark": self._dark_counts(),
            "gasps": gasps,
            "returns": returns,
            "belief": self._belief_moments(),
            "board": board,
            "energy": self._energy(),
            "air": self._air(),
            "sections": self.sections,
            "security": self._security(),
            "conservation": kpis.conservation({"last_gasp": gasps, "power_return": returns}),
        }
        if self.loop.office.polling is not None:
            summary["polls"] = self._polls()
        summary["service_levels"] = self._service_levels(gasps, board)
        return summary

    @property
    def steps_by_kind(self) -> dict[str, SupplyStep]:
        """The supply's steps within the run, by kind."""
        return {step.kind: step for step in self.plan.timeline.steps if step.t_ns < self.end_ns}

    def stage_at(self, t_ns: int) -> str:
        """Return the kind of the last step at or before ``t_ns``; "before" if none."""
        stage = "before"
        for step in self.plan.timeline.steps:
            if step.t_ns <= t_ns:
                stage = step.kind
        return stage

    def truly_dark(self, t_ns: int) -> NDArray[np.bool_]:
        """Return (S,) the substations without supply at ``t_ns``."""
        return self.plan.timeline.dark_at(t_ns)

    def _curve(self) -> dict[str, NDArray[Any]]:
        times_ns = np.arange(0, self.end_ns + 1, SECOND_NS)
        meter_station = self.plan.population.meter_substation
        dark_stations = [self.truly_dark(int(t)) for t in times_ns]
        believed = np.zeros(len(times_ns), dtype=np.int64)
        rightly = np.zeros(len(times_ns), dtype=np.int64)
        states = kpis.believed_at(self.changes, meter_station.size, times_ns.tolist())
        for i, (stations, state) in enumerate(zip(dark_stations, states, strict=True)):
            believed[i] = state.sum()
            rightly[i] = stations[meter_station[state]].sum()
        gasps = self.rows["kind"] == KINDS.index("last_gasp")
        seen = {
            "gasps_sent": self.frames["first_tx_ns"][gasps],
            "heard_by_concentrators": self.rows["concentrator_ns"][gasps],
            "known_at_head_end": self.rows["head_end_ns"][gasps],
        }
        return {
            "t_s": times_ns / 1e9,
            "truly_dark": np.array([self.meters_at[s].sum() for s in dark_stations]),
            **{name: _count_until(moments, times_ns) for name, moments in seen.items()},
            "believed_dark": believed,
            "rightly_dark": rightly,
            "wrongly_dark": believed - rightly,
        }

    def _sections(self) -> list[dict[str, Any]]:
        table = self.loop.office.sections
        rows = []
        for naming in self.loop.office.namings:
            truth = self.truly_dark(naming.t_ns)
            grade = grade_location(table, naming.section, truth)
            rows.append(
                {
                    "stage": self.stage_at(naming.t_ns),
                    "t_s": naming.t_ns / 1e9,
                    "named": naming.section.name,
                    "kind": naming.section.kind,
                    "truth": self._true_section(truth),
                    "right": grade.right,
                    "jaccard": grade.jaccard,
                    "distance_hops": grade.hops,
                    "margin": naming.section.margin,
                }
            )
        return rows

    def _true_section(self, truth: NDArray[np.bool_]) -> str:
        """Return the name of what is truly dark: what perfect reports would name."""
        dark = np.where(truth, self.meters_at, 0)
        none = np.zeros_like(dark)
        return locate_outage(self.plan.grid, self.loop.office.sections, dark, self.meters_at - dark, none).name

    def _fault(self) -> dict[str, Any]:
        timeline = self.plan.timeline
        return {
            "line": timeline.line_name,
            "feeder": self.plan.grid.feeder_name[timeline.feeder],
            "t_s": timeline.steps[0].t_ns / 1e9,
            "text": f"short circuit on {timeline.line_name}, feeder {self.plan.grid.feeder_name[timeline.feeder]}",
        }

    def _dark_counts(self) -> dict[str, int]:
        steps = self.steps_by_kind
        named = {"peak": "trip", "after_isolation": "isolate", "after_tie": "tie"}
        counts = {name: int(self.meters_at[steps[kind].dark].sum()) for name, kind in named.items() if kind in steps}
        return counts | {"at_end": int(self.curve["truly_dark"][-1])}

    def _belief_moments(self) -> list[dict[str, Any]]:
        """Return belief against truth just before each step and at the end."""
        moments = [step.t_ns - 1 for step in self.steps_by_kind.values() if step.kind != "fault"] + [self.end_ns]
        meter_dark = [self.truly_dark(t)[self.plan.population.meter_substation] for t in moments]
        states = kpis.believed_at(self.changes, meter_dark[0].size, moments)
        return [
            {
                "t_s": round(t_ns / 1e9, 3),
                "stage": self.stage_at(t_ns),
                "truly_dark": int(dark.sum()),
                "believed_dark": int(state.sum()),
                "rightly_dark": int((state & dark).sum()),
                "wrongly_dark": int((state & ~dark).sum()),
                "missed": int((~state & dark).sum()),
            }
            for t_ns, dark, state in zip(moments, meter_dark, states, strict=True)
        ]

    def _board(self) -> dict[str, Any]:
        plan, events = self.plan, self.loop.record.board_events
        loss = _confirmed_loss(events)
        mine = np.flatnonzero(self.rows["board"] & (self.rows["kind"] == KINDS.index("last_gasp")))
        board: dict[str, Any] = {
            "meter": plan.board,
            "name": plan.population.meter_name(plan.board),
            "substation": plan.grid.substation_name[plan.population.meter_substation[plan.board]],
            "residual_pu": float(plan.timeline.steps[0].residual_pu[plan.population.meter_substation[plan.board]]),
            "detection_latency_ms": None,
        }
        if loss is not None:
            t0, fail = loss
            board |= {
                "detection_latency_ms": (fail.t_ns - t0.t_ns) / 1e6,
                "t0_s": t0.t_ns / 1e9,
                "t0_source": t0.t0_source,
                "t0_bound_us": t0.t0_bound_ns / 1e3,
                "counter_at_detection": fail.sample,
            }
        if mine.size:
            row = self.rows[mine[0]]
            board |= {
                "sequence": int(row["sequence"]),
                "energy_left_j": int(row["energy_uj"]) / 1e6,
                "outcome": str(self.fates.outcome[mine[0]]),
                "head_end_s": _seconds(int(row["head_end_ns"])),
            }
        return board

    def _energy(self) -> dict[str, Any]:
        meters = self.loop.meters
        hit = np.flatnonzero(meters.first_dark_ns != NEVER)
        died = meters.died_ns[hit] != NEVER
        lived_s = (meters.died_ns[hit][died] - meters.first_dark_ns[hit][died]) / 1e9
        return {
            "store_median_j": float(np.median(meters.holdup_nj[hit])) / 1e9 if hit.size else None,
            "holdup_median_s": float(np.median(lived_s)) if lived_s.size else None,
            "died": int(died.sum()),
            "never_died": int(hit.size - died.sum()),
        }

    def _air(self) -> dict[str, Any]:
        air = self.loop.record.air
        airtime_ns = self.plan.mesh.airtime_ns
        return {
            "data_frames": sum(a.data_frames for a in air),
            "ack_frames": sum(a.ack_frames for a in air),
            "on_air_s": sum(a.data_air_ns + a.ack_air_ns for a in air) / 1e9,
            "peak_load": max((a.busiest_load for a in air), default=0.0),
            "busiest_radio_s": float(airtime_ns.max()) / 1e9,
            "hourly_limit_s": 360.0,  # ARIB STD-T108: sum of transmissions per station and hour
        }

    def _security(self) -> dict[str, int]:
        adversary, seen = self.loop.adversary, self.loop.record.security
        sent = [kind for kind, _ in adversary.frames.values()]
        verdicts = self.loop.office.head_end.verdicts
        return {
            "forged_sent": sent.count("forged"),
            "forged_heard": seen["forged_heard"],
            "forged_accepted": seen["forged_accepted"],
            "replayed_sent": sent.count("replayed"),
            "replayed_heard": seen["replayed_heard"],
            "replayed_accepted": seen["replayed_accepted"],
            "refused_as_forged": verdicts["forged"],
            "refused_as_repeated": verdicts["repeated"],
        }

    def _polls(self) -> dict[str, int]:
        polling = self.loop.office.polling
        assert polling is not None
        dark_at = [bool(self.truly_dark(p.asked_ns)[self._station(p.meter)]) for p in polling.polls]
        said_dark = [p.answered_ns is None or not p.supply for p in polling.polls]
        return {
            "asked": len(polling.polls),
            "answered": sum(p.answered_ns is not None for p in polling.polls),
            "unanswered": sum(p.answered_ns is None for p in polling.polls),
            "rightly_dark": sum(a and b for a, b in zip(dark_at, said_dark, strict=True)),
            "wrongly_dark": sum(b and not a for a, b in zip(dark_at, said_dark, strict=True)),
        }

    def _station(self, meter: int) -> int:
        return int(self.plan.population.meter_substation[meter])

    def _service_levels(self, gasps: dict[str, Any], board: dict[str, Any]) -> list[dict[str, Any]]:
        limits = self.scenario.service_levels
        trip_s = self.steps_by_kind["trip"].t_ns / 1e9
        right = next((s["t_s"] - trip_s for s in self.sections if s["stage"] == "trip" and s["right"]), None)
        dark = self._dark_counts()["peak"]
        share = gasps["delivered"] / dark if dark and gasps["made"] else None
        bound_ms = board.get("t0_bound_us", 0.0) / 1e3
        known_text = f"dark meters the head end knows {limits.known_after_s:g} s after the trip"
        asked = [
            ("R17", "Last Gasps at the head end / meters truly dark", limits.delivery_ratio, share, "1", True, 0.0),
            ("R17", known_text, limits.known_ratio, self._known_share(trip_s + limits.known_after_s), "1", True, 0.0),
            ("R17", "90 % of what arrives is there", limits.delivery_90_s, gasps["time_to_90_s"], "s", False, 0.0),
            ("R17", "board: loss of voltage to detection", limits.detection_ms, board["detection_latency_ms"], "ms",
             False, bound_ms),
            ("R18", "right section named after the trip", limits.section_right_s, right, "s", False, 0.0),
        ]  # fmt: skip
        rows = []
        for identity, text, limit, value, unit, at_least, bound in asked:
            said = kpis.verdict(value, limit, at_least, bound)
            if identity == "R18" and value is None:
                said = "fail"
            rows.append({"id": identity, "text": text, "limit": limit, "at_least": at_least, "value": value,
                         "unit": unit, "verdict": said})  # fmt: skip
        return rows

    def _known_share(self, t_s: float) -> float | None:
        """Return which share of the meters truly dark is believed dark at a full second; None if nobody is dark."""
        place = int(np.searchsorted(self.curve["t_s"], t_s))
        if place >= self.curve["t_s"].size or not self.curve["truly_dark"][place]:
            return None
        return float(self.curve["rightly_dark"][place] / self.curve["truly_dark"][place])

    def _tables(self) -> dict[str, dict[str, Any]]:
        return {
            "lines": self._lines_table(),
            "substations": self._substations_table(),
            "meters": self._meters_table(),
            "steps": self._steps_table(),
            "gasps": self._gasps_table(),
            "polls": self._polls_table(),
            "beliefs": self._beliefs_table(),
            "curve": self.curve,
            "air": self._air_table(),
            "sections": _columns(self.sections, "t_s stage named kind truth right jaccard distance_hops margin"),
            **self._board_tables(),
        }

    def _lines_table(self) -> dict[str, Any]:
        grid = self.plan.grid
        mv = np.flatnonzero(grid.line_is_mv)
        feeder = [grid.feeder_name[f] if f >= 0 else "" for f in grid.line_feeder[mv]]
        shapes = [grid.line_polyline[i] for i in mv]
        return {
            "line": grid.line_index[mv],
            "name": [grid.line_name[i] for i in mv],
            "feeder": feeder,
            "lon_deg": [shape[:, 0].tolist() for shape in shapes],
            "lat_deg": [shape[:, 1].tolist() for shape in shapes],
        }

    def _substations_table(self) -> dict[str, Any]:
        grid, population = self.plan.grid, self.plan.population
        count = grid.substation_bus.size
        return {
            "substation": np.arange(count),
            "name": list(grid.substation_name),
            "feeder": [grid.feeder_name[f] if f >= 0 else "" for f in grid.substation_feeder],
            "lon_deg": _first_finite(grid.substation_lon_deg, grid.substation_x_m),
            "lat_deg": _first_finite(grid.substation_lat_deg, grid.substation_y_m),
            "meters": self.meters_at,
            "concentrators": np.bincount(population.concentrator_substation, minlength=count),
        }

    def _meters_table(self) -> dict[str, Any]:
        population, mesh, meters = self.plan.population, self.plan.mesh, self.loop.meters
        n = population.meter_count
        lon, lat = population.meter_lon_lat_deg()
        return {
            "meter": np.arange(n),
            "name": [population.meter_name(i) for i in range(n)],
            "substation": population.meter_substation,
            "concentrator": population.meter_concentrator,
            "lon_deg": _first_finite(lon, population.meter_x_m),
            "lat_deg": _first_finite(lat, population.meter_y_m),
            "hops": _where_routed(mesh.hops[:n], mesh),
            "etx": _where_routed(mesh.etx[:n] / ONE_TRANSMISSION, mesh),
            "extra_loss_db": population.extra_loss_db,
            "holdup_j": meters.holdup_nj / 1e9,
            "board": np.arange(n) == self.plan.board,
            "dark_s": _times_s(meters.first_dark_ns),
            "returned_s": _times_s(meters.first_return_ns),
            "died_s": _times_s(meters.died_ns),
            "airtime_ms": mesh.airtime_ns[:n] / 1e6,
        }

    def _steps_table(self) -> dict[str, Any]:
        steps = list(self.steps_by_kind.values())
        return {
            "t_s": [s.t_ns / 1e9 for s in steps],
            "stage": [s.kind for s in steps],
            "text": [STAGE_TEXT[s.kind] for s in steps],
            "dark_substations": [int(s.dark.sum()) for s in steps],
            "dark_meters": [int(self.meters_at[s.dark].sum()) for s in steps],
        }

    def _gasps_table(self) -> dict[str, Any]:
        rows, frames = self.rows, self.frames
        return {
            "gasp": np.arange(rows.size),
            "meter": rows["meter"],
            "kind": np.array(KINDS)[rows["kind"]].tolist(),
            "sequence": rows["sequence"],
            "board": rows["board"],
            "detected_s": rows["detected_ns"] / 1e9,
            "offered_s": rows["offered_ns"] / 1e9,
            "first_tx_s": _times_s(frames["first_tx_ns"]),
            "concentrator_s": _times_s(rows["concentrator_ns"]),
            "head_end_s": _times_s(rows["head_end_ns"]),
            "outcome": self.fates.outcome.tolist(),
            "cause": self.fates.cause.tolist(),
            "attempts": frames["attempts"],
            "hops": np.ma.MaskedArray(frames["hops"], frames["sink"] < 0),
            "heard_by": np.ma.MaskedArray(frames["sink"] - self.plan.population.meter_count, frames["sink"] < 0),
        }

    def _polls_table(self) -> dict[str, Any]:
        polls = self.loop.office.polling.polls if self.loop.office.polling is not None else []
        return {
            "poll": [p.number for p in polls],
            "meter": [p.meter for p in polls],
            "asked_s": [p.asked_ns / 1e9 for p in polls],
            "answered_s": [None if p.answered_ns is None else p.answered_ns / 1e9 for p in polls],
            "verdict": ["lit" if p.supply else "dark" for p in polls],
            "cause": [p.cause for p in polls],
        }

    def _beliefs_table(self) -> dict[str, Any]:
        return {
            "t_s": [t / 1e9 for t, *_ in self.changes],
            "meter": [meter for _, meter, *_ in self.changes],
            "state": [STATE_NAMES[state] for _, _, state, _ in self.changes],
            "source": [source for *_, source in self.changes],
        }

    def _air_table(self) -> dict[str, Any]:
        air = self.loop.record.air
        return {
            "t_s": [a.t_ns / 1e9 for a in air],
            "data_air_s": [a.data_air_ns / 1e9 for a in air],
            "ack_air_s": [a.ack_air_ns / 1e9 for a in air],
            "data_frames": [a.data_frames for a in air],
            "ack_frames": [a.ack_frames for a in air],
            "busiest_substation": [a.busiest_substation for a in air],
            "busiest_load": [a.busiest_load for a in air],
        }

    def _board_tables(self) -> dict[str, dict[str, Any]]:
        events, stopped = self.loop.record.board_events, self.loop.record.stopped
        assert stopped is not None
        loss = _confirmed_loss(events)
        t0_ns = loss[0].t_ns if loss is not None else 0
        wave_ns = (stopped.waveform_first + np.arange(len(stopped.waveform_v))) * 125_000
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


def _confirmed_loss(events: Sequence[wire.BoardEvent]) -> tuple[wire.BoardEvent, wire.BoardEvent] | None:
    """Return the trigger and the suspicion of the first loss of supply that RMS confirmed; None if there was none.

    A dip may be suspected and withdrawn before; that is not a loss.
    """
    confirmed = next((e for e in events if e.kind == "power_fail_confirmed"), None)
    if confirmed is None:
        return None
    fail = max((e for e in events if e.kind == "power_fail" and e.t_ns <= confirmed.t_ns), key=lambda e: e.t_ns)
    triggers = [e for e in events if e.kind == "t0" and e.t_ns <= fail.t_ns]
    return (max(triggers, key=lambda e: e.t_ns), fail) if triggers else None


def _count_until(moments_ns: NDArray[np.int64], times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    happened = np.sort(moments_ns[moments_ns != NEVER])
    return np.searchsorted(happened, times_ns, side="right")


def _times_s(moments_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(moments_ns == NEVER, np.nan, moments_ns / 1e9)


def _where_routed(values: NDArray[Any], mesh: gpu.Mesh) -> NDArray[Any]:
    """Return the values of the meters, masked for those without a route."""
    return np.ma.MaskedArray(values, mesh.sink_of[: values.size] < 0)


def _seconds(moment_ns: int) -> float | None:
    return None if moment_ns == NEVER else moment_ns / 1e9


def _first_finite(degrees: NDArray[np.float64], metres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return geographic coordinates, or the plane's where the grid has none."""
    return metres if np.isnan(degrees).all() else degrees


def _columns(rows: list[dict[str, Any]], names: str) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in names.split()}
