"""td_quality against the integer model: random walks over every threshold, and the thresholds themselves."""

from __future__ import annotations

from typing import Any

import cocotb

from hdl.model import Quality, Settings
from hdl.tb.crosses import Cross
from hdl.tb.drive import clocks, pulse, reset, seeded, start

SETTINGS = Settings(dip=900, swell=1100, interruption=100, quality_hysteresis=20)
INPUTS = {"enable": 1, "dip": 900, "swell": 1100, "interruption": 100, "hysteresis": 20}


async def give(dut: Any, urms: int, valid: bool = True) -> list[tuple[int, int]]:
    """Publish one value and return the events of the next clocks."""
    dut.urms_i.value, dut.urms_valid_i.value = urms, valid
    await pulse(dut, dut.publish_i)
    seen = []
    for _ in range(15):
        if dut.event_o.value == 1:
            seen.append((int(dut.kind_o.value), int(dut.extreme_o.value)))
        await clocks(dut, 1)
    assert dut.busy_o.value == 0
    return seen


@cocotb.test()
async def events_are_the_models(dut: Any) -> None:
    rng = seeded("walk")
    await start(dut, publish_i=0, urms_valid_i=0, **{f"{name}_i": value for name, value in INPUTS.items()})
    kinds = set()
    for _ in range(3):
        model = Quality(SETTINGS)
        for _ in range(700):
            near = rng.choice([100, 120, 900, 920, 1080, 1100])
            urms = rng.choice([near + rng.randint(-1, 1), rng.randrange(1300)])
            valid = rng.random() < 0.9
            seen = await give(dut, urms, valid)
            assert seen == (model.step(urms) if valid else [])
            kinds |= {kind for kind, _ in seen}
        await reset(dut)
    assert kinds == {5, 6, 7, 8, 9, 10}


def state(model: Quality) -> str:
    """Return what lasts: nothing, a dip, a dip with an interruption, a swell; off before the voltage was there."""
    if not model.ready:
        return "off"
    lasts = [name for name in ("dip", "interruption", "swell") if getattr(model, name) is not None]
    return " ".join(lasts) or "none"


@cocotb.test()
async def events_are_the_models_at_every_scale_of_the_thresholds(dut: Any) -> None:
    rng = seeded("scales")
    await start(dut, publish_i=0, urms_valid_i=0, **{f"{name}_i": value for name, value in INPUTS.items()})
    states = ("off", "none", "dip", "dip interruption", "swell")

    def impossible(before: str, after: str) -> bool:
        if before == "off":
            return after.startswith("dip")  # what ends the waiting is above every dip's end
        return after == "off"

    steps = Cross("from and to", impossible, before=states, after=states)
    for bits in [*range(8, 27), *[26] * 21]:
        nominal = (1 << bits) | rng.getrandbits(bits)  # thresholds fill the 28 bits of Urms(1/2)
        limits = Settings(
            dip=nominal * 9 // 10,
            swell=nominal * 11 // 10 | rng.getrandbits(4),
            interruption=nominal // rng.randint(4, 40) | rng.getrandbits(3),
            quality_hysteresis=nominal // rng.randint(8, 60),
        )
        dut.dip_i.value, dut.swell_i.value = limits.dip, limits.swell
        dut.interruption_i.value, dut.hysteresis_i.value = limits.interruption, limits.quality_hysteresis
        await reset(dut)
        model = Quality(limits)
        for _ in range(40):
            near = rng.choice([limits.interruption, limits.dip, limits.swell, nominal])
            off = rng.choice([0, limits.quality_hysteresis])
            urms = max(0, rng.choice([near + off, near - off, rng.randrange(nominal), rng.randrange(1 << 28)]))
            before = state(model)
            assert await give(dut, urms) == model.step(urms), f"{limits} {urms}"
            steps.hit(before=before, after=state(model))
    steps.check()


@cocotb.test()
async def starts_and_ends_lie_on_the_thresholds(dut: Any) -> None:
    await start(dut, publish_i=0, urms_valid_i=0, **{f"{name}_i": value for name, value in INPUTS.items()})
    assert await give(dut, 50) == []  # there was no voltage yet
    assert await give(dut, 919) == []
    assert await give(dut, 920) == []
    assert await give(dut, 900) == []
    assert await give(dut, 899) == [(5, 899)]
    assert await give(dut, 99) == [(9, 99)]
    assert await give(dut, 0) == []
    assert await give(dut, 119) == []
    assert await give(dut, 120) == [(10, 0)]
    assert await give(dut, 919) == []
    assert await give(dut, 920) == [(6, 0)]
    assert await give(dut, 1100) == []
    assert await give(dut, 1101) == [(7, 1101)]
    assert await give(dut, 1250) == []
    assert await give(dut, 1081) == []
    assert await give(dut, 1080) == [(8, 1250)]
    assert await give(dut, 10) == [(5, 10), (9, 10)]
    assert await give(dut, 1200) == [(10, 10), (6, 10), (7, 1200)]
    dut.enable_i.value = 0
    assert await give(dut, 10) == []
    dut.enable_i.value = 1
    assert await give(dut, 10) == []
