"""Radio profiles: physical layer, medium access, path loss and supply draw, every constant a parameter."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

from teiden.errors import InputError


@dataclass(frozen=True)
class Radio:
    """One radio: what `gpu.Mesh` needs to know about physical layer, medium access and propagation.

    Powers in dBm, times in microseconds. Made by `profile`; checked by `problems`.
    """

    name: str
    # physical layer
    modulation: str  # "oqpsk" (2.4 GHz, as ns-3) or "fsk" (non-coherent 2-FSK)
    bit_rate_bps: int
    symbol_us: float  # a frame lasts whole symbols
    header_bytes: int  # preamble, SFD and PHR
    fcs_bytes: int  # on air behind the PSDU; 0 where the PSDU size includes it
    ack_bytes: int  # PSDU
    max_psdu_bytes: int
    tx_power_dbm: float
    sensitivity_dbm: float
    noise_dbm: float
    cca_threshold_dbm: float
    lock_sinr_db: float  # a receiver locks on a frame above this SINR at its first bit
    interference_cut_dbm: float  # weaker signals do not exist
    capture: str = "sinr"  # or "hard": any audible overlap kills
    chunks: str = "exact"  # or "ns-3": an interferer that ends inside a chunk is overlooked (docs/engine.md)
    channels: int = 1
    dwell_us: int = 255_000  # Wi-SUN unicast dwell (wisun-br-linux and mbed-os defaults)
    broadcast_interval_us: int = 1_020_000  # between the broadcast dwells of a PAN, with more than one channel (same)
    broadcast_dwell_us: int = 255_000  # (same); 0: no broadcast schedule
    lock_history_us: int = 50_000  # an unbroken run of frames is followed back no further than this
    # other systems on the band: in every zone each channel is busy or not, burst by burst, all hashed
    background_load: float = 0.0  # share of bursts that are busy, 0 to 1
    background_burst_us: int = 13_000  # a reading at 100 kb/s
    background_dbm: float = -90.0  # received level of a burst: mean ...
    background_spread_db: float = 6.0  # ... and standard deviation; both assumed
    background_zone_m: float = 50.0  # nodes in a square of this edge hear the same; assumed
    # medium access
    min_be: int = 3
    max_be: int = 5
    retry_rule: str = "802.15.4"  # a rule of RETRY_RULES, which sets what follows unless that is given too
    max_csma_backoffs: int = 4
    max_frame_retries: int = 3
    max_channel_retries: int = 0  # rounds of CSMA and frame retries on further channels of the receiver
    unit_backoff_us: int = 320
    cca_us: int = 128
    turnaround_us: int = 192
    ack_wait_us: int = 864
    lifs_us: int = 640
    ack: bool = True
    queue_frames: int = 8  # the one being sent included
    aggregate_frames: int = 1  # frames to the sink that may share one transmission; 1: none do
    aggregate_overhead_bytes: int = 101  # of each PSDU, once in the shared one; MAC header 57 B, 6LoWPAN and UDP 44 B
    aggregate_wait_us: int = 0  # a relay with an empty queue holds what it takes over for so long
    # regulation; 0 where there is no limit
    regulation: str = "none"  # or a class of REGULATIONS, which sets what follows and is then kept to
    burst_limit_us: int = 0  # the longest frame
    pause_us: int = 0  # least time between two transmissions
    airtime_limit_us: int = 0  # in any airtime_window_us
    airtime_window_us: int = 3_600_000_000
    # path loss: reference_db + 10 exponent log10(d / reference_m), normal shadowing a pair
    model: str = "log-distance"
    exponent: float = 3.0
    reference_db: float = 46.68
    reference_m: float = 1.0
    shadowing_db: float = 0.0
    # stored energy; DOMAIN 3.4: 100 mW listening, 0.35 W sending
    listen_mw: int = 100
    tx_extra_mw: int = 250
    rx_extra_mw: int = 0  # assumed: receiving costs what listening does
    sleep_mw: int = 1  # assumed: a controller's clock and a radio that is off
    # routing
    route_margin_db: float = 10.0  # a route's links are this much above the sensitivity (mbed-os ws_config.h)
    route_psdu_bytes: int = 150  # ETX is that of such frames
    max_link_etx: int = 1024  # 128 = one transmission (mbed-os ws_common_defines.h)
    # a living tree: nodes choose their parents, lose them, search, join (Wi-SUN FAN; `network` sets what follows it)
    tree: str = "static"  # or "living"
    max_parents: int = 5  # candidates a node keeps (mbed-os)
    switch_threshold: int = 192  # a new parent's way is better by more than this (MRHOF, wisun-br-linux, mbed-os)
    parent_failures: int = 3  # frames in a row without ACK after which a parent is dropped; assumed
    neighbour_timeout_us: int = 2_200_000_000  # not heard for so long: no candidate (mbed-os)
    refresh_us: int = 1_800_000_000  # a parent not heard for so long is asked for an ACK before (mbed-os: 30 min)
    trickle_redundancy: int = 1  # messages heard in an interval that suppress the own one
    advert_bytes: int = 60  # PSDU of an advertisement, a solicitation, a probe; estimate
    keys_kept: bool = True  # over an outage, so that a node re-joins its PAN without authentication
    auth_bytes: int = 200  # PSDU of an authentication message; estimate
    auth_exchanges: int = 3  # request and reply: four-way and group key handshakes with a kept master key; assumed
    network: str = "medium"  # a size of NETWORK_SIZES
    discovery_min_us: int = 60_000_000  # shortest trickle interval of advertisements and solicitations ...
    discovery_max_us: int = 960_000_000  # ... and longest
    version_interval_us: int = 900_000_000  # a PAN renews its information
    pan_timeout_us: int = 3_840_000_000  # without news of it a node is an orphan
    auth_first_us: int = 360_000_000  # the first request waits half of this to all of it
    auth_retry_min_us: int = 30_000_000  # without a reply it is sent again after this ...
    auth_retry_max_us: int = 90_000_000  # ... to this
    auth_total_us: int = 330_000_000  # then the node searches anew
    auth_limit: int = 20  # authentications at a sink at a time

    def air_us(self, psdu_bytes: int) -> int:
        """Return the time a frame of this PSDU is on air, rounded up to whole symbols and microseconds."""
        per_symbol = self.bits_per_symbol
        symbols = -(-(self.header_bytes + self.fcs_bytes + psdu_bytes) * 8 // per_symbol)
        return -(-symbols * per_symbol * 1_000_000 // self.bit_rate_bps)

    @property
    def bits_per_symbol(self) -> int:
        """Bits a symbol carries, from the bit rate and the symbol time."""
        return max(1, round(self.bit_rate_bps * self.symbol_us / 1e6))


_OQPSK = Radio(
    name="oqpsk-250k-2450",
    modulation="oqpsk",
    bit_rate_bps=250_000,
    symbol_us=16.0,
    header_bytes=6,
    fcs_bytes=0,  # ns-3 counts it in the PSDU
    ack_bytes=5,
    max_psdu_bytes=127,
    tx_power_dbm=0.0,
    sensitivity_dbm=-106.58,
    noise_dbm=-106.99,  # kT * 5 MHz
    cca_threshold_dbm=-96.58,
    lock_sinr_db=-5.0,
    interference_cut_dbm=-120.0,
    chunks="ns-3",
    route_psdu_bytes=100,
)


RETRY_RULES: dict[str, dict[str, int]] = {
    "802.15.4": {"max_csma_backoffs": 4, "max_frame_retries": 3, "max_channel_retries": 0},  # as ns-3
    "wisun-br-linux": {"max_csma_backoffs": 8, "max_frame_retries": 7, "max_channel_retries": 0},  # wsbrd.conf
    # mbed-os ws_common_defines.h, fhss_ws.h: 20 attempts, while the network forms one on each of 20 channels
    "mbed-os": {"max_frame_retries": 3, "max_channel_retries": 4},
    "mbed-os-bootstrap": {"max_frame_retries": 0, "max_channel_retries": 19},
}
"""How often a MAC tries: backoffs for a free channel, frames without ACK on a channel, further channels."""

CHANNELS_IN_JAPAN = {"fsk-50k-920": 29, "fsk-100k-920": 14, "fsk-150k-920": 14, "fsk-300k-920": 9}
"""Channels of the Wi-SUN FAN plans for Japan by profile (wisun-br-linux ws_regdb.c), for ``channels``."""

REGULATIONS: dict[str, dict[str, int]] = {
    # ARIB STD-T108 and notification 123 of 2019, by how long the channel is sensed before a burst
    "arib-128us": {"cca_us": 128, "burst_limit_us": 400_000, "pause_us": 2_000},
    "arib-5ms": {"cca_us": 5_000, "burst_limit_us": 4_000_000, "pause_us": 50_000},
}
"""Classes of the Japanese rule at 920 MHz: at least this carrier sense and pause, at most this burst."""

_S = 1_000_000
NETWORK_SIZES: dict[str, dict[str, int]] = {
    size: {
        "discovery_min_us": discovery_s[0] * _S, "discovery_max_us": discovery_s[1] * _S, "auth_first_us": first_s * _S,
        "auth_retry_min_us": retry_s[0] * _S, "auth_retry_max_us": retry_s[1] * _S, "auth_total_us": retry_s[2] * _S,
        "auth_limit": limit, "version_interval_us": version_min * 60 * _S, "pan_timeout_us": timeout_min * 60 * _S,
    }
    for size, discovery_s, first_s, retry_s, limit, version_min, timeout_min in (
        ("small", (15, 60), 360, (30, 90, 330), 20, 4, 32),
        ("medium", (60, 960), 360, (30, 90, 330), 20, 15, 64),
        ("large", (120, 1536), 600, (60, 240, 750), 50, 30, 90),
        ("xlarge", (240, 1920), 600, (60, 240, 750), 50, 30, 120),
    )
}  # fmt: skip
"""Timers and limits by size of the network: fewer than 100 nodes, 100 to 1,000, more (mbed-os ws_config.h,
ws_cfg_settings.c; xlarge: wisun-br-linux wsbr_cfg.c, its authentication as of large networks)."""

_HOURLY = {"airtime_limit_us": 360_000_000, "airtime_window_us": 3_600_000_000}  # of either class
_REPLY_US = 2_000  # a reply this soon after its request needs no carrier sense and does not count


def _fsk(
    rate_kbps: int, preamble_bytes: int, noise_dbm: float, cca_us: int, ack_wait_us: int, history_us: int,
    burst_limit_us: int,
) -> Radio:  # fmt: skip
    """Return a Wi-SUN FAN FSK profile for Japan (ARIB STD-T108): DOMAIN 2.2 to 2.6 unless said otherwise."""
    return Radio(
        name=f"fsk-{rate_kbps}k-920",
        modulation="fsk",
        bit_rate_bps=rate_kbps * 1000,
        symbol_us=1000 / rate_kbps,
        header_bytes=preamble_bytes + 2 + 2,  # SFD, PHR (wisun-br-linux ws_regdb_frame_duration_ms)
        fcs_bytes=4,
        ack_bytes=56,  # enhanced ACK with Wi-SUN information elements; estimate, +-15 B
        max_psdu_bytes=2047 - 4,
        tx_power_dbm=13.0,  # 20 mW
        sensitivity_dbm=round(noise_dbm + 12.6, 1),  # PER 10 % at 250 B needs Eb/N0 12.6 dB
        noise_dbm=noise_dbm,  # kT + 10 log10(bit rate) + 8 dB noise figure
        cca_threshold_dbm=-80.0,
        lock_sinr_db=3.0,  # assumed: below it one bit in five is wrong and no sync word is found
        interference_cut_dbm=round(noise_dbm - 6.0, 1),  # assumed: 9 dB below what can be locked on
        lock_history_us=history_us,  # a little longer than the longest frame
        retry_rule="wisun-br-linux",
        max_csma_backoffs=RETRY_RULES["wisun-br-linux"]["max_csma_backoffs"],
        max_frame_retries=RETRY_RULES["wisun-br-linux"]["max_frame_retries"],
        unit_backoff_us=1000 + cca_us,  # aTurnaroundTime + aCCATime
        cca_us=cca_us,  # 8 symbols, and at least the 128 us of the Japanese rule
        turnaround_us=1000,
        ack_wait_us=ack_wait_us,
        lifs_us=2000,  # pause of at least 2 ms after a burst (notification 123 of 2019)
        regulation="arib-128us",
        burst_limit_us=burst_limit_us,  # by bandwidth (Silicon Labs Wi-SUN, regional regulation API)
        pause_us=2000,
        airtime_limit_us=_HOURLY["airtime_limit_us"],
        airtime_window_us=_HOURLY["airtime_window_us"],
        exponent=3.8,  # assumed; DOMAIN 2.6: 3.0 to 4.5
        reference_db=31.7,  # free space at 1 m, 920 MHz
        shadowing_db=6.0,  # assumed; DOMAIN 2.6: 6 to 10
    )


_PROFILES = {
    radio.name: radio
    for radio in (
        _OQPSK,
        _fsk(50, 8, -119.0, 160, 16_000, 400_000, 400_000),  # ACK wait: 800 symbols; 200 kHz
        _fsk(100, 8, -116.0, 128, 8_000, 200_000, 200_000),  # 400 kHz
        _fsk(150, 12, -114.2, 128, 5_400, 150_000, 200_000),  # 400 kHz
        _fsk(300, 24, -111.2, 128, 4_000, 100_000, 100_000),  # 600 kHz; 800 symbols would end before the ACK does
    )
}

PROFILES = tuple(_PROFILES)
"""Names of the profiles."""


def profile(name: str, **overrides: Any) -> Radio:
    """Return a profile with some constants replaced.

    Parameters
    ----------
    name : str
        One of `PROFILES`.
    **overrides
        Fields of `Radio` by name.

    Raises
    ------
    InputError
        Unknown profile or field, or a value out of range; every problem is listed.
    """
    if name not in _PROFILES:
        raise InputError(f"profile = {name!r}, expected one of {', '.join(PROFILES)}")
    base = _PROFILES[name]
    known = {f.name for f in fields(Radio)} - {"name", "modulation"}
    unknown = [f"{key} = {value!r}, expected one of {', '.join(sorted(known))}"
               for key, value in overrides.items() if key not in known]  # fmt: skip
    found = unknown + [p for key, value in overrides.items() if key in known for p in _field_problems(key, value)]
    if found:
        raise InputError("\n".join(found))
    given = {key: _as_declared(key, value) for key, value in overrides.items()}
    radio = replace(base, **(_implied(base, given) | given))
    found = problems(radio)
    if found:
        raise InputError("\n".join(found))
    return radio


def _implied(base: Radio, given: dict[str, Any]) -> dict[str, Any]:
    """Return what another retry rule, network size or regulation than the profile's own brings with it."""
    network = given.get("network", base.network)
    found: dict[str, Any] = {} if network == base.network else dict(NETWORK_SIZES[network])
    rule = given.get("retry_rule", base.retry_rule)
    found |= {} if rule == base.retry_rule else RETRY_RULES[rule]
    return found | _implied_by_regulation(base, given.get("regulation", base.regulation))


def _implied_by_regulation(base: Radio, regulation: str) -> dict[str, Any]:
    if regulation == base.regulation:
        return {}
    if regulation == "none":
        return {"burst_limit_us": 0, "pause_us": 0, "airtime_limit_us": 0}
    implied = REGULATIONS[regulation] | _HOURLY
    implied["cca_us"] = max(base.cca_us, implied["cca_us"])
    implied["unit_backoff_us"] = max(base.unit_backoff_us, base.turnaround_us + implied["cca_us"])
    return implied


_CHOICES = {
    "retry_rule": tuple(RETRY_RULES),
    "regulation": ("none", *REGULATIONS),
    "network": tuple(NETWORK_SIZES),
    "tree": ("static", "living"),
    "capture": ("sinr", "hard"),
    "chunks": ("exact", "ns-3"),
    "model": ("log-distance",),
}
_LIMITS: dict[str, tuple[float, float]] = {
    "bit_rate_bps": (1000, 10_000_000),
    "symbol_us": (0.1, 10_000),
    "header_bytes": (0, 1000),
    "fcs_bytes": (0, 16),
    "ack_bytes": (0, 2047),
    "max_psdu_bytes": (1, 4095),
    "tx_power_dbm": (-60, 60),
    "sensitivity_dbm": (-160, 0),
    "noise_dbm": (-160, 0),
    "cca_threshold_dbm": (-160, 60),
    "lock_sinr_db": (-12, 24),
    "interference_cut_dbm": (-300, 0),
    "channels": (1, 1000),
    "dwell_us": (1, 10**9),
    "broadcast_interval_us": (2, 10**9),
    "broadcast_dwell_us": (0, 10**9),
    "lock_history_us": (1000, 10**8),
    "background_load": (0, 1),
    "background_burst_us": (100, 10**8),
    "background_dbm": (-160, 0),
    "background_spread_db": (0, 30),
    "background_zone_m": (0.001, 10**6),
    "min_be": (0, 20),
    "max_be": (0, 20),
    "max_csma_backoffs": (0, 100),
    "max_frame_retries": (0, 100),
    "max_channel_retries": (0, 100),
    "burst_limit_us": (0, 10**8),
    "pause_us": (0, 10**8),
    "airtime_limit_us": (0, 10**12),
    "airtime_window_us": (6 * 10**6, 10**10),
    "unit_backoff_us": (1, 10**7),
    "cca_us": (1, 10**6),
    "turnaround_us": (1, 10**6),
    "ack_wait_us": (1, 10**7),
    "lifs_us": (0, 10**7),
    "queue_frames": (1, 10**6),
    "aggregate_frames": (1, 255),
    "aggregate_overhead_bytes": (0, 4095),
    "aggregate_wait_us": (0, 10**9),
    "exponent": (0.5, 10),
    "reference_db": (0, 200),
    "reference_m": (0.001, 1000),
    "shadowing_db": (0, 30),
    "listen_mw": (0, 10**6),
    "tx_extra_mw": (0, 10**6),
    "rx_extra_mw": (0, 10**6),
    "sleep_mw": (0, 10**6),
    "route_margin_db": (-30, 60),
    "route_psdu_bytes": (1, 4095),
    "max_link_etx": (128, 10**6),
    "max_parents": (1, 5),
    "switch_threshold": (0, 10**6),
    "parent_failures": (1, 255),
    "neighbour_timeout_us": (10**6, 10**12),
    "refresh_us": (10**6, 10**12),
    "trickle_redundancy": (1, 255),
    "advert_bytes": (1, 4095),
    "auth_bytes": (1, 4095),
    "auth_exchanges": (1, 200),
    "discovery_min_us": (10**4, 10**11),
    "discovery_max_us": (10**4, 10**11),
    "version_interval_us": (10**5, 10**11),
    "pan_timeout_us": (10**6, 10**12),
    "auth_first_us": (2, 10**11),
    "auth_retry_min_us": (10**4, 10**11),
    "auth_retry_max_us": (10**4, 10**11),
    "auth_total_us": (10**4, 10**11),
    "auth_limit": (1, 10_000),
}
_SWITCHES = ("ack", "keys_kept")
_WHOLE = {f.name for f in fields(Radio) if f.type == "int"}


def _field_problems(key: str, value: Any) -> list[str]:
    """Return what is wrong with one value."""
    if key in _CHOICES:
        return [] if value in _CHOICES[key] else [f"{key} = {value!r}, expected one of {', '.join(_CHOICES[key])}"]
    if key in _SWITCHES:
        return [] if isinstance(value, bool) else [f"{key} = {value!r}, expected true or false"]
    low, high = _LIMITS[key]
    kind = "a whole number" if key in _WHOLE else "a number"
    right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if right and key in _WHOLE:
        right = value == int(value)
    if not right or not low <= value <= high:
        return [f"{key} = {value!r}, expected {kind} from {low:g} to {high:g}"]
    return []


def _as_declared(key: str, value: Any) -> Any:
    if key in _CHOICES or key in _SWITCHES:
        return value
    return int(value) if key in _WHOLE else float(value)


def problems(radio: Radio) -> list[str]:
    """Return what does not fit together in a radio, one line a problem."""
    found = []
    if radio.max_be < radio.min_be:
        found.append(f"max_be = {radio.max_be}, expected at least min_be = {radio.min_be}")
    shortest = radio.turnaround_us + radio.air_us(radio.ack_bytes) + 1
    if radio.ack and radio.ack_wait_us < shortest:
        found.append(f"ack_wait_us = {radio.ack_wait_us}, expected at least {shortest} (turnaround, ACK and one tick)")
    if radio.air_us(radio.max_psdu_bytes) > radio.lock_history_us:
        found.append(f"lock_history_us = {radio.lock_history_us}, expected at least the longest frame, "
                     f"{radio.air_us(radio.max_psdu_bytes)} us")  # fmt: skip
    if radio.broadcast_interval_us <= radio.broadcast_dwell_us:
        found.append(f"broadcast_interval_us = {radio.broadcast_interval_us}, expected more than broadcast_dwell_us = "
                     f"{radio.broadcast_dwell_us}")  # fmt: skip
    if radio.aggregate_wait_us and radio.aggregate_frames == 1:
        found.append(f"aggregate_wait_us = {radio.aggregate_wait_us}, expected 0 with aggregate_frames = 1: "
                     "nothing would ride along")  # fmt: skip
    return found + _limit_problems(radio) + _regulation_problems(radio) + _tree_problems(radio)


def _tree_problems(radio: Radio) -> list[str]:
    """Return what a living tree cannot work with."""
    found = [f"{above} = {getattr(radio, above)}, expected at least {below} = {getattr(radio, below)}"
             for below, above in (("discovery_min_us", "discovery_max_us"), ("auth_retry_min_us", "auth_retry_max_us"))
             if getattr(radio, above) < getattr(radio, below)]  # fmt: skip
    if radio.tree == "static":
        return found
    if not radio.ack:
        found.append('tree = "living", expected ack = true: a parent is known by its ACKs')
    for key in ("advert_bytes", "auth_bytes"):
        if getattr(radio, key) > radio.max_psdu_bytes:
            found.append(f"{key} = {getattr(radio, key)}, expected at most max_psdu_bytes = {radio.max_psdu_bytes}")
    if radio.max_link_etx > _MAX_LIVING_ETX:
        found.append(f'max_link_etx = {radio.max_link_etx}, expected at most {_MAX_LIVING_ETX} with tree = "living"')
    return found


_MAX_LIVING_ETX = 16_384


def _limit_problems(radio: Radio) -> list[str]:
    """Return the limits on sending that the longest frame breaks."""
    longest_us = radio.air_us(radio.max_psdu_bytes)
    return [
        f"max_psdu_bytes = {radio.max_psdu_bytes}, expected frames of at most {key} = {limit} us on air, "
        f"not {longest_us}"
        for key in ("burst_limit_us", "airtime_limit_us")
        if 0 < (limit := getattr(radio, key)) < longest_us
    ]


def _regulation_problems(radio: Radio) -> list[str]:
    """Return what the regulation named does not allow."""
    if radio.regulation == "none":
        return []
    rule = REGULATIONS[radio.regulation]
    remedy = f'(regulation = "{radio.regulation}"; another class or "none" allows it)'
    found = [f"{key} = {getattr(radio, key)}, expected at least {rule[key]} {remedy}"
             for key in ("cca_us", "pause_us") if getattr(radio, key) < rule[key]]  # fmt: skip
    if not 0 < radio.burst_limit_us <= rule["burst_limit_us"]:
        found.append(f"burst_limit_us = {radio.burst_limit_us}, expected 1 to {rule['burst_limit_us']} {remedy}")
    if not 0 < radio.airtime_limit_us <= radio.airtime_window_us // 10:
        found.append(f"airtime_limit_us = {radio.airtime_limit_us}, expected at most a tenth of airtime_window_us = "
                     f"{radio.airtime_window_us} {remedy}")  # fmt: skip
    if radio.ack and radio.turnaround_us > _REPLY_US:
        found.append(
            f"turnaround_us = {radio.turnaround_us}, expected at most {_REPLY_US}: an ACK is not sensed {remedy}"
        )
    return found
