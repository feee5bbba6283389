"""td_results against a model that copies whole publications: writes, publications, snapshots and reads mixed."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from hdl.tb.drive import pulse, reset, seeded, start

WORDS, LEFT_OUT = 44, 7


async def read(dut: Any, word: int) -> int:
    dut.addr_i.value = word
    await pulse(dut, dut.req_i)
    assert dut.ack_o.value == 0
    await FallingEdge(dut.clk_i)
    assert dut.ack_o.value == 1
    value = int(dut.data_o.value)
    await FallingEdge(dut.clk_i)
    assert dut.ack_o.value == 0
    return value


@cocotb.test()
async def words_read_are_those_of_the_publication_held(dut: Any) -> None:
    rng = seeded("results")
    await start(dut, write_i=0, publishing_i=0, whole_i=0, take_i=0, req_i=0, index_i=0, data_i=0)
    for _ in range(2):
        shown = held = [0] * 64
        together = 0
        for _ in range(60):
            filled = [rng.getrandbits(32) for _ in range(WORDS)] + [0] * (64 - WORDS)
            places = list(range(WORDS))
            rng.shuffle(places)
            for place in places:
                dut.write_i.value, dut.index_i.value, dut.data_i.value = 1, place, filled[place]
                take = rng.random() < 0.02
                dut.take_i.value = take
                await FallingEdge(dut.clk_i)
                held = shown if take else held
                dut.write_i.value = dut.take_i.value = 0
                if rng.random() < 0.3:
                    word = rng.randrange(64)
                    assert await read(dut, word) == held[word]
            whole, take = rng.random() < 0.5, rng.random() < 0.4
            dut.whole_i.value, dut.take_i.value = whole, take
            await pulse(dut, dut.publishing_i)
            dut.take_i.value = 0
            together += take
            held = shown if take else held  # what was shown before this clock
            shown = [int(whole), *filled[1:]]
            shown[LEFT_OUT] = 0
            for word in (0, 1, LEFT_OUT, WORDS - 1, WORDS, 63):
                assert await read(dut, word) == held[word]
        assert together > 10
        await reset(dut)
        await pulse(dut, dut.take_i)
        assert [await read(dut, word) for word in range(0, 64, 9)] == [0] * 8
