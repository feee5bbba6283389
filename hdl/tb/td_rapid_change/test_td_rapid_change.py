"""td_rapid_change against the integer model, and a change whose figures follow from the standard."""

from __future__ import annotations

from typing import Any

import cocotb

from hdl.model_control import DISCARDED, RVC_END, RVC_START, Event, RapidChange
from hdl.tb.drive import reset, seeded, start
from hdl.tb.steps import step

COUNT, THRESHOLD, HYSTERESIS = 20, 500, 250
INPUTS = {"step_i": 0, "fresh_i": 0, "urms_valid_i": 1, "urms_i": 0, "disturbed_i": 0, "enable_i": 1}
LIMITS = {"threshold_i": THRESHOLD, "hysteresis_i": HYSTERESIS, "count_i": COUNT}
SAMPLES = 6  # from one value to the next


async def give(dut: Any, rng: Any, urms: int, disturbed: int = 0, valid: int = 1) -> list[Event]:
    """Give one value and the samples up to the next; return the events."""
    events = []
    for at in range(SAMPLES):
        fresh = int(at == 0)
        event = await step(dut, rng, 64, 66, fresh=fresh, urms=urms, urms_valid=valid, disturbed=disturbed)
        events += [event] if event else []
    return events


@cocotb.test()
async def events_are_the_models(dut: Any) -> None:
    """Levels that wander, jump and are disturbed; gaps in the voltage; a reset in between."""
    rng = seeded("walk")
    await start(dut, **INPUTS, **LIMITS)
    kinds = []
    for _ in range(2):
        model = RapidChange(THRESHOLD, HYSTERESIS, COUNT)
        level, disturbed = 10000, 0
        for _ in range(260):
            if rng.random() < 0.04:
                level += rng.choice([-900, -520, 300, 700])
            disturbed = int(rng.random() < (0.7 if disturbed else 0.01))
            valid = int(rng.random() > 0.005)
            urms = level + rng.randint(-90, 90) + (rng.choice([-700, 600]) if rng.random() < 0.02 else 0)
            seen = await give(dut, rng, urms, disturbed, valid)
            expected = [model.step(at == 0, bool(valid), urms, bool(disturbed)) for at in range(SAMPLES)]
            assert seen == [event for event in expected if event]
            assert int(dut.steady_o.value) == model.steady
            if model.steady:
                assert int(dut.mean_o.value) == model.before
            kinds += [(event.kind, event.extra >> 31) for event in seen]
        await reset(dut)
    assert {(RVC_START, 0), (RVC_END, 0), (RVC_END, 1)} == set(kinds)


@cocotb.test()
async def a_step_ends_when_the_window_holds_only_the_new_level(dut: Any) -> None:
    """IEC 61000-4-30, 5.11.4: from 10000 by way of 9300 and 9100 to 9200; dUmax 900, dUss 800."""
    rng = seeded("step")
    await start(dut, **INPUTS, **LIMITS)
    for _ in range(COUNT + 3):
        assert await give(dut, rng, 10000) == []
    assert await give(dut, rng, 9300) == [Event(RVC_START, 9300, 10000)]
    assert await give(dut, rng, 9100) == []
    seen: list[Event] = []
    while not seen:  # all within 250 of the mean: the last 10000 must have left
        seen = await give(dut, rng, 9200)
    mean = (9300 + 9100 + 18 * 9200) // COUNT
    assert seen == [Event(RVC_END, 10000 - mean, 10000 - mean)]  # the window begins with the change itself


@cocotb.test()
async def the_furthest_value_counts_once_it_has_left_the_window(dut: Any) -> None:
    rng = seeded("far")
    await start(dut, **INPUTS, **LIMITS)
    for _ in range(COUNT + 3):
        await give(dut, rng, 10000)
    assert await give(dut, rng, 8500) == [Event(RVC_START, 8500, 10000)]
    seen: list[Event] = []
    count = 0
    while not seen:
        seen = await give(dut, rng, 9200)
        count += 1
    assert seen == [Event(RVC_END, 1500, 800)]
    assert count == COUNT  # 8500 is too far from the mean until it has left


@cocotb.test()
async def a_dip_discards_the_change(dut: Any) -> None:
    rng = seeded("dip")
    await start(dut, **INPUTS, **LIMITS)
    for _ in range(COUNT + 3):
        await give(dut, rng, 10000)
    assert await give(dut, rng, 9400) == [Event(RVC_START, 9400, 10000)]
    assert await give(dut, rng, 8000, disturbed=1) == [Event(RVC_END, 0, DISCARDED)]
    for _ in range(COUNT + 5):
        assert await give(dut, rng, 10000) == []
    assert await give(dut, rng, 5000, disturbed=1) == []  # a dip is no rapid change


@cocotb.test()
async def settings_and_voltages_have_their_full_width(dut: Any) -> None:
    """Short and long windows of voltages over all 28 bits; a limit of zero when the hysteresis is the larger."""
    rng = seeded("width")
    await start(dut, **INPUTS, **LIMITS)
    kinds = set()
    for count in (127, 64, 3, 5, 2, 17, 3, 9, 4, 2):
        threshold, hysteresis = rng.randrange(1 << 27, 1 << 28), rng.randrange(1 << 28)
        settings = {"threshold_i": threshold, "hysteresis_i": hysteresis, "count_i": count}
        await step(dut, rng, enable=0, fresh=0)
        for name, value in settings.items():
            getattr(dut, name).value = value
        await step(dut, rng, enable=1, fresh=0)
        model = RapidChange(threshold, hysteresis, count)
        for _ in range(3):
            for level in (0, rng.randrange(1 << 28), (1 << 28) - 1):
                for _ in range(count + 2):
                    seen = await give(dut, rng, level)
                    expected = [model.step(at == 0, True, level, False) for at in range(SAMPLES)]
                    assert seen == [event for event in expected if event]
                    assert int(dut.steady_o.value) == model.steady
                    kinds |= {event.kind for event in seen}
    assert kinds == {RVC_START, RVC_END}


@cocotb.test()
async def a_value_that_comes_before_the_last_is_judged_is_ignored(dut: Any) -> None:
    """The limits ask for more steps between values; a shorter gap must not stop the block."""
    rng = seeded("early")
    await start(dut, **INPUTS, **LIMITS)
    for _ in range(3):
        assert await step(dut, rng, 64, 66, fresh=1, urms=10000) is None
    for _ in range(COUNT + 3):
        await give(dut, rng, 10000)
    assert int(dut.steady_o.value) == 1
    assert await give(dut, rng, 9300) == [Event(RVC_START, 9300, 10000)]


@cocotb.test()
async def with_a_hysteresis_above_the_threshold_only_equal_values_become_steady(dut: Any) -> None:
    rng = seeded("hysteresis")
    await start(dut, **INPUTS, **LIMITS | {"hysteresis_i": THRESHOLD + 1})
    for urms in (10000 + COUNT, *[10000] * (COUNT - 1)):  # the mean is 10001
        await give(dut, rng, urms)
    assert dut.steady_o.value == 0
    await give(dut, rng, 10000)
    assert dut.steady_o.value == 1
    assert await give(dut, rng, 9500) == []  # steady, it may move by the threshold
    dut.enable_i.value = 0
    await give(dut, rng, 9500)
    assert dut.steady_o.value == 0
    assert dut.mean_o.value == 0
