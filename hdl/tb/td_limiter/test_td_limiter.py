"""td_limiter against the integer model: currents, commands, repetitions, schedules; and a whole lock-out."""

from __future__ import annotations

from random import Random
from typing import Any

import cocotb

from hdl.model_control import (
    LIMIT_LOCKOUT,
    LIMIT_RECLOSE,
    LIMIT_RELEASE,
    LIMIT_TRIP,
    LOCKED,
    Event,
    Limiter,
    LimiterSettings,
)
from hdl.tb.drive import clocks, reset, seeded, start
from hdl.tb.steps import step

COMMANDS = ("apply", "schedule", "schedule_tick", "cancel", "release")
SETTINGS = LimiterSettings(trip=5, reclose=7, clear=40, tries=3, least=100, most=5000)


def inputs(settings: LimiterSettings) -> dict[str, int]:
    """Return the inputs at rest."""
    values = {
        f"{name}_i": 0
        for name in (*COMMANDS, "step", "index", "fresh", "larger", "smaller", "tick", "id", "value", "at")
    }
    values |= {"enable_i": 1, "sum_i": int(settings.add), "min_i": settings.least, "max_i": settings.most}
    values |= {f"{name}_i": getattr(settings, name) for name in ("trip", "reclose", "clear", "tries")}
    return values


async def command(dut: Any, name: str, identity: int, value: int = 0, at: int = 0) -> str:
    """Give a command and return what became of it."""
    dut.id_i.value, dut.value_i.value, dut.at_i.value = identity, value, at
    port = getattr(dut, f"{name}_i")
    port.value = 1
    await clocks(dut, 1)
    port.value = 0
    outcome = "duplicate" if int(dut.duplicate_o.value) else "refused" if int(dut.refused_o.value) else "accepted"
    await clocks(dut, 2)
    return outcome


def shown(dut: Any) -> tuple[int, ...]:
    """Return what the registers show."""
    ports = (dut.state_o, dut.tries_o, dut.limit_o, dut.current_o, dut.pending_o, dut.applied_id_o, dut.applied_at_o)
    return tuple(int(port.value) for port in ports)


def expected(model: Limiter) -> tuple[int, ...]:
    """Return the same of the model."""
    return (model.state, model.tries, model.limit, model.current, int(model.pending is not None), *model.applied)


@cocotb.test()
async def states_events_and_commands_are_the_models(dut: Any) -> None:
    rng = seeded("walk")
    kinds, outcomes = set(), set()
    for add in (False, True):
        settings = LimiterSettings(**{**vars(SETTINGS), "add": add})
        await start(dut, **inputs(settings)) if not add else await reset(dut)
        dut.sum_i.value = int(add)
        model, index, identity = Limiter(settings), rng.randrange(1 << 40), 0
        heavy = 0.5
        for _ in range(2500):
            if rng.random() < 0.02:
                heavy = rng.choice([0.02, 0.5, 0.98])
            if rng.random() < 0.04:
                name = rng.choice(COMMANDS) if rng.random() < 0.8 else "apply"
                identity = (identity + rng.choice([0, 1, 1, 1])) & 0xFFFF
                value = rng.choice([0, 99, 100, 5000, 5001, *[rng.randrange(100, 5001)] * 6])
                at = rng.choice([0, 1, 3]) if name == "schedule_tick" else index + rng.choice([-1, 0, 1, 20])
                seen = await command(dut, name, identity, value, at)
                assert seen == model.command(name, identity, index, value, at), (name, value, at, index)
                outcomes.add((name, seen))
            if rng.random() < 0.05:
                dut.tick_i.value = 1
                await clocks(dut, 1)
                dut.tick_i.value = 0
                model.tick()
            index += 1
            currents = [rng.randrange(6000, 9000) if rng.random() < heavy else rng.randrange(100) for _ in range(2)]
            fresh = int(rng.random() < 0.4)
            event = await step(dut, rng, fresh=fresh, index=index, larger=max(currents), smaller=min(currents))
            assert event == model.step(index, bool(fresh), currents[0], currents[1])
            assert shown(dut) == expected(model)
            kinds |= {event.kind} if event else set()
    assert kinds == {LIMIT_TRIP, LIMIT_RECLOSE, LIMIT_LOCKOUT, LIMIT_RELEASE}
    possible = {(name, result) for name in COMMANDS for result in ("accepted", "duplicate", "refused")}
    assert outcomes == possible - {("release", "refused")}


@cocotb.test()
async def a_load_that_stays_locks_out_after_the_last_try_and_a_release_closes(dut: Any) -> None:
    """Trip after 5 samples, close 7 later, three times: the third trip locks out. Hand-counted."""
    rng = seeded("lockout")
    await start(dut, **inputs(SETTINGS))
    assert await command(dut, "apply", 1, 1000) == "accepted"
    assert await step(dut, rng, fresh=1, index=0, larger=1001, smaller=0) is None  # counts from the next sample on
    seen = {}
    for index in range(1, 60):
        closed = int(dut.closed_o.value)
        event = await step(dut, rng, fresh=1, index=index, larger=1001 if closed else 0, smaller=0)
        if event:
            seen[index] = event.kind
    # The current is 0 for the 7 open samples and is seen again one sample after closing.
    assert seen == {
        5: LIMIT_TRIP,
        12: LIMIT_RECLOSE,
        18: LIMIT_TRIP,
        25: LIMIT_RECLOSE,
        31: LIMIT_TRIP,
        32: LIMIT_LOCKOUT,
    }
    assert int(dut.state_o.value) == LOCKED
    assert await command(dut, "release", 1) == "duplicate"
    assert int(dut.closed_o.value) == 0
    assert await command(dut, "release", 2) == "accepted"
    assert int(dut.closed_o.value) == 1
    assert await step(dut, rng, fresh=1, index=60, larger=0, smaller=0) == Event(LIMIT_RELEASE, 0, 1000)


@cocotb.test()
async def a_series_is_over_after_the_clear_time(dut: Any) -> None:
    rng = seeded("clear")
    await start(dut, **inputs(SETTINGS))
    await command(dut, "apply", 1, 1000)

    async def run(current: int, samples: int) -> list[int]:
        kinds = []
        for _ in range(samples):
            event = await step(dut, rng, fresh=1, index=0, larger=current, smaller=0)
            kinds += [event.kind] if event else []
        return kinds

    assert await run(1001, 6) == [LIMIT_TRIP]
    assert await run(0, 7) == [LIMIT_RECLOSE]
    assert int(dut.tries_o.value) == 1
    await run(1000, 39)  # at the limit is not above it
    assert int(dut.tries_o.value) == 1
    await run(1000, 1)
    assert int(dut.tries_o.value) == 0
    assert await run(1001, 6) == [LIMIT_TRIP]
    dut.enable_i.value = 0
    await clocks(dut, 2)
    assert int(dut.closed_o.value) == 1
    assert await run(1001, 10) == [LIMIT_RELEASE]


def wide_settings(rng: Random) -> LimiterSettings:
    """Return settings of any size that the registers hold."""
    least, most = sorted(rng.randrange(1 << 30) for _ in range(2))
    times = {name: rng.choice([(1 << 28) - 1, rng.randrange(8, 1 << 28)]) for name in ("trip", "reclose", "clear")}
    return LimiterSettings(**times, tries=rng.randint(2, 15), add=rng.random() < 0.5, least=least, most=most)


async def compare(dut: Any, rng: Random, model: Limiter, index: int, currents: list[int], samples: int) -> int:
    """Compare block and model over samples with these currents; return the number of the last one."""
    for _ in range(samples):
        index += 1
        event = await step(dut, rng, 0, 2, fresh=1, index=index, larger=max(currents), smaller=min(currents))
        assert event == model.step(index, True, currents[0], currents[1])
        assert shown(dut) == expected(model)
    return index


@cocotb.test()
async def settings_counts_and_stamps_have_their_full_width(dut: Any) -> None:
    """Counts are put to shortly before their end: a trip, a reclosing and a series that is over, at any setting."""
    rng = seeded("width")
    await start(dut, **inputs(SETTINGS))
    for _ in range(50):
        settings = wide_settings(rng)
        await reset(dut)
        for name, value in inputs(settings).items():
            getattr(dut, name).value = value
        model, index = Limiter(settings), rng.randrange((1 << 48) - 100)
        limit = rng.choice([0, settings.least, settings.most, rng.randint(settings.least, settings.most)])
        identity = rng.randrange(1 << 16)
        dut.index_i.value = index
        assert await command(dut, "apply", identity, limit) == "accepted"
        model.command("apply", identity, index, limit)
        load = [rng.randrange(1 << 29) for _ in range(2)]
        index = await compare(dut, rng, model, index, load, 3)
        if model.above:
            model.above = settings.trip - 3
            dut.next_q.value = model.above + 1
            index = await compare(dut, rng, model, index, load, 5)  # open
            model.opened = settings.reclose - 3
            dut.next_q.value = model.opened + 1
            load = [0, 0]
            index = await compare(dut, rng, model, index, load, 6)  # closed, with one try on the count
        model.below = settings.clear - 3
        dut.next_q.value = model.below + 1
        index = await compare(dut, rng, model, index, load, 6)  # the series is over
        dut.next_q.value = (1 << 28) - 1
        index = await compare(dut, rng, model, index, load, 3)
        identity = (identity + rng.randrange(1, 1 << 16)) % (1 << 16)
        later = rng.choice([index + 2, rng.randrange(index, 1 << 48)])
        wanted = rng.randint(settings.least, settings.most)
        assert await command(dut, "schedule", identity, wanted, later) == model.command(
            "schedule", identity, index, wanted, later
        )
        await compare(dut, rng, model, index, load, 4)


@cocotb.test()
async def two_commands_in_one_write_are_refused(dut: Any) -> None:
    await start(dut, **inputs(SETTINGS))
    dut.cancel_i.value = 1
    assert await command(dut, "apply", 5, 1000) == "refused"
    dut.cancel_i.value = 0
    assert int(dut.limit_o.value) == 0
    assert await command(dut, "apply", 0, 1000) == "accepted"  # no command has had id 0 yet
