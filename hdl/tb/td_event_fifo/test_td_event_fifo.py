"""td_event_fifo against a queue, with pushes and pops in the same clock."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from hdl.tb.drive import seeded, start


@cocotb.test()
async def order_fill_and_loss_are_those_of_a_queue(dut: Any) -> None:
    rng = seeded("fifo")
    await start(dut, push_i=0, pop_i=0, data_i=0)
    queue: deque[int] = deque()
    lost = 0
    for step in range(3000):
        busy = 0.7 if step // 300 % 2 else 0.3  # runs full, then empty, again and again
        push, pop = rng.random() < busy, rng.random() < 1 - busy
        data = rng.getrandbits(len(dut.data_i))
        dut.push_i.value, dut.pop_i.value, dut.data_i.value = push, pop, data
        shown = (len(queue), queue[0] if queue else 0)  # a clock late
        await FallingEdge(dut.clk_i)
        full = len(queue) == 16
        if pop and queue:
            queue.popleft()
        if push and not full:
            queue.append(data)
        lost += push and full
        assert (int(dut.waiting_o.value), int(dut.data_o.value)) == shown
        assert int(dut.lost_o.value) == (push and len(queue) == 16)
    assert lost > 50
