"""What the engine is made from: a radio and a layout turned into its integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpu import checks, tables
from gpu.kernels import Runner
from gpu.native import engine, names, pointer
from gpu.radio import Radio
from teiden.errors import InputError, MissingPart


def plane_arrays(xy_m: ArrayLike, extra_loss_db: ArrayLike | None, links: Any) -> dict[str, NDArray]:
    """Return the arrays that say who hears whom."""
    xy = checks.positions_mm(xy_m)
    plane: dict[str, NDArray] = {"x_mm": xy[:, 0].astype(np.int32), "y_mm": xy[:, 1].astype(np.int32)}
    centidb = checks.extra_losses_centidb(extra_loss_db, len(xy))
    plane["extra_lu"] = (centidb * tables.level_lu(1) // 100).astype(np.int32)
    if links is None:
        crowd = checks.largest_crowd(plane["x_mm"], plane["y_mm"])
        if crowd.size:
            x_m, y_m = xy[crowd[0]] / 1000
            raise InputError(f"xy_m[{crowd[0]}]: {checks.crowd_text(crowd.size, x_m, y_m)}")
        return plane
    if extra_loss_db is not None:
        raise InputError("extra_loss_db and links given, expected one of them: a link's loss is its whole loss")
    first, dst, loss_db = checks.link_table(links, len(xy))
    centi = np.rint(loss_db * 100).astype(np.int64)
    return plane | {"link_first": first, "link_dst": dst, "link_loss_lu": centi * tables.level_lu(1) // 100}


def new_engine(
    plane: dict[str, NDArray], radio: Radio, seed: int, fast: bool, threads: int = 1, tiles: int = 1, turns: int = 0,
    runner: Runner | None = None,
) -> int:  # fmt: skip
    """Return the handle of a new engine; the caller frees it.

    Threads, tiles, turns and who runs the kernels, if kernels run it, change no result.
    """
    library = engine()
    numbers = config_integers(radio, seed)
    config = np.array([numbers[key] for key in names(library.radio_config_names())], np.int64)
    made = (tables.log2_table(), tables.exp2_table(), tables.cost_table(radio.modulation, radio.bit_rate_bps),
            tables.gauss_table())  # fmt: skip
    places = [plane[key].astype(np.int64) for key in ("x_mm", "y_mm", "extra_lu")]
    handle = library.radio_new(
        pointer(config),
        *(pointer(table) for table in made),
        plane["x_mm"].size,
        *(pointer(place) for place in places),
        *((None, 0, None) if runner is None else (runner.more, runner.region_bytes, runner.launch)),
    )
    del places
    if not handle:
        raise MissingPart("the radio engine got no memory for its first region; use fewer nodes or more memory")
    if "link_first" in plane:
        library.radio_set_links(handle, *(pointer(plane[key]) for key in ("link_first", "link_dst", "link_loss_lu")))
    if "backed" in plane:
        library.radio_set_backed(handle, pointer(plane["backed"]))
    library.radio_start(handle, int(fast), threads, tiles, turns)
    return int(handle)


def config_integers(radio: Radio, seed: int) -> dict[str, int]:
    """Return the engine's integers for a radio, by the names of gpu/engine/config.h."""
    same = ("bit_rate_bps", "bits_per_symbol", "ack_bytes", "channels", "dwell_us", "lock_history_us", "min_be",
            "max_be", "max_csma_backoffs", "max_frame_retries", "max_channel_retries", "max_psdu_bytes",
            "aggregate_frames", "aggregate_overhead_bytes", "aggregate_wait_us", "unit_backoff_us", "cca_us",
            "turnaround_us", "ack_wait_us", "lifs_us", "queue_frames", "listen_mw", "tx_extra_mw", "rx_extra_mw",
            "sleep_mw", "route_psdu_bytes", "max_link_etx", "broadcast_interval_us", "broadcast_dwell_us",
            "pause_us", "airtime_limit_us", "airtime_window_us", "max_parents", "switch_threshold",
            "parent_failures", "neighbour_timeout_us", "refresh_us", "trickle_redundancy", "advert_bytes",
            "auth_bytes", "auth_exchanges", "discovery_min_us", "discovery_max_us", "version_interval_us",
            "pan_timeout_us", "auth_first_us", "auth_retry_min_us", "auth_retry_max_us", "auth_total_us",
            "auth_limit", "keys_kept")  # fmt: skip
    noise = radio.noise_dbm
    reference_mm = round(radio.reference_m * 1000)
    strongest_shadow_db = radio.shadowing_db * 3.0  # the Gaussian table ends at 2.9 sigma
    budget_db = radio.tx_power_dbm - radio.reference_db + strongest_shadow_db
    route_dbm = radio.sensitivity_dbm + radio.route_margin_db
    return {key: int(getattr(radio, key)) for key in same} | {
        "seed": int(np.array(seed & (1 << 64) - 1, np.uint64).astype(np.int64)),
        "tx_lu": tables.level_lu(radio.tx_power_dbm - noise),
        "cut_lu": tables.level_lu(radio.interference_cut_dbm - noise),
        "lock_lu": tables.level_lu(radio.lock_sinr_db),
        "background_ppm": round(radio.background_load * 1_000_000),
        "background_burst_us": radio.background_burst_us,
        "background_lu": tables.level_lu(radio.background_dbm - noise),
        "background_spread_lu": tables.level_lu(radio.background_spread_db),
        "background_zone_mm": max(1, round(radio.background_zone_m * 1000)),
        "cca_power": tables.noise_multiple(radio.cca_threshold_dbm - noise),
        "audible_power": tables.noise_multiple(radio.lock_sinr_db),
        "hard_capture": int(radio.capture == "hard"),
        "chunks_end_at_ends": int(radio.chunks == "exact"),
        "header_bytes": radio.header_bytes + radio.fcs_bytes,
        "reference_lu": tables.level_lu(radio.reference_db),
        "reference_mm": reference_mm,
        "reference_log_lu": tables.square_log_lu(reference_mm),
        "exponent_milli": round(radio.exponent * 1000),
        "shadow_lu": tables.level_lu(radio.shadowing_db),
        "reach_mm": tables.reach_mm(budget_db - radio.interference_cut_dbm, radio.exponent, reference_mm),
        "ack": int(radio.ack),
        "route_lu": tables.level_lu(route_dbm - noise),
        "route_reach_mm": tables.reach_mm(budget_db - route_dbm, radio.exponent, reference_mm),
    }
