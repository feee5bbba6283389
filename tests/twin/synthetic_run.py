"""A made-up run folder: a radial grid, one feeder fault, a head end that mostly gets it right."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twin.study.tables import write_table

FAULT_S, T0_S, ISOLATED_S, TIE_S, END_S = 59.7, 60.0, 180.0, 420.0, 900.0


@dataclass(frozen=True)
class Shape:
    """What kind of run to make up."""

    meters: int = 400
    feeders: int = 3
    per_feeder: int = 4
    gasps: bool = True
    board: bool = True
    polls: bool = True
    fault: bool = True
    name: str = "feeder_fault"
    feeder_prefix: str = "feeder "


def make_run(folder: Path, shape: Shape | None = None, seed: int = 7) -> Path:
    """Write a complete run folder, without pictures and report, and return it."""
    shape = shape or Shape()
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    subs = _substations(shape, random)
    meters = _meters(shape, subs, random)
    gasps = _gasps(shape, meters, random)
    beliefs = _beliefs(meters, gasps)
    curve = _curve(meters, gasps, beliefs)
    _write_grid(folder, shape, subs)
    write_table(folder, "meters", meters)
    write_table(folder, "gasps", gasps)
    write_table(folder, "beliefs", beliefs)
    write_table(folder, "curve", curve)
    _write_steps(folder, shape, meters)
    _write_air(folder, shape, random)
    sections = _sections(shape)
    write_table(
        folder, "sections", {k: [s[k] for s in sections] for k in (*sections[0],)} if sections else _none("sections")
    )
    if shape.polls:
        _write_polls(folder, meters, random)
    if shape.board:
        _write_board(folder, random)
    summary = _summary(shape, meters, gasps, curve, sections)
    (folder / "summary.json").write_text(json.dumps(summary, indent=1))
    (folder / "run.json").write_text(json.dumps(_run(shape, seed), indent=1))
    return folder


def _none(name: str) -> dict[str, list[Any]]:
    from twin.study.tables import SCHEMAS

    return {field: [] for field in SCHEMAS[name].names}


def _substations(shape: Shape, random: np.random.Generator) -> dict[str, np.ndarray]:
    S = shape.feeders * shape.per_feeder
    feeder = np.repeat(np.arange(shape.feeders), shape.per_feeder)
    rank = np.tile(np.arange(shape.per_feeder), shape.feeders)
    angle = 2 * np.pi * (feeder + 0.3) / shape.feeders + 0.5 * np.sin(rank / 2.0 + feeder)
    radius = 0.9 * (rank + 1)
    share = random.dirichlet(np.full(S, 3.0))
    meters = np.maximum(1, np.floor(share * shape.meters)).astype(int)
    meters[0] += shape.meters - meters.sum()
    return {
        "feeder": feeder,
        "rank": rank,
        "lon": 139.70 + radius * np.cos(angle) / 90.0,
        "lat": 35.68 + radius * np.sin(angle) / 111.0,
        "meters": meters,
    }


def _write_grid(folder: Path, shape: Shape, subs: dict[str, np.ndarray]) -> None:
    S = len(subs["feeder"])
    lon, lat = [], []
    for s in range(S):
        a = (139.70, 35.68) if subs["rank"][s] == 0 else (subs["lon"][s - 1], subs["lat"][s - 1])
        b = (subs["lon"][s], subs["lat"][s])
        lon.append([a[0], (a[0] + b[0]) / 2 + 0.0008, b[0]])
        lat.append([a[1], (a[1] + b[1]) / 2 - 0.0005, b[1]])
    feeder = [f"{shape.feeder_prefix}{k}" for k in subs["feeder"]]
    names = [f"L{s}" for s in range(S)]
    write_table(folder, "lines", {"line": range(S), "name": names, "feeder": feeder, "lon_deg": lon, "lat_deg": lat})
    write_table(
        folder,
        "substations",
        {
            "substation": range(S),
            "name": [f"substation {s}" for s in range(S)],
            "feeder": feeder,
            "lon_deg": subs["lon"],
            "lat_deg": subs["lat"],
            "meters": subs["meters"],
            "concentrators": np.ones(S, int),
        },
    )


def _meters(shape: Shape, subs: dict[str, np.ndarray], random: np.random.Generator) -> dict[str, Any]:
    """Feeder 1 trips at T0; its head is back at ISOLATED_S, its tail at TIE_S, one substation not at all."""
    N, sub = shape.meters, np.repeat(np.arange(len(subs["meters"])), subs["meters"])
    hit = (subs["feeder"][sub] == min(1, shape.feeders - 1)) & shape.fault
    rank = subs["rank"][sub]
    returned = np.where(rank == 0, ISOLATED_S, np.where(rank >= 2, TIE_S, np.nan))
    distance = random.gamma(2.0, 0.0012, N)
    angle = random.uniform(0, 2 * np.pi, N)
    holdup_j = random.normal(6.0, 1.0, N)
    dark_s = np.where(hit, T0_S, np.nan)
    return {
        "meter": np.arange(N),
        "name": [f"meter {i}" for i in range(N)],
        "substation": sub,
        "concentrator": sub,
        "lon_deg": subs["lon"][sub] + distance * np.cos(angle),
        "lat_deg": subs["lat"][sub] + distance * np.sin(angle) * 0.8,
        "hops": 1 + np.floor(distance / 0.0016).astype(int),
        "etx": 1 + random.gamma(1.0, 0.4, N),
        "extra_loss_db": np.where(random.random(N) < 0.1, 15.0, 0.0),
        "holdup_j": holdup_j,
        "board": np.arange(N) == (int(np.flatnonzero(hit)[0]) if shape.board and hit.any() else -1),
        "dark_s": dark_s,
        "returned_s": np.where(hit, returned, np.nan),
        "died_s": np.where(hit, T0_S + 8 * holdup_j, np.nan),
        "airtime_ms": random.gamma(2.0, 20.0, N),
    }


def _gasps(shape: Shape, meters: dict[str, Any], random: np.random.Generator) -> dict[str, Any]:
    if not shape.gasps:
        return _none("gasps")
    dark = np.flatnonzero(~np.isnan(meters["dark_s"]))
    M, hops = dark.size, meters["hops"][dark]
    detected = T0_S + 0.0214 + random.normal(0, 0.003, M)
    offered = detected + random.uniform(0, 10, M)
    arrival = offered + random.gamma(2.0, 0.35, M) * hops
    fate = random.random(M) + 0.05 * (hops - 1)
    outcome = np.where(fate < 0.85, "delivered", np.where(fate < 0.96, "lost", "died"))
    cause = np.where(
        outcome == "delivered",
        "",
        np.where(outcome == "died", "energy spent", np.where(random.random(M) < 0.6, "no acknowledgement", "busy")),
    )
    got = outcome == "delivered"
    return {
        "gasp": np.arange(M),
        "meter": dark,
        "kind": np.full(M, "last_gasp"),
        "sequence": np.ones(M, int),
        "board": meters["board"][dark],
        "detected_s": detected,
        "offered_s": offered,
        "first_tx_s": np.where(outcome == "died", np.nan, offered + 0.02),
        "concentrator_s": np.where(got, arrival, np.nan),
        "head_end_s": np.where(got, arrival + random.gamma(3.0, 0.05, M), np.nan),
        "outcome": outcome,
        "cause": cause,
        "attempts": 1 + random.poisson(0.7, M) * hops,
        "hops": hops,
        "heard_by": np.where(got, meters["concentrator"][dark], -1),
    }


def _beliefs(meters: dict[str, Any], gasps: dict[str, Any]) -> dict[str, Any]:
    """Dark when told; ten more by inference, three of them lit; lit again 4 s after return."""
    got = np.flatnonzero(~np.isnan(np.asarray(gasps["head_end_s"], float)))
    t = np.asarray(gasps["head_end_s"], float)[got]
    who = np.asarray(gasps["meter"], int)[got]
    lit = np.flatnonzero(np.isnan(meters["dark_s"]))[:3] if got.size else np.zeros(0, int)
    back = meters["returned_s"][who] + 4.0
    again = ~np.isnan(back)
    t_s = np.concatenate([t, np.full(lit.size, T0_S + 30), back[again]])
    order = np.argsort(t_s, kind="stable")
    state = np.array(["dark"] * (t.size + lit.size) + ["lit"] * int(again.sum()))
    source = np.array(["last_gasp"] * t.size + ["inference"] * lit.size + ["power_return"] * int(again.sum()))
    meter = np.concatenate([who, lit, who[again]])
    return {"t_s": t_s[order], "meter": meter[order], "state": state[order], "source": source[order]}


def _curve(meters: dict[str, Any], gasps: dict[str, Any], beliefs: dict[str, Any]) -> dict[str, Any]:
    t_s = np.arange(0.0, END_S + 1)
    dark, back = meters["dark_s"], np.where(np.isnan(meters["returned_s"]), np.inf, meters["returned_s"])
    right, wrong = [], []
    state = np.zeros(len(dark), bool)
    k = 0
    for t in t_s:
        while k < len(beliefs["t_s"]) and beliefs["t_s"][k] <= t:
            state[beliefs["meter"][k]] = beliefs["state"][k] == "dark"
            k += 1
        truly = (dark <= t) & (t < back)
        right.append(int((state & truly).sum()))
        wrong.append(int((state & ~truly).sum()))
    upto = {name: np.sort(np.asarray(gasps[name], float)) for name in ("first_tx_s", "concentrator_s", "head_end_s")}
    return {
        "t_s": t_s,
        "truly_dark": [int(((dark <= t) & (t < back)).sum()) for t in t_s],
        "gasps_sent": [int((upto["first_tx_s"] <= t).sum()) for t in t_s],
        "heard_by_concentrators": [int((upto["concentrator_s"] <= t).sum()) for t in t_s],
        "known_at_head_end": [int((upto["head_end_s"] <= t).sum()) for t in t_s],
        "believed_dark": np.add(right, wrong),
        "rightly_dark": right,
        "wrongly_dark": wrong,
    }


def _write_steps(folder: Path, shape: Shape, meters: dict[str, Any]) -> None:
    if not shape.fault:
        write_table(folder, "steps", _none("steps"))
        return
    back = np.where(np.isnan(meters["returned_s"]), np.inf, meters["returned_s"])
    rows = [
        (FAULT_S, "fault", "short circuit: the feeder's voltage dips"),
        (T0_S, "trip", "breaker trips: the whole feeder is dark"),
        (ISOLATED_S, "isolate", "section isolated, head closed again"),
        (TIE_S, "tie", "tail fed over the tie"),
    ]
    dark = [int(((meters["dark_s"] <= t) & (t < back)).sum()) for t, _, _ in rows]
    write_table(
        folder,
        "steps",
        {
            "t_s": [r[0] for r in rows],
            "stage": [r[1] for r in rows],
            "text": [r[2] for r in rows],
            "dark_substations": [0, shape.per_feeder, shape.per_feeder - 1, 1],
            "dark_meters": dark,
        },
    )


def _write_air(folder: Path, shape: Shape, random: np.random.Generator) -> None:
    t_s = np.arange(0.0, END_S)
    storm = np.where((t_s >= T0_S) & (t_s < T0_S + 14), 1.0, 0.03) * (1.0 if shape.gasps else 0.03)
    frames = random.poisson(40 * storm)
    write_table(
        folder,
        "air",
        {
            "t_s": t_s,
            "data_air_s": frames * 0.0134,
            "ack_air_s": frames * 0.8 * 0.0058,
            "data_frames": frames,
            "ack_frames": (frames * 0.8).astype(int),
            "busiest_substation": random.integers(0, shape.feeders * shape.per_feeder, t_s.size),
            "busiest_load": frames * 0.0134 * 0.5,
        },
    )


def _sections(shape: Shape) -> list[dict[str, Any]]:
    if not shape.fault:
        return []
    s = min(1, shape.feeders - 1) * shape.per_feeder + 1
    truth = f"line L{s}"
    names = ("stage", "t_s", "named", "right", "jaccard", "distance_hops", "margin")
    rows = [
        ("trip", T0_S + 30, f"line L{s - 1}", False, 0.8, 1, 0.4),
        ("isolate", TIE_S - 60, truth, True, 1.0, 0, 2.1),
    ]
    return [{**dict(zip(names, row, strict=True)), "kind": "line", "truth": truth} for row in rows]


def _write_polls(folder: Path, meters: dict[str, Any], random: np.random.Generator) -> None:
    who = random.choice(meters["meter"], 40, replace=False)
    dark = ~np.isnan(meters["dark_s"][who])
    asked = T0_S + 40 + np.arange(40.0)
    write_table(
        folder,
        "polls",
        {
            "poll": np.arange(40),
            "meter": who,
            "asked_s": asked,
            "answered_s": np.where(dark, np.nan, asked + 1.2),
            "verdict": np.where(dark, "dark", "lit"),
            "cause": np.where(dark, "no answer", ""),
        },
    )


def _write_board(folder: Path, random: np.random.Generator) -> None:
    ms = np.arange(-100.0, 160.0, 0.25)
    u = np.where(ms < 0, 141.4 * np.sin(2 * np.pi * 0.05 * ms + 0.7), 0.0) + random.normal(0, 0.3, ms.size)
    write_table(folder, "waveform", {"t_s": T0_S + ms / 1e3, "after_t0_ms": ms, "u_v": u})
    half = np.arange(-100.0, 160.0, 10.0) + 3.0
    rms = np.clip(np.where(half < 0, 100.0, 100.0 * np.sqrt(np.clip(1 - half / 10, 0, 1))), 0, None)
    write_table(
        folder,
        "half_cycles",
        {"t_s": T0_S + half / 1e3, "u_rms_half_v": rms, "frequency_hz": np.full(half.size, 50.0)},
    )
    marks = [("t0", 0.0), ("power_fail_suspect", 6.5), ("power_fail", 21.4), ("last_gasp", 24.0)]
    write_table(
        folder,
        "board_events",
        {
            "kind": [m[0] for m in marks],
            "t_s": [T0_S + m[1] / 1e3 for m in marks],
            "sample": [int(240000 + m[1] * 4) for m in marks],
            "after_t0_ms": [m[1] for m in marks],
            "t0_source": ["trigger"] * 4,
            "t0_bound_us": [125.0] * 4,
        },
    )


def _summary(
    shape: Shape, meters: dict[str, Any], gasps: dict[str, Any], curve: dict[str, Any], sections: list[dict[str, Any]]
) -> dict[str, Any]:
    def at(name: str, t: float) -> int:
        return int(curve[name][int(t)])

    outcome = np.asarray(gasps["outcome"])
    made = {k: int((outcome == k).sum()) for k in ("delivered", "lost", "died")}
    arrived = np.sort(np.asarray(gasps["head_end_s"], float))[: made["delivered"]] - T0_S
    S = shape.feeders * shape.per_feeder
    summary: dict[str, Any] = {
        "name": shape.name,
        "sim_s": END_S,
        "meters": shape.meters,
        "concentrators": S,
        "dark": {
            "peak": at("truly_dark", T0_S),
            "after_isolation": at("truly_dark", ISOLATED_S),
            "after_tie": at("truly_dark", TIE_S),
            "at_end": at("truly_dark", END_S),
        },
        "gasps": {"made": outcome.size, **made, "causes": {}},
        "belief": [
            {
                "t_s": t,
                "stage": stage,
                "believed_dark": at("believed_dark", t),
                "rightly_dark": at("rightly_dark", t),
                "wrongly_dark": at("wrongly_dark", t),
                "missed": at("truly_dark", t) - at("rightly_dark", t),
            }
            for stage, t in (("trip", ISOLATED_S - 1), ("isolate", TIE_S - 1), ("tie", END_S))
        ],
        "energy": {"holdup_median_s": 48.2, "died": made["died"], "alive_at_end": 17},
        "air": {"data_frames": 1234, "ack_frames": 987, "on_air_s": 22.3, "busiest_meter_s_per_h": 3.2},
        "sections": sections,
        "security": {"forged_sent": 10, "forged_accepted": 0, "replayed_sent": 10, "replayed_accepted": 0},
        "service_levels": [
            dict(zip(("id", "text", "limit", "value", "unit", "verdict"), row, strict=True))
            for row in (
                ("LG-90", "90 % of what arrives is known", 30, 11.2, "s", "pass"),
                ("LG-DR", "Last Gasp delivery ratio", 0.95, 0.84, "", "fail"),
                ("RT10", "5-minute data within 10 minutes", 0.97, None, "", "not applicable"),
            )
        ],
        "conservation": {
            "text": f"{outcome.size} notices made = " + " + ".join(f"{n} {k}" for k, n in made.items()),
            "ok": True,
        },
    }
    if outcome.size:
        causes, n = np.unique(np.asarray(gasps["cause"])[outcome != "delivered"], return_counts=True)
        summary["gasps"] |= {
            "causes": dict(zip(causes.tolist(), n.tolist(), strict=True)),
            "delivery_ratio": made["delivered"] / outcome.size,
            **{f"time_to_{p}_s": float(np.quantile(arrived, p / 100)) for p in (50, 90, 99)},
        }
    if shape.fault:
        line = min(1, shape.feeders - 1) * shape.per_feeder + 1
        feeder = f"{shape.feeder_prefix}{min(1, shape.feeders - 1)}"
        summary["fault"] = {
            "line": f"L{line}",
            "feeder": feeder,
            "t_s": FAULT_S,
            "text": "a three-phase fault on the cable",
        }
    if shape.polls:
        summary["polls"] = {"asked": 40, "answered": 27, "unanswered": 13, "rightly_dark": 12, "wrongly_dark": 1}
    if shape.board:
        summary["board"] = {
            "meter": 130,
            "name": "meter 130",
            "substation": "substation 4",
            "detection_latency_ms": 21.4,
            "t0_source": "trigger",
            "t0_bound_us": 125.0,
            "counter_at_detection": 240085,
            "sequence": 1,
            "energy_left_j": 5.2,
            "outcome": "delivered",
            "head_end_s": 63.1,
        }
    return summary


def _run(shape: Shape, seed: int) -> dict[str, Any]:
    return {
        "status": "complete",
        "version": "0.1.0",
        "name": shape.name,
        "seed": seed,
        "digest": "9f2c51aa03be77d1",
        "backend": "cpu",
        "simulator": "verilator 5.048",
        "board": "sim",
        "source": "simulated SCPI",
        "rtl_hash": "b3f1c0de",
        "tools": {"numpy": "2.4.6", "g++": "12.2.0"},
        "flags": [],
        "wall_s": 41.5,
        "sim_s": END_S,
        "scenario": {"name": shape.name},
        "not_modelled": ["No wind throw.", "Ideal clocks."],
    }
