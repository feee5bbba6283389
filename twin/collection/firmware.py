"""A new image for meters, in the background: each block broadcast, passed on by relays, and repaired meter by meter.

Everything is decided at multiples of five minutes, so that windows of the run do not matter. A concentrator broadcasts
blocks in turn; a relay that heard one passes it on some minutes later, unless it has heard it often by then. What
blocks take of the air is bounded for each concentrator's part of the mesh, its relays included. When nothing is left
to pass on there, each of its meters is asked which blocks it has, gets the missing ones by itself, and is told to
activate. Nothing is broadcast to meters beside the mesh: they are asked from the beginning on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

import gpu
from gpu import rng
from teiden.errors import InputError
from twin.chance import Purpose, between_ns, uniform
from twin.collection.errands import Errand, Errands
from twin.collection.reporting import TICK_NS
from twin.collection.settings import Firmware as FirmwareTable
from twin.field.notice import OVERHEAD_BYTES
from twin.metering.image import transfer_block
from twin.metering.security import HEAD_END, meter_keys, seal
from twin.store.schema import HOUR_NS

FIRST_ROW = -2
"""Frames that carry block b have ``FIRST_ROW - b`` in the place of a message's number."""
GROUP = (1 << 32) - 1  # owner of the keys that all meters have for broadcasts
LEAST = 0
"""Priority of all of it: below every value."""
WAIT_TICKS = 4  # a relay passes a block on 1 to this many ticks after it heard it
NEVER = -1


class Firmware:
    """The image, who has which block, and who still has to pass one on.

    Parameters
    ----------
    settings : twin.collection.settings.Firmware
    seed : int
    mesh : gpu.Mesh
    concentrators_now : callable
        Returns (N,) the concentrator of each meter's route; -1 without one.
    concentrators : int
    lane_beside : (N,) int
        Where messages of meters beside the mesh come out; -1 on the mesh, and where nothing reaches.
    bind : callable
        ``bind(frames, rows)`` of the ledger: remembers what each frame carries.

    Raises
    ------
    InputError
        If not even one block fits into the air it may take.

    Attributes
    ----------
    members : (N,) bool
        Meters that are to get it: those of the concentrators and lanes that take part, with a route when it began.
    held : (N, B) bool
    complete_ns : (N,) int
        When each member had the last block; -1 before.
    heard, repaired : int
        Blocks that were first heard as a broadcast, and brought by a request.
    sent_us : dict
        By concentrator and tick: time on air that blocks were given.
    """

    def __init__(
        self, settings: FirmwareTable, seed: int, mesh: gpu.Mesh,
        concentrators_now: Callable[[], NDArray[np.int64]], concentrators: int, lane_beside: NDArray[np.int64],
        bind: Callable[[NDArray[np.int64], NDArray[np.int64]], None],
    ):  # fmt: skip
        self._settings = settings
        self._seed = seed
        self._mesh = mesh
        self._concentrators_now = concentrators_now
        self._meters = concentrators_now().size
        self._bind = bind
        self.begin_ns = -(-round(settings.at_h * HOUR_NS) // TICK_NS) * TICK_NS
        self.blocks = -(-1024 * settings.image_kb // settings.block_bytes)
        image = _image(seed, 1024 * settings.image_kb)
        keys = meter_keys(seed, GROUP)
        self.data = [image[k * settings.block_bytes : (k + 1) * settings.block_bytes] for k in range(self.blocks)]
        self._psdu_bytes = [
            OVERHEAD_BYTES + len(seal(transfer_block(k, data), HEAD_END, k + 1, keys))
            for k, data in enumerate(self.data)
        ]
        self.air_us = mesh.radio.air_us(max(self._psdu_bytes))
        self._most = int(settings.airtime_share * TICK_NS / 1000 // self.air_us)
        if not self._most:
            raise InputError(
                f"firmware.airtime_share = {settings.airtime_share:g}, expected at least "
                f"{self.air_us * 1000 / TICK_NS:.2g}: a block takes {self.air_us / 1000:g} ms of five minutes"
            )
        lanes = np.arange(max(concentrators, int(lane_beside.max(initial=-1)) + 1))
        drawn = uniform(seed, lanes, 0, Purpose.IMAGE_CONCENTRATOR) < settings.share
        self._takes_part = drawn[:concentrators]
        home = concentrators_now()
        self.beside = (lane_beside >= 0) & drawn[lane_beside]
        self.members = (home >= 0) & self._takes_part[home] | self.beside
        self.held = np.zeros((self._meters, self.blocks), bool)
        self._copies = np.zeros((self._meters, self.blocks), np.uint16)
        self._turn = np.full((self._meters, self.blocks), NEVER, np.int32)  # tick from which a relay may pass it on
        self.complete_ns = np.full(self._meters, NEVER, np.int64)
        self._last_ns = np.full(self._meters, NEVER, np.int64)
        self._next_block = np.where(self._takes_part, 0, self.blocks)
        self._repairing = ~self._takes_part
        self._began = False
        self.heard = self.repaired = 0
        self.sent_us: Counter[tuple[int, int]] = Counter()
        self.repairs_begun_ns: dict[int, int] = {}

    def tick(self, t_ns: int) -> NDArray[np.int64]:
        """Hand the next five minutes' blocks to the radio; return meters that are to be asked from now on.

        Those of concentrators that have nothing left to pass on, and at the beginning those beside the mesh.
        """
        if t_ns < self.begin_ns:
            return np.empty(0, np.int64)
        tick, home = t_ns // TICK_NS, self._concentrators_now()
        waiting = self._waiting(tick)
        done = [np.flatnonzero(self.beside)] if not self._began else []
        self._began = True
        for c in np.flatnonzero(~self._repairing).tolist():
            if self._next_block[c] == self.blocks and not (self._turn[home == c] != NEVER).any():
                self._repairing[c] = True
                self.repairs_begun_ns[c] = t_ns
                done.append(np.flatnonzero(self.members & (home == c)))
                continue
            mine = home[waiting[0]] == c
            self._send(c, tick, *(column[mine] for column in waiting))
        return np.concatenate([np.empty(0, np.int64), *done])

    def _waiting(self, tick: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return relays and blocks whose turn it is, older blocks first; who heard a block often enough lets it be."""
        self._turn[self._copies >= self._settings.copies] = NEVER
        relays, blocks = np.nonzero((self._turn != NEVER) & (self._turn <= tick))
        luck = rng.draw_unit(self._seed, Purpose.IMAGE_TURN, relays, self.blocks + blocks)
        order = np.lexsort((luck, blocks))
        return relays[order], blocks[order]

    def _send(self, concentrator: int, tick: int, relays: NDArray[np.int64], blocks: NDArray[np.int64]) -> None:
        """Give the air that blocks may have to relays first, the rest to the concentrator's next blocks."""
        relays, blocks = relays[: self._most], blocks[: self._most]
        self._turn[relays, blocks] = NEVER
        first = int(self._next_block[concentrator])
        fresh = np.arange(first, min(first + self._most - relays.size, self.blocks))
        self._next_block[concentrator] += fresh.size
        src = np.concatenate([relays, np.full(fresh.size, self._meters + concentrator)])
        which = np.concatenate([blocks, fresh])
        if not which.size:
            return
        times = between_ns(self._seed, src << 20 | which, tick, Purpose.IMAGE_MOMENT, tick * TICK_NS + 1,
                           (tick + 1) * TICK_NS - 1)  # fmt: skip
        order = np.argsort(times, kind="stable")
        self._broadcast(times[order], src[order], which[order])
        self.sent_us[concentrator, tick] += which.size * self.air_us

    def _broadcast(self, times: NDArray[np.int64], src: NDArray[np.int64], which: NDArray[np.int64]) -> None:
        frames = self._mesh.inject(times, src, -2, np.array(self._psdu_bytes)[which], priority=LEAST)
        self._bind(frames, FIRST_ROW - which)

    def hear(self, nodes: NDArray[np.int64], blocks: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        """Let meters take blocks off the air; times ascending."""
        own = nodes < self._meters
        own[own] = self.members[nodes[own]]
        nodes, blocks, times = nodes[own], blocks[own], times[own]
        np.add.at(self._copies, (nodes, blocks), 1)
        new = ~self.held[nodes, blocks]
        pairs, first = np.unique(nodes[new] * self.blocks + blocks[new], return_index=True)
        if not pairs.size:
            return
        nodes, blocks, times = pairs // self.blocks, pairs % self.blocks, times[new][first]
        self.held[nodes, blocks] = True
        self.heard += pairs.size
        relay = np.isin(nodes, self._mesh.parents[: self._meters])
        wait = 1 + rng.draw_below(WAIT_TICKS, self._seed, Purpose.IMAGE_TURN, nodes[relay], blocks[relay])
        self._turn[nodes[relay], blocks[relay]] = times[relay] // TICK_NS + wait
        np.maximum.at(self._last_ns, nodes, times)
        whole = np.unique(nodes)
        whole = whole[self.held[whole].all(axis=1)]
        self.complete_ns[whole] = self._last_ns[whole]

    def repair(self, env: simpy.Environment, errands: Errands, meters: NDArray[np.int64]) -> None:
        """Begin to ask meters, one errand after the other for each."""
        for meter in meters.tolist():
            env.process(self._repair_meter(errands, meter))

    def _repair_meter(self, errands: Errands, meter: int) -> Generator[simpy.Event, Any, None]:
        def ask(kind: str, block: int = NEVER) -> Errand:
            return errands.send(kind, meter, LEAST, self._settings.tries, rate_per_s=self._settings.repair_rate_per_s,
                                block=block)  # fmt: skip

        status = ask("image_status")
        yield status.process
        if status.answered_ns is None or status.blocks_held is None:
            return
        for block in np.flatnonzero(~status.blocks_held).tolist():
            brought = ask("image_block", block)
            yield brought.process
            if brought.answered_ns is None:
                return
        yield ask("image_activate").process

    def take_repair(self, meter: int, block: int, t_ns: int) -> None:
        """Note that a request brought a block."""
        self.repaired += 1
        if self.held[meter].all() and self.complete_ns[meter] == NEVER:
            self.complete_ns[meter] = t_ns


def _image(seed: int, size: int) -> bytes:
    """Return an image that looks like any: compressed, so that its bytes seem drawn."""
    return rng.draw_u64(seed, Purpose.IMAGE_BYTES, np.arange(-(-size // 8))).astype("<u8").tobytes()[:size]
