"""td_holdup against the integer model."""

from __future__ import annotations

from typing import Any

import cocotb

from hdl.model_control import HOLDUP_LOW, Holdup
from hdl.tb.drive import clocks, pulse, reset, seeded, start

INPUTS = {"step_i": 0, "code_valid_i": 0, "code_i": 0, "enable_i": 1, "low_i": 2000, "hysteresis_i": 60, "stop_i": 1500}


@cocotb.test()
async def energy_low_and_events_are_the_models(dut: Any) -> None:
    rng = seeded("walk")
    await start(dut, **INPUTS)
    events = 0
    for _ in range(2):
        model = Holdup(2000, 60, 1500)
        for _ in range(1200):
            if rng.random() < 0.7:
                code = rng.choice([0, 1499, 1500, 1501, 1999, 2000, 2059, 2060, 4095, rng.randrange(4096)])
                dut.code_i.value = code
                await pulse(dut, dut.code_valid_i)
                model.code(code)
                await clocks(dut, 14)
            assert int(dut.energy_o.value) == model.energy
            assert int(dut.low_o.value) == model.low
            if rng.random() < 0.5:
                await pulse(dut, dut.step_i)
                event = model.step()
                assert int(dut.event_o.value) == (event is not None)
                if event:
                    assert int(dut.kind_o.value) == HOLDUP_LOW
                    events += 1
                await clocks(dut, 1)
                assert int(dut.event_o.value) == 0
        await reset(dut)
    assert events > 20


@cocotb.test()
async def a_code_during_the_product_is_ignored_and_off_clears(dut: Any) -> None:
    await start(dut, **INPUTS)
    dut.code_i.value = 3000
    await pulse(dut, dut.code_valid_i)
    dut.code_i.value = 4000
    await pulse(dut, dut.code_valid_i)
    await clocks(dut, 14)
    assert int(dut.code_o.value) == 3000
    assert int(dut.energy_o.value) == 3000**2 - 1500**2
    dut.enable_i.value = 0
    await clocks(dut, 1)
    assert (int(dut.code_o.value), int(dut.energy_o.value), int(dut.low_o.value)) == (0, 0, 0)
