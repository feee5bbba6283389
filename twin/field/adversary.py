"""Somebody without keys on the same radio: forged Last Gasps, and genuine ones sent again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from twin.chance import Purpose, between_ns, uniform
from twin.field.book import NEVER
from twin.field.meters import LAST_GASP, Meters
from twin.field.notice import KINDS, NOTICE_BYTES, NOTICE_PSDU_BYTES, VERSION
from twin.scenario import Adversary as AdversarySettings
from twin.scenario import ns


@dataclass(frozen=True)
class Attack:
    """One frame without right: "forged", or "replayed" with the row of the notice it repeats."""

    kind: str
    data: bytes
    row: int = NEVER


class Adversary:
    """Sends through radios of the mesh that he controls.

    Parameters
    ----------
    settings : twin.scenario.Adversary
    seed : int
    meters : Meters
    start_ns : int
        When the fault happens; forged frames start from then on.

    Attributes
    ----------
    frames : dict of int to Attack
        What he handed to radios, by engine frame.
    """

    def __init__(self, settings: AdversarySettings, seed: int, meters: Meters, start_ns: int):
        self._seed = seed
        self._meters = meters
        self._settings = settings
        self.frames: dict[int, Attack] = {}
        everyone = np.arange(settings.forged)
        self._forge_ns = np.sort(
            between_ns(seed, everyone, 0, Purpose.FORGED_FRAME, start_ns, start_ns + ns(settings.spread_s))
        )
        self._forged = 0
        self._replayed = 0

    def act_until(self, until_ns: int) -> None:
        """Send what falls due before ``until_ns``."""
        while self._forged < self._forge_ns.size and self._forge_ns[self._forged] < until_ns:
            attack = Attack("forged", self._forge(self._forged))
            self._send(attack, int(self._forge_ns[self._forged]), self._forged)
            self._forged += 1

    def overhear(self, rows: NDArray[np.int64], t_ns: int) -> None:
        """Record genuine Last Gasps as concentrators hear them, to send them again later."""
        for row in rows:
            if self._replayed >= self._settings.replayed:
                return
            if self._meters.book.rows["kind"][row] == LAST_GASP:
                attack = Attack("replayed", self._meters.notice_bytes(int(row)), int(row))
                self._send(attack, t_ns + ns(self._settings.replay_after_s), self._replayed)
                self._replayed += 1

    def _send(self, attack: Attack, t_ns: int, number: int) -> None:
        purpose = Purpose.FORGED_FRAME if attack.kind == "forged" else Purpose.REPLAYED_FRAME
        node = int(uniform(self._seed, number, 1, purpose) * self._meters.count)
        self._meters.put_on_air(t_ns, node, NOTICE_PSDU_BYTES, partial(self._sent, attack), priority=2)

    def _sent(self, attack: Attack, frame: int) -> None:
        self.frames[frame] = attack

    def _forge(self, number: int) -> bytes:
        """Return a Last Gasp that looks right but for its tag: real meter, fresh sequence, invented content."""
        victim = int(uniform(self._seed, number, 2, Purpose.FORGED_FRAME) * self._meters.count)
        sequence = 1 + int(uniform(self._seed, number, 4, Purpose.FORGED_FRAME) * 8)
        header = bytes((VERSION, KINDS["last_gasp"])) + victim.to_bytes(4, "big") + sequence.to_bytes(4, "big")
        noise = uniform(self._seed, np.arange(NOTICE_BYTES - len(header)), 16 + number, Purpose.FORGED_FRAME)
        return header + bytes(np.floor(noise * 256).astype(np.uint8))
