"""td_power, sample by sample against the integer model, at 64 clocks a sample and with gaps."""

from __future__ import annotations

import math
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from hdl.model import HalfCycle, Measured, PowerMeter, Settings, ZeroCross
from hdl.tb.drive import clocks, pulse, reset, seeded, signed, start
from hdl.tb.td_zero_cross.test_td_zero_cross import CROSSING_CLOCKS, stream

SPLIT_CLOCKS = 19  # from step_i of td_half_cycle to closed_o


def shown(dut: Any) -> Measured:
    """Return the outputs as the model has them."""
    energies = (int(getattr(dut, f"energy_{side}_o").value) for side in ("forward", "reverse", "lagging", "leading"))
    p, q = dut.p_o.value.to_signed(), dut.q_o.value.to_signed()
    return Measured(int(dut.irms_o.value), p, q, int(dut.s_o.value), *energies)


def load(count: int) -> list[int]:
    """Return a current that lags, turns round, is small, is at the rail, is noise with an offset."""
    rng = seeded("load")
    wave = [3e6 * math.sin(2 * math.pi * 50 * n / 8000 - 1.0) + 2e5 * math.sin(2 * math.pi * 250 * n / 8000)
            for n in range(count)]  # fmt: skip
    for n in range(400, 800):
        wave[n] *= -1
    for n in range(1150, 1500):
        wave[n] *= 1e-5
    for n in range(1550, 1600):
        wave[n] *= 9
    for n in range(count - 500, count):
        wave[n] = rng.gauss(3e5, 1e6)
    return list(signed(wave))


@cocotb.test()
async def every_published_value_is_the_models_and_comes_at_its_sample(dut: Any) -> None:
    rng = seeded("gaps")
    await start(dut, valid_i=0, step_i=0, closed_i=0, publishing_i=0, whole_i=0)
    # The second run is long enough for the DC removal to work: 4096 samples fill it.
    for run, (count, extra) in enumerate(((1800, 33), (5200, 0))):
        crosses, half_cycle, model = ZeroCross(Settings()), HalfCycle(), PowerMeter()
        volts = stream(1800, "stream")
        volts += [round(4e6 * math.sin(2 * math.pi * 48.7 * n / 8000)) + 90_000 for n in range(count - 1800)]
        published = 0
        for index, (volt, amp) in enumerate(zip(volts, load(count), strict=True)):
            where = f"run {run} sample {index}"
            cycle = len(half_cycle.closed) == 2
            dut.publishing_i.value = half_cycle.pending is not None and half_cycle.wait == 1
            dut.whole_i.value = cycle
            dut.voltage_i.value, dut.current_i.value = volt, amp
            await pulse(dut, dut.valid_i)
            dut.publishing_i.value = 0
            if half_cycle.publish():
                model.publish(cycle)
                published += 1
            assert shown(dut) == model.shown, where
            boundary = crosses.step(volt)
            half_cycle.step(index, crosses.delayed, boundary)
            model.step(volt, amp, boundary, half_cycle)
            dut.boundary_i.value = boundary is not None
            dut.restart_i.value = boundary is not None and boundary.restart
            dut.fraction_i.value = boundary.fraction if boundary else 0
            await clocks(dut, CROSSING_CLOCKS - 1)
            await pulse(dut, dut.step_i)
            await clocks(dut, SPLIT_CLOCKS)
            if boundary is not None and not boundary.restart:
                lengths = [length for _, length in half_cycle.closed]
                dut.half_length_i.value, dut.former_length_i.value = lengths[-1], lengths[0]
                dut.pair_i.value = len(lengths) == 2
                assert half_cycle.pending is not None
                dut.urms_i.value = half_cycle.pending.urms
                dut.closed_i.value = 1
            await clocks(dut, 1)
            dut.closed_i.value = 0
            await clocks(dut, 62 - CROSSING_CLOCKS - SPLIT_CLOCKS + rng.choice([0, extra]))
            assert dut.busy_o.value == 0
            assert dut.run_o.value.to_signed() == model.total, where
        assert published >= 15
        assert min(model.shown[4:6]) > 0, "forward and reverse were both seen"
        await reset(dut)
        await FallingEdge(dut.clk_i)
        assert shown(dut) == Measured()
