"""From a finished loop to the run folder: tables, summary and manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gpu
from twin.field.book import KINDS, NEVER
from twin.field.stages import Stage
from twin.loop import Loop
from twin.office.headend import DARK, STATE_NAMES
from twin.office.locate import grade_location, locate_outage
from twin.office.polling import Poll
from twin.scenario import Scenario, ns
from twin.study import kpis
from twin.study.boards import board_flags, board_summary, board_tables
from twin.study.tables import write_table

SECOND_NS = 1_000_000_000
BOARDS = "boards"  # folder of the tables of each board, where there are several
ONE_TRANSMISSION = 128  # of the engine's ETX (mbed-os ws_common_defines.h)
STAGE_TEXT = {
    "fault": "short circuit: the feeder's voltage dips",
    "trip": "breaker trips: the whole feeder is dark",
    "isolate": "section isolated, breaker closed again",
    "tie": "tie closed: healthy parts return",
    "repair": "line repaired, normal state",
}
OTHERS_TEXT = "as another simulator gave it"


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
        self.rows = loop.meters.book.in_order()
        self.fates = kpis.settle(self.rows)
        self.frames = loop.plan.mesh.frames(self.rows["frame"])
        self.changes = loop.office.head_end.beliefs.changes
        self.end_ns = ns(self.scenario.time.duration_s)
        self.ids = [board.id for board in self.scenario.all_boards]
        self.meters_at = np.bincount(
            self.plan.population.meter_substation, minlength=self.plan.grid.substation_bus.size
        )
        self.curve = self._curve()
        self.sections = self._sections()

    def write(self, folder: Path) -> None:
        """Write all tables."""
        for name, columns in self._tables().items():
            write_table(folder, name, columns)
        if len(self.ids) > 1:
            for identity, board in zip(self.ids, self.loop.record.boards, strict=True):
                place = folder / BOARDS / identity
                place.mkdir(parents=True)
                for name, columns in board_tables(board).items():
                    write_table(place, name, columns)

    def summary(self) -> dict[str, Any]:
        """Return the key figures, limits and verdicts (``summary.json``)."""
        gasps = kpis.account(self.rows, self.fates, "last_gasp", self.loss_ns)
        own_return_ns = self.loop.meters.first_return_ns[self.rows["meter"]]
        returns = kpis.account(self.rows, self.fates, "power_return", own_return_ns)
        boards = self._boards()
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
            "board": boards[0],
            "energy": self._energy(),
            "air": self._air(),
            "wan": self._wan(),
            "sections": self.sections,
            "security": self._security(),
            "conservation": kpis.conservation({"last_gasp": gasps, "power_return": returns}),
        }
        if len(boards) > 1:
            summary["boards"] = boards
        if self.loop.office.polling is not None:
            summary["polls"] = self._polls()
        summary["service_levels"] = self._service_levels(gasps, boards)
        return summary

    def flags(self) -> list[str]:
        """Return what a reader must know before trusting the run; of several boards with the board's id."""
        boards = zip(self.ids, self.loop.record.boards, strict=True)
        if len(self.ids) == 1:
            return board_flags(self.loop.record.boards[0])
        return [f"{identity}: {flag}" for identity, board in boards for flag in board_flags(board)]

    @property
    def loss_ns(self) -> int:
        """When the first meters lost their supply; the end of the run if none did."""
        loss_ns = self.plan.supply.loss_ns
        return self.end_ns if loss_ns is None else loss_ns

    def truly_dark(self, t_ns: int) -> NDArray[np.bool_]:
        """Return (S,) the substations that have lost their supply at ``t_ns``."""
        return self.plan.supply.dark_at(t_ns)

    def meters_truly_dark(self, t_ns: int) -> NDArray[np.bool_]:
        """Return (N,) the meters that have lost their supply at ``t_ns``."""
        return self.plan.supply.dark_meters_at(t_ns, self.plan.population.meter_substation)

    def _curve(self) -> dict[str, NDArray[Any]]:
        times_ns = np.arange(0, self.end_ns + 1, SECOND_NS)
        dark_meters = [self.meters_truly_dark(int(t)) for t in times_ns]
        believed = np.zeros(len(times_ns), dtype=np.int64)
        rightly = np.zeros(len(times_ns), dtype=np.int64)
        states = kpis.believed_at(self.changes, self.plan.population.meter_count, times_ns.tolist())
        for i, (dark, state) in enumerate(zip(dark_meters, states, strict=True)):
            believed[i] = state.sum()
            rightly[i] = dark[state].sum()
        gasps = self.rows["kind"] == KINDS.index("last_gasp")
        seen = {
            "gasps_sent": self.frames["first_tx_ns"][gasps],
            "heard_by_concentrators": self.rows["concentrator_ns"][gasps],
            "known_at_head_end": self.rows["head_end_ns"][gasps],
        }
        return {
            "t_s": times_ns / 1e9,
            "truly_dark": np.array([dark.sum() for dark in dark_meters]),
            **{name: _count_until(moments, times_ns) for name, moments in seen.items()},
            "believed_dark": believed,
            "rightly_dark": rightly,
            "wrongly_dark": believed - rightly,
        }

    def _sections(self) -> list[dict[str, Any]]:
        table = self.loop.office.sections
        rows = []
        for naming in self.loop.office.namings:
            if naming.t_ns < self.loss_ns:
                continue  # nothing to be named yet
            truth = self.truly_dark(naming.t_ns)
            grade = grade_location(table, naming.section, truth)
            rows.append(
                {
                    "stage": self.plan.supply.kind_at(naming.t_ns),
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
        if self.plan.supply.outside:
            first_s = self.plan.supply.stages[0].t_ns / 1e9 if self.plan.supply.stages else None
            return {"line": None, "feeder": "", "t_s": first_s, "text": "the supply of another simulator"}
        return {
            "line": timeline.line_name,
            "feeder": self.plan.grid.feeder_name[timeline.feeder],
            "t_s": timeline.steps[0].t_ns / 1e9,
            "text": f"short circuit on {timeline.line_name}, feeder {self.plan.grid.feeder_name[timeline.feeder]}",
        }

    def _dark_counts(self) -> dict[str, int]:
        stages = self.plan.supply.stages
        counts = {"peak": max(map(self._dark_in, stages), default=0)}
        for name, kind in (("after_isolation", "isolate"), ("after_tie", "tie")):
            stage = self.plan.supply.find(kind)
            if stage is not None:
                counts[name] = self._dark_in(stage)
        return counts | {"at_end": int(self.curve["truly_dark"][-1])}

    def _dark_in(self, stage: Stage) -> int:
        return int(stage.dark_meters(self.plan.population.meter_substation).sum())

    def _belief_moments(self) -> list[dict[str, Any]]:
        """Return belief against truth just before each stage but the first, and at the end."""
        moments = [stage.t_ns - 1 for stage in self.plan.supply.stages[1:]] + [self.end_ns]
        meter_dark = [self.meters_truly_dark(t) for t in moments]
        states = kpis.believed_at(self.changes, meter_dark[0].size, moments)
        return [
            {
                "t_s": round(t_ns / 1e9, 3),
                "stage": self.plan.supply.kind_at(t_ns),
                "truly_dark": int(dark.sum()),
                "believed_dark": int(state.sum()),
                "rightly_dark": int((state & dark).sum()),
                "wrongly_dark": int((state & ~dark).sum()),
                "missed": int((~state & dark).sum()),
            }
            for t_ns, dark, state in zip(moments, meter_dark, states, strict=True)
        ]

    def _boards(self) -> list[dict[str, Any]]:
        """Return the key figures of each board; of several each with its id and what it ran on."""
        found = [board_summary(self.loop, self.rows, self.fates.outcome, place) for place in range(len(self.ids))]
        if len(found) > 1:
            boards = self.loop.record.boards
            found = [
                {"id": identity, "runs_on": board.runs_on, **one}
                for identity, board, one in zip(self.ids, boards, found, strict=True)
            ]
        return found

    def _energy(self) -> dict[str, Any]:
        """Return what the hold-up stores held, spent and have left, over the meters that lost their supply."""
        meters = self.loop.meters
        hit = np.flatnonzero(meters.first_dark_ns != NEVER)
        if not hit.size:
            return {}
        listening_nj, sending_nj = self.plan.mesh.energy_spent_nj()
        died = meters.died_ns[hit] != NEVER
        lived_s = np.where(died, (meters.died_ns[hit] - meters.first_dark_ns[hit]) / 1e9, np.inf)
        median_s = float(np.median(lived_s))
        found: dict[str, Any] = {
            "store_median_j": float(np.median(meters.holdup_nj[hit])) / 1e9,
            "spent_listening_median_j": float(np.median(listening_nj[hit])) / 1e9,
            "spent_sending_median_j": float(np.median(sending_nj[hit])) / 1e9,
            "spent_sending_most_j": float(sending_nj[hit].max()) / 1e9,
            "died": int(died.sum()),
            "never_died": int(hit.size - died.sum()),
            "holdup_median_s": median_s if np.isfinite(median_s) else None,  # None: most outlived their outage
        }
        for sample in self.loop.record.energy:
            if sample.left_j is not None:
                stage = self.plan.supply.kind_at(sample.t_ns - 1)
                found[f"left_at_end_of_{stage}_median_j"] = sample.left_j[1]
                found[f"alive_at_end_of_{stage}"] = sample.alive
        return found

    def _air(self) -> dict[str, Any]:
        counters = self.plan.mesh.counters()
        return {
            "data_frames": counters["tx_data"],
            "ack_frames": counters["tx_ack"],
            "on_air_s": (counters["on_air_data_us"] + counters["on_air_ack_us"]) / 1e6,
            "peak_load": max((a.busiest_load for a in self.loop.record.air), default=0.0),
            "busiest_radio_s": float(self.plan.mesh.airtime_ns.max()) / 1e9,
            "hourly_limit_s": 360.0,  # ARIB STD-T108: sum of transmissions per station and hour
        }

    def _wan(self) -> dict[str, int]:
        wan = self.loop.office.wan
        return {"sendings": wan.sent, "lost_sendings": wan.lost_sendings, "messages_given_up": wan.given_up}

    def _security(self) -> dict[str, int]:
        """Return attacks that reached the air, a concentrator, the head end's belief."""
        attacks, seen = self.loop.adversary.frames, self.loop.record.security
        sent = self.plan.mesh.frames(np.array(sorted(attacks), dtype=np.int64))["first_tx_ns"] != NEVER
        kinds = [attacks[frame].kind for frame, on_air in zip(sorted(attacks), sent, strict=True) if on_air]
        verdicts = self.loop.office.head_end.verdicts
        return {
            "forged_sent": kinds.count("forged"),
            "forged_heard": seen["forged_heard"],
            "forged_accepted": seen["forged_accepted"],
            "replayed_sent": kinds.count("replayed"),
            "replayed_heard": seen["replayed_heard"],
            "replayed_accepted": seen["replayed_accepted"],
            "replayed_first_copy": seen["replayed_first_copy"],
            "refused_as_forged": verdicts["forged"],
            "refused_as_repeated": verdicts["repeated"],
        }

    def _polls(self) -> dict[str, int]:
        """Return questions sent, and what was concluded of the meters asked."""
        polling = self.loop.office.polling
        assert polling is not None
        rightly = [
            (state == DARK, bool(self.meters_truly_dark(t_ns)[meter])) for t_ns, meter, state in polling.conclusions
        ]
        return {
            "asked": len(polling.polls),
            "answered": sum(p.answered_ns is not None for p in polling.polls),
            "unanswered": sum(_poll_verdict(p) == "silent" for p in polling.polls),
            "open": sum(_poll_verdict(p) == "open" for p in polling.polls),
            "meters_concluded": len(rightly),
            "rightly_dark": sum(said and dark for said, dark in rightly),
            "wrongly_dark": sum(said and not dark for said, dark in rightly),
            "wrongly_lit": sum(dark and not said for said, dark in rightly),
        }

    def _station(self, meter: int) -> int:
        return int(self.plan.population.meter_substation[meter])

    def _service_levels(self, gasps: dict[str, Any], boards: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return limit, value and verdict of each level; what the run was too short to show is not applicable."""
        limits, loss_s, end_s = self.scenario.service_levels, self.loss_ns / 1e9, self.end_ns / 1e9
        policy = self.scenario.policy
        all_offered = end_s >= loss_s + policy.declare_s + policy.window_s + self.scenario.meter.handoff_ms / 1e3
        settled = all_offered and "unfinished" not in gasps["causes"]
        due = self._declared_meters()
        share = gasps["delivered"] / due if settled and due and gasps["made"] else None
        time_90_s = gasps["time_to_90_s"] if settled else None
        right = next((s["t_s"] - loss_s for s in self.sections if s["right"] and s["kind"] != "nothing"), None)
        if right is None and end_s >= loss_s + limits.section_right_s:
            right = np.inf
        known_text = f"dark meters the head end knows {limits.known_after_s:g} s after the loss"
        known = self._known_share(loss_s + limits.known_after_s)
        asked = [
            ("R17", "Last Gasps at the head end / meters dark long enough", limits.delivery_ratio, share, "1", True, 0),
            ("R17", known_text, limits.known_ratio, known, "1", True, 0),
            ("R17", "90 % of what arrives is there", limits.delivery_90_s, time_90_s, "s", False, 0),
            *(("R17", f"{board.get('id', 'board')}: loss of voltage to detection", limits.detection_ms,
               board["detection_latency_ms"], "ms", False, board.get("t0_bound_us", 0.0) / 1e3) for board in boards),
            ("R18", "right section named after the loss", limits.section_right_s, right, "s", False, 0),
        ]  # fmt: skip
        return [
            {
                "id": identity,
                "text": text,
                "limit": limit,
                "at_least": at_least,
                "value": value if value is None or np.isfinite(value) else None,
                "unit": unit,
                "verdict": kpis.verdict(value, limit, at_least, bound),
            }
            for identity, text, limit, value, unit, at_least, bound in asked
        ]

    def _declared_meters(self) -> int:
        """Return how many meters were dark for longer than the declaration time: those that owe a Last Gasp."""
        meters = self.loop.meters
        hit = np.flatnonzero(meters.first_dark_ns != NEVER)
        back_ns = np.where(meters.first_return_ns[hit] == NEVER, self.end_ns, meters.first_return_ns[hit])
        return int((back_ns - meters.first_dark_ns[hit] > ns(self.scenario.policy.declare_s)).sum())

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
            **board_tables(self.loop.record.boards[0]),
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
            "name": population.meter_names(),
            "substation": population.meter_substation,
            "concentrator": np.where(mesh.sink_of[:n] < 0, population.meter_concentrator, mesh.sink_of[:n] - n),
            "lon_deg": _first_finite(lon, population.meter_x_m),
            "lat_deg": _first_finite(lat, population.meter_y_m),
            "hops": _where_routed(mesh.hops[:n], mesh),
            "etx": _where_routed(mesh.etx[:n] / ONE_TRANSMISSION, mesh),
            "extra_loss_db": population.extra_loss_db,
            "holdup_j": meters.holdup_nj / 1e9,
            "board": meters.is_board,
            "dark_s": _times_s(meters.first_dark_ns),
            "returned_s": _times_s(meters.first_return_ns),
            "died_s": _times_s(meters.died_ns),
            "airtime_ms": mesh.airtime_ns[:n] / 1e6,
        }

    def _steps_table(self) -> dict[str, Any]:
        steps = self.plan.supply.stages
        return {
            "t_s": [s.t_ns / 1e9 for s in steps],
            "stage": [s.kind for s in steps],
            "text": [STAGE_TEXT.get(s.kind, OTHERS_TEXT) for s in steps],
            "dark_substations": [int(s.dark.sum()) for s in steps],
            "dark_meters": [self._dark_in(s) for s in steps],
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
            "verdict": [_poll_verdict(p) for p in polls],
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


def _poll_verdict(poll: Poll) -> str:
    """Return lit or dark as the meter said, silent if it did not answer, open if the run ended before."""
    if poll.answered_ns is not None:
        return "lit" if poll.supply else "dark"
    return "silent" if poll.cause else "open"


def _count_until(moments_ns: NDArray[np.int64], times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    happened = np.sort(moments_ns[moments_ns != NEVER])
    return np.searchsorted(happened, times_ns, side="right")


def _times_s(moments_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(moments_ns == NEVER, np.nan, moments_ns / 1e9)


def _where_routed(values: NDArray[Any], mesh: gpu.Mesh) -> NDArray[Any]:
    """Return the values of the meters, masked for those without a route."""
    return np.ma.MaskedArray(values, mesh.sink_of[: values.size] < 0)


def _first_finite(degrees: NDArray[np.float64], metres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return geographic coordinates, or the plane's where the grid has none."""
    return metres if np.isnan(degrees).all() else degrees


def _columns(rows: list[dict[str, Any]], names: str) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in names.split()}
