"""What the benches of the control blocks share: one step a sample, and the event it makes."""

from __future__ import annotations

import random
from typing import Any

from hdl.model_control import Event
from hdl.tb.drive import clocks, pulse


async def step(dut: Any, rng: random.Random, least: int = 3, most: int = 12, **inputs: int) -> Event | None:
    """Set inputs, give one step and return the event of the clocks up to the next one."""
    for name, value in inputs.items():
        getattr(dut, f"{name}_i").value = value
    await pulse(dut, dut.step_i)
    event = None
    if int(dut.event_o.value):
        event = Event(int(dut.kind_o.value), *(int(port.value) for port in value_ports(dut)))
    for _ in range(rng.randint(least, most)):
        await clocks(dut, 1)
        assert int(dut.event_o.value) == 0, "an event must last one clock and come with a step"
    return event


def value_ports(dut: Any) -> list[Any]:
    """Return the ports that go with an event, as far as the block has them."""
    return [getattr(dut, name) for name in ("value_o", "extra_o") if hasattr(dut, name)]
