"""The board's meter: from front-end events to notices."""

import pytest

from hil.firmware import Firmware
from twin.field.notice import meter_key, unseal
from twin.wire import Configure, Downlink

MS, S = 1_000_000, 1_000_000_000
KEY = meter_key(1, 42)


def firmware(**changes):
    settings = {
        "meter": 42,
        "key": KEY,
        "seed": 1,
        "nominal_v": 100.0,
        "nominal_hz": 50,
        "point_on_wave_deg": 0.0,
        "source_port": 0,
        "clocks_per_sample": 64,
        "declare_ns": 3 * S,
        "window_ns": 10 * S,
        "confirm_return_ns": S,
        "notice_window_ns": 5 * S,
        "handoff_ns": 20 * MS,
        "answer_ns": 60 * MS,
        "holdup_nj": 8 * 10**9,
        "listen_nw": 100_000_000,
        "sends_notices": True,
        "credits": 4,
        "telemetry_port": 0,
        "real_time": False,
    }
    return Firmware(Configure(**(settings | changes)))


def played(device, events, until_s):
    """Feed (kind, time) events in order and return all notices up to a time, stepping 20 ms at a time."""
    notices, waiting = [], sorted(events, key=lambda event: event[1])
    for t_ns in range(0, int(until_s * S), 20 * MS):
        while waiting and waiting[0][1] < t_ns + 20 * MS:
            device.event(*waiting.pop(0))
        notices += device.due(t_ns + 20 * MS)
    return notices


def test_an_outage_that_lasts_is_declared_once_within_its_window():
    (notice,) = played(firmware(), [("power_fail", S), ("power_fail_confirmed", S + 20 * MS)], 30)
    assert notice.detected_ns == S
    assert 4 * S <= notice.t_ns - 20 * MS <= 14 * S
    opened = unseal(KEY, notice.data)
    assert opened == notice.content
    assert (opened.kind, opened.counter, opened.supply) == ("last_gasp", S // 125_000, False)
    # 100 mW of listening since the detection, from 8 J
    assert opened.energy_left_uj == pytest.approx(8e6 - 0.1 * (notice.t_ns - S) / 1e9 * 1e6, abs=1)


@pytest.mark.parametrize("end", ["power_fail_withdrawn", "power_return"])
def test_a_momentary_loss_says_nothing(end):
    assert played(firmware(), [("power_fail", S), (end, 3 * S)], 30) == []


def test_the_return_is_reported_after_its_confirmation():
    gasp, back = played(firmware(), [("power_fail", S), ("power_return", 20 * S)], 40)
    assert (gasp.content.kind, back.content.kind) == ("last_gasp", "power_return")
    assert 21 * S <= back.t_ns - 20 * MS <= 26 * S
    assert back.content.supply
    assert (gasp.content.sequence, back.content.sequence) == (1, 1)  # one counter per kind
    assert back.content.counter > gasp.content.counter


def test_polling_only_meters_never_speak_first_but_answer():
    device = firmware(sends_notices=False)
    assert played(device, [("power_fail", S)], 30) == []
    answer = device.poll(Downlink(30 * S, 5))
    assert answer.t_ns == 30 * S + 60 * MS
    assert unseal(KEY, answer.data).supply is False


def test_a_poll_is_answered_with_the_state_of_its_moment():
    device = firmware(sends_notices=False)
    device.event("power_fail", 2 * S)
    device.event("power_return", 5 * S)
    answers = [device.poll(Downlink(t_ns, 1)).content for t_ns in (S, 3 * S, 6 * S)]
    assert [answer.supply for answer in answers] == [True, False, True]
    assert [answer.sequence for answer in answers] == [1, 2, 3]


def test_a_store_that_is_empty_reads_zero():
    device = firmware()
    assert device.energy_left_nj(79 * S, 0) == 100_000_000
    assert device.energy_left_nj(1000 * S, 0) == 0
    assert device.energy_left_nj(1000 * S, None) == 8 * 10**9


def test_steps_of_the_clock_do_not_matter():
    events = [("power_fail", S), ("power_return", 20 * S)]
    coarse, notices = firmware(), []
    for kind, t_ns in events:
        notices += coarse.due(t_ns)
        coarse.event(kind, t_ns)
    notices += coarse.due(60 * S)
    assert notices == played(firmware(), events, 60)
