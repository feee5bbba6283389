"""td_product against Python's integers, with products in a row and pauses."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from hdl.tb.drive import seeded, start

LATENCY, WIDTH = 4, 81
LEAST_A, LEAST_B = -(1 << 51), -(1 << 34)


@cocotb.test()
async def product_comes_four_clocks_later(dut: Any) -> None:
    rng = seeded("product")
    await start(dut, start_i=0, a_i=0, b_i=0)
    edges_a = [0, 1, -1, LEAST_A, -LEAST_A - 1, (1 << 17) - 1, 1 << 17, (1 << 34) - 1, -(1 << 34)]
    edges_b = [0, 1, -1, LEAST_B, -LEAST_B - 1, (1 << 17) - 1, 1 << 17, -(1 << 17)]
    pairs = [(a, b) for a in edges_a for b in edges_b]
    pairs += [
        (rng.randrange(LEAST_A >> rng.randrange(50), -LEAST_A), rng.randrange(LEAST_B, -LEAST_B >> rng.randrange(33)))
        for _ in range(1500)
    ]
    due: deque[int | None] = deque([None] * (LATENCY - 1))
    last = None
    for a, b in pairs:
        begin = rng.random() < 0.8
        dut.start_i.value, dut.a_i.value, dut.b_i.value = begin, a, b
        await FallingEdge(dut.clk_i)
        due.append(a * b & (1 << WIDTH) - 1 if begin else None)
        ripe = due.popleft()
        last = last if ripe is None else ripe  # it keeps its value when none is due
        if last is not None:
            assert int(dut.product_o.value) == last
