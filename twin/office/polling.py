"""Polling of suspects: after a breaker alarm or a gasp, ask a sample of meters behind each substation.

A meter that stays silent for all tries is taken for dark, one that answers says itself what its supply is.
The sample's majority is the belief for all meters of the substation that said nothing themselves meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from twin.chance import Purpose, uniform
from twin.office.headend import DARK, LIT, Beliefs
from twin.scenario import Policy, ns


@dataclass
class Poll:
    """One question to one meter."""

    number: int
    meter: int
    asked_ns: int
    answered_ns: int | None = None
    supply: bool | None = None
    cause: str = ""
    done: simpy.Event | None = field(default=None, repr=False)

    def answer(self, t_ns: int, supply: bool) -> None:
        """Take the meter's answer; a second or late one changes nothing."""
        if self.answered_ns is None:
            self.answered_ns, self.supply, self.cause = t_ns, supply, ""
            if self.done is not None and not self.done.triggered:
                self.done.succeed()


class Polling:
    """Rounds over the suspected substations, until the end of the run.

    Parameters
    ----------
    env : simpy.Environment
    policy : twin.scenario.Policy
    seed : int
    beliefs : Beliefs
        Updated with what the polls show.
    members : sequence of (n,) int arrays
        The meters of each substation.
    ask : callable
        Sends a poll on its way: ``ask(poll)``; the answer comes back through ``poll.answer``.
    """

    def __init__(
        self,
        env: simpy.Environment,
        policy: Policy,
        seed: int,
        beliefs: Beliefs,
        members: Sequence[NDArray[np.int64]],
        ask: Callable[[Poll], None],
    ):
        self._env = env
        self._policy = policy
        self._seed = seed
        self._beliefs = beliefs
        self._members = members
        self._ask = ask
        self._suspects: set[int] = set()
        self._send_slot = simpy.Resource(env, capacity=1)
        self.polls: list[Poll] = []
        self.conclusions: list[tuple[int, int, int]] = []  # (t_ns, meter asked, state)

    def suspect(self, substations: Sequence[int]) -> None:
        """Add substations to the rounds; the first ones start them."""
        started = bool(self._suspects)
        self._suspects.update(int(s) for s in substations if self._members[int(s)].size)
        if self._suspects and not started:
            self._env.process(self._rounds())

    def _rounds(self) -> Generator[simpy.Event, Any, None]:
        number = 0
        while True:
            asked = [self._env.process(self._ask_substation(s, number)) for s in sorted(self._suspects)]
            yield self._env.all_of(asked)
            number += 1
            yield self._env.timeout(ns(self._policy.poll_round_s))

    def _ask_substation(self, substation: int, round_number: int) -> Generator[simpy.Event, Any, None]:
        members, started_ns = self._members[substation], self._env.now
        luck = uniform(self._seed, members, round_number, Purpose.POLL_SAMPLE)
        sample = members[np.argsort(luck, kind="stable")[: self._policy.poll_sample]]
        found = [self._env.process(self._ask_meter(int(meter))) for meter in sample]
        yield self._env.all_of(found)
        states = [process.value for process in found]
        majority = DARK if 2 * states.count(DARK) > len(states) else LIT
        for meter in members[self._beliefs.said_ns[members] < started_ns]:
            self._beliefs.learn(self._env.now, int(meter), majority, "poll")

    def _ask_meter(self, meter: int) -> Generator[simpy.Event, Any, int]:
        for _ in range(self._policy.poll_tries):
            with self._send_slot.request() as slot:
                yield slot
                yield self._env.timeout(ns(1 / self._policy.poll_rate_per_s))
            poll = Poll(len(self.polls), meter, self._env.now, done=self._env.event())
            self.polls.append(poll)
            self._ask(poll)
            yield poll.done | self._env.timeout(ns(self._policy.poll_timeout_s))
            if poll.answered_ns is not None:
                return self._conclude(meter, LIT if poll.supply else DARK)
            poll.cause = poll.cause or "timeout"
        return self._conclude(meter, DARK)

    def _conclude(self, meter: int, state: int) -> int:
        self.conclusions.append((self._env.now, meter, state))
        return state
