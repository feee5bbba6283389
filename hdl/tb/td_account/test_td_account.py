"""td_account against the integer model: every result of closed half cycles, under a busy multiplier, with resets."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from hdl.model_meter import COMMON, II1, II2, LINE, P1, P2, Q1, Q2, UU1, UU2, Energies, Meter, MeterSettings
from hdl.tb.drive import clocks, pulse, reset, seeded, start
from hdl.tb.multiplier import multiply
from hdl.tb.td_metrology.test_td_metrology import BACKGROUND_CLOCKS, WRITTEN, expected, shown, words_of

SAMPLE = 1 << 16
EMPTYING_CLOCKS = 60  # after reset, as td_account says; a half cycle takes far longer
FIRST_ENERGY, ENERGY_BITS = 13, 72  # place of the first in the memory; bits of each that are shown, and 8
SIGNED = (P1, Q1, P2, Q2)
SQUARES = (UU1, II1, UU2, II2, LINE, COMMON)
ORDER = (P1, P2, UU1, II1, UU2, II2, Q1, Q2, LINE, COMMON)  # the model's sums as td_sums has them
# Half cycles, in samples: the shortest and longest that td_zero_cross makes, 45 to 65 Hz, outside 42.5 to 70 Hz.
LENGTHS = (24, 61.5, 80, 88.9, 47, 120, 255)
SETTINGS = (MeterSettings(), MeterSettings(1, 1 << 20, 1 << 24), MeterSettings(2, 0, 0))


class Bench:
    """The block between sums that Python holds and a multiplier that is free now and then."""

    def __init__(self, dut: Any, rng: random.Random):
        self.dut, self.rng = dut, rng
        self.sums = [[0] * 10 for _ in range(2)]  # half, former; a piece of no half cycle comes as former
        self.words: dict[int, int] = {}
        self.free = 1.0  # share of the clocks in which the multiplier is

    async def serve(self) -> None:
        """Answer sum_o in the same clock; collect the results."""
        dut = self.dut
        while True:
            await RisingEdge(dut.clk_i)
            dut.free_i.value = self.rng.random() < self.free
            await FallingEdge(dut.clk_i)
            sums = self.sums[1 if dut.former_o.value == 1 else 0]
            dut.sum_i.value = sums[ORDER[int(dut.sum_o.value) % 10]] & (1 << 55) - 1
            if dut.write_o.value == 1:
                self.words[int(dut.index_o.value)] = int(dut.data_o.value)

    async def fresh(self, settings: MeterSettings) -> Meter:
        """Reset the block; return a new model."""
        dut = self.dut
        await reset(dut)
        dut.mode_i.value = settings.wiring
        dut.no_load_p_i.value, dut.no_load_q_i.value = settings.no_load_p, settings.no_load_q
        assert shown(dut) == (0,) * 8
        await clocks(dut, EMPTYING_CLOCKS)
        return Meter(settings)

    def draw(self, model: Meter) -> list[int]:
        """Draw sums and lengths, the RMS below 2^28 / 16 codes; hand them to block and model; return the lengths."""
        rng, dut = self.rng, self.dut
        lengths = [round(rng.choice(LENGTHS) * SAMPLE) + rng.randrange(100) for _ in range(rng.choice([1, 2, 2, 2]))]
        most = min(lengths)
        limit = most << rng.choice([24, 24, 16, 4])
        for sums in self.sums:
            for place in SIGNED:
                sums[place] = rng.choice([0, 1, -1, rng.randrange(-limit, limit), rng.randrange(-limit, limit)])
            for place in SQUARES:
                sums[place] = rng.choice([0, limit - 1, rng.randrange(limit), rng.randrange(limit)])
        model.half, model.former = list(self.sums[0]), list(self.sums[1])
        dut.half_length_i.value = lengths[-1]
        dut.former_length_i.value = lengths[0] if len(lengths) == 2 else rng.randrange(1 << 25)
        dut.pair_i.value = len(lengths) == 2
        return lengths

    async def piece(self, model: Meter) -> None:
        """End a piece that belongs to no half cycle: its energy goes to the next one."""
        self.draw(model)
        self.dut.pair_i.value = self.rng.randrange(2)
        model.more = [more + one for more, one in zip(model.more, self.sums[1], strict=True)]
        await pulse(self.dut, self.dut.gap_i)
        await clocks(self.dut, 100)

    async def close(self, model: Meter) -> None:
        """Close a half cycle, wait for its results and compare them."""
        lengths = self.draw(model)
        self.words.clear()
        await pulse(self.dut, self.dut.closed_i)
        model._close([half + more for half, more in zip(self.sums[0], model.more, strict=True)], lengths)
        model.more = [0] * 10
        for _ in range(round(BACKGROUND_CLOCKS / min(1.0, self.free * 2))):
            await FallingEdge(self.dut.clk_i)
        assert model.pending is not None
        due = words_of(*model.pending)
        assert {k: (self.words.get(k), due[k]) for k in due if self.words.get(k) != due[k]} == {}, lengths
        assert set(self.words) == WRITTEN

    async def publish(self, model: Meter, whole: bool) -> None:
        """Publish, and compare what is shown before and behind it."""
        assert shown(self.dut) == expected(model)
        self.dut.whole_i.value = whole
        await pulse(self.dut, self.dut.publishing_i)
        model.publish(whole)
        assert shown(self.dut) == expected(model)


async def begin(dut: Any) -> Bench:
    bench = Bench(dut, seeded("account"))
    await start(dut, closed_i=0, gap_i=0, publishing_i=0, whole_i=0, free_i=1, sum_i=0)
    cocotb.start_soon(multiply(dut))
    cocotb.start_soon(bench.serve())
    return bench


@cocotb.test()
async def every_result_is_the_models_within_its_time(dut: Any) -> None:
    """td_metrology leaves two clocks of three to the block; fewer only make it slower."""
    bench = await begin(dut)
    used = set()
    for settings in SETTINGS:
        model = await bench.fresh(settings)
        for index in range(16):
            bench.free = (1.0, 0.5, 0.1)[index % 3]
            for _ in range(bench.rng.choice([0, 0, 1, 2])):
                await bench.piece(model)
            await bench.close(model)
            await bench.publish(model, bench.rng.random() < 0.7)
        used |= {name for name, energy in model.energies._asdict().items() if energy}
    assert used == set(Energies._fields), "every account was added to"


def put_energies(memory: Any, energies: Energies) -> None:
    """Put energies into the block's memory, as years of half cycles would."""
    for number, energy in enumerate(energies, start=FIRST_ENERGY):
        for word in range(3):
            memory[4 * number + word].value = energy >> 32 * word & 0xFFFFFFFF


def wide_energies(rng: random.Random, former: Energies | None) -> Energies:
    """Return energies of 72 bits, of which 64 leave; complements of the former ones, if there are any."""
    drawn = [rng.getrandbits(ENERGY_BITS) for _ in Energies._fields]
    return Energies(*([energy ^ (1 << ENERGY_BITS) - 1 for energy in former] if former else drawn))


@cocotb.test()
async def energies_have_their_full_width(dut: Any) -> None:
    bench = await begin(dut)
    model = await bench.fresh(SETTINGS[1])
    former = None
    for _ in range(6):
        await bench.close(model)
        await bench.publish(model, True)
        model.energies = wide_energies(bench.rng, former)
        former = None if former else model.energies
        put_energies(dut.memory_q, model.energies)
    await bench.close(model)
    await bench.publish(model, True)


@cocotb.test()
async def a_reset_at_any_time_leaves_nothing_behind(dut: Any) -> None:
    bench = await begin(dut)
    for _ in range(6):
        model = await bench.fresh(SETTINGS[1])
        await bench.close(model)
        await bench.publish(model, True)
        bench.draw(model)
        await pulse(dut, dut.closed_i)
        for _ in range(bench.rng.randrange(1, BACKGROUND_CLOCKS)):
            await FallingEdge(dut.clk_i)
