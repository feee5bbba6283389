"""td_overcurrent against the integer model and on its thresholds."""

from __future__ import annotations

from typing import Any

import cocotb

from hdl.model_control import OVERCURRENT_END, OVERCURRENT_START, Event, Overcurrent
from hdl.tb.drive import reset, seeded, start
from hdl.tb.steps import step

INPUTS = {"step_i": 0, "fresh_i": 0, "irms_i": 0, "enable_i": 1, "threshold_i": 1000, "hysteresis_i": 50}


@cocotb.test()
async def events_are_the_models(dut: Any) -> None:
    rng = seeded("walk")
    await start(dut, **INPUTS)
    kinds = set()
    for _ in range(2):
        model = Overcurrent(1000, 50)
        for _ in range(1500):
            irms = rng.choice([950, 1000, rng.randrange(1 << 29)]) + rng.randint(-1, 1) & (1 << 29) - 1
            fresh = int(rng.random() < 0.3)
            seen = await step(dut, rng, 0, 3, fresh=fresh, irms=irms)
            assert seen == model.step(bool(fresh), irms)
            assert int(dut.active_o.value) == (model.peak is not None)
            kinds |= {seen.kind} if seen else set()
        await reset(dut)
    assert kinds == {OVERCURRENT_START, OVERCURRENT_END}


@cocotb.test()
async def depth_and_duration_are_those_of_the_event(dut: Any) -> None:
    rng = seeded("event")
    await start(dut, **INPUTS)
    assert await step(dut, rng, fresh=1, irms=1000) is None
    assert await step(dut, rng, fresh=1, irms=1001) == Event(OVERCURRENT_START, 1001, 0)
    assert await step(dut, rng, fresh=1, irms=1300) is None
    for _ in range(7):
        assert await step(dut, rng, fresh=0, irms=5) is None  # not published
    assert await step(dut, rng, fresh=1, irms=951) is None
    assert await step(dut, rng, fresh=1, irms=950) == Event(OVERCURRENT_END, 1300, 10)
    await step(dut, rng, fresh=1, irms=2000)
    assert await step(dut, rng, fresh=1, irms=2000, enable=0) is None
    assert int(dut.active_o.value) == 0


@cocotb.test()
async def settings_have_their_full_width(dut: Any) -> None:
    rng = seeded("width")
    await start(dut, **INPUTS)
    for _ in range(60):
        threshold = rng.randrange(1 << 29)
        hysteresis = rng.choice([0, threshold, rng.randrange(1 << 29)])
        model = Overcurrent(threshold, hysteresis)
        settings = {"threshold": threshold, "hysteresis": hysteresis}
        await step(dut, rng, 0, 1, enable=0)
        for _ in range(8):
            irms = rng.choice([threshold + 1, threshold - hysteresis, rng.randrange(1 << 29)])
            irms = min(max(irms, 0), (1 << 29) - 1)
            assert await step(dut, rng, 0, 1, enable=1, fresh=1, irms=irms, **settings) == model.step(True, irms)


@cocotb.test()
async def the_duration_stands_at_its_end(dut: Any) -> None:
    rng = seeded("long")
    await start(dut, **INPUTS)
    for steps in (0xFFFFFFF0, 0xAAAAAAA0, 0x55555550):
        await step(dut, rng, fresh=1, irms=1001)
        dut.steps_q.value = steps
        for _ in range(20):
            await step(dut, rng, 0, 1, fresh=0)
        event = await step(dut, rng, fresh=1, irms=900)
        assert event == Event(OVERCURRENT_END, 1001, min(steps + 21, 0xFFFFFFFF))
