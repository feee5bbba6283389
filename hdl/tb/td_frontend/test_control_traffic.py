"""td_frontend with every function on: incidents, commands over the bus; events and registers are the model's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge
from cocotbext.axi import AxiLiteMaster, AxiStreamBus, AxiStreamSink

from hdl.model import Settings
from hdl.model_control import CHECKSUM_ERROR, checksum
from hdl.model_meter import Calibration, MeterSettings, PulseSettings
from hdl.regs.generated import regs
from hdl.tb.drive import clocks, pulse, reset, seeded, signed
from hdl.tb.td_account.test_td_account import put_energies, wide_energies
from hdl.tb.td_frontend.test_td_frontend import bus
from hdl.tb.td_frontend.whole import Limits, Seen, Whole
from hdl.tb.td_fundamental.words import words_of as fundamental_words
from hdl.tb.td_harmonics.words import words_of as harmonics_words
from hdl.tb.td_metrology.test_td_metrology import words_of

SETTINGS = Settings(return_samples=20)
METER = MeterSettings(1, 5_000, 5_000, (Calibration(), Calibration(-(1 << 22)), Calibration(), Calibration(5_000_000)))
PULSES = PulseSettings(True, 0, 1 << 26, 3)
FIRST_KEY, SECOND_KEY, LOCK = 0x6B657931, 0x6B657932, 0x6C6F636B
HARMONICS_OF = 2  # u2
UNLIKE = 0x0ABCDEF  # any other setting
IRQ_CAUSES = 0x30F  # event, half cycle, trigger, capture, harmonics, window
CHUNK, METER_WORDS, POWER_WORDS = 50, 44, 26
EVERY_KIND = {*range(1, 23)} - {CHECKSUM_ERROR}
Row = list[int]


def incidents(count: int, name: str) -> Iterator[Row]:
    """Yield codes: mains, a short dip, 5 % less, a swell under load, a loss, the return, rails, the other direction."""
    rng = seeded(name)
    for n in range(count):
        level = 1.0 if n < 800 else 0.95 if n < 1300 else 1.17 if n < 1500 else 1.0 if n < 1700 else 0.0
        level = 0.45 if 320 <= n < 390 else 1.0 if n >= 2050 else level
        load = 5e6 if 1300 <= n < 2000 else 9e6 if 2500 <= n < 2600 else 1e6 if n < 3000 else -8e6
        turn = 2 * math.pi * n / 160
        other = -0.8 if n < 2500 else 2.1
        yield list(
            signed(
                (
                    level * (1 << 22) * math.sin(turn) * (2.2 if 2500 <= n < 2600 else 1) + rng.gauss(0, 200),
                    load * math.sin(turn - 0.9) + rng.gauss(0, 200),
                    other * (1 << 22) * math.sin(turn) + rng.gauss(0, 200),
                    0.7 * load * other * math.sin(turn + 0.5) + rng.gauss(0, 200),
                )
            )
        )


class Traffic:
    """A front-end on its bus beside its model."""

    def __init__(self, dut: Any, master: AxiLiteMaster, first: int):
        self.dut, self.master = dut, master
        self.model = Whole(SETTINGS, Limits(), METER, PULSES, first)
        self.seen: list[Seen] = []

    @property
    def newest(self) -> int:
        """Number of the newest sample."""
        return self.model.front_end.samples - 1

    async def prepare(self, first: int) -> None:
        """Write the settings; the next sample is number ``first``."""
        words = {regs.CTRL: 3, regs.CONTROL: 0x7F, regs.DET_RETURN: SETTINGS.return_samples, **Limits().registers()}
        words |= {regs.WIRING: METER.wiring, regs.NO_LOAD_P: METER.no_load_p, regs.NO_LOAD_Q: METER.no_load_q}
        for channel, calibration in zip(("U1", "I1", "U2", "I2"), METER.calibration, strict=True):
            words[getattr(regs, f"CAL_{channel}_GAIN")] = calibration.gain & 0xFFFFFF
        words |= {regs.CF_ENERGY_LO: PULSES.energy, regs.CF_WIDTH: PULSES.width}
        words |= {regs.CF_CTRL: 1 | PULSES.source << regs.CF_CTRL_SOURCE_SHIFT}
        for address, word in words.items():
            await self.master.write_dword(address, word)
        self.dut.total_q.value = first

    async def give(self, rows: list[Row]) -> None:
        """Give samples, 64 clocks each, then take the events that they made."""
        dut = self.dut
        await FallingEdge(dut.clk_i)
        for row in rows:
            dut.u1_i.value, dut.i1_i.value, dut.u2_i.value, dut.i2_i.value = row
            await pulse(dut, dut.valid_i)
            await clocks(dut, 63)
            self.model.push(row)
        await self.take_events()

    async def minute(self) -> None:
        """End a minute by the pin or by software, in turn."""
        if self.model.intervals.ticks % 2:
            await self.master.write_dword(regs.INT_TICK, regs.INT_TICK_TICK_MASK)
        else:
            self.dut.minute_i.value = 1
            await clocks(self.dut, 5)
            self.dut.minute_i.value = 0
            await clocks(self.dut, 5)
        self.model.intervals.tick()
        self.model.limiter.tick()

    async def check_minutes(self) -> None:
        """Compare the records of all minutes with the model."""
        for place, record in enumerate(self.model.intervals.ring):
            assert await self.master.read_dwords(regs.INT_DATA + 32 * place, 8) == record.words()

    async def take_events(self) -> None:
        """Empty the FIFO into `seen` and compare with the model."""
        read = self.master.read_dword
        while (event := await read(regs.EVENT)) & regs.EVENT_KIND_MASK:
            words = [await read(regs.EVENT_LO + 4 * k) for k in range(2)]
            rest = [await read(address) for address in (regs.EVENT_URMS, regs.EVENT_EXTREME, regs.EVENT_EXTRA)]
            self.seen.append(Seen(event & regs.EVENT_KIND_MASK, words[0] | words[1] << 32, *rest))
            await self.master.write_dword(regs.EVENT_POP, 1)
        assert self.seen == self.model.events

    async def command(self, name: str, identity: int, value: int = 0, at: int = 0) -> str:
        """Give the limiter a command over the bus; check MISUSE and return what became of it."""
        write, read = self.master.write_dword, self.master.read_dword
        await write(regs.LIM_VALUE, value)
        await write(regs.LIM_AT_LO, at & 0xFFFFFFFF)
        await write(regs.LIM_AT_HI, at >> 32)
        mask = getattr(regs, f"LIM_COMMAND_{name.upper()}_MASK")
        await write(regs.LIM_COMMAND, mask | identity << regs.LIM_COMMAND_ID_SHIFT)
        model = {"release_in": "release"}.get(name, name)
        expected = self.model.limiter.command(model, identity, self.newest, value, at)
        flags = await read(regs.MISUSE) & (regs.MISUSE_DUPLICATE_MASK | regs.MISUSE_REFUSED_MASK)
        seen = {0: "accepted", regs.MISUSE_DUPLICATE_MASK: "duplicate", regs.MISUSE_REFUSED_MASK: "refused"}[flags]
        await write(regs.MISUSE, flags)
        assert seen == expected, (name, identity)
        return seen

    async def code(self, code: int) -> None:
        """Give a code of the hold-up capacitor."""
        await FallingEdge(self.dut.clk_i)
        self.dut.holdup_code_i.value = code
        await pulse(self.dut, self.dut.holdup_valid_i)
        await clocks(self.dut, 16)
        self.model.holdup.code(code)

    async def long(self, low: int) -> int:
        """Return a number of two words."""
        return await self.master.read_dword(low) | await self.master.read_dword(low + 4) << 32

    async def check_registers(self, meter_words: int = METER_WORDS) -> None:
        """Compare what the registers of control, and that many words of METER, show with the model."""
        read, model = self.master.read_dword, self.model
        await self.master.write_dword(regs.SNAPSHOT, 1)
        limit = model.limiter
        state = await read(regs.LIM_STATE)
        assert state & regs.LIM_STATE_STATE_MASK == limit.state
        assert (state & regs.LIM_STATE_TRIES_MASK) >> regs.LIM_STATE_TRIES_SHIFT == limit.tries
        assert bool(state & regs.LIM_STATE_PENDING_MASK) == (limit.pending is not None)
        assert bool(state & regs.LIM_STATE_OVERCURRENT_MASK) == (model.overcurrent.peak is not None)
        assert await read(regs.LIM_APPLIED) == limit.limit
        assert await self.long(regs.LIM_APPLIED_LO) == limit.applied[1] | limit.applied[0] << 48
        assert await read(regs.LIM_CURRENT) == limit.current
        assert (self.dut.breaker_closed_o.value == 1) == (limit.state == 0)
        gasp = model.last_gasp
        low, high = await read(regs.LG_ONSET_LO), await read(regs.LG_ONSET_HI)
        fraction = (high & regs.LG_ONSET_HI_FRACTION_MASK) >> regs.LG_ONSET_HI_FRACTION_SHIFT
        sample = low | (high & regs.LG_ONSET_HI_SAMPLE_MASK) >> regs.LG_ONSET_HI_SAMPLE_SHIFT << 32
        assert sample << 16 | fraction == gasp.onset
        assert await self.long(regs.LG_RETURN_LO) == gasp.returned_at
        state = await read(regs.LG_STATE)
        assert state & regs.LG_STATE_STATE_MASK == gasp.state
        assert (state & regs.LG_STATE_DECLARED_MASK) >> regs.LG_STATE_DECLARED_SHIFT == gasp.declared
        assert await read(regs.HOLD_ENERGY) == model.holdup.energy
        if model.front_end.measured:
            shown = model.front_end.measured[-1]
            due = {place: word for place, word in words_of(*shown[1:]).items() if place < meter_words}
            words = await self.master.read_dwords(regs.METER, meter_words)
            assert {place: (words[place], word) for place, word in due.items() if words[place] != word} == {}
        assert await read(regs.CF_COUNT) == model.front_end.pulse.count
        assert await self.long(regs.SAMPLE_LO) == model.front_end.samples
        assert await self.long(regs.E_RUN_LO) == model.front_end.meter.total & (1 << 64) - 1


async def started(dut: Any, master: AxiLiteMaster, first: int) -> Traffic:
    """Reset the front-end and return it prepared."""
    await reset(dut)
    await FallingEdge(dut.clk_i)
    for name in ("minute_i", "holdup_valid_i", "holdup_code_i", "fast_i", "detect_i", "trig_i"):
        getattr(dut, name).value = 0
    traffic = Traffic(dut, master, first)
    await traffic.prepare(first)
    return traffic


@cocotb.test()
async def every_kind_of_event_comes_as_the_model_has_it(dut: Any) -> None:
    master = await bus(dut)
    traffic = await started(dut, master, 0)
    rows = list(incidents(3600, "incidents"))
    await master.write_dword(regs.CAP_ENABLE, 0)
    await master.write_dword(regs.CAP_PRE, 300)
    await master.write_dword(regs.HARM_CTRL, regs.HARM_CTRL_START_MASK | HARMONICS_OF << regs.HARM_CTRL_CHANNEL_SHIFT)
    traffic.model.harmonics.start(HARMONICS_OF)
    await traffic.command("release_in", 9)
    for at in range(0, len(rows), CHUNK):
        await traffic.give(rows[at : at + CHUNK])
        if at == 100:
            await traffic.code(4000)
            await traffic.command("apply", 1, 40_000_000)
            await traffic.command("cancel", 2)
            await traffic.command("apply", 1)
        if at == 1700:
            await traffic.code(1600)
        if at == 2100:
            await master.write_dword(regs.LG_COMMAND, regs.LG_COMMAND_CLEAR_MASK)
            traffic.model.last_gasp.clear()
            await traffic.command("release_in", 5)
            await traffic.command("schedule", 6, 1 << 28, traffic.newest + 70)
        if at == 2300:
            await traffic.command("schedule_tick", 7, 1 << 27, 1)
            await traffic.minute()
        if at % 600 == 550:
            await traffic.minute()
        await traffic.check_registers()
    await traffic.check_minutes()
    assert {event.kind for event in traffic.seen} == EVERY_KIND
    status = await master.read_dword(regs.STATUS)
    rails = ("SATURATED", "CURRENT_SATURATED", "U2_SATURATED", "I2_SATURATED")
    assert all(status & getattr(regs, f"STATUS_{name}_MASK") for name in (*rails, "CLIPPED"))
    assert not status & (regs.STATUS_OVERRUN_MASK | regs.STATUS_EVENT_OVERFLOW_MASK)
    dut.trig_i.value = 1
    await master.write_dword(regs.CAP_STREAM, 0xF)
    await master.write_dword(regs.CAP_POST, 0)
    await master.write_dword(regs.CAP_CTRL, regs.CAP_CTRL_TRIGGER_MASK)
    await check_interrupts(dut, master)
    await master.write_dword(regs.CAP_CTRL, regs.CAP_CTRL_STREAM_MASK)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk_i, dut.rst_ni, reset_active_level=False)
    assert words_of_packet((await sink.recv()).tdata) == [code for row in rows[-301:] for code in row]
    for channel in range(4):
        await master.write_dword(regs.CAP_WINDOW, channel)
        words = await master.read_dwords(regs.CAP_DATA, 40)
        assert [word - (word >> 31 << 32) for word in words] == [row[channel] for row in rows[-301:-261]]
    await check_spectrum(traffic)


def words_of_packet(data: bytes) -> list[int]:
    """Return the words of a packet of the stream."""
    return [int.from_bytes(data[at : at + 4], "little", signed=True) for at in range(0, len(data), 4)]


async def check_interrupts(dut: Any, master: AxiLiteMaster) -> None:
    """All causes have come: each raises the line alone and lets it fall with its own bit."""
    assert await master.read_dword(regs.IRQ_STATUS) == IRQ_CAUSES
    for place in range(10):
        if not IRQ_CAUSES >> place & 1:
            continue
        await master.write_dword(regs.IRQ_ENABLE, 1 << place)
        await clocks(dut, 2)
        assert dut.irq_o.value == 1
        await master.write_dword(regs.IRQ_STATUS, 1 << place)
        await clocks(dut, 2)
        assert dut.irq_o.value == 0


async def check_spectrum(traffic: Traffic) -> None:
    """Compare the fundamental of the last window, and the harmonics, with the model."""
    read, model = traffic.master.read_dwords, traffic.model
    assert model.fundamental.shown.windows > 0
    assert await read(regs.FUND, regs.FUND_WORDS) == fundamental_words(model.fundamental.shown)
    words = harmonics_words(model.harmonics.done, HARMONICS_OF)
    assert await read(regs.HARM_DATA, len(words)) == words


@cocotb.test()
async def stamps_have_their_full_width(dut: Any) -> None:
    """A loss after days: every stamp carries the 48 bits of the sample's number."""
    master = await bus(dut)
    for first in (0x5555_5555_5000, 0xAAAA_AAAA_A000):
        traffic = await started(dut, master, first)
        await master.write_dword(regs.CAP_POST, 30)
        await master.write_dword(regs.CAP_PRE, 20)
        await master.write_dword(regs.CAP_STREAM, regs.CAP_STREAM_AUTO_MASK | 2)  # i1, as soon as the ring is frozen
        sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk_i, dut.rst_ni, reset_active_level=False)
        rows = [*list(incidents(500, "late")), *([[0, 1 << 20, 0, 0]] * 250), *list(incidents(400, "late"))]
        for at in range(0, len(rows), CHUNK):
            await traffic.give(rows[at : at + CHUNK])
            if at == 250:
                await traffic.command("apply", first >> 16 & 0xFFFF, first >> 20 & 0xFFFFFFF)
                dut.trig_i.value = 1
                await clocks(dut, 4)
                dut.trig_i.value = 0
        await traffic.check_registers(POWER_WORDS)  # the first piece has lasted from sample 0 on, for the energies
        samples = {kind: [event.sample for event in traffic.seen if event.kind == kind] for kind in range(1, 5)}
        for kind, register in enumerate((regs.SUSPECT_LO, regs.CONFIRMED_LO, regs.WITHDRAWN_LO, regs.RETURN_LO), 1):
            newest = samples[kind][-1] if samples[kind] else 0
            assert await traffic.long(register) == newest | len(samples[kind]) << 48
        suspected = samples[1][0]
        assert await traffic.long(regs.CAP_TRIG_LO) == suspected
        assert await traffic.long(regs.CAP_FIRST_LO) == suspected - 20
        at = suspected - first
        assert words_of_packet((await sink.recv()).tdata) == [row[1] for row in rows[at - 20 : at + 31]]
        assert await traffic.long(regs.TRIG_LO) & (1 << 48) - 1 == first + 299
        assert await traffic.long(regs.TRIG_LO) >> 48 == 1


@cocotb.test()
async def energies_have_their_full_width(dut: Any) -> None:
    """As after years: what is put into the memory of energies shows in METER and in the older registers."""
    master = await bus(dut)
    traffic = await started(dut, master, 0)
    rng, rows, former = seeded("energies"), list(incidents(160, "energies")), None
    await traffic.give(rows * 2)  # between the publication of one half cycle and the end of the next
    for _ in range(4):
        energies = wide_energies(rng, former)
        former = None if former else energies
        traffic.model.front_end.meter.energies = energies
        put_energies(dut.u_metrology.u_account.memory_q, energies)
        await traffic.give(rows)
        await traffic.check_registers()
        shown = traffic.model.front_end.meter.shown.energies
        sides = (shown.forward, shown.reverse, shown.lagging, shown.leading)
        for place, side in enumerate(sides):
            assert await traffic.long(regs.E_FORWARD_LO + 8 * place) == side >> 8 & (1 << 64) - 1


@cocotb.test()
async def a_locked_register_that_changes_by_itself_is_told(dut: Any) -> None:
    """Lock, a pass of the guard, a flipped bit in the memory of the settings."""
    master = await bus(dut)
    await started(dut, master, 0)
    read, write = master.read_dword, master.write_dword
    await write(regs.LIM_TRIP, UNLIKE)
    words = [await read(address) for address in regs.LOCKED]
    for key in (FIRST_KEY, SECOND_KEY, LOCK):
        await write(regs.GUARD_KEY, key)

    async def passes(count: int) -> None:
        for _ in range(count * (len(regs.LOCKED) + 2)):
            await FallingEdge(dut.clk_i)
            await pulse(dut, dut.valid_i)
            await clocks(dut, 63)

    await passes(2)
    assert await read(regs.GUARD_REFERENCE) == await read(regs.GUARD_CRC) == checksum(words)
    await write(regs.LIM_TRIP, 5)
    assert await read(regs.LIM_TRIP) == UNLIKE
    assert await read(regs.MISUSE) & regs.MISUSE_LOCKED_WRITE_MASK
    memory = dut.u_regs.settings_q
    place = next(place for place in range(len(memory)) if int(memory[place].value) == UNLIKE)
    words[regs.LOCKED.index(regs.LIM_TRIP)] = UNLIKE ^ 1 << 9
    memory[place].value = UNLIKE ^ 1 << 9
    await passes(2)
    assert await read(regs.GUARD_CRC) == checksum(words)
    state = await read(regs.GUARD_STATE)
    assert state & regs.GUARD_STATE_MISMATCH_MASK
    assert await read(regs.EVENT) & regs.EVENT_KIND_MASK == CHECKSUM_ERROR
    assert await read(regs.EVENT_EXTREME) == checksum(words)
    assert await read(regs.EVENT_EXTRA) == await read(regs.GUARD_REFERENCE)
    assert await read(regs.MISUSE) & regs.MISUSE_CHECKSUM_MASK
    await read(0x0FF0)
    assert await read(regs.MISUSE) & regs.MISUSE_UNMAPPED_MASK
