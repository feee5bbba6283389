"""td_capture with a ring of 64 entries, against its model: triggers, window, stream with back-pressure."""

from __future__ import annotations

import itertools
import logging
from random import Random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamSink

from hdl.model_capture import COMMAND, EDGE, EVENT, SUSPECT, Capture, Entry
from hdl.tb.drive import clocks, pulse, reset, seeded, start

DEPTH = 64
CAUSES = {SUSPECT: "suspect_i", EVENT: "event_i", EDGE: "edge_i", COMMAND: "command_i"}
IDLE = (
    *("raw_valid_i", "raw_i", "index_i", "fine_mode_i", "fine_valid_i", "fine_i", "suspect_i", "event_i", "edge_i"),
    *("command_i", "arm_i", "freeze_i", "post_i", "req_i", "addr_i", "window_i", "stream_i", "auto_i"),
)
INPUTS = dict.fromkeys(IDLE, 0)
INPUTS |= {"enable_i": 1, "pre_i": DEPTH - 1, "mask_i": 0xF}


def packed(codes: Entry, width: int = 24) -> int:
    return sum((code & (1 << width) - 1) << width * channel for channel, code in enumerate(codes))


def signed32(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word


def random_entry(rng: Random) -> Entry:
    return (*(rng.randrange(-(1 << 23), 1 << 23) for _ in range(4)),)  # type: ignore[return-value]


def random_half_codes(rng: Random) -> Entry:
    """Return points in half codes, the two ends of their range among them."""
    ends = (1 << 24) - 1, -(1 << 24)
    return (*(rng.choice([rng.randrange(-(1 << 24), 1 << 24), *ends]) for _ in range(4)),)  # type: ignore[return-value]


def code_of(half_codes: int) -> int:
    """Return the code nearest to a value, the upper of two."""
    return min((half_codes + 1) // 2, (1 << 23) - 1)


class Bench:
    """The ring and its model side by side; ``index`` is the number of the newest raw sample."""

    def __init__(self, dut: Any, rng: Random):
        self.dut, self.rng = dut, rng
        self.model = Capture(DEPTH, post=0)
        self.index = 1000

    async def arm(self, pre: int = DEPTH - 1, post: int = 0, enabled: int = SUSPECT) -> None:
        self.dut.pre_i.value, self.dut.post_i.value, self.dut.enable_i.value = pre, post, enabled
        await pulse(self.dut, self.dut.arm_i)
        await clocks(self.dut, 1)
        self.model = Capture(DEPTH, pre, post, enabled)
        self.index = self.rng.getrandbits(47)  # as after days, so that every bit of a number moves
        self.dut.index_i.value = self.index

    async def give(self, gap: int = 5, fine: bool = False) -> None:
        """Give an entry and, in raw mode, count it."""
        if fine:
            half_codes = random_half_codes(self.rng)
            codes: Entry = (*map(code_of, half_codes),)  # type: ignore[assignment]
            self.dut.fine_i.value = packed(half_codes, 25)
        else:
            codes = random_entry(self.rng)
            self.index += 1
            self.dut.index_i.value = self.index
            self.dut.raw_i.value = packed(codes)
        await pulse(self.dut, self.dut.fine_valid_i if fine else self.dut.raw_valid_i)
        await clocks(self.dut, gap)
        self.model.entry(codes, self.index)

    async def fire(self, *causes: int) -> None:
        for cause in causes:
            getattr(self.dut, CAUSES[cause]).value = 1
        await FallingEdge(self.dut.clk_i)
        for cause in causes:
            getattr(self.dut, CAUSES[cause]).value = 0
        self.model.fire(sum(causes), self.index)
        await clocks(self.dut, 1)

    async def window(self, channel: int) -> list[int]:
        """Read the window, oldest first, with and without pauses between."""
        words = []
        self.dut.window_i.value = channel
        for address in range(int(self.dut.count_o.value)):
            self.dut.addr_i.value = address
            await pulse(self.dut, self.dut.req_i)
            assert self.dut.ack_o.value == 0
            await clocks(self.dut, 1)
            assert self.dut.ack_o.value == 1
            words.append(signed32(int(self.dut.data_o.value)))
            await clocks(self.dut, address % 3)
        return words

    def check_state(self) -> None:
        dut, model = self.dut, self.model
        assert bool(dut.frozen_o.value) == model.frozen
        assert int(dut.count_o.value) == len(model.entries)
        if model.frozen:
            assert int(dut.before_o.value) == model.before
            assert int(dut.cause_o.value) == model.cause
            assert int(dut.trigger_o.value) == model.trigger
            if model.entries and not dut.fine_mode_i.value:
                assert int(dut.first_o.value) == model.first

    async def check(self) -> None:
        self.check_state()
        if self.model.frozen:
            for channel in range(4):
                assert await self.window(channel) == [codes[channel] for codes in self.model.entries]


async def begin(dut: Any, name: str) -> Bench:
    logging.getLogger("cocotb").setLevel(logging.WARNING)
    await start(dut, **INPUTS)
    return Bench(dut, seeded(name))


def words_of(data: bytes) -> list[int]:
    """Return the words of a packet."""
    return [int.from_bytes(data[at : at + 4], "little", signed=True) for at in range(0, len(data), 4)]


def sink_of(dut: Any) -> AxiStreamSink:
    return AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk_i, dut.rst_ni, reset_active_level=False)


@cocotb.test()
async def frozen_ring_holds_pre_and_post_around_the_trigger(dut: Any) -> None:
    bench = await begin(dut, "ring")
    for before, pre, post in (
        (100, 63, 20),
        (10, 63, 0),
        (64, 63, 63),
        (30, 12, 33),
        (5, 0, 1),
        (0, 63, 3),
        (70, 5, 0),
    ):
        await bench.arm(pre, post)
        for _ in range(before):
            await bench.give(bench.rng.choice([5, 7, 60]))
        await bench.fire(SUSPECT)
        bench.check_state()
        for step in range(post + 3):
            await bench.give()
            bench.check_state()
            if step == 2 and post > 5:
                await bench.fire(SUSPECT)  # a second suspicion changes nothing
        assert bench.model.frozen
        await bench.check()


@cocotb.test()
async def each_trigger_works_only_where_it_is_enabled_and_tells_its_cause(dut: Any) -> None:
    bench = await begin(dut, "causes")
    for cause, enabled in itertools.product(CAUSES, range(8)):
        await bench.arm(post=1, enabled=enabled)
        await bench.give()
        await bench.fire(cause)
        await bench.give()
        assert bench.model.frozen == bool(cause & (enabled | COMMAND))
        bench.check_state()
        await bench.fire(COMMAND)
        await bench.give()
        bench.check_state()
    await bench.arm(post=1, enabled=7)
    await bench.give()
    await bench.fire(SUSPECT, EVENT)
    await bench.give()
    assert int(dut.cause_o.value) == SUSPECT | EVENT
    bench.check_state()


@cocotb.test()
async def a_trigger_while_an_entry_is_written_counts_it_as_before(dut: Any) -> None:
    bench = await begin(dut, "meanwhile")
    for late in range(7):
        await bench.arm(post=2, enabled=EDGE)
        await bench.give()
        codes = random_entry(bench.rng)
        bench.index += 1
        dut.index_i.value, dut.raw_i.value = bench.index, packed(codes)
        dut.raw_valid_i.value = 1
        for clock in range(12):
            dut.edge_i.value = clock == late
            await FallingEdge(dut.clk_i)
            dut.raw_valid_i.value = 0
        bench.model.entry(codes, bench.index)
        bench.model.fire(EDGE, bench.index)
        for _ in range(3):
            await bench.give()
        await bench.check()


@cocotb.test()
async def fine_entries_are_taken_instead_of_raw_ones(dut: Any) -> None:
    bench = await begin(dut, "fine")
    dut.fine_mode_i.value = 1
    await bench.arm(pre=9, post=4)
    for step in range(40):
        await bench.give(fine=True)
        if step % 3 == 0:  # raw samples go on beside them
            bench.index += 1
            dut.index_i.value = bench.index
            await pulse(dut, dut.raw_valid_i)
    await bench.fire(SUSPECT)
    for _ in range(6):
        await bench.give(fine=True)
    assert bench.model.frozen
    await bench.check()
    dut.fine_mode_i.value = 0


@cocotb.test()
async def freezing_by_hand_and_reset(dut: Any) -> None:
    bench = await begin(dut, "hand")
    for _ in range(5):
        await bench.give()
    assert dut.done_o.value == 0
    await pulse(dut, dut.freeze_i)
    bench.model.freeze(bench.index)
    assert dut.done_o.value == 1
    await FallingEdge(dut.clk_i)
    assert dut.done_o.value == 0
    await bench.check()
    await bench.arm()
    codes = random_entry(bench.rng)  # freezing in the middle of an entry waits for its end
    bench.index += 1
    dut.index_i.value, dut.raw_i.value = bench.index, packed(codes)
    await pulse(dut, dut.raw_valid_i)
    await pulse(dut, dut.freeze_i)
    await clocks(dut, 6)
    bench.model.entry(codes, bench.index)
    bench.model.freeze(bench.index)
    await bench.check()
    await reset(dut)
    await FallingEdge(dut.clk_i)
    assert dut.frozen_o.value == 0
    assert int(dut.count_o.value) == 0


@cocotb.test()
async def stream_sends_the_chosen_channels_under_back_pressure_and_bus_reads(dut: Any) -> None:
    bench = await begin(dut, "stream")
    sink = sink_of(dut)
    for mask, busy in ((0xF, 0.0), (0x1, 0.5), (0x8, 0.2), (0x6, 0.8), (0xB, 0.5), (0xF, 0.9)):
        dut.mask_i.value = mask
        await bench.arm(post=20)
        for _ in range(bench.rng.randrange(1, 90)):
            await bench.give()
        await bench.fire(SUSPECT)
        for _ in range(20):
            await bench.give()
        pauses = [bench.rng.random() < busy for _ in range(97)]
        sink.set_pause_generator(itertools.cycle(pauses))
        await pulse(dut, dut.stream_i)
        reader = cocotb.start_soon(bench.window(2))  # the window is read meanwhile
        frame = await with_timeout(sink.recv(), 100, "us")
        words = [
            int.from_bytes(frame.tdata[at : at + 4], "little", signed=True) for at in range(0, len(frame.tdata), 4)
        ]
        assert words == bench.model.words(mask)
        assert await reader == [codes[2] for codes in bench.model.entries]
        await FallingEdge(dut.clk_i)  # the sink wakes at a rising one
        assert sink.empty()


@cocotb.test()
async def arming_waits_for_the_stream_so_that_no_packet_is_cut(dut: Any) -> None:
    bench = await begin(dut, "cut")
    sink = sink_of(dut)
    dut.mask_i.value = 0x3
    await bench.arm(post=0)
    for _ in range(30):
        await bench.give()
    dut.auto_i.value = 1
    await bench.fire(SUSPECT)  # streams by itself
    expected = bench.model.words(0x3)
    await clocks(dut, 20)
    assert dut.streaming_o.value == 1
    await pulse(dut, dut.arm_i)
    assert dut.frozen_o.value == 1
    await bench.give()
    frame = await with_timeout(sink.recv(), 100, "us")
    assert words_of(frame.tdata) == expected
    assert len(frame.tdata) == 240
    await clocks(dut, 3)
    await FallingEdge(dut.clk_i)
    assert dut.frozen_o.value == 0
    assert int(dut.count_o.value) == 0
    dut.auto_i.value = 0


@cocotb.test()
async def nothing_is_sent_without_a_channel_or_while_the_ring_runs(dut: Any) -> None:
    bench = await begin(dut, "nothing")
    dut.m_axis_tready.value = 1
    await bench.give()
    await pulse(dut, dut.stream_i)
    await clocks(dut, 10)
    assert dut.streaming_o.value == 0
    await bench.fire(SUSPECT)
    dut.mask_i.value = 0
    await pulse(dut, dut.stream_i)
    await clocks(dut, 10)
    assert dut.streaming_o.value == 0


@cocotb.test()
async def tvalid_and_tdata_hold_until_they_are_taken(dut: Any) -> None:
    bench = await begin(dut, "hold")
    dut.m_axis_tready.value = 0
    await bench.give()
    await bench.fire(SUSPECT)
    await pulse(dut, dut.stream_i)
    await RisingEdge(dut.m_axis_tvalid)
    await FallingEdge(dut.clk_i)
    word = int(dut.m_axis_tdata.value)
    dut.window_i.value, dut.addr_i.value = 3, 0
    for _ in range(20):
        await pulse(dut, dut.req_i)
        assert dut.m_axis_tvalid.value == 1
        assert int(dut.m_axis_tdata.value) == word
    assert signed32(word) == bench.model.entries[0][0]
