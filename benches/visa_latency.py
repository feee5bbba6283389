"""Time of write, write, query to a simulated source: PyVISA-py as it comes, and through the project's link.

python benches/visa_latency.py [REPEATS] writes benches/results/visa_latency.json. The bar is
5 ms; 44 ms is Nagle's algorithm.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import pyvisa
from pyvisa.resources import MessageBasedResource
from radio_bench import RESULTS, head

from hil.source.dialects import simulate
from hil.source.hislip import HislipServer
from hil.source.link import ScpiLink
from hil.source.server import SourceServer


def median_ms(action: Callable[[], object], repeats: int) -> float:
    """Return the median time of an action [ms]."""
    times = []
    for _ in range(repeats):
        start_s = time.perf_counter()
        action()
        times.append(1000 * (time.perf_counter() - start_s))
    return round(statistics.median(times), 3)


def plain(resource_name: str, repeats: int) -> float:
    """Measure PyVISA-py without anything set."""
    with pyvisa.ResourceManager("@py").open_resource(
        resource_name, read_termination="\n", write_termination="\n"
    ) as session:
        assert isinstance(session, MessageBasedResource)

        def talk() -> None:
            session.write("VOLT 100")
            session.write("FREQ 50")
            session.query("*OPC?")

        return median_ms(talk, repeats)


def ours(resource_name: str, repeats: int) -> float:
    """Measure the same three messages on the link's session."""
    link = ScpiLink(resource_name)

    def talk() -> None:
        link._send("VOLT 100")
        link._send("FREQ 50")
        link.query("*OPC?")

    try:
        return median_ms(talk, repeats)
    finally:
        link.close()


def main() -> None:
    """Print the medians as one JSON object and keep them."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    result: dict[str, Any] = head()
    for name, kind in (("socket", SourceServer), ("hislip", HislipServer)):
        with kind(simulate("681x")) as server:
            result[f"{name}_plain_ms"] = plain(server.resource_name, repeats)
            result[f"{name}_link_ms"] = ours(server.resource_name, repeats)
    result["load_average_after"] = round(os.getloadavg()[0], 2)
    print(json.dumps(result, indent=1))
    (RESULTS / "visa_latency.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
