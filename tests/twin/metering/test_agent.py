"""A meter that is spoken to: bytes by hand, who is listened to, once and no more, limits over time."""

import pytest

from twin.metering import commands
from twin.metering.agent import MeterAgent
from twin.metering.limiter import AmpereLimit
from twin.metering.security import HEAD_END, meter_keys, seal, unseal
from twin.store.schema import HOUR_NS, Series

METER, OTHER = 5, 6
KEYS = meter_keys(1, METER)
AHEAD_NS = 2 * 10**9  # the meter's clock


@pytest.fixture
def agent():
    """Give a meter that draws 1,312 W, leads by 3 var and sees 101.0 V; its clock is two seconds ahead."""
    return MeterAgent(METER, KEYS, 60.0, lambda t_ns: {"p_w": 1312, "q_var": -3, "u_dv": 1010}, lambda t_ns: AHEAD_NS)


def sealed(apdu, counter=1, sender=HEAD_END, keys=KEYS):
    return seal(apdu, sender, counter, keys)


# IEC 62056-5-3: response tag, normal, the request's invoke id, result 0; a get's values with their type tags.
@pytest.mark.parametrize(
    ("apdu", "answer"),
    [
        (commands.switch_supply(False, 3), "c7 01 c3 00 00"),
        (commands.limit_amperes(10, 1), "c5 01 c1 00"),
        (commands.reserve_limit(10, 7, HOUR_NS, 7200, 2), "c5 05 c2 02 00 00"),
        (
            commands.ask_now(("p_w", "q_var", "u_dv"), 4),
            "c4 03 44 03 00 05 00000520 00 05 fffffffd 00 12 03f2",
        ),
    ],
)
def test_answers_are_those_of_the_tables(agent, apdu, answer):
    reaction = agent.take(sealed(apdu), 0)
    assert unseal(reaction.answer, KEYS)[0].hex() == answer.replace(" ", "")


def test_a_command_that_comes_twice_acts_once_and_is_answered_twice(agent):
    command = sealed(commands.switch_supply(False))
    first, second = agent.take(command, 10), agent.take(command, 20)
    assert (first.acted, second.acted) == (True, False)
    assert first.answer == second.answer
    assert agent.switch == [(10, False)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (sealed(commands.switch_supply(False), keys=meter_keys(1, OTHER)), "forged"),  # sealed for another meter
        (sealed(commands.switch_supply(False), sender=OTHER), "forged"),  # another meter that knows the keys
        (sealed(commands.switch_supply(False))[:-1] + b"\0", "forged"),
        (b"\xdb\x08", "malformed"),
    ],
)
def test_what_is_not_for_it_is_refused_without_an_answer(agent, data, reason):
    assert agent.take(data, 0) is None
    assert agent.refused == {reason: 1}
    assert agent.switch == []
    assert agent.acted == 0


def test_an_old_counter_with_another_command_is_refused(agent):
    agent.take(sealed(commands.switch_supply(False), counter=2), 0)
    assert agent.take(sealed(commands.switch_supply(True), counter=2), 0) is None
    assert agent.refused == {"repeated": 1}
    assert agent.take(sealed(commands.limit_amperes(10), counter=1), 0).acted  # overtaken on its way, not old


def test_a_re_request_comes_out_as_the_range_that_went_in(agent):
    asked = agent.take(sealed(commands.ask_range(Series.FIVE_MINUTE, HOUR_NS, 2 * HOUR_NS)), 0).asked
    assert (asked.series, asked.from_ns, asked.to_ns) == (Series.FIVE_MINUTE, HOUR_NS, 2 * HOUR_NS)


def test_an_unknown_object_is_said_to_be_undefined(agent):
    other = bytearray(commands.limit_amperes(10))
    other[4] = 40  # the class: push setup instead of limiter
    reaction = agent.take(sealed(bytes(other)), 0)
    assert unseal(reaction.answer, KEYS)[0].hex() == "c501c004"  # object-undefined
    assert agent.limit.at(HOUR_NS) == 60


def test_a_reservation_begins_by_the_meters_own_clock_and_ends_by_itself(agent):
    agent.take(sealed(commands.reserve_limit(10, 1, HOUR_NS, 3600)), 0)
    begin_ns = HOUR_NS - AHEAD_NS
    moments = (begin_ns - 1, begin_ns, begin_ns + HOUR_NS - 1, begin_ns + HOUR_NS)
    assert [agent.limit.at(t_ns) for t_ns in moments] == [60, 10, 10, 60]


def test_a_reservation_can_be_cancelled_before_and_while_it_holds():
    before, while_it_holds = AmpereLimit(60.0), AmpereLimit(60.0)
    for limit in (before, while_it_holds):
        limit.reserve(1, 10.0, 100 * 10**9, 50, 0)
    before.reserve(1, 10.0, 100 * 10**9, 0, 90 * 10**9)
    while_it_holds.reserve(1, 10.0, 100 * 10**9, 0, 120 * 10**9)
    moments = [t * 10**9 for t in (99, 100, 119, 120, 149)]
    assert [before.at(t) for t in moments] == [60] * 5
    assert [while_it_holds.at(t) for t in moments] == [60, 10, 10, 60, 60]
