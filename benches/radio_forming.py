"""How long a Wi-SUN network takes to form: from scratch, with authentication, and again after an outage, keys kept.

- TI measured 48 minutes until 100 nodes in 5 hops had joined (SWRA714A).
- Mulder and Tedeschi simulated re-formation after power-on with kept keys for 100, 256, 530 and 1,024 nodes (Int. J.
  Media & Networks 3(1), 2025; the figures could not be read): the same sizes here.

python benches/radio_forming.py [--quick] writes benches/results/radio_forming.json and prints the table.
"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

import numpy as np
import radio_bench as rb

import gpu

TI_MINUTES = 48
MINUTE_NS = 60 * 10**9
JOINED = gpu.STATES.index("joined")


def forming(nodes: int, size: str, channels: int, keys: bool, most_minutes: int, seed: int) -> dict[str, Any]:
    """Return the minutes after which shares of a network have joined, all of it switched on together.

    50 kb/s, 300 nodes a km2, the sink at the edge: 4 to 6 hops at 100 nodes. Without `keys` everybody authenticates.
    """
    draw = np.random.default_rng(seed)
    side = math.sqrt(nodes / 300) * 1000
    xy = draw.uniform(0, side, (nodes + 1, 2))
    xy[0] = side / 2, 0
    radio = gpu.profile("fsk-50k-920", channels=channels, tree="living", network=size)
    static = gpu.Mesh.build(xy, [0], gpu.profile("fsk-50k-920"), seed)
    within = np.flatnonzero(static.hops > 0)
    mesh = gpu.Mesh.build(xy, [0], radio, seed, formed=keys)
    on_ns = 0
    if keys:
        on_ns = 10 * MINUTE_NS
        mesh.power_off(np.arange(1, nodes + 1), MINUTE_NS, 0)
        mesh.power_on(np.arange(1, nodes + 1), on_ns)
        mesh.run_until(on_ns)
        mesh.drain()
    mesh.run_until(on_ns + most_minutes * MINUTE_NS)
    log = mesh.drain().memberships
    log = log[(log["state"] == JOINED) & (log["node"] > 0)]
    first = {int(node): int(t_ns) for node, t_ns in zip(log["node"][::-1], log["t_ns"][::-1], strict=True)}
    minutes = np.sort([(first.get(int(node), np.inf) - on_ns) / MINUTE_NS for node in within])
    counts = mesh.counters()
    return {
        "nodes": nodes, "network": size, "channels": channels, "keys": keys, "seed": seed,
        "within_reach": int(within.size), "hops": int(static.hops.max()),
        "minutes": {f"{share:.0%}": round(float(minutes[math.ceil(share * minutes.size) - 1]), 1)
                    for share in (0.5, 0.9, 1.0) if np.isfinite(minutes[math.ceil(share * minutes.size) - 1])},
        "auth_refused": counts["auth_refused"], "auth_timeouts": counts["auth_timeouts"],
        "control_sent": counts["control_sent"],
    }  # fmt: skip


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100 nodes only; leaves no result file")
    given = parser.parse_args()
    fresh = [(100, size, channels, False) for size in ("small", "medium") for channels in (1, 29)]
    again = [(100, "small", 29, True)]
    if not given.quick:
        again += [(256, "medium", 29, True), (530, "medium", 29, True), (1024, "large", 29, True)]
    report = rb.head() | {"ti_minutes": TI_MINUTES, "rows": []}
    print(f"TI, 100 nodes in 5 hops: {TI_MINUTES} min")
    for nodes, size, channels, keys in fresh + again:
        for seed in (1,) if given.quick else (1, 2, 3):
            row = forming(nodes, size, channels, keys, 240, seed)
            report["rows"].append(row)
            how = "keys kept" if keys else "from scratch"
            print(f"{nodes} nodes, {row['hops']} hops, {size}, {channels} channels, {how}, seed {seed}: "
                  f"joined after {row['minutes']} min")  # fmt: skip
    if not given.quick:
        (rb.RESULTS / "radio_forming.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
