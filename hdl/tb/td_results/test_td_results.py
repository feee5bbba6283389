"""td_results against a model that copies whole publications: writes, publications, snapshots and reads mixed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from hdl.tb.drive import clocks, pulse, reset, seeded, start

WORDS, LEFT_OUT = 44, 7  # of METER
ENERGIES = 8  # words behind them, shown as totals
TOTALS = (2, None, *range(20, 26), *range(44, 52))  # word of the publication by word of TOTALS
EMPTY = [0] * 64
SEARCH = 8  # clocks for a bank to be found


@dataclass
class Publications:
    """What is shown and what is held, each a whole publication."""

    shown: list[int] = field(default_factory=EMPTY.copy)
    whole: list[int] = field(default_factory=EMPTY.copy)  # shown last as a whole
    held: list[int] = field(default_factory=EMPTY.copy)
    held_whole: list[int] = field(default_factory=EMPTY.copy)
    held_energy: list[int] = field(default_factory=EMPTY.copy)

    def take(self, results: bool, energy: bool) -> None:
        if results:
            self.held, self.held_whole = self.shown, self.whole
        if energy:
            self.held_energy = self.shown

    def publish(self, words: list[int], whole: bool) -> None:
        self.shown = [int(whole), *words[1:]]
        if whole:
            self.whole = self.shown

    def word(self, totals: bool, number: int) -> int:
        if not totals:
            return self.held[number] if number < WORDS and number != LEFT_OUT else 0
        place = TOTALS[number]
        return 0 if place is None else (self.held_energy if number >= 8 else self.held_whole)[place]


async def read(dut: Any, totals: bool, word: int) -> int:
    dut.totals_i.value, dut.addr_i.value = totals, word
    await pulse(dut, dut.req_i)
    assert dut.ack_o.value == 0
    await FallingEdge(dut.clk_i)
    assert dut.ack_o.value == 1
    value = int(dut.data_o.value)
    await FallingEdge(dut.clk_i)
    assert dut.ack_o.value == 0
    return value


def some_word(rng: random.Random) -> tuple[bool, int]:
    totals = rng.random() < 0.5
    return totals, rng.randrange(len(TOTALS) if totals else 64)


@cocotb.test()
async def words_read_are_those_of_the_publication_held(dut: Any) -> None:
    rng = seeded("results")
    await start(dut, write_i=0, publishing_i=0, whole_i=0, take_i=0, take_energy_i=0, req_i=0, totals_i=0, index_i=0)
    for _ in range(2):
        model = Publications()
        together = 0
        for _ in range(60):
            words = [rng.getrandbits(32) for _ in range(WORDS + ENERGIES)] + [0] * (64 - WORDS - ENERGIES)
            places = list(range(WORDS + ENERGIES))
            rng.shuffle(places)
            for place in places:
                dut.write_i.value, dut.index_i.value, dut.data_i.value = 1, place, words[place]
                takes = rng.random() < 0.02, rng.random() < 0.02
                dut.take_i.value, dut.take_energy_i.value = takes
                await FallingEdge(dut.clk_i)
                model.take(*takes)
                dut.write_i.value = dut.take_i.value = dut.take_energy_i.value = 0
                if rng.random() < 0.3:
                    which = some_word(rng)
                    assert await read(dut, *which) == model.word(*which), which
            whole, takes = rng.random() < 0.5, (rng.random() < 0.4, rng.random() < 0.4)
            dut.whole_i.value = whole
            dut.take_i.value, dut.take_energy_i.value = takes
            await pulse(dut, dut.publishing_i)
            dut.take_i.value = dut.take_energy_i.value = 0
            together += any(takes)
            model.take(*takes)  # what was shown before this clock
            model.publish(words, whole)
            for which in [*((False, word) for word in (0, 1, LEFT_OUT, WORDS - 1, WORDS, 63)), some_word(rng)]:
                assert await read(dut, *which) == model.word(*which), which
        assert together > 10
        await reset(dut)
        dut.take_energy_i.value = 1
        await pulse(dut, dut.take_i)
        dut.take_energy_i.value = 0
        assert [await read(dut, False, word) for word in range(0, 64, 9)] == [0] * 8
        assert [await read(dut, True, word) for word in range(16)] == [0] * 16


@cocotb.test()
async def publications_as_close_as_they_may_be_leave_what_is_held_alone(dut: Any) -> None:
    rng = seeded("close")
    await start(dut, write_i=0, publishing_i=0, whole_i=0, take_i=0, take_energy_i=0, req_i=0, totals_i=0, index_i=0)
    model = Publications()
    for _ in range(200):
        words = EMPTY.copy()
        takes = rng.random() < 0.3, rng.random() < 0.3
        for clock, place in enumerate((2, 20, 44)):
            words[place] = rng.getrandbits(32)
            dut.write_i.value, dut.index_i.value, dut.data_i.value = 1, place, words[place]
            dut.take_i.value, dut.take_energy_i.value = takes if clock == 1 else (0, 0)
            await FallingEdge(dut.clk_i)
        dut.write_i.value = 0
        model.take(*takes)
        await clocks(dut, SEARCH - 4)
        whole = rng.random() < 0.3
        dut.whole_i.value = whole
        await pulse(dut, dut.publishing_i)
        model.publish(words, whole)
        if rng.random() < 0.2:
            for which in ((False, 2), (True, 0), (True, 2), (True, 8)):
                assert await read(dut, *which) == model.word(*which), which
