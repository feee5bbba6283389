"""td_half_cycle, sample by sample against the integer model, at 64 clocks a sample and with gaps."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from hdl.model import HalfCycle, Settings, ZeroCross
from hdl.tb.drive import clocks, pulse, reset, seeded, start
from hdl.tb.td_zero_cross.test_td_zero_cross import CROSSING_CLOCKS, stream


def shown(dut: Any) -> tuple[int, ...]:
    """Return the outputs in the order of the model's `Published`."""
    names = ("count", "u_half", "urms", "urms_valid", "period10", "period")
    values = [int(getattr(dut, f"{name}_o").value) for name in names]
    return (*values, int(dut.cross_index_o.value) << 16 | int(dut.cross_fraction_o.value))


@cocotb.test()
async def every_published_value_is_the_models_and_comes_at_its_sample(dut: Any) -> None:
    rng = seeded("gaps")
    await start(dut, valid_i=0, step_i=0, index_i=0)
    # The second run squares a few codes only: there the rounding of the split sample shows.
    for run, (extra, shift) in enumerate(((0, 0), (33, 21))):
        crosses, model = ZeroCross(Settings()), HalfCycle()
        published = 0
        for index, sample in enumerate(stream(1800, "stream")):
            dut.index_i.value = index
            await pulse(dut, dut.valid_i)
            fresh = model.publish()
            assert int(dut.publish_o.value) == fresh, f"run {run} sample {index}"
            assert shown(dut) == tuple(model.shown), f"run {run} sample {index}"
            published += fresh
            boundary = crosses.step(sample)
            dut.boundary_i.value = boundary is not None
            dut.crossing_i.value = boundary is not None and boundary.crossing
            dut.restart_i.value = boundary is not None and boundary.restart
            dut.fraction_i.value = boundary.fraction if boundary else 0
            delayed = crosses.delayed >> shift
            dut.square_i.value = delayed * delayed
            await clocks(dut, CROSSING_CLOCKS)
            await pulse(dut, dut.step_i)
            model.step(index, delayed, boundary)
            await clocks(dut, 62 - CROSSING_CLOCKS + rng.choice([0, extra]))
            assert dut.busy_o.value == 0
        assert published >= 15
        await reset(dut)
        await FallingEdge(dut.clk_i)
        assert shown(dut) == tuple(HalfCycle().shown)
