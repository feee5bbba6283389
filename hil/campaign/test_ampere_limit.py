"""The ampere limit: applied, read back, reserved, cancelled; and, on a bench with a load, what it does."""

from __future__ import annotations

import pytest

from hil.campaign.looks import check_bench
from hil.evidence.bench import Bench
from hil.evidence.measures import Measures

FULL_A, LOW_A = 60.0, 10.0  # the two limits of the islanded microgrid, R23
READ_BACK_A = 0.05  # half of a step of what a meter shows: 0.1 A (ECHONET Lite 0x0288, 0xE8)
AHEAD_S = 0.5
TRIP_S, RECLOSE_S, TRIES = 0.5, 0.4, 2  # short, so that a whole series fits into seconds


@pytest.mark.requirement("R21", "R24")
def test_limit_is_applied_and_read_back(bench: Bench, measure: Measures) -> None:
    front_end = bench.front_end
    bench.supply(bench.station.supply.nominal_hz)
    front_end.configure_limit()
    measure.same("limit of 60 A", front_end.limit_now(FULL_A, 1), "accepted")
    measure.same("the same command again", front_end.limit_now(FULL_A, 1), "duplicate")
    _read_back(bench, measure, FULL_A, 1)
    measure.same("limit of 10 A", front_end.limit_now(LOW_A, 2), "accepted")
    _read_back(bench, measure, LOW_A, 2)
    check_bench(bench, measure)


@pytest.mark.requirement("R22")
def test_reserved_limit_comes_at_its_sample(bench: Bench, measure: Measures) -> None:
    front_end = bench.front_end
    bench.supply(bench.station.supply.nominal_hz)
    front_end.configure_limit()
    measure.same("limit of 60 A", front_end.limit_now(FULL_A, 11), "accepted")
    at = front_end.measure().samples + round(AHEAD_S * bench.rate_hz)
    measure.same("10 A, half a second ahead", front_end.limit_at(LOW_A, at, 12), "accepted")
    _read_back(bench, measure, FULL_A, 11)
    bench.elapse(2 * AHEAD_S)
    _read_back(bench, measure, LOW_A, 12)
    late = front_end.limit_state().applied_sample - at
    measure("applied after its sample", late, "samples", low=0, high=0)
    check_bench(bench, measure)


@pytest.mark.requirement("R22")
def test_cancelled_reservation_does_not_come(bench: Bench, measure: Measures) -> None:
    front_end = bench.front_end
    bench.supply(bench.station.supply.nominal_hz)
    front_end.configure_limit()
    measure.same("limit of 60 A", front_end.limit_now(FULL_A, 21), "accepted")
    at = front_end.measure().samples + round(AHEAD_S * bench.rate_hz)
    measure.same("10 A, half a second ahead", front_end.limit_at(LOW_A, at, 22), "accepted")
    measure.same("cancelled", front_end.cancel_limit(23), "accepted")
    measure.same("cancelled again, another command", front_end.cancel_limit(24), "refused")
    bench.elapse(2 * AHEAD_S)
    _read_back(bench, measure, FULL_A, 21)
    check_bench(bench, measure)


@pytest.mark.requirement("R21")
def test_use_above_the_limit_trips_until_it_locks_out(bench: Bench, measure: Measures) -> None:
    """The load stays on: on this bench the breaker's line switches nothing."""
    if not bench.station.load.power_w:
        pytest.skip("this bench has no load; say load.power_w in the station file")
    front_end, hz = bench.front_end, bench.station.supply.nominal_hz
    bench.supply(hz)
    front_end.configure_limit(trip_s=TRIP_S, reclose_s=RECLOSE_S, tries=TRIES)
    current_a = front_end.power().i_rms_half_a
    measure("current of the load", current_a, "A")
    measure.same("limit of half of it", front_end.limit_now(current_a / 2, 31), "accepted")
    applied = front_end.limit_state().applied_sample
    bench.elapse(TRIES * (TRIP_S + RECLOSE_S) + AHEAD_S)
    events = [event for event in front_end.events() if event.kind.startswith("limit_")]
    said = ", ".join(event.kind.removeprefix("limit_") for event in events)
    measure.same("what it did", said, "trip, reclose, trip, lockout")
    if len(events) > 1:
        cycle_s = 1 / hz  # currents are compared half cycle by half cycle
        tripped_s = (events[0].sample - applied) / bench.rate_hz
        measure("tripped after", tripped_s, "s", low=TRIP_S, high=TRIP_S + cycle_s)
        reclosed_s = (events[1].sample - events[0].sample) / bench.rate_hz
        measure("closed again after", reclosed_s, "s", low=RECLOSE_S, high=RECLOSE_S + cycle_s)
    measure.same("released", front_end.release_breaker(32), "accepted")
    measure.same("no limit", front_end.limit_now(None, 33), "accepted")
    measure.same("breaker at the end", front_end.limit_state().state, "closed")
    check_bench(bench, measure)


def _read_back(bench: Bench, measure: Measures, limit_a: float, command_id: int) -> None:
    state = bench.front_end.limit_state()
    applied_a = float("nan") if state.limit_a is None else state.limit_a
    measure("limit read back", applied_a, "A", low=limit_a - READ_BACK_A, high=limit_a + READ_BACK_A)
    measure("command that set it", state.applied_id, "id", low=command_id, high=command_id)
