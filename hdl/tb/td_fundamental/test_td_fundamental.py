"""td_fundamental, window by window against the integer model; banks, snapshots, reset in the middle."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from hdl.model_spectrum import FUNDAMENTAL_PUBLISH, POINT_MAX, POINT_MIN, WINDOW, FundamentalMeter, Point
from hdl.tb.drive import clocks, pulse, reset, seeded, start
from hdl.tb.td_fundamental.words import words_of

LEAST_POINT_CLOCKS = 14
UNREAD = (0, 1, 3)  # windows without a snapshot: the bank being read is not the one shown


async def read_words(dut: Any) -> list[int]:
    """Take a snapshot and read all words."""
    await pulse(dut, dut.snapshot_i)
    return await read_again(dut)


async def read_again(dut: Any) -> list[int]:
    """Read all words of the last snapshot."""
    words = []
    for address in range(32):
        dut.addr_i.value = address
        await pulse(dut, dut.req_i)
        assert dut.ack_o.value == 1
        words.append(int(dut.data_o.value))
    return words


async def give_point(dut: Any, point: Point, gap: int) -> None:
    """Give one point, which holds for the clocks that td_resample holds it."""
    dut.place_i.value, dut.period10_i.value, dut.locked_i.value = point.place, point.period10, point.locked
    for name, value in zip(("u1", "i1", "u2", "i2"), point.values, strict=True):
        getattr(dut, f"{name}_i").value = value
    await pulse(dut, dut.point_i)
    await clocks(dut, LEAST_POINT_CLOCKS - 1 + gap)


def shapes(name: str) -> list[Callable[[int], tuple[int, ...]]]:
    """Return functions from place to values, one a window."""
    rng = seeded(name)

    def wave(place: int, peak: float, lag: float, order: int = 1) -> int:
        return round(peak * math.cos(2 * math.pi * order * place / 128 - lag))

    def any_waves() -> Callable[[int], tuple[int, ...]]:
        each = [(10 ** rng.uniform(4, 7), rng.uniform(-4, 4)) for _ in range(4)]
        return lambda p: tuple(wave(p, peak, lag) for peak, lag in each)

    return [
        lambda p: (wave(p, 8e6, 0), wave(p, 1e7, 1.0), wave(p, 8e6, 2.0), wave(p, 900, 3.0)),
        lambda p: (wave(p, 8e6, 0), wave(p, 1e7, 3.5), wave(p, 8e6, 2.0), wave(p, 4e6, 0.5)),
        lambda p: tuple(rng.randint(POINT_MIN, POINT_MAX) for _ in range(4)),
        # Square waves at the rails, in phase with the sine: nothing larger can come.
        lambda p: tuple(sign * (POINT_MAX if p % 128 < 64 else POINT_MIN) for sign in (1, -1, 1, 1)),
        *(any_waves() for _ in range(4)),
    ]


@cocotb.test()
async def every_published_value_is_the_models_and_comes_at_its_sample(dut: Any) -> None:
    rng = seeded("gaps")
    await start(dut, valid_i=0, point_i=0, snapshot_i=0, req_i=0)
    for run in range(2):
        model = FundamentalMeter()
        assert await read_words(dut) == [0] * 32
        for window, shape in enumerate(shapes("shapes")):
            for place in range(WINDOW if run else 300):
                values = tuple(max(POINT_MIN, min(POINT_MAX, value)) for value in shape(place))
                point = Point(place, values, rng.randint(1140 << 16, 1880 << 16), window != 2)
                await give_point(dut, point, rng.choice([0, 0, 0, 9]))
                model.step([point])
            if run == 0:
                break  # reset in the middle of a window
            for sample in range(FUNDAMENTAL_PUBLISH + 2):
                dut.valid_i.value = 1
                await FallingEdge(dut.clk_i)
                dut.valid_i.value = 0
                fresh = model.step([])
                assert fresh == (sample == FUNDAMENTAL_PUBLISH - 1)
                if window in UNREAD:
                    await clocks(dut, 63)
                elif sample == FUNDAMENTAL_PUBLISH - 2:
                    former = words_of(model.shown)
                    assert await read_words(dut) == former, "nothing is shown before its sample"
                elif fresh:
                    assert await read_again(dut) == former, "the snapshot holds"
                    assert await read_words(dut) == words_of(model.shown), f"window {window}"
                else:
                    await clocks(dut, 63)
        await reset(dut)
    assert min(model.shown.energies[:4]) > 0, "every side of element 1 was seen"
