"""td_last_gasp against the integer model, and one loss with its times counted by hand."""

from __future__ import annotations

from typing import Any

import cocotb

from hdl.model_control import DECLARED, IDLE, LAST_GASP, RETURNED, SENT, SUSPECTED, LastGasp
from hdl.tb.drive import clocks, pulse, reset, seeded, start

INPUTS = {f"{name}_i": 0 for name in ("step", "index", "detected", "detected_kind", "sent", "clear")}
SETTINGS = {"enable_i": 1, "declare_i": 30, "delay_i": 948961}
FOLLOWS = {0: (1,), 1: (2, 3), 2: (4,), 3: (1,), 4: (1,)}  # what the detector says after what


async def sample(dut: Any, index: int, detected: int) -> int | None:
    """Give one sample with the detector's event and return the steps waited at a declaration."""
    dut.index_i.value = index
    if detected:
        dut.detected_kind_i.value = detected
        await pulse(dut, dut.detected_i)
    await clocks(dut, 2)
    await pulse(dut, dut.step_i)
    waited = None
    if int(dut.event_o.value):
        assert int(dut.kind_o.value) == LAST_GASP
        waited = int(dut.waited_o.value)
    await clocks(dut, 1)
    assert int(dut.event_o.value) == 0
    return waited


def shown(dut: Any) -> tuple[int, ...]:
    ports = (dut.state_o, dut.onset_o, dut.return_o, dut.declared_o, dut.momentary_o, dut.last_gasp_o)
    return tuple(int(port.value) for port in ports)


@cocotb.test()
async def states_and_stamps_are_the_models(dut: Any) -> None:
    rng = seeded("walk")
    await start(dut, **INPUTS, **SETTINGS)
    states = set()
    for _ in range(2):
        model, index, last = LastGasp(30, 948961), rng.randrange(1 << 36), 0
        for _ in range(3000):
            index += 1
            if rng.random() < 0.05:
                if rng.random() < 0.5:
                    await pulse(dut, dut.sent_i)
                    model.sent()
                else:
                    await pulse(dut, dut.clear_i)
                    model.clear()
            detected = rng.choice(FOLLOWS[last]) if rng.random() < 0.04 else 0
            last = detected or last
            event = model.step(index, detected)
            assert await sample(dut, index, detected) == (event.extra if event else None)
            stamps = (model.onset, model.returned_at, model.declared, model.momentary)
            assert shown(dut) == (model.state, *stamps, int(model.state == DECLARED))
            states.add(model.state)
        await reset(dut)
    assert states == {IDLE, SUSPECTED, DECLARED, SENT, RETURNED}


@cocotb.test()
async def a_loss_is_declared_after_the_delay_and_a_short_one_never(dut: Any) -> None:
    await start(dut, **INPUTS, **SETTINGS)
    events = {100: 1, 160: 2, 400: 4, 500: 1, 520: 2, 529: 4, 600: 1, 610: 3}
    declared = {index: waited for index in range(90, 700) if (waited := await sample(dut, index, events.get(index, 0)))}
    assert declared == {160: 60}  # 30 samples were over when it was confirmed
    assert int(dut.state_o.value) == IDLE  # by way of returned, suspected
    assert int(dut.momentary_o.value) == 1  # the one confirmed and back within 30 samples; the withdrawn one is none
    assert int(dut.return_o.value) == 400
    assert int(dut.onset_o.value) == 600 * 65536 - 948961


@cocotb.test()
async def settings_and_stamps_have_their_full_width(dut: Any) -> None:
    rng = seeded("width")
    await start(dut, **INPUTS, **SETTINGS)
    model = LastGasp(0, 0)
    for _ in range(150):
        model.delay = rng.randrange(1 << 32)
        dut.delay_i.value = model.delay
        # Never declared, at once, or somewhere between: the count is put just before.
        model.declare = rng.choice([0, (1 << 28) - 1, rng.randrange(8, 1 << 28)])
        dut.declare_i.value = model.declare
        for detected in (1, 2, 0, 0, 0, 0, 4, 0):
            index = rng.randrange(1 << 48)
            if detected == 2:
                model.waited = max(0, model.declare - rng.randrange(8))
                dut.wait_q.value = model.waited
            event = model.step(index, detected)
            assert await sample(dut, index, detected) == (event.extra if event else None)
            stamps = (model.onset, model.returned_at, model.declared, model.momentary)
            assert shown(dut) == (model.state, *stamps, int(model.state == DECLARED))
        if rng.random() < 0.5:
            await pulse(dut, dut.clear_i)
            model.clear()


@cocotb.test()
async def the_wait_stands_at_its_end(dut: Any) -> None:
    await start(dut, **INPUTS, **SETTINGS | {"declare_i": (1 << 28) - 1})
    await sample(dut, 1, 1)
    dut.wait_q.value = (1 << 28) - 3
    for index in range(2, 7):  # suspected, and never confirmed
        assert await sample(dut, index, 0) is None
    assert int(dut.waited_o.value) == (1 << 28) - 1
    assert await sample(dut, 7, 2) == (1 << 28) - 1


@cocotb.test()
async def what_is_no_event_of_the_detector_is_ignored(dut: Any) -> None:
    await start(dut, **INPUTS, **SETTINGS)
    for kind in (0, 5, 8, 63):
        dut.detected_kind_i.value = kind
        await pulse(dut, dut.detected_i)
        await sample(dut, kind, 0)
        assert int(dut.state_o.value) == IDLE


@cocotb.test()
async def switched_off_it_is_idle(dut: Any) -> None:
    await start(dut, **INPUTS, **SETTINGS)
    await sample(dut, 10, 1)
    for index in range(11, 60):
        await sample(dut, index, 2 if index == 12 else 0)
    assert int(dut.last_gasp_o.value) == 1
    dut.enable_i.value = 0
    await clocks(dut, 1)
    assert int(dut.last_gasp_o.value) == 0
    assert await sample(dut, 61, 1) is None
    assert int(dut.state_o.value) == IDLE
