"""td_product as the blocks around it see it, for benches of one of these blocks alone."""

from __future__ import annotations

from collections import deque
from typing import Any

from cocotb.triggers import FallingEdge, RisingEdge

LATENCY = 4  # clocks from operands to product
WIDTH = 81


async def multiply(dut: Any) -> None:
    """Answer ``start_o``, ``a_o``, ``b_o`` on ``product_i``, which keeps its value when no product is due."""
    due: deque[int | None] = deque([None] * (LATENCY - 1))
    dut.product_i.value = 0
    while True:
        await FallingEdge(dut.clk_i)
        asked = dut.start_o.value == 1
        due.append(dut.a_o.value.to_signed() * dut.b_o.value.to_signed() if asked else None)
        product = due.popleft()
        await RisingEdge(dut.clk_i)
        if product is not None:
            dut.product_i.value = product & (1 << WIDTH) - 1
