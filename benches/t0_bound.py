"""Error of t0 by the trigger wire: edges at random moments against what the compiled front-end latched.

python benches/t0_bound.py [--trials 10000] writes benches/results/t0_bound.json. Each edge goes at a nanosecond of its
own, uniformly drawn, whatever clocks source and board have, over the wires of the simulated bench into the trigger
input of the RTL; the driver reads when it came and within what bound. The bar is that every error is within its bound.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass, field

import numpy as np
from radio_bench import RESULTS, head

from hdl.driver import FrontEnd
from hdl.scaling import SAMPLE_RATE_HZ
from hdl.sim.frontend import CompiledFrontEnd
from hil.board import Wiring
from hil.source.machine import PlayedBlock

CLOCKS = (64, 257, 12_500)  # of a sample; the last one is the PYNQ design's, 100 MHz
SLOW_CLOCKS = 1000  # above, a fiftieth of the trials
BLOCK = 7  # samples, of which one has the edge
NS = 1_000_000_000


@dataclass
class Edges:
    """A source that puts out nothing but one edge a block, at a random moment."""

    draw: random.Random
    samples: int = 0
    at_ns: list[int] = field(default_factory=list)

    def play(self, n_samples: int, rate_hz: int) -> PlayedBlock:
        """Return a block; `at_ns` grows by its edge."""
        # from the second sample on: the line of the edge before stays high for one
        first_ns, last_ns = (k * NS // rate_hz for k in (self.samples + 1, self.samples + n_samples - 1))
        self.at_ns.append(self.draw.randint(first_ns, last_ns))
        self.samples += n_samples
        return PlayedBlock(np.zeros(n_samples), (self.at_ns[-1],), np.zeros(n_samples))


def trials(clocks: int, count: int) -> list[tuple[float, float]]:
    """Return error and bound of t0 [ns] of so many edges."""
    board, source = CompiledFrontEnd(clocks), Edges(random.Random(clocks))
    front_end, wiring = FrontEnd(board), Wiring(source, board)
    front_end.identify()
    found, sample_ns = [], NS / SAMPLE_RATE_HZ
    for _ in range(count):
        wiring.run(BLOCK)
        trigger = front_end.trigger()
        assert trigger is not None
        seen_ns = (trigger.sample + trigger.fraction) * sample_ns
        found.append((seen_ns - source.at_ns[-1], trigger.bound * sample_ns))
    board.close()
    return found


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    count = parser.parse_args().trials
    result = head() | {"rows": {}}
    for clocks in CLOCKS:
        error, bound = np.array(trials(clocks, count // 50 if clocks > SLOW_CLOCKS else count)).T
        result["rows"][f"{clocks} clocks a sample"] = {
            "trials": error.size,
            "within_bound": int((np.abs(error) <= bound).sum()),
            "bound_ns": round(float(bound.max()), 1),
            "worst_error_ns": round(float(np.abs(error).max()), 1),
            "median_error_ns": round(float(np.median(error)), 1),
        }
    print(json.dumps(result, indent=1))
    (RESULTS / "t0_bound.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
