"""td_trigger: stamps of edges between strobes at steady and stretched rates."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from hdl.tb.drive import seeded, start

LATE_TICKS = 2


@cocotb.test()
async def stamp_is_the_edge_two_ticks_late(dut: Any) -> None:
    rng = seeded("trigger")
    await start(dut, tick_i=1, valid_i=0, trig_i=0, index_i=0)
    edges = 0
    bases = [rng.getrandbits(48) for _ in range(8)]  # a front-end counts for years
    for index in range(400):
        number = (bases[index // 52] + index) % (1 << 48)
        spacing = 64 if index < 200 else 97
        at = rng.randrange(spacing) if index % 4 == 1 else None
        idle_at = rng.randrange(1, spacing) if index % 3 == 0 else None  # clocks without tick take no time
        for clock in range(spacing):
            dut.valid_i.value = clock == 0
            dut.index_i.value = number
            dut.tick_i.value = 1
            if at is not None and clock == at:
                dut.trig_i.value = 1
                edges += 1
                true_ticks = (number, clock)
            if index % 4 == 3:
                dut.trig_i.value = 0
            await FallingEdge(dut.clk_i)
            if clock == idle_at:
                dut.tick_i.value, dut.valid_i.value = 0, 0
                for _ in range(rng.randrange(1, 9)):
                    await FallingEdge(dut.clk_i)
                    assert dut.edge_o.value == 0
        if index % 4 == 2:
            ticks = int(dut.sample_o.value) * spacing + int(dut.ticks_o.value)
            assert ticks - LATE_TICKS == true_ticks[0] * spacing + true_ticks[1]
            assert int(dut.count_o.value) == edges
        if index not in (0, 1, 200):
            assert int(dut.period_o.value) == spacing
    assert edges == 100
