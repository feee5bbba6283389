"""Head end and meters talk: every request, command and confirmation as real sealed bytes, checked at both ends."""

from __future__ import annotations

from collections import Counter

import numpy as np

from twin.collection.errands import COMMANDS, Errand
from twin.collection.firmware import Firmware
from twin.collection.frames import message_psdu_bytes
from twin.collection.ledger import Ledger
from twin.collection.settings import CollectionScenario
from twin.collection.traffic import TrafficClass
from twin.field.notice import OVERHEAD_BYTES
from twin.metering import commands
from twin.metering.agent import MeterAgent, Reaction
from twin.metering.image import GET_DATA, activate, ask_blocks, read_blocks, transfer_block
from twin.metering.memory import MeterMemory
from twin.metering.security import HEAD_END, PayloadRefused, claimed_sender, meter_keys, seal, unseal
from twin.store.schema import HOUR_NS, INTERVAL_NS

RESERVATION = 1  # the number of the wave's reservation
SUCCESS = {b"\xc7\x01": b"\0\0", b"\xc5\x01": b"\0", b"\xc5\x05": b"\x02\0\0"}
"""What follows the invoke id when an action, a set, or a set of two attributes was done."""


class Dialogue:
    """Makes the head end's requests, lets meters react to them, and checks what they answer.

    Parameters
    ----------
    scenario : CollectionScenario
    memory : MeterMemory
        What meters measure, and how their clocks err.
    classes : list of TrafficClass
    ledger : Ledger
    firmware : Firmware or None
        The image that meters get.

    Attributes
    ----------
    agents : dict
        By meter; only those that were spoken to.
    counts : Counter
        ``answers`` that the head end found genuine and ``faulty`` ones; ``strayed`` requests that reached another
        meter, and those of them that were ``acted_astray``.
    """

    def __init__(
        self, scenario: CollectionScenario, memory: MeterMemory, classes: list[TrafficClass], ledger: Ledger,
        firmware: Firmware | None,
    ):  # fmt: skip
        self.firmware = firmware
        self._scenario = scenario
        self._memory = memory
        self._classes = classes
        self._ledger = ledger
        self._counters: Counter[int] = Counter()
        self.agents: dict[int, MeterAgent] = {}
        self.counts: Counter[str] = Counter()

    def request_bytes(self, errand: Errand) -> int:
        """Return the PSDU of an errand's request [B]; it is sealed once and repeated as it is."""
        if errand.request is None:
            self._counters[errand.meter] += 1
            keys = meter_keys(self._scenario.seed, errand.meter)
            errand.request = seal(self._apdu(errand), HEAD_END, self._counters[errand.meter], keys)
        return OVERHEAD_BYTES + len(errand.request)

    def reach(self, errand: Errand, meter: int, t_ns: int) -> int | None:
        """Let a meter take the request; return the PSDU of its answer [B], None if it stays silent."""
        assert errand.request is not None
        lacked = self._lacks_block(errand)
        agent = self._agent(meter)
        reaction = agent.take(errand.request, t_ns)
        if reaction is not None and reaction.acted and errand.kind in COMMANDS:
            self._memory.curtailed.note(agent, t_ns)
        if meter != errand.meter:
            self.counts["strayed"] += 1
            self.counts["acted_astray"] += reaction is not None and reaction.acted
        if reaction is None:
            errand.refused += 1
            return None
        if meter == errand.meter:
            errand.reach(t_ns, reaction.acted)
            if lacked and reaction.acted and self.firmware is not None:
                self.firmware.take_repair(meter, errand.block, t_ns)
        errand.answer_bytes = reaction.answer
        return self._answer_psdu_bytes(errand, reaction)

    def _lacks_block(self, errand: Errand) -> bool:
        return self.firmware is not None and errand.block >= 0 and not self.firmware.held[errand.meter, errand.block]

    def confirms(self, errand: Errand) -> bool:
        """Return whether the head end takes the answer: of that meter, genuine, to this request, and done."""
        good = errand.kind == "missing" or self._genuine(errand)
        self.counts["answers" if good else "faulty"] += 1
        return good

    def _genuine(self, errand: Errand) -> bool:
        data = errand.answer_bytes
        if data is None:
            return False
        try:
            apdu, _ = unseal(data, meter_keys(self._scenario.seed, errand.meter))
        except PayloadRefused:
            return False
        if claimed_sender(data) != errand.meter or apdu[2] % 16 != errand.number % 16:
            return False
        if errand.kind == "image_status" and self.firmware is not None:
            errand.blocks_held = read_blocks(apdu, self.firmware.blocks)
            return apdu[:2] == GET_DATA
        return errand.kind == "read" or SUCCESS.get(apdu[:2]) == apdu[3:]

    def _agent(self, meter: int) -> MeterAgent:
        if meter not in self.agents:
            self.agents[meter] = MeterAgent(
                meter, meter_keys(self._scenario.seed, meter), self._scenario.meter.contract_a,
                lambda t_ns: self._measured(meter, t_ns),
                lambda t_ns: int(self._memory.clock_offset_ns([meter], [t_ns])[0, 0]),
            )  # fmt: skip
            if self.firmware is not None:
                self.agents[meter].image = self.firmware.held[meter]
        return self.agents[meter]

    def _measured(self, meter: int, t_ns: int) -> dict[str, int]:
        values = self._memory.instantaneous([meter], t_ns)
        named = dict(zip(("p_w", "q_var", "u_dv"), (int(column[0]) for column in values[:3]), strict=True))
        return {name: named[name] for name in self._memory.profile.instantaneous}

    def _apdu(self, errand: Errand) -> bytes:
        wave, number = self._scenario.commands, errand.number
        match errand.kind:
            case "missing":
                return self._range_wanted(errand)
            case "read":
                return commands.ask_now(self._memory.profile.instantaneous, number)
            case "open" | "close":
                return commands.switch_supply(errand.kind == "close", number)
            case "limit":
                return commands.limit_amperes(wave.amperes, number)
            case "image_status":
                return ask_blocks(number)
            case "image_block":
                assert self.firmware is not None
                return transfer_block(errand.block, self.firmware.data[errand.block], number)
            case "image_activate":
                return activate(number)
            case "lift":
                return commands.limit_amperes(self._scenario.meter.contract_a, number)
        begin_ns = round((wave.at_h + wave.starts_after_h) * HOUR_NS)
        duration_s = round(wave.lasts_h * 3600) if errand.kind == "reserve" else 0
        return commands.reserve_limit(wave.amperes, RESERVATION, begin_ns, duration_s, number)

    def _range_wanted(self, errand: Errand) -> bytes:
        rows = self._ledger.rows[errand.rows]
        kind = self._classes[int(rows["kind"][0])]
        first_ns = int(rows["interval_ns"].min()) - kind.period_ns + INTERVAL_NS[kind.series]
        return commands.ask_range(kind.series, first_ns, int(rows["interval_ns"].max()), errand.number)

    def _answer_psdu_bytes(self, errand: Errand, reaction: Reaction) -> int:
        if reaction.answer is not None:
            return OVERHEAD_BYTES + len(reaction.answer)
        rows, asked = self._ledger.rows[errand.rows], reaction.asked
        assert asked is not None
        kind = self._classes[int(rows["kind"][0])]
        first_ns = asked.from_ns - INTERVAL_NS[asked.series] + kind.period_ns
        wanted = np.arange(first_ns, asked.to_ns + 1, kind.period_ns)
        if not np.array_equal(np.sort(rows["interval_ns"]), wanted):
            self.counts["faulty"] += 1
        return message_psdu_bytes(kind.series, kind.records * errand.rows.size, self._scenario.meter.profile)
