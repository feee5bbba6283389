"""td_resample, point by point against the integer model, at 64 clocks a sample and with gaps."""

from __future__ import annotations

import math
import random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from hdl.model_spectrum import LEAST_PERIOD10, MOST_PERIOD10, POINTS, Point, Resampler
from hdl.tb.drive import reset, seeded, start

WORD_MAX = (1 << 29) - 1  # beyond what 25 bits of half codes hold


def waves(count: int) -> list[tuple[int, int, int, int]]:
    """Return words of four channels: a wave, a small one, noise over the whole range, and the rails."""
    rng = seeded("waves")
    return [
        (
            round(6e7 * math.sin(2 * math.pi * 50.7 * n / 8000) + 4e6 * math.sin(2 * math.pi * 2000 * n / 8000)),
            round(900 * math.sin(2 * math.pi * 50.7 * n / 8000 + 1)),
            rng.randint(-WORD_MAX - 1, WORD_MAX),
            rng.choice([-WORD_MAX - 1, WORD_MAX, 0]),
        )
        for n in range(count)
    ]


def points_of(dut: Any) -> Point:
    """Return the outputs as the model has them."""
    values = tuple(getattr(dut, f"{name}_o").value.to_signed() for name in ("u1", "i1", "u2", "i2"))
    return Point(int(dut.place_o.value), values, int(dut.period10_o.value), bool(dut.locked_o.value))


async def give(
    dut: Any, words: tuple[int, ...], period10: int, at: int, clocks: int, rng: random.Random
) -> list[Point]:
    """Give one sample and a publication ``at`` clocks after it; return the points seen within ``clocks``."""
    first = rng.choice([1, 15, 60])  # clock of the first word
    seen = []
    for clock in range(clocks):
        dut.valid_i.value = clock == 0
        dut.publish_i.value = clock == at
        dut.period10_i.value = period10 if clock == at else rng.getrandbits(32)
        dut.word_valid_i.value = first <= clock < first + 4
        if first <= clock < first + 4:
            dut.word_channel_i.value = clock - first
            dut.word_i.value = words[clock - first]
        await FallingEdge(dut.clk_i)
        if dut.point_o.value == 1:
            seen.append(points_of(dut))
    dut.publish_i.value = 0
    return seen


@cocotb.test()
async def every_point_is_the_models_and_comes_with_its_sample(dut: Any) -> None:
    rng = seeded("gaps")
    await start(dut, valid_i=0, word_valid_i=0, publish_i=0, period10_i=0)
    # Lengths of ten cycles by sample: none (0), too short and too long (not followed), and the rest at random.
    windows = doubles = 0
    for run in range(2):
        lengths = {
            2: LEAST_PERIOD10,
            5: 0,
            30: LEAST_PERIOD10 - 1,
            60: MOST_PERIOD10 + 1,
            90: LEAST_PERIOD10,
            300: MOST_PERIOD10,
        }
        lengths |= {n: rng.randint(LEAST_PERIOD10, MOST_PERIOD10) for n in (91, 600, 1500, 2300)}
        model = Resampler()
        for index, words in enumerate(waves(3200 if run else 400)):
            clocks = 64 if run == 0 or index % 3 else rng.choice([64, 65, 97])
            at = rng.choice([0, 3, 20]) if index in lengths else -1
            seen = await give(dut, words, lengths.get(index, 0), at, clocks, rng)
            expected = model.step(words, lengths.get(index, 0) if at >= 0 else 0)
            assert seen == expected, f"run {run} sample {index}"
            assert dut.busy_o.value == 0
            windows += sum(point.place == 0 for point in expected)
            doubles += len(expected) == 2
        await reset(dut)
        await FallingEdge(dut.clk_i)
        assert points_of(dut) == Point(0, (0, 0, 0, 0), 0, False)
    assert doubles > POINTS, "two points at a sample were seen"
    assert windows >= 4
