"""td_control against the integer models of its blocks: one stream of events in their order, with value and extra."""

from __future__ import annotations

from random import Random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge

from hdl.model_control import (
    CHECKSUM_ERROR,
    CROSSING_LOST,
    DECLARED,
    LENGTHS,
    LIMIT_LOCKOUT,
    RING,
    RVC_DECIDE_SAMPLES,
    WORDS,
    Event,
    Holdup,
    Intervals,
    LastGasp,
    Limiter,
    LimiterSettings,
    Overcurrent,
    RapidChange,
)
from hdl.tb.drive import clocks, pulse, reset, seeded, start
from hdl.tb.td_last_gasp.test_td_last_gasp import FOLLOWS

SWITCHES = ("rapid_change", "overcurrent", "limiter", "last_gasp", "holdup", "crossing")
COMMANDS = ("apply", "schedule", "schedule_tick", "cancel", "release")
ENERGIES = ("forward", "reverse", "lagging", "leading")
RESTING = (
    *("valid", "index", "publish", "urms_valid", "urms", "irms1", "irms2", "lost", "suspicious", "disturbed"),
    *("detected", "detected_kind", "quality", "quality_kind", "quality_extreme"),
    *("guard", "guard_kind", "guard_crc", "guard_reference", "lg_sent", "lg_clear", "holdup_valid", "holdup_code"),
    *("minute", "tick", "align", "align_minute", "int_req", "int_addr", *ENERGIES, *SWITCHES),
    *(f"lim_{name}" for name in (*COMMANDS, "id", "value", "at")),
)
QUALITY_CLOCKS, DETECTED_CLOCK = range(2, 16), 17  # after valid_i, as td_control says
LAST_CLOCK = 36  # busy_o's last; the last step is two before it
RECORD_CLOCKS = 40  # of an interval, from its step on
KINDS = {*range(1, 23)}


def wide(rng: Random, bits: int) -> int:
    return rng.choice([0, (1 << bits) - 1, *[rng.getrandbits(bits)] * 6])


class Settings:
    """Everything that registers set, either so that things happen soon or of any size that they hold."""

    def __init__(self, rng: Random, small: bool):
        least, most = (0, (1 << 30) - 1) if small else sorted(rng.getrandbits(30) for _ in range(2))

        def steps() -> int:
            return rng.randint(2, 9) if small or rng.random() < 0.5 else rng.getrandbits(28) | 1 << 20

        self.on = {name: rng.random() < 0.9 for name in SWITCHES}
        tries = rng.choice([2, 15]) if small else rng.randint(1, 15)
        self.limit = LimiterSettings(steps(), steps(), steps() + 40 * small, tries, rng.random() < 0.5, least, most)
        self.values = {"rvc_threshold": rng.randrange(1 << 26, 1 << 28), "rvc_count": rng.choice([2, 3, 3, 4, 5])}
        self.values |= {"rvc_hysteresis": wide(rng, 28 if not small else 26)}
        self.values |= {"oc_threshold": rng.getrandbits(29), "oc_hysteresis": wide(rng, 29 if not small else 20)}
        self.values |= {"lg_declare": steps(), "lg_delay": rng.getrandbits(32)}
        self.values |= {f"hold_{name}": rng.getrandbits(12) for name in ("low", "stop")}
        self.values |= {"hold_hysteresis": wide(rng, 12 if not small else 6)}

    def inputs(self) -> dict[str, int]:
        """Return the value of every input of settings."""
        limit = self.limit
        given = {**self.values, **{name: int(on) for name, on in self.on.items()}, "lim_sum": int(limit.add)}
        given |= {"lim_min": limit.least, "lim_max": limit.most}
        given |= {f"lim_{name}": getattr(limit, name) for name in ("trip", "reclose", "clear", "tries")}
        return {f"{name}_i": value for name, value in given.items()}


class Bench:
    """The block and the models of what it holds."""

    def __init__(self, dut: Any, rng: Random):
        self.dut, self.rng = dut, rng
        self.seen: list[Event] = []
        self.crossings = 0
        self.guard: Event | None = None  # what the guard says at its next step

    async def watch(self) -> None:
        """Collect the events; none lasts two clocks, and two are two clocks apart."""
        while True:
            await RisingEdge(self.dut.event_o)
            await ReadOnly()
            ports = (self.dut.kind_o, self.dut.value_o, self.dut.extra_o)
            self.seen.append(Event(*(int(port.value) for port in ports)))

    async def watch_crossings(self) -> None:
        while True:
            await RisingEdge(self.dut.crossing_lost_o)
            self.crossings += 1

    async def stand_in_for_the_guard(self) -> None:
        """Answer guard_step_o one clock later."""
        dut = self.dut
        while True:
            await RisingEdge(dut.guard_step_o)
            await FallingEdge(dut.clk_i)
            if self.guard is None:
                continue
            await FallingEdge(dut.clk_i)
            dut.guard_kind_i.value, dut.guard_crc_i.value, dut.guard_reference_i.value = self.guard
            await pulse(dut, dut.guard_i)

    async def begin(self, small: bool) -> None:
        """Reset, and start again with other settings and new models."""
        dut, rng = self.dut, self.rng
        self.settings = settings = Settings(rng, small)
        values = settings.values
        for name, value in settings.inputs().items():
            getattr(dut, name).value = value
        await reset(dut)
        self.rapid_change = RapidChange(values["rvc_threshold"], values["rvc_hysteresis"], values["rvc_count"])
        self.overcurrent = Overcurrent(values["oc_threshold"], values["oc_hysteresis"])
        self.limiter = Limiter(settings.limit)
        self.last_gasp = LastGasp(values["lg_declare"], values["lg_delay"])
        self.holdup = Holdup(values["hold_low"], values["hold_hysteresis"], values["hold_stop"])
        self.intervals = Intervals()
        self.index, self.identity, self.detected = rng.getrandbits(47), 0, 0
        self.level, self.since, self.currents, self.lost = 0, RVC_DECIDE_SAMPLES, [0, 0], True
        dut.index_i.value = self.index
        self.seen.clear()
        self.crossings = 0

    # ---- what comes between samples ---------------------------------------------------------------------
    async def command(self) -> tuple[str, str]:
        dut, rng = self.dut, self.rng
        limit = self.settings.limit
        name = rng.choice([*COMMANDS, "apply"])
        self.identity = (self.identity + rng.choice([0, 1, rng.randrange(1 << 16)])) & 0xFFFF
        value = rng.choice([0, limit.least, limit.most, rng.getrandbits(30), rng.randint(limit.least, limit.most)])
        at = rng.choice([self.index + rng.randint(0, 4), wide(rng, 48), rng.randrange(4)]) % (1 << 48)
        dut.lim_id_i.value, dut.lim_value_i.value, dut.lim_at_i.value = self.identity, value, at
        await pulse(dut, getattr(dut, f"lim_{name}_i"))
        seen = "duplicate" if dut.lim_duplicate_o.value == 1 else "refused" if dut.lim_refused_o.value == 1 else ""
        expected = self.limiter.command(name, self.identity, self.index, value, at)
        assert (seen or "accepted") == expected, (name, value, at, self.index)
        return name, expected

    async def tick(self) -> None:
        """Give a time tick, of software or of the pin."""
        dut = self.dut
        early = self.intervals.tick()
        self.limiter.tick()
        if self.rng.random() < 0.5:
            await pulse(dut, dut.tick_i)
        else:
            dut.minute_i.value = 1
            await clocks(dut, 3)  # two flops, and the edge
        assert (dut.int_misuse_o.value == 1) == early
        dut.minute_i.value = 0
        await clocks(dut, 4)

    async def between(self) -> None:
        """Give commands, ticks and codes, seldom together."""
        dut, rng = self.dut, self.rng
        if rng.random() < 0.15:
            await self.command()
        if rng.random() < 0.15:
            for _ in range(rng.choice([1, 1, 1, 2])):
                await self.tick()
        if rng.random() < 0.05:
            minute = rng.randrange(32)
            dut.align_minute_i.value = minute
            await pulse(dut, dut.align_i)
            assert (dut.int_misuse_o.value == 1) != self.intervals.align(minute)
        for port, call in ((dut.lg_sent_i, self.last_gasp.sent), (dut.lg_clear_i, self.last_gasp.clear)):
            if rng.random() < 0.1:
                await pulse(dut, port)
                call()
        if rng.random() < 0.3:
            code = wide(rng, 12)
            dut.holdup_code_i.value = code
            await pulse(dut, dut.holdup_valid_i)
            self.holdup.code(code)
        await clocks(dut, rng.choice([16, 40]))

    # ---- a sample ------------------------------------------------------------------------------------------
    async def sample(self) -> list[Event]:
        """Give one sample with all that comes with it; compare the events and return them."""
        dut, rng = self.dut, self.rng
        self.index = (self.index + 1) % (1 << 48)
        fresh = self.since > RVC_DECIDE_SAMPLES and rng.random() < 0.6
        self.since = 0 if fresh else self.since + 1
        if fresh:
            self.level = wide(rng, 28) if rng.random() < 0.25 else self.level
            self.currents = [wide(rng, 29) for _ in range(2)] if rng.random() < 0.7 else self.currents
            self.valid, self.disturbed = rng.random() < 0.97, rng.random() < 0.08
            dut.urms_i.value, dut.urms_valid_i.value, dut.disturbed_i.value = self.level, self.valid, self.disturbed
            dut.irms1_i.value, dut.irms2_i.value = self.currents
        lost, frozen = rng.random() < (0.8 if self.lost else 0.1), rng.random() < 0.2
        totals = (rng.getrandbits(64), rng.getrandbits(64), rng.getrandbits(64), rng.getrandbits(64))
        for name, total in zip(ENERGIES, totals, strict=True):
            getattr(dut, f"{name}_i").value = total
        dut.index_i.value, dut.lost_i.value, dut.suspicious_i.value = self.index, lost, frozen
        self.guard = Event(CHECKSUM_ERROR, rng.getrandbits(32), rng.getrandbits(32)) if rng.random() < 0.1 else None
        assert dut.busy_o.value == 0
        await pulse(dut, dut.valid_i)
        if fresh:
            await pulse(dut, dut.publish_i)
        quality = await self.give_quality(1 + fresh)
        detected = await self.give_detected()
        assert dut.busy_o.value == 1
        await clocks(dut, rng.choice([LAST_CLOCK, 50, 100]) - DETECTED_CLOCK)
        expected = [*quality, *([Event(detected)] if detected else [])]
        expected += self.model(fresh, detected, lost)
        self.intervals.step(self.index, totals, frozen)
        assert self.seen == expected, f"sample {self.index}"
        assert dut.busy_o.value == 0
        seen, self.seen = self.seen, []
        return seen

    async def give_quality(self, clock: int) -> list[Event]:
        """Give an event of td_quality or none, up to the clock of the detector's; return it."""
        dut, rng = self.dut, self.rng
        event = Event(rng.randint(5, 10), wide(rng, 28)) if rng.random() < 0.2 else None
        if event:
            at = rng.choice(QUALITY_CLOCKS)
            await clocks(dut, at - clock)
            dut.quality_kind_i.value, dut.quality_extreme_i.value = event.kind, event.value
            await pulse(dut, dut.quality_i)
            clock = at + 1
        await clocks(dut, DETECTED_CLOCK - clock)
        return [event] if event else []

    async def give_detected(self) -> int:
        """Give an event of the detector or none (0), as they can follow each other."""
        if self.rng.random() > 0.3:
            await clocks(self.dut, 1)
            return 0
        self.detected = self.rng.choice(FOLLOWS[self.detected])
        self.dut.detected_kind_i.value = self.detected
        await pulse(self.dut, self.dut.detected_i)
        return self.detected

    def model(self, fresh: bool, detected: int, lost: bool) -> list[Event]:
        """Step the models of the blocks and return what they say, in order."""
        on, index, (first, second) = self.settings.on, self.index, self.currents
        events = []
        if on["rapid_change"]:
            valid, disturbed = (self.valid, self.disturbed) if self.index and hasattr(self, "valid") else (True, False)
            events.append(self.rapid_change.step(fresh, valid, self.level, disturbed))
        if on["overcurrent"]:
            events.append(self.overcurrent.step(fresh, max(first, second)))
        events.append(self.limiter.step(index, fresh, first, second, on["limiter"]))
        if on["last_gasp"]:
            gasp = self.last_gasp.step(index, detected)
            events.append(gasp and gasp._replace(value=self.holdup.energy if on["holdup"] else 0))
        if on["holdup"]:
            events.append(self.holdup.step())
        falls, self.lost = lost and not self.lost, lost
        self.crossings -= falls
        events.append(Event(CROSSING_LOST) if falls and on["crossing"] else None)
        return [event for event in [*events, self.guard] if event]

    # ---- what the registers show ---------------------------------------------------------------------------
    def check_ports(self) -> None:
        """Compare every output of state with the models."""
        dut, on = self.dut, self.settings.on
        assert self.crossings == 0, "crossing_lost_o comes once for each loss"
        if on["rapid_change"]:
            assert (dut.rvc_steady_o.value == 1) == self.rapid_change.steady
        assert (dut.oc_active_o.value == 1) == (on["overcurrent"] and self.overcurrent.peak is not None)
        model = self.limiter
        assert (dut.breaker_closed_o.value == 1) == (model.state == 0)
        assert int(dut.lim_state_o.value) == model.state
        assert int(dut.lim_tries_o.value) == model.tries
        assert int(dut.lim_limit_o.value) == model.limit
        assert int(dut.lim_current_o.value) == model.current
        assert (int(dut.lim_applied_id_o.value), int(dut.lim_applied_at_o.value)) == model.applied
        assert (dut.lim_pending_o.value == 1) == (model.pending is not None)
        assert int(dut.lim_id_o.value) == (model.id or 0)
        if model.pending:
            assert (dut.lim_pending_tick_o.value == 1) == model.pending.by_tick
        gasp = self.last_gasp
        ports = (dut.lg_state_o, dut.lg_onset_o, dut.lg_return_o, dut.lg_declared_o, dut.lg_momentary_o)
        stamps = (gasp.state, gasp.onset, gasp.returned_at, gasp.declared, gasp.momentary)
        assert tuple(int(port.value) for port in ports) == stamps
        assert (dut.last_gasp_o.value == 1) == (gasp.state == DECLARED)
        assert int(dut.hold_energy_o.value) == (self.holdup.energy if on["holdup"] else 0)
        assert (dut.hold_low_o.value == 1) == (on["holdup"] and self.holdup.low)
        assert int(dut.int_ticks_o.value) == self.intervals.ticks
        assert int(dut.int_minute_o.value) == self.intervals.minute
        assert int(dut.int_count_o.value) == len(self.intervals.ring)

    async def check_records(self) -> None:
        """Compare the newest record of each length."""
        dut, model = self.dut, self.intervals
        await clocks(dut, RECORD_CLOCKS)
        assert dut.int_busy_o.value == 0
        places = {RING + place: model.latest.get(length) for place, length in enumerate(LENGTHS[1:])}
        places[int(dut.int_newest_o.value)] = model.ring[-1] if model.ring else None
        for place, length in enumerate(LENGTHS[1:]):
            assert int(dut.int_latest_o.value) >> place & 1 == (length in model.latest)
        for record, expected in places.items():
            if expected is None:
                continue
            words = []
            for word in range(WORDS):
                dut.int_addr_i.value = WORDS * record + word
                await pulse(dut, dut.int_req_i)
                assert dut.int_ack_o.value == 1
                words.append(int(dut.int_data_o.value))
            assert words == expected.words()


async def begin(dut: Any, name: str) -> Bench:
    bench = Bench(dut, seeded(name))
    await start(dut, **{f"{name}_i": 0 for name in RESTING})
    for watcher in (bench.watch, bench.watch_crossings, bench.stand_in_for_the_guard):
        cocotb.start_soon(watcher())
    return bench


@cocotb.test()
async def events_and_registers_are_the_models(dut: Any) -> None:
    """Every kind of event, beside each other and in order; resets between, at any clock of a sample."""
    bench = await begin(dut, "walk")
    kinds: set[int] = set()
    for turn in range(24):
        await bench.begin(small=turn % 2 == 0)
        for _ in range(100):
            await bench.between()
            kinds |= {event.kind for event in await bench.sample()}
            bench.check_ports()
            if bench.rng.random() < 0.1:
                await bench.check_records()
        await pulse(dut, dut.valid_i)
        await clocks(dut, bench.rng.randrange(64))
    assert kinds == KINDS


@cocotb.test()
async def counts_have_their_full_width(dut: Any) -> None:
    """Long waits and old counts: the flip-flops are put to what they would be, and the models too."""
    bench = await begin(dut, "width")
    for turn in range(24):
        await bench.begin(small=turn % 2 == 0)
        for _ in range(20):
            if bench.rng.random() < 0.5:
                bench.overcurrent.samples = bench.rng.getrandbits(32)
                dut.u_overcurrent.steps_q.value = bench.overcurrent.samples
                bench.last_gasp.declared, bench.last_gasp.momentary = (bench.rng.getrandbits(15) for _ in range(2))
                dut.u_last_gasp.declared_o.value = bench.last_gasp.declared
                dut.u_last_gasp.momentary_o.value = bench.last_gasp.momentary
                bench.intervals.ticks = bench.rng.getrandbits(32)
                dut.u_intervals.ticks_q.value = bench.intervals.ticks
                if bench.last_gasp.state == 1:
                    bench.last_gasp.waited = bench.rng.getrandbits(28)
                    dut.u_last_gasp.wait_q.value = bench.last_gasp.waited
            await bench.between()
            await bench.sample()
            bench.check_ports()
            await bench.check_records()


@cocotb.test()
async def fifteen_tries_lock_out_at_the_fifteenth(dut: Any) -> None:
    """A load far above the limit for good; each trip is one step of the count, 15 is the most a setting can ask."""
    bench = await begin(dut, "tries")
    await bench.begin(small=True)
    for name, value in (("tries", 15), ("trip", 1), ("reclose", 1), ("clear", 1 << 20), ("sum", 0)):
        getattr(dut, f"lim_{name}_i").value = value
    dut.limiter_i.value = 1
    dut.irms1_i.value, dut.lim_value_i.value, dut.lim_id_i.value = 2000, 1000, 1
    await pulse(dut, dut.lim_apply_i)
    tries = []
    for index in range(60):
        dut.index_i.value = index
        await pulse(dut, dut.valid_i)
        await pulse(dut, dut.publish_i)
        await clocks(dut, 64)
        tries.append(int(dut.lim_tries_o.value))
    assert sorted(set(tries)) == list(range(16))
    assert [event.kind for event in bench.seen if event.kind == LIMIT_LOCKOUT] == [LIMIT_LOCKOUT]
    assert dut.breaker_closed_o.value == 0
