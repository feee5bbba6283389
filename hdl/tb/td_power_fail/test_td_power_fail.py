"""td_power_fail, sample by sample against the integer model, with random limits, gaps and resets."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from hdl.model import CONFIRMED, IDLE, OFF, SUSPECT, PowerFail, Published, Settings
from hdl.tb.crosses import Cross
from hdl.tb.drive import clocks, pulse, reset, seeded, signed, start

PEAK = 1 << 22
EVENT_CLOCKS = 17  # from valid_i to event_o


def set_limits(dut: Any, limits: Settings) -> None:
    dut.k_i.value = limits.k
    dut.drop_i.value = limits.drop
    dut.low_i.value = limits.low
    dut.floor_i.value = limits.floor
    dut.ratio_i.value = limits.ratio
    dut.persist_i.value = limits.persist
    dut.confirm_i.value = limits.confirm
    dut.confirm_rms_i.value = limits.confirm_rms
    dut.return_rms_i.value = limits.return_rms
    dut.return_i.value = limits.return_samples


def stream(rng: Random) -> list[int]:
    """Return a sine that falls to random levels for random times, with spikes at the rails."""
    wave: list[float] = []
    short, long = [rng.choice([12, 14, 16]) for _ in range(2)], rng.choice([120, 200])
    falls = ((0.0, 60), (rng.choice([0.0, 0.2]), 30), (0.45, 120), (0.0, long), (0.1, short[0]), (0.0, short[1]))
    for low, samples in falls:
        for level, count in ((low, samples), (rng.choice([1.0, 1.1]), rng.randint(280, 360))):
            for _ in range(count):
                wave.append(level * PEAK * math.sin(2 * math.pi * 50 * len(wave) / 8000) + rng.gauss(0, PEAK / 1000))
    for _ in range(5):
        wave[rng.randrange(len(wave))] = rng.choice([-9e9, 9e9])
    return list(signed(wave))


async def give(dut: Any, sample: int, shown: Published, fresh: bool) -> int:
    """Give one sample with what td_half_cycle shows at it, and return the kind of event it makes."""
    dut.sample_i.value = sample
    await pulse(dut, dut.valid_i)
    dut.urms_i.value, dut.urms_valid_i.value, dut.period_i.value = shown.urms, shown.urms_valid, shown.period
    dut.publish_i.value = fresh
    kind = 0
    for clock in range(1, EVENT_CLOCKS + 2):
        if dut.event_o.value == 1:
            assert clock == EVENT_CLOCKS
            kind = int(dut.kind_o.value)
        await FallingEdge(dut.clk_i)
        dut.publish_i.value = 0
    assert dut.busy_o.value == 0
    return kind


@cocotb.test()
async def every_sample_is_the_models(dut: Any) -> None:
    rng = seeded("power fail")
    short = Settings(confirm=40, return_samples=100)
    # Without the absolute limit the floor decides; with it, at the usual values, the floor is never felt.
    odd = Settings(confirm=50, return_samples=60, persist=3, ratio=200, k=5428, low=0, floor=20_000_000)
    await start(dut, valid_i=0, publish_i=0, enable_i=1, urms_valid_i=0, urms_i=0, period_i=160)
    states = Cross("state, below, new Urms(1/2), which says", state=(OFF, IDLE, SUSPECT, CONFIRMED),
                   below=(False, True), fresh=(False, True), urms=("low", "between", "back"))  # fmt: skip
    kinds: set[int] = set()
    for limits in (short, odd, short):
        set_limits(dut, limits)
        model = PowerFail(limits)
        # Half-cycle values that say what they like: the detector must follow them all the same.
        shown = Published(urms=limits.return_rms, urms_valid=True)
        for at, sample in enumerate(stream(rng)):
            # Far more often than half cycles end, so that all combinations come.
            brief = model.below or (model.state == OFF and at < 200)  # what does not last, or would last too long
            fresh = rng.random() < (0.4 if brief else 0.03)
            back = 2 if brief else 8
            if fresh:
                urms = rng.choice([0, limits.confirm_rms - 1, *[limits.confirm_rms] * 2, *[limits.return_rms] * back])
                shown = Published(urms=urms, urms_valid=rng.random() < 0.95, period=rng.choice([158, 160, 163]))
            kind = await give(dut, sample, shown, fresh)
            kinds.add(kind)
            before = model.state
            assert kind == model.step(sample, shown, fresh), f"sample {at}"
            said = "low" if shown.urms < limits.confirm_rms else "between" if shown.urms < limits.return_rms else "back"
            states.hit(state=before, below=model.below, fresh=fresh, urms=said)
            assert int(dut.envelope_o.value) == model.envelope, f"sample {at}"
            assert int(dut.below_o.value) == model.below, f"sample {at}"
            assert int(dut.state_o.value) == model.state, f"sample {at}"
            await clocks(dut, rng.choice([0, 0, 3]))
        # The memory of the envelope survives a reset; only the return time of 256 samples covers that.
        await reset(dut)
        for _ in range(256):
            await give(dut, 0, Published(), False)
        assert dut.state_o.value == OFF
        model.step(0, Published(), False)
    assert kinds == {0, 1, 2, 3, 4}
    states.check()


@cocotb.test()
async def switched_off_it_stays_off(dut: Any) -> None:
    limits = Settings(confirm=40, return_samples=20)
    await start(dut, valid_i=0, publish_i=0, enable_i=1, urms_valid_i=1, urms_i=limits.return_rms, period_i=160)
    set_limits(dut, limits)
    shown = Published(urms=limits.return_rms, urms_valid=True)
    wave = list(signed(PEAK * math.sin(2 * math.pi * n / 160) for n in range(400)))
    for sample in wave:
        await give(dut, sample, shown, False)
    assert dut.state_o.value == IDLE
    dut.enable_i.value = 0
    for _ in range(40):
        assert await give(dut, 0, shown, False) == 0
    assert dut.state_o.value == OFF


@cocotb.test()
async def limits_have_their_full_width(dut: Any) -> None:
    """Random limits of all sizes over a signal of all sizes: few events, but every comparison at its full width."""
    rng = seeded("width")
    await start(dut, valid_i=0, publish_i=0, enable_i=1, urms_valid_i=1, urms_i=0, period_i=160)
    model = PowerFail(Settings())
    for _ in range(40):
        limits = Settings(
            k=rng.choice([0, 0x1FFF, 0x1555, 0x0AAA, rng.randrange(1 << 13)]),
            drop=rng.randrange(1 << 32),
            low=rng.choice([0, rng.randrange(1 << 32)]),
            floor=rng.randrange(1 << 32),
            ratio=rng.randrange(1 << 8),
            persist=rng.randint(1, 31),
            confirm=rng.choice([0, 3, 0xFFFF, 0x5555, rng.randrange(1 << 16)]),
            confirm_rms=rng.randrange(1 << 28),
            return_rms=rng.choice([0, rng.randrange(1 << 28)]),
            return_samples=rng.choice([2, 0xFFFF, 0xAAAA, rng.randrange(1 << 16)]),
        )
        set_limits(dut, limits)
        model.settings = limits
        if model.state == SUSPECT or rng.random() < 0.3:  # a wait does not outlast a change of its limit
            dut.enable_i.value = 0
            model.step(0, Published(), False, enabled=False)
            await give(dut, 0, Published(), False)
            dut.enable_i.value = 1
        elif model.state == OFF:  # as if it had waited for long
            model.wait = max(0, limits.return_samples - 4)
            dut.wait_q.value = model.wait
        size = rng.choice([1 << 23, 1 << 23, 1 << 14])
        for _ in range(24):
            sample = rng.randrange(-size, size)
            shown = Published(urms=rng.randrange(1 << 28), urms_valid=True, period=rng.choice([1, 170, 255]))
            fresh = rng.random() < 0.3
            assert await give(dut, sample, shown, fresh) == model.step(sample, shown, fresh)
            seen = (int(dut.envelope_o.value), int(dut.below_o.value), int(dut.state_o.value))
            assert seen == (model.envelope, model.below, model.state)
