"""The head end: what it accepts, refuses and believes; the WAN and the concentrators in front of it."""

from collections import Counter

import pytest
import simpy

from twin.field.notice import Notice, meter_key, seal
from twin.office.concentrator import Concentrators
from twin.office.headend import HeadEnd, SequenceWindow
from twin.office.wan import Wan
from twin.scenario import Concentrator as ConcentratorSettings
from twin.scenario import HeadEnd as HeadEndSettings
from twin.scenario import Wan as WanSettings

METERS = 10


def bytes_of(meter=3, sequence=1, kind="last_gasp", supply=False, seed=1, counter=0):
    return seal(meter_key(seed, meter), Notice(kind, meter, sequence, counter, 0, supply))


def judged(*messages):
    """Return the head end and its verdicts after the messages, in order."""
    env = simpy.Environment()
    head_end = HeadEnd(env, HeadEndSettings(workers=1), lambda meter: meter_key(1, meter), METERS)
    verdicts = []
    for data in messages:
        head_end.receive(data, verdicts.append)
    env.run(until=10**9)
    return head_end, [v.reason for v in verdicts]


def test_a_genuine_gasp_is_believed():
    head_end, reasons = judged(bytes_of())
    assert reasons == ["accepted"]
    assert head_end.beliefs.dark.nonzero()[0].tolist() == [3]


def test_a_replayed_gasp_changes_nothing_and_is_counted():
    back = bytes_of(kind="power_return", supply=True, counter=1)
    head_end, reasons = judged(bytes_of(), back, bytes_of())
    assert reasons == ["accepted", "accepted", "repeated"]
    assert not head_end.beliefs.dark.any()
    assert head_end.verdicts == Counter(accepted=2, repeated=1)


def test_a_forged_gasp_is_refused_and_does_not_burn_the_sequence_number():
    head_end, reasons = judged(bytes_of(seed=2), bytes_of())
    assert reasons == ["forged", "accepted"]
    assert head_end.verdicts["forged"] == 1


def test_malformed_and_unknown_senders_are_told_apart():
    _, reasons = judged(b"", b"\x01" * 31, bytes_of(meter=METERS), bytes_of()[:-1] + b"?")
    assert reasons == ["malformed", "unknown_meter", "unknown_meter", "forged"]


def test_a_late_gasp_does_not_undo_the_return_that_overtook_it():
    head_end, reasons = judged(bytes_of(kind="power_return", supply=True, counter=9), bytes_of(counter=5))
    assert reasons == ["accepted", "accepted"]
    assert not head_end.beliefs.dark.any()


def test_sequence_window_accepts_each_number_once_and_nothing_far_behind():
    """Against a set of seen numbers, over all orders of a small alphabet and a long jump."""
    window, seen, newest = SequenceWindow(), set(), -1
    for number in [0, 5, 3, 5, 4, 3, 40, 8, 9, 39, 39, 100, 68, 69, 101]:
        fits = number not in seen and number > newest - 32
        assert window.accept(number) == fits, number
        if fits:
            seen.add(number)
            newest = max(newest, number)


def test_workers_take_time_and_work_side_by_side():
    env = simpy.Environment()
    head_end = HeadEnd(env, HeadEndSettings(workers=2, verify_ms=10.0), lambda m: meter_key(1, m), METERS)
    times = []
    for sequence in range(4):
        head_end.receive(bytes_of(sequence=sequence), lambda verdict: times.append(verdict.t_ns))
    env.run(until=10**9)
    assert times == [10_000_000, 10_000_000, 20_000_000, 20_000_000]


def test_wan_gives_up_with_the_chance_of_losing_every_try():
    env = simpy.Environment()
    wan = Wan(env, WanSettings(loss=0.5, tries=3, resend_s=1.0), seed=5)
    ends = Counter()
    for _ in range(8000):
        wan.carry(lambda: ends.update(delivered=1), lambda: ends.update(lost=1))
    env.run(until=100 * 10**9)
    assert ends.total() == 8000
    assert ends["lost"] / 8000 == pytest.approx(1 / 8, abs=4 * (1 / 8 * 7 / 8 / 8000) ** 0.5)  # four standard errors


def test_wan_delay_is_latency_plus_exponential_jitter():
    env = simpy.Environment()
    wan = Wan(env, WanSettings(loss=0.0, latency_ms=60.0, jitter_ms=40.0), seed=5)
    times = []
    for _ in range(8000):
        wan.carry(lambda: times.append(env.now / 1e6), lambda: None)
    env.run(until=10 * 10**9)
    assert min(times) >= 60.0
    assert sum(times) / len(times) == pytest.approx(100.0, abs=4 * 40 / 8000**0.5)  # four standard errors


def test_a_concentrator_forwards_one_message_at_a_time():
    env = simpy.Environment()
    wan = Wan(env, WanSettings(loss=0.0, latency_ms=60.0, jitter_ms=0.0), seed=1)
    boxes = Concentrators(env, ConcentratorSettings(process_ms=30.0), wan, 2)
    times = []
    for box in (0, 0, 1):
        boxes.uplink(box, lambda b=box: times.append((b, env.now // 1_000_000)), lambda: None)
    env.run(until=10**9)
    assert sorted(times) == [(0, 90), (0, 120), (1, 90)]
