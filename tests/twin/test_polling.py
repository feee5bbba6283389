"""Polling: who is asked, how often, and what silence means."""

from itertools import pairwise

import numpy as np
import pytest
import simpy

from twin.office.headend import Beliefs
from twin.office.polling import Polling
from twin.scenario import Policy

S = 1_000_000_000
MEMBERS = [np.arange(0, 10), np.arange(10, 20), np.arange(20, 21)]
POLICY = Policy(poll_sample=3, poll_tries=2, poll_timeout_s=4.0, poll_round_s=10.0, poll_rate_per_s=10.0)


def office(answers, members=MEMBERS):
    """Poll meters of which ``answers(meter)`` says lit (True), on hold-up (False) or silent (None)."""
    env = simpy.Environment()
    beliefs = Beliefs(23)

    def ask(poll):
        supply = answers(poll.meter)
        if supply is not None:
            env.timeout(S).callbacks.append(lambda _: poll.answer(env.now, supply))

    return env, beliefs, Polling(env, POLICY, 1, beliefs, members, ask)


def test_silence_after_all_tries_means_dark_for_the_whole_substation():
    env, beliefs, polling = office(lambda meter: None if meter < 10 else True)
    polling.suspect([0, 1])
    env.run(until=30 * S)
    assert beliefs.dark[:10].all()
    assert not beliefs.dark[10:].any()
    first = [p for p in polling.polls if p.meter < 10 and p.asked_ns < 10 * S]
    assert len(first) == 6  # three meters, two tries
    assert len({p.meter for p in first}) == 3
    assert all(p.cause == "timeout" for p in first)


def test_a_meter_on_hold_up_says_itself_that_it_is_dark():
    env, beliefs, polling = office(lambda meter: False)
    polling.suspect([1])
    env.run(until=9 * S)
    assert beliefs.dark[10:20].all()
    assert all(p.answered_ns is not None and p.supply is False for p in polling.polls)


@pytest.mark.parametrize(("silent", "dark"), [({20}, False), ({20, 21}, True), ({20, 21, 22}, True)])
def test_the_majority_of_the_sample_decides(silent, dark):
    """A substation of three meters, all of them asked: one silent of three is no outage, two are."""
    env, beliefs, polling = office(lambda meter: None if meter in silent else True, members=[np.arange(20, 23)])
    polling.suspect([0])
    env.run(until=9.5 * S)
    assert beliefs.dark[20:23].all() == dark
    assert beliefs.dark.any() == dark


def test_silence_does_not_override_what_a_meter_said_since():
    env, beliefs, polling = office(lambda meter: None)
    polling.suspect([0])
    env.run(until=2 * S)
    beliefs.said_ns[4] = env.now  # its own notice came after the questions went out
    env.run(until=9 * S)
    assert np.flatnonzero(~beliefs.dark[:10]).tolist() == [4]


def test_belief_follows_when_the_substation_returns():
    state = {"back": False}
    env, beliefs, polling = office(lambda meter: True if state["back"] else None)
    polling.suspect([2])
    env.run(until=12 * S)
    assert beliefs.dark[20]
    state["back"] = True
    env.run(until=40 * S)
    assert not beliefs.dark[20]


def test_the_rate_limit_holds():
    env, _, polling = office(lambda meter: None)
    polling.suspect([0, 1, 2])
    env.run(until=60 * S)
    asked = sorted(p.asked_ns for p in polling.polls)
    assert len(asked) > 20
    assert min(later - earlier for earlier, later in pairwise(asked)) >= S // 10


def test_nobody_is_asked_without_a_suspicion():
    env, _, polling = office(lambda meter: True)
    env.run(until=60 * S)
    assert polling.polls == []
