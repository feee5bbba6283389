"""td_half_cycle, sample by sample against the integer model, at 64 clocks a sample and with gaps."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from hdl.model import Boundary, HalfCycle, Settings, ZeroCross
from hdl.tb.drive import clocks, pulse, reset, seeded, start
from hdl.tb.td_zero_cross.test_td_zero_cross import CROSSING_CLOCKS, stream


def shown(dut: Any) -> tuple[int, ...]:
    """Return the outputs in the order of the model's `Published`."""
    names = ("count", "u_half", "urms", "urms_valid", "period10", "period")
    values = [int(getattr(dut, f"{name}_o").value) for name in names]
    return (*values, int(dut.cross_index_o.value) << 16 | int(dut.cross_fraction_o.value))


async def publication(dut: Any, model: HalfCycle, index: int, where: str) -> bool:
    """Give one sample; return whether the model published with it, as the block must."""
    dut.index_i.value = index
    await pulse(dut, dut.valid_i)
    fresh = model.publish()
    assert int(dut.publish_o.value) == fresh, where
    assert shown(dut) == tuple(model.shown), where
    return fresh


async def square(dut: Any, model: HalfCycle, index: int, delayed: int, boundary: Boundary | None) -> None:
    """Give the square of a sample, and the boundary found with it."""
    dut.boundary_i.value = boundary is not None
    dut.crossing_i.value = boundary is not None and boundary.crossing
    dut.restart_i.value = boundary is not None and boundary.restart
    dut.fraction_i.value = boundary.fraction if boundary else 0
    dut.square_i.value = delayed * delayed
    await clocks(dut, CROSSING_CLOCKS)
    await pulse(dut, dut.step_i)
    model.step(index, delayed, boundary)


@cocotb.test()
async def every_published_value_is_the_models_and_comes_at_its_sample(dut: Any) -> None:
    rng = seeded("gaps")
    await start(dut, valid_i=0, step_i=0, index_i=0)
    # The second run squares a few codes only: there the rounding of the split sample shows.
    for run, (extra, shift) in enumerate(((0, 0), (33, 21))):
        crosses, model = ZeroCross(Settings()), HalfCycle()
        published = 0
        for index, sample in enumerate(stream(1800, "stream")):
            where = f"run {run} sample {index}"
            published += await publication(dut, model, index, where)
            boundary = crosses.step(sample)
            await square(dut, model, index, crosses.delayed >> shift, boundary)
            await clocks(dut, 62 - CROSSING_CLOCKS + rng.choice([0, extra]))
            assert dut.busy_o.value == 0
        assert published >= 15
        await reset(dut)
        await FallingEdge(dut.clk_i)
        assert shown(dut) == tuple(HalfCycle().shown)


def boundaries(rng: Random) -> Iterator[tuple[int, bool, bool]]:
    """Yield distances in samples from a boundary to the next, whether that is a crossing, and one that ends a loss."""
    yield 30, True, True
    for _ in range(24):  # twenty in a row, and more
        yield rng.randint(60, 94), True, False
    for _ in range(30):
        if rng.random() < 0.3:  # a loss: cadences, then a crossing anywhere behind one of them
            for _ in range(rng.randint(1, 3)):
                yield 80, False, False
            yield rng.choice([1, 15, 16, 17, rng.randint(1, 80)]), True, True
        yield rng.choice([24, 56, 95, 254, rng.randint(24, 254)]), True, False


@cocotb.test()
async def places_lengths_and_squares_have_their_full_width(dut: Any) -> None:
    """Boundaries as near and as far as they come, at full scale and near zero, at any number of the sample."""
    rng = seeded("width")
    await start(dut, valid_i=0, step_i=0, index_i=0)
    first = rng.randrange(1 << 45)
    await compare(dut, rng, first, boundaries(rng))
    for bits in (first ^ (1 << 48) - 1, 0x5555_5555_5555, 0xAAAA_AAAA_AAAA):
        await reset(dut)
        await compare(dut, rng, bits, itertools.islice(boundaries(rng), 4))


async def compare(dut: Any, rng: Random, index: int, ends: Iterable[tuple[int, bool, bool]]) -> None:
    """Compare the block with the model over half cycles, from the sample behind number ``index`` on."""
    model = HalfCycle()
    for distance, crossing, restart in ends:
        peak = rng.choice([1 << 23, 1 << 23, 1 << 12, 3])
        for left in range(distance, 0, -1):
            index += 1
            await publication(dut, model, index, f"sample {index}, {left} before a boundary")
            fraction = rng.choice([0, 0xFFFF, rng.randrange(1 << 16)])
            boundary = Boundary(crossing, restart, fraction) if left == 1 else None
            await square(dut, model, index, rng.randint(peak // 2, peak), boundary)
            await clocks(dut, 62 - CROSSING_CLOCKS)
