"""td_intervals against the integer model: three hours of minutes, misaligned ticks, freezes; and conservation."""

from __future__ import annotations

from typing import Any

import cocotb

from hdl.model_control import ENERGY_SHIFT, LENGTHS, RING, WORDS, Intervals
from hdl.tb.drive import clocks, pulse, reset, seeded, start

NAMES = ("forward", "reverse", "lagging", "leading")
INPUTS = {f"{name}_i": 0 for name in (*NAMES, "step", "index", "freeze", "tick", "align", "minute", "req", "addr")}


async def read(dut: Any, record: int) -> list[int]:
    """Return the eight words of a record."""
    words = []
    for word in range(WORDS):
        dut.addr_i.value = WORDS * record + word
        await pulse(dut, dut.req_i)
        assert int(dut.ack_o.value) == 1
        words.append(int(dut.data_o.value))
    await clocks(dut, 1)
    assert int(dut.ack_o.value) == 0
    return words


async def sample(dut: Any, index: int, totals: list[int], frozen: bool = False) -> None:
    """Give one step and wait until a record would be written."""
    dut.index_i.value, dut.freeze_i.value = index, int(frozen)
    for name, total in zip(NAMES, totals, strict=True):
        getattr(dut, f"{name}_i").value = total
    await pulse(dut, dut.step_i)
    await clocks(dut, 40)
    assert int(dut.busy_o.value) == 0


async def compare(dut: Any, model: Intervals) -> None:
    """Compare the newest record of every length and the state with the model's."""
    newest, count = int(dut.newest_o.value), int(dut.count_o.value)
    assert count == len(model.ring)
    assert int(dut.ticks_o.value) == model.ticks
    assert int(dut.minute_o.value) == model.minute
    if model.ring:
        assert await read(dut, newest) == model.ring[-1].words()
    for place, length in enumerate(LENGTHS[1:]):
        assert int(dut.latest_o.value) >> place & 1 == (length in model.latest)
        if length in model.latest:
            assert await read(dut, RING + place) == model.latest[length].words()


@cocotb.test()
async def records_are_the_models(dut: Any) -> None:
    rng = seeded("records")
    await start(dut, **INPUTS)
    wholes = set()
    for _ in range(2):
        model, index = Intervals(), rng.randrange(1 << 40)
        totals = [rng.getrandbits(52) for _ in NAMES]
        for _ in range(190):
            for _ in range(rng.randint(1, 2)):
                index += rng.randint(1, 1 << 20)
                totals = [total + rng.getrandbits(rng.choice([10, 30, 44])) for total in totals]
                frozen = rng.random() < 0.15
                await sample(dut, index, totals, frozen)
                model.step(index, (totals[0], totals[1], totals[2], totals[3]), frozen)
            if rng.random() < 0.02:
                minute = rng.randrange(32)
                dut.minute_i.value = minute
                await pulse(dut, dut.align_i)
                assert int(dut.misuse_o.value) == (not model.align(minute))
            for _ in range(rng.choice([1, 1, 1, 1, 1, 2])):
                await pulse(dut, dut.tick_i)
                assert int(dut.misuse_o.value) == model.tick()
            index += 1
            await sample(dut, index, totals)
            model.step(index, (totals[0], totals[1], totals[2], totals[3]), False)
            await compare(dut, model)
            wholes |= {(length, record.whole) for length, record in model.latest.items()}
        # The ring, oldest first, is the model's.
        newest = int(dut.newest_o.value)
        for back, record in enumerate(reversed(model.ring)):
            assert await read(dut, (newest - back) % RING) == record.words()
        await reset(dut)
    assert wholes == {(length, whole) for length in LENGTHS[1:] for whole in (False, True)}


@cocotb.test()
async def minutes_add_up_to_what_the_totals_have_grown_also_over_a_freeze(dut: Any) -> None:
    """Conservation: 30 minutes, a freeze over three of them; no energy is lost or counted twice."""
    rng = seeded("sum")
    await start(dut, **INPUTS)
    total, index, sums, flags = rng.getrandbits(40), 0, 0, []
    await sample(dut, index, [total] * 4)
    await pulse(dut, dut.tick_i)
    first = total >> ENERGY_SHIFT
    for minute in range(31):
        index += 480000
        total += rng.getrandbits(40)
        await sample(dut, index, [total] * 4, frozen=minute in (10, 11, 12))
        words = await read(dut, int(dut.newest_o.value))
        if minute:
            sums += words[0]
            flags.append(words[6] >> 16)
        else:
            first_words = words
        await pulse(dut, dut.tick_i)
    index += 1
    await sample(dut, index, [total] * 4)
    words = await read(dut, int(dut.newest_o.value))
    assert first_words[0] - first in range(1 << 18)  # since reset
    assert sums + words[0] + first_words[0] == total >> ENERGY_SHIFT
    # The sample of minute 10 ends the tenth interval after the first, at place 9.
    assert [place for place, flag in enumerate([*flags, words[6] >> 16]) if flag & 2] == [9, 10, 11]


@cocotb.test()
async def an_interval_that_is_begun_anew_again_and_again_is_not_whole(dut: Any) -> None:
    """Forty ticks within one minute's number, and every number that is none."""
    await start(dut, **INPUTS)
    model, totals = Intervals(), (0, 0, 0, 0)
    for index in range(1, 41):
        for minute in (30, 31, 0 if index < 40 else 29):
            dut.minute_i.value = minute
            await clocks(dut, 1)
            assert int(dut.misuse_o.value) == 0  # a minute without the command is nothing
            await pulse(dut, dut.align_i)
            assert int(dut.misuse_o.value) == (not model.align(minute))
        await pulse(dut, dut.tick_i)
        model.tick()
        await sample(dut, index, list(totals))
        model.step(index, totals, False)
    await compare(dut, model)
    assert not any(record.whole for record in model.latest.values())
    assert set(model.latest) == set(LENGTHS[1:])


@cocotb.test()
async def counts_and_totals_have_their_full_width(dut: Any) -> None:
    rng = seeded("width")
    await start(dut, **INPUTS)
    model = Intervals()
    for ticks in (0, 0xFFFFFFFF, 0x5A5A5A5A, 0xA5A5A5A5):
        dut.ticks_q.value = model.ticks = ticks
        for _ in range(8):
            index = rng.randrange(1 << 48)
            totals = (rng.getrandbits(64), rng.getrandbits(64), rng.getrandbits(64), rng.getrandbits(64))
            await pulse(dut, dut.tick_i)
            model.tick()
            await sample(dut, index, list(totals))
            model.step(index, totals, False)
            await compare(dut, model)
