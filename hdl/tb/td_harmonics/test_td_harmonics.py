"""td_harmonics, word by word against the integer model; starts at any time, reset in the middle."""

from __future__ import annotations

import math
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from hdl.model_spectrum import HARMONICS_PUBLISH, POINT_MAX, POINT_MIN, WINDOW, HarmonicsMeter, Point
from hdl.tb.drive import clocks, pulse, reset, seeded, start
from hdl.tb.td_fundamental.test_td_fundamental import give_point
from hdl.tb.td_harmonics.words import words_of

TRANSFORM_CLOCKS = 10_600


async def read_words(dut: Any) -> list[int]:
    """Read every word of the window."""
    words = []
    for address in range(128):
        dut.addr_i.value = address
        await pulse(dut, dut.req_i)
        assert dut.ack_o.value == 1
        words.append(int(dut.data_o.value))
    return words


async def run_window(dut: Any, model: HarmonicsMeter, points: list[Point]) -> None:
    """Give the points, the first at a sample of its own."""
    await pulse(dut, dut.valid_i)
    for point in points:
        await give_point(dut, point, 0)
        model.step([point])


@cocotb.test()
async def every_word_is_the_models_and_comes_at_its_sample(dut: Any) -> None:
    rng = seeded("noise")
    await start(dut, valid_i=0, point_i=0, start_i=0, req_i=0)
    model = HarmonicsMeter()

    def window(kind: str) -> list[Point]:
        points = []
        for place in range(WINDOW):
            turn = 2 * math.pi * place / 128
            wave = round(9e6 * math.cos(turn) + 3e5 * math.cos(40 * turn + 1))
            small = round(2000 * math.cos(turn + 0.3) + 40 * math.sin(13 * turn))
            rails, flipped = (POINT_MAX, POINT_MIN) if place % 128 < 64 else (POINT_MIN, POINT_MAX)
            noise = rng.randint(POINT_MIN, POINT_MAX)
            values = {"waves": (wave, small, rails, noise), "rails": (flipped, wave, noise, small)}[kind]
            points.append(Point(place, values, rng.randint(1140 << 16, 1880 << 16), kind == "waves"))
        return points

    async def ask(channel: int) -> None:
        dut.channel_i.value = channel
        await pulse(dut, dut.start_i)
        dut.channel_i.value = 0
        model.start(channel)

    # A start is dropped by another while it waits, folds, transforms; a window that has begun is not used.
    await ask(3)
    await ask(1)
    await run_window(dut, model, window("rails")[900:])
    assert dut.busy_o.value == 1
    await run_window(dut, model, window("rails")[:500])
    await reset(dut)
    model = HarmonicsMeter()
    assert dut.busy_o.value == 0
    assert await read_words(dut) == words_of(None, 0)
    await ask(1)
    await run_window(dut, model, window("rails"))
    await clocks(dut, 3000)
    for channel, kind in ((2, "waves"), (1, "waves"), (3, "waves"), (0, "rails")):
        await ask(channel)
        await run_window(dut, model, window(kind))
        await clocks(dut, TRANSFORM_CLOCKS)
        for sample in range(HARMONICS_PUBLISH):
            assert dut.done_o.value == 0
            if sample == HARMONICS_PUBLISH - 1:
                assert await read_words(dut) == words_of(None, 0), "nothing is shown before its sample"
            dut.valid_i.value = 1
            await FallingEdge(dut.clk_i)
            dut.valid_i.value = 0
            assert model.step([]) == (sample == HARMONICS_PUBLISH - 1)
            await FallingEdge(dut.clk_i)
        assert dut.done_o.value == 1
        assert dut.busy_o.value == 0
        assert await read_words(dut) == words_of(model.done, channel), f"channel {channel}, {kind}"
        await run_window(dut, model, window("waves")[:5])
        assert await read_words(dut) == words_of(model.done, channel), "the result stands"
