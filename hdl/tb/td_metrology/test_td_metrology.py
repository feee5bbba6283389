"""td_metrology, sample by sample against the integer model: words, sums, results, at 64 clocks and with gaps."""

from __future__ import annotations

import math
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge

from hdl.model import HalfCycle, Settings, ZeroCross
from hdl.model_meter import Calibration, Energies, Measured, Meter, MeterSettings
from hdl.tb.drive import clocks, pulse, reset, seeded, signed, start
from hdl.tb.td_zero_cross.test_td_zero_cross import stream

WORD_SLOT, SQUARE_SLOT, LENGTH_SLOT, LAST_SLOT, CLIP_SLOT = 14, 23, 49, 62, 5
BACKGROUND_CLOCKS = 940  # at most, as td_account says
WRITTEN = {*range(1, 52)} - {7}  # words of results: all but the flags and the one left out

PLAIN = Calibration()
TURNED = (PLAIN, Calibration(-5_000_000, -70_000), PLAIN, PLAIN)
ODD = (
    Calibration(4_150_000, 1234, 30_000),
    Calibration(8_388_607, -999, -65_536),
    Calibration(-8_388_608, 5, 65_535),
    Calibration(4_300_001, 1, -2_222),
)
# Settings, samples and clocks of the gaps of each run. 4096 samples fill the DC removal.
RUNS = (
    (MeterSettings(), 1800, 33),
    (MeterSettings(1, 3_000_000, 8_000_000, TURNED), 4500, 0),
    (MeterSettings(2, 0, 0, ODD), 1700, 1),
)


def load(count: int, shift: float, name: str) -> list[int]:
    """Return a current that lags, turns round, is small, is at the rail, is noise with an offset."""
    rng = seeded(name)
    wave = [3e6 * math.sin(2 * math.pi * 50 * n / 8000 - shift) + 2e5 * math.sin(2 * math.pi * 250 * n / 8000)
            for n in range(count)]  # fmt: skip
    for n in range(400, 800):
        wave[n] *= -1
    for n in range(1150, 1500):
        wave[n] *= 1e-5
    for n in range(1550, 1600):
        wave[n] *= 9
    for n in range(count - 100, count):
        wave[n] = rng.gauss(3e5, 1e6)
    return list(signed(wave))


def packed(values: list[int], width: int) -> int:
    """Return channels side by side, u1 lowest."""
    return sum((value & (1 << width) - 1) << width * place for place, value in enumerate(values))


def words_of(values: Measured, energies: Energies) -> dict[int, int]:
    """Return what must be written to each word."""
    rms = (values.u1, values.i1, values.u2, values.i2, values.line, values.common)
    longs: tuple[int, ...] = (
        values.p1,
        values.q1,
        values.s1,
        values.p2,
        values.q2,
        values.s2,
        values.p,
        values.q,
        values.s,
    )
    longs += tuple(energy >> 8 for energy in energies)
    words = dict(enumerate(rms, start=1))
    for place, value in enumerate(longs, start=4):
        words |= {2 * place: value & (1 << 32) - 1, 2 * place + 1: value >> 32 & (1 << 32) - 1}
    return words


class Watch:
    """Collects the results that are written after each closed half cycle."""

    def __init__(self, dut: Any):
        self.dut = dut
        self.words: dict[int, int] = {}

    async def run(self) -> None:
        dut = self.dut
        while True:
            await RisingEdge(dut.u_sums.closed_o)
            for _ in range(BACKGROUND_CLOCKS):
                await FallingEdge(dut.clk_i)
                if dut.write_o.value == 1:
                    self.words[int(dut.index_o.value)] = int(dut.data_o.value)


def shown(dut: Any) -> tuple[int, ...]:
    names = ("p", "q", "loaded_p", "loaded_q")
    energies = (int(getattr(dut, f"energy_{side}_o").value) for side in ("forward", "reverse", "lagging", "leading"))
    values = [getattr(dut, f"{name}_o").value for name in names]
    return (*(value.to_signed() if name in "pq" else int(value) for name, value in zip(names, values)), *energies)  # noqa: B905


def expected(model: Meter) -> tuple[int, ...]:
    cycle, energies = model.cycle, model.shown.energies
    sides = (energies.forward, energies.reverse, energies.lagging, energies.leading)
    values = (cycle.p, cycle.q, int(cycle.loaded_p), int(cycle.loaded_q))
    return (*values, *(side >> 8 for side in sides))


@cocotb.test()
async def every_word_sum_and_result_is_the_models_and_comes_at_its_sample(dut: Any) -> None:
    rng = seeded("gaps")
    await start(dut, valid_i=0, publishing_i=0, whole_i=0, boundary_i=0, restart_i=0)
    watch = Watch(dut)
    cocotb.start_soon(watch.run())
    for run, (settings, count, extra) in enumerate(RUNS):
        crosses, half_cycle, model = ZeroCross(Settings()), HalfCycle(), Meter(settings)
        dut.mode_i.value = settings.wiring
        dut.no_load_p_i.value, dut.no_load_q_i.value = settings.no_load_p, settings.no_load_q
        dut.gain_i.value = packed([one.gain for one in settings.calibration], 24)
        dut.offset_i.value = packed([one.offset for one in settings.calibration], 24)
        dut.phase_i.value = packed([one.phase for one in settings.calibration], 17)
        volts = stream(1800, "stream")
        volts = volts[:count]
        volts += [round(4e6 * math.sin(2 * math.pi * 48.7 * n / 8000)) + 90_000 for n in range(count - 1800)]
        other = [-volt // 2 for volt in volts]
        published = clipped = 0
        rows = zip(volts, load(count, 1.0, "one"), other, load(count, -0.7, "two"), strict=True)
        for index, row in enumerate(rows):
            where = f"run {run} sample {index}"
            whole = len(half_cycle.closed) == 2
            dut.publishing_i.value = half_cycle.pending is not None and half_cycle.wait == 1
            dut.whole_i.value = whole
            dut.code_i.value = packed(list(row), 24)
            await pulse(dut, dut.valid_i)
            dut.publishing_i.value = 0
            if half_cycle.publish():
                model.publish(whole)
                published += 1
                due = words_of(*model.shown[1:])
                assert {k: (watch.words.get(k), due[k]) for k in due if watch.words.get(k) != due[k]} == {}, where
                assert set(watch.words) == WRITTEN, where
                watch.words.clear()
            assert shown(dut) == expected(model), where
            boundary = crosses.step(row[0])
            half_cycle.step(index, crosses.delayed, boundary)
            model.step(row, boundary, half_cycle)
            dut.delayed_i.value = crosses.delayed
            dut.boundary_i.value = boundary is not None
            dut.restart_i.value = boundary is not None and boundary.restart
            dut.fraction_i.value = boundary.fraction if boundary else 0
            await clocks(dut, CLIP_SLOT - 1)
            for channel in range(4):
                assert bool(dut.clip_o.value == 1) == model.channels[channel].clipped, f"{where} channel {channel}"
                await clocks(dut, 1)
            await clocks(dut, WORD_SLOT - CLIP_SLOT - 4)
            for channel in range(4):
                assert dut.word_valid_o.value == 1
                assert int(dut.word_channel_o.value) == channel
                assert dut.word_o.value.to_signed() == model.words[channel][-1], f"{where} channel {channel}"
                await clocks(dut, 1)
            await clocks(dut, SQUARE_SLOT - WORD_SLOT - 4)
            assert dut.squared_o.value == 1
            assert int(dut.square_o.value) == crosses.delayed**2, where
            await clocks(dut, LENGTH_SLOT - SQUARE_SLOT - 1)
            if boundary is not None and not boundary.restart:
                lengths = [length for _, length in half_cycle.closed]
                dut.half_length_i.value, dut.former_length_i.value = lengths[-1], lengths[0]
                dut.pair_i.value = len(lengths) == 2
            await clocks(dut, LAST_SLOT - LENGTH_SLOT + 1)
            assert dut.busy_o.value == 1
            await clocks(dut, 1 + rng.choice([0, extra]))
            assert dut.busy_o.value == 0
            assert dut.run_o.value.to_signed() == model.total, where
            clipped += any(channel.clipped for channel in model.channels)
        assert published >= 15
        assert clipped > 10 or run != 2
        if run < 2:
            assert min(model.shown.energies[:4]) > 0, "forward and reverse were both seen in both elements"
        await reset(dut)
        await FallingEdge(dut.clk_i)
        watch.words.clear()
        assert shown(dut) == (0,) * 8
        assert dut.run_o.value == 0


@cocotb.test()
async def reset_in_any_slot_leaves_nothing_behind(dut: Any) -> None:
    """After a reset at each slot of a sample the words are those of a front-end that saw no other sample."""
    rng = seeded("reset")
    settings = MeterSettings(calibration=(Calibration(4_000_000, 77, 20_000),) * 4)
    await start(dut, valid_i=0, publishing_i=0, whole_i=0, boundary_i=0, restart_i=0, mode_i=0)
    for name, width in (("gain", 24), ("offset", 24), ("phase", 17)):
        getattr(dut, f"{name}_i").value = packed([getattr(one, name) for one in settings.calibration], width)
    for slot in (0, 1, 5, 7, 9, 12, 14, 16, 22, 27, 31, 36, 42, 47, 48, 55):
        model = Meter(settings)
        for _ in range(3):
            row = [rng.randrange(-(1 << 23), 1 << 23) for _ in range(4)]
            dut.code_i.value = packed(row, 24)
            await pulse(dut, dut.valid_i)
            model.step(row, None, HalfCycle())
            await clocks(dut, WORD_SLOT - 1)
            for channel in range(4):
                assert dut.word_o.value.to_signed() == model.words[channel][-1], f"slot {slot} channel {channel}"
                await clocks(dut, 1)
            await clocks(dut, 64 - WORD_SLOT - 4)
            assert dut.run_o.value.to_signed() == model.total
        dut.boundary_i.value = 1
        await pulse(dut, dut.valid_i)
        if slot:
            await ClockCycles(dut.clk_i, slot)
        await reset(dut)
        dut.boundary_i.value = 0
