"""The control blocks in the compiled front-end, through the driver: what a meter's firmware would do with them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hdl import scaling
from hdl.driver import Event, FrontEnd
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from teiden.errors import InputError, PartFailed

RATE, HZ, VOLTS, MAX_A = 8000, 50, 100.0, 120.0
NewBoard = Callable[..., CompiledFrontEnd]


class Supply:
    """A steady supply whose voltage and currents are set from call to call, its phase going on."""

    def __init__(self, board: CompiledFrontEnd):
        self.board, self.samples = board, 0

    def give(self, seconds: float, volts: float = VOLTS, amps: float = 0.0, second_a: float = 0.0) -> None:
        """Push so many seconds; both elements see the same voltage."""
        count = round(seconds * RATE)
        angle = 2 * np.pi * HZ * (self.samples + np.arange(count)) / RATE
        u = scaling.codes_from_volts(volts * 2**0.5 * np.sin(angle))[0]
        i1, i2 = (scaling.codes_from_amps(rms * 2**0.5 * np.sin(angle), MAX_A)[0] for rms in (amps, second_a))
        self.board.push(np.stack([u, i1, u, i2], axis=1))
        self.samples += count


def started(board: CompiledFrontEnd) -> tuple[FrontEnd, Supply]:
    """Return driver and supply of a board that has seen half a second of voltage."""
    driver = FrontEnd(board, max_a=MAX_A)
    driver.configure(nominal_hz=HZ, nominal_v=VOLTS, quality=True)
    supply = Supply(board)
    supply.give(0.5)
    driver.events()
    return driver, supply


def seconds(events: list[Event], kind: str) -> list[float]:
    """Return when events of a kind came [s]."""
    return [event.sample / RATE for event in events if event.kind == kind]


def test_a_load_above_the_limit_trips_re_closes_and_locks_out(board: CompiledFrontEnd) -> None:
    driver, supply = started(board)
    driver.configure_limit(trip_s=0.5, reclose_s=0.3, clear_s=5, tries=2, most_a=60)
    assert driver.limit_now(30, command_id=7) == "accepted"
    begin = supply.samples / RATE
    while supply.samples < (begin + 2.5) * RATE:  # the breaker is in the current's way
        supply.give(0.01, amps=31 if board.breaker_closed else 0)
    events = driver.events()
    trips, recloses, lockouts = (seconds(events, f"limit_{kind}") for kind in ("trip", "reclose", "lockout"))
    # A cycle's RMS is above 30 A of 31 within 20 ms of the current, published 2 ms later, in windows of 10 ms.
    assert len(trips) == 2
    assert trips[0] == pytest.approx(begin + 0.5, abs=0.04)
    assert recloses == [pytest.approx(trips[0] + 0.3, abs=0.5 / RATE)]
    assert trips[1] == pytest.approx(recloses[0] + 0.5, abs=0.06)
    assert lockouts == [pytest.approx(trips[1] + 1 / RATE)]
    trip = next(event for event in events if event.kind == "limit_trip")
    assert trip.detail is not None
    assert trip.detail.value == pytest.approx(31, rel=2e-4)  # Irms, docs/front-end.md
    assert trip.detail.extra == pytest.approx(30, rel=1e-6)
    state = driver.limit_state()
    assert (state.state, state.tries, state.applied_id, board.breaker_closed) == ("locked_out", 2, 7, False)
    assert driver.release_breaker(command_id=7) == "duplicate"
    assert driver.release_breaker(command_id=8) == "accepted"
    assert board.breaker_closed
    supply.give(0.01)
    assert [event.kind for event in driver.events()] == ["limit_release"]


def test_the_limit_holds_for_the_larger_pole_or_for_their_sum(new_board: NewBoard) -> None:
    for sum_of_poles, expected_a in ((False, 20.0), (True, 32.0)):
        board = new_board()
        driver, supply = started(board)
        driver.configure_limit(trip_s=0.2, sum_of_poles=sum_of_poles)
        driver.limit_now(25, command_id=1)
        supply.give(0.6, amps=12, second_a=20)
        assert driver.limit_state().current_a == pytest.approx(expected_a, rel=2e-4)
        assert board.breaker_closed is (expected_a < 25)


def test_a_scheduled_limit_comes_at_its_sample_and_misuse_is_refused(board: CompiledFrontEnd) -> None:
    driver, supply = started(board)
    driver.configure_limit(least_a=10, most_a=60)
    at = supply.samples + 400
    assert driver.limit_at(10, supply.samples - 1, command_id=1) == "refused"  # in the past
    assert driver.limit_at(61, at, command_id=2) == "refused"
    assert driver.cancel_limit(command_id=3) == "refused"
    assert driver.limit_at(10, at, command_id=4) == "accepted"
    assert driver.limit_at(20, at, command_id=4) == "duplicate"
    assert driver.limit_at(20, at, command_id=5) == "refused"  # one waits already
    assert driver.misuse() == {"refused"}
    supply.give(400 / RATE)
    assert driver.limit_state().limit_a is None
    supply.give(1 / RATE)
    state = driver.limit_state()
    assert (state.limit_a, state.applied_id, state.applied_sample) == (pytest.approx(10, rel=1e-6), 4, at)
    assert driver.limit_after_ticks(None, 2, command_id=6) == "accepted"
    board.minute_tick()
    supply.give(0.001)
    assert driver.limit_state().pending
    board.minute_tick()
    supply.give(0.001)
    assert driver.limit_state().limit_a is None
    assert driver.limit_at(20, supply.samples + 100, command_id=9) == "accepted"
    assert driver.cancel_limit(command_id=10) == "accepted"
    supply.give(0.1)
    assert driver.limit_state().limit_a is None


def test_a_rapid_change_is_told_with_its_depth_and_a_dip_is_none(board: CompiledFrontEnd) -> None:
    driver, supply = started(board)
    driver.configure_rapid_change(nominal_hz=HZ, nominal_v=VOLTS)
    supply.give(1.3)
    assert driver.events() == []
    supply.give(1.3, volts=93)
    events = driver.events()
    assert [event.kind for event in events] == ["rvc_start", "rvc_end"]
    start, end = (event.detail for event in events)
    assert start is not None
    assert end is not None
    # The cycle across the step lies between: above 95 V it is still near the mean, and counts into it as one of 100.
    assert 99.949 < start.extra < 100.001
    assert end.extra == pytest.approx(7, abs=0.08)  # 0.05 V of the mean before, and the bar of Urms(1/2)
    assert end.value == pytest.approx(7, abs=0.08)
    assert (events[1].sample - events[0].sample) / RATE == pytest.approx(1.0, abs=0.03)  # 100 half cycles
    supply.give(1.3)  # back to 100 V
    assert [event.kind for event in driver.events()] == ["rvc_start", "rvc_end"]
    supply.give(0.2, volts=60)
    supply.give(1.3)
    assert [event.kind for event in driver.events() if event.kind.startswith("rvc")] == []


def test_a_loss_makes_a_last_gasp_and_no_energy_is_lost_over_freeze_and_minutes(new_board: NewBoard) -> None:
    board, twin = new_board(), new_board()  # the twin never freezes
    (driver, supply), (other, second) = started(board), started(twin)
    driver.configure_last_gasp(declare_s=0.2)
    driver.configure_holdup(full_scale_v=8.0, low_v=4.0, stop_v=2.5)
    board.give_holdup_code(2560)  # 5 V
    for end in (driver, other):
        end.end_minute()
    for source in (supply, second):
        source.give(0.5, amps=50)
        source.give(0.3, volts=0, amps=50)  # a current may flow on: energy without voltage is none
    frozen, free = driver.power(), other.power()
    assert driver.last_gasp().frozen
    assert board.last_gasp
    for end in (driver, other):
        end.end_minute()
    for source in (supply, second):
        source.give(0.7, amps=50)
    events = driver.events()
    fail, gasp = (next(e for e in events if e.kind == kind) for kind in ("power_fail", "last_gasp"))
    assert gasp.sample - fail.sample == 0.2 * RATE
    state = driver.last_gasp()
    assert state.state == "returned"  # it was never sent: the return overtook it
    assert state.onset / RATE == pytest.approx(1.0, abs=0.4e-3)  # docs/front-end.md: -0.31 to +0.07 ms, and the trip
    assert not board.last_gasp
    volts, energy_j, low = driver.holdup(full_scale_v=8.0, capacitance_f=1.0)
    assert (volts, low) == (5.0, False)
    assert energy_j == pytest.approx(0.5 * 1.0 * (5.0**2 - 2.5**2))  # E = C/2 (V0^2 - V1^2)
    driver.return_reported()
    assert driver.last_gasp().state == "idle"
    for end, source in ((driver, supply), (other, second)):
        end.end_minute()
        source.give(0.01, amps=50)
    # Frozen, the register stood where it was at the suspicion; the twin counted on, a half cycle at most.
    assert 0 <= free.forward_wh - frozen.forward_wh < VOLTS * 50 * 0.02 / 3600
    assert driver.power().forward_wh == other.power().forward_wh
    mine, theirs = driver.minutes(), other.minutes()
    assert [minute.frozen for minute in mine] == [False, True, True]
    assert [minute.frozen for minute in theirs] == [False] * 3
    # What the freeze held back came in the interval after it, to the step of the records.
    step_wh = 2**38 / (scaling.CODES_PER_VOLT * scaling.codes_per_amp(MAX_A)) / RATE / 3600
    assert sum(m.forward_wh for m in mine) == pytest.approx(sum(m.forward_wh for m in theirs), abs=step_wh / 2)
    assert sum(m.forward_wh for m in mine) == pytest.approx(driver.power().forward_wh, abs=VOLTS * 50 * 0.03 / 3600)
    assert [minute.whole for minute in mine] == [False, True, True]


def test_thirty_minutes_add_up_by_five_and_fifteen(board: CompiledFrontEnd) -> None:
    driver, supply = started(board)
    with pytest.raises(InputError, match="0 to 29"):
        driver.align_minutes(30)
    driver.align_minutes(29)  # so the next tick ends an interval of every length
    driver.end_minute()
    rng = np.random.default_rng(5)
    for _ in range(30):  # minutes of 50 ms: the tick says what a minute is
        supply.give(0.05, amps=float(rng.uniform(5, 100)))
        driver.end_minute()
    supply.give(0.001)
    ring = driver.minutes()[-30:]
    assert len(driver.minutes()) == 31
    for minutes in (5, 15, 30):
        latest = driver.interval(minutes)
        assert latest is not None
        assert latest.forward_wh == pytest.approx(sum(m.forward_wh for m in ring[-minutes:]), rel=1e-12)
        assert latest.whole
        assert latest.duration_s == pytest.approx(0.05 * minutes, abs=1.5 / RATE)  # a tick counts with the next sample


def test_locked_settings_stand_and_a_flipped_bit_is_told(board: CompiledFrontEnd) -> None:
    driver, supply = started(board)
    before = {address: board.read32(address) for address in regs.LOCKED}
    good = driver.lock()
    assert good == zlib.crc32(b"".join(before[a].to_bytes(4, "little") for a in sorted(before)))
    for address in regs.LOCKED:
        board.write32(address, before[address] ^ 0xFFFFFFFF)
    assert {address: board.read32(address) for address in regs.LOCKED} == before
    assert driver.misuse() >= {"locked_write"}
    with pytest.raises(PartFailed, match="unlock"):
        driver.configure_last_gasp()
    supply.give(0.1)
    state = driver.lock_state()
    assert (state.locked, state.reference, state.checksum, state.mismatch) == (True, good, good, False)
    driver.unlock()
    board.write32(regs.LIM_TRIP, 1234)
    assert board.read32(regs.LIM_TRIP) == 1234
    driver.clear_misuse()
    board.read32(0x3FFC)
    assert driver.misuse() == {"unmapped"}


def test_addresses_without_a_register_read_zero_and_are_told(board: CompiledFrontEnd) -> None:
    driver, _ = started(board)
    sizes = {name.removesuffix("_WORDS"): value for name, value in vars(regs).items() if name.endswith("_WORDS")}
    others = ("_MASK", "_SHIFT", "_WORDS", "_EXPECTED", "LOCKED")
    names = [name for name in vars(regs) if name.isupper() and not name.endswith(others)]
    mapped = {getattr(regs, name) + 4 * word for name in names for word in range(sizes.get(name, 1))}
    before = {address: board.read32(address) for address in regs.LOCKED}
    driver.clear_misuse()
    for address in sorted(set(range(0, 0x8000, 4)) - mapped):
        assert board.read32(address) == 0, hex(address)
    assert driver.misuse() == {"unmapped"}
    for high in (0x1000, 0x2000, 0x4000):
        for address in regs.LOCKED:
            if address + high not in mapped:
                board.write32(address + high, 0x5A5A5A5A)
    assert {address: board.read32(address) for address in regs.LOCKED} == before


def run_all(board: CompiledFrontEnd) -> list[Any]:
    """Return every event and state of a second full of incidents."""
    driver, supply = started(board)
    driver.configure_limit(trip_s=0.1, reclose_s=0.1, tries=2)
    driver.configure_overcurrent(40, 2)
    driver.configure_rapid_change()
    driver.configure_last_gasp(declare_s=0.05)
    driver.watch_crossings()
    driver.limit_at(20, supply.samples + 77, command_id=3)
    supply.give(1.1, amps=50)
    supply.give(0.15, volts=0)
    supply.give(0.2, volts=91, amps=3)
    driver.end_minute()
    supply.give(0.05)
    return [driver.events(), driver.limit_state(), driver.last_gasp(), driver.minutes(), driver.status()]


def test_control_depends_on_samples_only(new_board: NewBoard) -> None:
    first, second = run_all(new_board(64)), run_all(new_board(97))
    assert first == second
    kinds = {event.kind for event in first[0]}
    assert kinds >= {"limit_trip", "limit_lockout", "overcurrent_start", "last_gasp", "crossing_lost"}
    assert not math.isnan(first[1].current_a)
