"""The energies of the last sixty minutes are kept, none missing, no sample lost between two."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hdl.driver_control import RING_RECORDS
from hil.campaign.looks import check_bench
from hil.evidence.bench import Bench
from hil.evidence.measures import Measures

MINUTE_S = 0.05  # a minute lasts from tick to tick, whoever gives it


@pytest.mark.requirement("R12")
def test_sixty_minutes_are_kept(bench: Bench, measure: Measures) -> None:
    front_end = bench.front_end
    bench.supply(bench.station.supply.nominal_hz)
    for _ in range(RING_RECORDS + 2):
        front_end.end_minute()
        bench.elapse(MINUTE_S)
    minutes = front_end.minutes()
    measure("minutes kept", len(minutes), "minutes", low=60, high=60)
    missing = sum(after.tick - before.tick - 1 for before, after in pairwise(minutes))
    measure("minutes missing between them", missing, "minutes", low=0, high=0)
    lost = sum(
        after.end_sample - before.end_sample - round(after.duration_s * bench.rate_hz)
        for before, after in pairwise(minutes)
    )
    measure("samples lost between them", lost, "samples", low=0, high=0)
    check_bench(bench, measure)
