"""td_capture with a ring of 64 samples, against a list."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from hdl.tb.drive import clocks, pulse, reset, seeded, start

DEPTH = 64
INPUTS = {"valid_i": 0, "suspect_i": 0, "arm_i": 0, "freeze_i": 0, "req_i": 0, "post_i": 0}


async def give(dut: Any, index: int, sample: int, gap: int) -> None:
    dut.index_i.value, dut.sample_i.value = index, sample
    await pulse(dut, dut.valid_i)
    await clocks(dut, gap)


async def read_ring(dut: Any) -> list[int]:
    """Return what can be read, oldest first, with reads back to back and with pauses."""
    words = []
    for address in range(int(dut.count_o.value)):
        dut.addr_i.value = address
        await pulse(dut, dut.req_i)
        assert dut.ack_o.value == 1
        words.append(dut.data_o.value.to_signed())
        await clocks(dut, address % 3)
    return words


@cocotb.test()
async def frozen_ring_holds_the_samples_up_to_post_after_the_suspicion(dut: Any) -> None:
    rng = seeded("capture")
    await start(dut, **INPUTS)
    index = 0
    for before, post in ((200, 20), (10, 0), (64, 63), (30, 33), (5, 1)):
        given: list[tuple[int, int]] = []
        await pulse(dut, dut.arm_i)
        dut.post_i.value = post
        for step in range(before + post + 10):
            sample = rng.randrange(-(1 << 23), 1 << 23)
            if dut.frozen_o.value == 0:
                given.append((index, sample))
            await give(dut, index, sample, rng.choice([0, 2]))
            index += 1
            if step == before - 1:
                await pulse(dut, dut.suspect_i)
                await clocks(dut, 1)
            if step == before + 2 and post > 5:  # a second suspicion changes nothing
                await pulse(dut, dut.suspect_i)
        assert dut.frozen_o.value == 1
        assert len(given) == before + post
        kept = given[-DEPTH:]
        assert int(dut.first_o.value) == kept[0][0]
        assert await read_ring(dut) == [sample for _, sample in kept]


@cocotb.test()
async def freezing_by_hand_and_reset(dut: Any) -> None:
    await start(dut, **INPUTS)
    for index in range(5):
        await give(dut, index + 100, -index, 1)
    assert dut.done_o.value == 0
    await pulse(dut, dut.freeze_i)
    assert dut.done_o.value == 1
    await FallingEdge(dut.clk_i)
    assert dut.done_o.value == 0
    assert await read_ring(dut) == [0, -1, -2, -3, -4]
    assert int(dut.first_o.value) == 100
    await reset(dut)
    await FallingEdge(dut.clk_i)
    assert dut.frozen_o.value == 0
    assert int(dut.count_o.value) == 0
