"""The mesh: radio nodes on one plane, driven in windows of simulated time; arrays in, arrays out."""

from __future__ import annotations

import ctypes
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpu import checks, tables
from gpu.device import Device
from gpu.kernels import Runner
from gpu.native import (
    DEATH_ROW,
    DELIVERY_ROW,
    END_ROW,
    FRAME_ROW,
    JOINING_ROW,
    NETWORK_ROW,
    engine,
    engine_key,
    names,
    pointer,
)  # fmt: skip
from gpu.radio import Radio
from gpu.setup import new_engine, plane_arrays
from teiden.errors import InputError, MissingPart
from teiden.files import written_whole

OUTCOMES = (
    "pending", "acked", "unacked_delivered", "channel_access_failure", "no_ack", "dropped_queue", "no_route", "died",
)  # fmt: skip
"""Names of the outcome codes, by code."""

FORMS = ("cells", "plain", "kernels")
_LEAST_REGION_BYTES = 1 << 20
_NODES_PER_DEVICE_TILE = 256  # assumed; to be swept once a device is there
_REGION_BYTES = 64 << 20  # of the first region that kernels work in
"""Forms of the engine; results do not depend on them."""

NS_PER_TICK = 1000
_MAX_CANDIDATES = 64
_MAX_TILES = 4096
_LAUNCHES = ("launches", "windows", "stops", "full_logs")
_TILES_PER_THREAD = 4  # so that one is free when another has more to do

DELIVERY = np.dtype([("frame", "i8"), ("node", "i4"), ("t_ns", "i8"), ("hops", "i4"), ("attempts", "i4")])
END = np.dtype([("frame", "i8"), ("outcome", "i1"), ("t_ns", "i8"), ("node", "i4")])
DEATH = np.dtype([("node", "i4"), ("t_ns", "i8")])
MEMBERSHIP = np.dtype([("node", "i4"), ("t_ns", "i8"), ("state", "i1"), ("parent", "i4"), ("pan", "i4")])
NETWORK = np.dtype(
    [("state", "i1"), ("since_ns", "i8"), ("parent", "i4"), ("pan", "i4"), ("key_pan", "i4"), ("cost", "i4"),
     ("version", "i4"), ("candidates", "i4", 5)]
)  # fmt: skip
STATES = ("off", "searching", "authenticating", "joined")
"""Names of the states of a node in a living tree, by code."""
FRAME = np.dtype(
    [("frame", "i8"), ("src", "i4"), ("dst", "i4"), ("t_ns", "i8"), ("psdu_bytes", "i4"), ("priority", "u1"),
     ("outcome", "i1"), ("attempts", "i4"), ("offers", "i4"), ("first_tx_ns", "i8"), ("first_rx_ns", "i8"),
     ("hops", "i2"), ("sink", "i4"), ("copies", "i4"), ("access_failure", "?"), ("no_ack", "?")]
)  # fmt: skip


@dataclass(frozen=True)
class Drained:
    """What happened since the last drain, each sorted by (t_ns, node, frame).

    Attributes
    ----------
    deliveries : structured array
        ``frame, node, t_ns, hops, attempts``: a frame reached its destination for the first time.
    ends : structured array
        ``frame, outcome, t_ns, node``: the last copy of a frame is gone; codes as in `OUTCOMES`.
    deaths : structured array
        ``node, t_ns``: a node's stored energy was spent.
    memberships : structured array
        ``node, t_ns, state, parent, pan``: a node of a living tree changed its state or its parent; states as in
        `STATES`, ``pan`` is the sink of its PAN.
    """

    deliveries: NDArray
    ends: NDArray
    deaths: NDArray
    memberships: NDArray


class Mesh:
    """A mesh of radio nodes.

    Made by `Mesh.build` or `Mesh.load`. Times at the interface are integer nanoseconds; inside, a tick is 1 us:
    what happens at ``t_ns`` happens at the first whole microsecond not before it. Results depend on what was
    asked for, never on the windows in which `run_until` was called nor on the order of calls.
    """

    def __init__(
        self,
        handle: int,
        plane: dict[str, NDArray],
        radio: Radio,
        seed: int,
        sinks: NDArray[np.int32],
        form: str,
        tiles: int = 1,
        runner: Runner | None = None,
    ):
        self._engine = engine()
        self._handle: int | None = handle
        self._plane = plane
        self.radio = radio
        self.seed = seed
        self.sinks = sinks
        self.form = form
        self._tiles = tiles
        self._runner = runner  # holds the memory of a mesh that kernels run
        self.size = int(plane["x_mm"].size)
        self.routed = False
        self._tree: dict[str, NDArray] = {}  # read from the engine when asked for

    def __del__(self) -> None:
        handle, self._handle = getattr(self, "_handle", None), None
        if handle:
            self._engine.radio_free(handle)

    # ------------------------------------------------------------------ set-up

    @classmethod
    def build(
        cls,
        xy_m: ArrayLike,
        sinks: ArrayLike,
        radio: Radio,
        seed: int,
        *,
        extra_loss_db: ArrayLike | None = None,
        links: Any = None,
        parents: ArrayLike | None = None,
        backed: ArrayLike | None = None,
        route: bool = True,
        formed: bool = True,
        backend: str = "cpu",
        form: str = "cells",
        threads: int = 1,
        tiles: int = 0,
        turns: int = 0,
        region_bytes: int = _REGION_BYTES,
    ) -> Mesh:
        """Place nodes and build their routes.

        Parameters
        ----------
        xy_m : (N, 2) float
            Positions [m], kept to the millimetre.
        sinks : (S,) int
            Nodes where frames for ``dst = -1`` arrive.
        radio : Radio
            From `gpu.profile`.
        seed : int
            Of every draw.
        extra_loss_db : (N,) float, optional
            Extra loss of a node towards all others [dB], 0 and up (a pipe shaft), kept to 0.01 dB.
        links : (src, dst, loss_db), optional
            Directed links that replace positions, path loss and shadowing; pairs not listed do not hear each other.
        parents : (N,) int, optional
            A fixed tree, -1 for none, instead of ETX routes.
        backed : (B,) int, optional
            Nodes with a battery that outlasts any outage (relays, concentrators): `power_off` leaves them on.
        route : bool
            False: no tree, every frame goes straight to its ``dst``.
        formed : bool
            With ``radio.tree = "living"``: the network has long been formed along the ETX routes. False: every node
            is switched on at 0 and has yet to find its way; it holds no keys.
        backend : str
            "cpu", or "cuda": form "kernels" on a device (not yet run on hardware). Same results. Ctrl-C ends a run
            there after at most 1,000 windows; the mesh is void then.
        form : str
            "cells" finds what is on air by grid cell; "plain", the specification, scans all of it; "kernels" is "cells"
            through the kernel of the CUDA form, whose blocks take turns here or are threads (for tests). Same results.
        threads : int
            How many share the work; worth it from some 50,000 nodes on, and never more than cores that are free.
            With ``backend="cuda"`` 1: the device has its own. Same results.
        tiles, turns : int
            Into how many tiles the nodes are cut (0: by threads), and a seed for the order in which a single thread
            takes them in each window (0: as they are). For tests: same results.
        region_bytes : int
            First region of memory that kernels work in; more are added as they are needed. Same results.

        Raises
        ------
        InputError
            A value is wrong; the message names place, value and remedy.
        MissingPart
            ``backend="cuda"`` without CuPy or without a device.
        """
        if backend not in ("cpu", "cuda"):
            raise InputError(f'backend = {backend!r}, expected "cpu" or "cuda"')
        if form not in FORMS:
            raise InputError(f"form = {form!r}, expected one of {', '.join(FORMS)}")
        if not isinstance(region_bytes, int) or region_bytes < _LEAST_REGION_BYTES:
            raise InputError(f"region_bytes = {region_bytes!r}, expected a whole number from {_LEAST_REGION_BYTES} up")
        for where, value, least in (("threads", threads, 1), ("tiles", tiles, 0), ("turns", turns, 0)):
            if not isinstance(value, int | np.integer) or not least <= value <= _MAX_TILES:
                raise InputError(f"{where} = {value!r}, expected a whole number from {least} to {_MAX_TILES}")
        if backend == "cuda" and form == "plain":
            raise InputError('form = "plain", expected "cells" or "kernels" with backend "cuda"')
        if backend == "cuda" and threads > 1:
            raise InputError(f"threads = {threads}, expected 1 where a device runs the tiles")
        if form == "plain" and (threads > 1 or tiles > 1):
            raise InputError(f"threads = {threads}, tiles = {tiles}, expected 1: the plain form has one tile")
        plane = plane_arrays(xy_m, extra_loss_db, links)
        count = plane["x_mm"].size
        sink_ids = checks.whole("sinks", sinks, np.int32).reshape(-1)
        checks.within("sinks", sink_ids, 0, count - 1, f" (the mesh has {count} nodes)")
        checks.unique("sinks", sink_ids)
        if backed is not None:
            ids = checks.whole("backed", backed, np.int32).reshape(-1)
            checks.within("backed", ids, 0, count - 1, f" (the mesh has {count} nodes)")
            plane["backed"] = np.zeros(count, np.uint8)
            plane["backed"][ids] = 1
        if radio.tree == "static" and not formed:
            raise InputError('formed = False, expected it with radio.tree = "living": a static tree is there at once')
        if radio.tree == "living" and (parents is not None or not route):
            raise InputError('parents or route=False given, expected neither with radio.tree = "living": '
                             "its nodes choose their parents")  # fmt: skip
        given = None if parents is None else checks.tree(parents, sink_ids, count)
        if route and sink_ids.size == 0:
            raise InputError("sinks is empty, expected at least one node, or route=False for single hops")
        runner = _runner(backend, form, region_bytes)
        fewest = min(max(count // _NODES_PER_DEVICE_TILE, 1), _MAX_TILES) if backend == "cuda" else 1
        cut = int(tiles) or (_TILES_PER_THREAD * int(threads) if threads > 1 else fewest)
        handle = new_engine(plane, radio, seed, form != "plain", int(threads), cut, int(turns), runner)
        mesh = cls(handle, plane, radio, int(seed), sink_ids, form, cut, runner)
        if route:
            mesh._route(given)
        if radio.tree == "living":
            mesh._engine.radio_live(mesh._handle, int(formed))
            mesh._tree.clear()
        return mesh

    def _route(self, parents: NDArray[np.int32] | None) -> None:
        if parents is None:
            everybody = np.ones(self.size, np.uint8)
            self._engine.radio_route(self._handle, pointer(self.sinks), self.sinks.size, pointer(everybody))
        else:
            self._engine.radio_set_parents(self._handle, pointer(parents), pointer(self.sinks), self.sinks.size)
        self.routed = True
        self._tree.clear()

    def reroute(self, alive_mask: ArrayLike, sinks_alive: ArrayLike | None = None) -> None:
        """Build the ETX tree anew over the nodes that are marked alive.

        Frames being sent go on to the parent they were taken up for; all others take the new tree.

        Parameters
        ----------
        alive_mask : (N,) bool
            Nodes that may hold a place in the tree.
        sinks_alive : (S,) bool, optional
            Which of ``sinks`` work; all by default.
        """
        if self.radio.tree == "living":
            raise InputError('reroute: expected a mesh with radio.tree = "static"; a living tree mends itself')
        usable = np.ascontiguousarray(np.asarray(alive_mask, bool), np.uint8)
        if usable.shape != (self.size,):
            raise InputError(f"alive_mask has shape {usable.shape}, expected ({self.size},)")
        if sinks_alive is not None:
            working = np.asarray(sinks_alive, bool)
            if working.shape != self.sinks.shape:
                raise InputError(f"sinks_alive has shape {working.shape}, expected {self.sinks.shape}")
            usable[self.sinks[~working]] = 0
        self._engine.radio_route(self._handle, pointer(self.sinks), self.sinks.size, pointer(usable))
        self.routed = True
        self._tree.clear()

    def candidates(self, count: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the best parents each node could have in the tree as it was last built.

        A candidate's own way to a sink costs less than the node's, so no choice of candidates makes a loop.

        Returns
        -------
        parents : (N, count) int32
            Best first, ties to the lower id; -1 where there are no more.
        costs : (N, count) int64
            ETX of the whole way to a sink through each, 128 a transmission; -1 where there is none.
        """
        if not 1 <= count <= _MAX_CANDIDATES:
            raise InputError(f"candidates: count = {count}, expected 1 to {_MAX_CANDIDATES}")
        parents, costs = np.empty((self.size, count), np.int32), np.empty((self.size, count), np.int64)
        self._engine.radio_candidates(self._handle, count, pointer(parents), pointer(costs))
        return parents, costs

    def network(self) -> NDArray:
        """Return what each node of a living tree knows of its place in it, as a structured array of `NETWORK`.

        ``state`` as in `STATES`; ``since_ns``, ``parent``, ``pan`` (the sink of its PAN), ``key_pan`` (whose keys it
        holds), ``cost`` (ETX of the way it advertises, -1 if none), ``version`` (of its PAN's information) and
        ``candidates`` (in no order); -1 for none.
        """
        if self.radio.tree != "living":
            raise InputError('network: expected a mesh with radio.tree = "living"')
        rows = np.empty(self.size, NETWORK_ROW)
        self._engine.radio_network(self._handle, pointer(rows))
        out = np.empty(self.size, NETWORK)
        out["since_ns"] = rows["since"] * NS_PER_TICK
        for key in ("state", "parent", "pan", "key_pan", "cost", "version", "candidates"):
            out[key] = rows[key]
        return out

    def _read_tree(self) -> None:
        if self.radio.tree == "living":
            self._engine.radio_measure_living_tree(self._handle)
        self._tree = {
            "parents": self._column("radio_parents", np.int32), "hops": self._column("radio_hops", np.int32),
            "sink_of": self._column("radio_sinks_of", np.int32), "etx": self._column("radio_etx", np.int64),
        }  # fmt: skip

    def _of_tree(self, key: str) -> NDArray:
        if not self._tree:
            self._read_tree()
        return self._tree[key]

    @property
    def parents(self) -> NDArray[np.int32]:
        """(N,) parent of each node in the tree as it is now; -1 for none."""
        return self._of_tree("parents")

    @property
    def hops(self) -> NDArray[np.int32]:
        """(N,) hops from each node to its sink; -1 without a way."""
        return self._of_tree("hops")

    @property
    def sink_of(self) -> NDArray[np.int32]:
        """(N,) sink at the end of each node's way; -1 without one."""
        return self._of_tree("sink_of")

    @property
    def etx(self) -> NDArray[np.int64]:
        """(N,) cost of each node's way to its sink, 128 a transmission; -1 without one (living: of what it knows)."""
        return self._of_tree("etx")

    def _column(self, function: str, dtype: type) -> NDArray:
        out: NDArray = np.empty(self.size, dtype)
        getattr(self._engine, function)(self._handle, pointer(out))
        return out

    # ------------------------------------------------------------------ links

    def link_etx(self, src: ArrayLike, dst: ArrayLike) -> NDArray[np.int64]:
        """Return the routing cost of links, 128 for one transmission; 0 where a link is not usable."""
        return self._links("radio_link_etx", src, dst)

    def link_snr_db(self, src: ArrayLike, dst: ArrayLike) -> NDArray[np.float64]:
        """Return the level of ``src`` at ``dst`` above the noise [dB]; -inf where there is no link."""
        level = self._links("radio_link_level", src, dst)
        snr = level / tables.level_lu(1) if level.size else level.astype(float)
        return np.where(level < -(1 << 40), -np.inf, snr)

    def _links(self, function: str, src: ArrayLike, dst: ArrayLike) -> NDArray[np.int64]:
        a, b = np.broadcast_arrays(checks.whole("src", src, np.int32), checks.whole("dst", dst, np.int32))
        for where, ids in (("src", a), ("dst", b)):
            checks.within(where, ids, 0, self.size - 1)
        one, two = np.ascontiguousarray(a), np.ascontiguousarray(b)
        out = np.empty(a.shape, np.int64)
        getattr(self._engine, function)(self._handle, out.size, pointer(one), pointer(two), pointer(out))
        return out

    def listening_channels(self, nodes: ArrayLike, t_ns: int) -> NDArray[np.int32]:
        """Return the channel each node listens on at ``t_ns`` under today's schedules, waits for an ACK aside."""
        ids = np.ascontiguousarray(np.atleast_1d(checks.whole("nodes", nodes, np.int32)))
        checks.within("nodes", ids, 0, self.size - 1, f" (the mesh has {self.size} nodes)")
        out = np.empty(ids.shape, np.int32)
        tick = int(_ticks(np.asarray(checks.whole("t_ns", t_ns)).reshape(1))[0])
        self._engine.radio_channels(self._handle, out.size, pointer(ids), tick, pointer(out))
        return out

    # ------------------------------------------------------------------ what happens when

    def inject(
        self,
        t_ns: ArrayLike,
        src: ArrayLike,
        dst: ArrayLike,
        psdu_bytes: ArrayLike,
        *,
        priority: ArrayLike = 0,
        max_offers: ArrayLike = 1,
        reoffer_min_ns: ArrayLike = 0,
        reoffer_max_ns: ArrayLike = 0,
    ) -> NDArray[np.int64]:
        """Hand frames to the MACs of their sources.

        Parameters
        ----------
        t_ns : int or (M,) int
            When, not before ``now_ns``. All arguments broadcast.
        src : int or (M,) int
            Where.
        dst : int or (M,) int
            Destination; -1: the sink of the tree; -2: whoever hears it. Such a broadcast is sent once, in the
            broadcast dwell of its source's PAN, unacknowledged; each node that hears it is a row of
            ``Drained.deliveries``.
        psdu_bytes : int or (M,) int
            Size.
        priority : int or (M,) int
            0 to 255; higher goes ahead of what waits, never of what is being sent.
        max_offers : int or (M,) int
            How often each node that holds the frame hands it to its MAC before the copy is lost.
        reoffer_min_ns, reoffer_max_ns : int or (M,) int
            Range of the delay before the next offer.

        Returns
        -------
        (M,) int64
            Frame ids, counting up from 0 in the order of injection.
        """
        given = {
            "t_ns": t_ns, "src": src, "dst": dst, "psdu_bytes": psdu_bytes, "priority": priority,
            "max_offers": max_offers, "reoffer_min_ns": reoffer_min_ns, "reoffer_max_ns": reoffer_max_ns,
        }  # fmt: skip
        try:
            arrays = np.broadcast_arrays(*(checks.whole(key, value) for key, value in given.items()))
        except ValueError as problem:
            if isinstance(problem, InputError):
                raise
            raise InputError(f"inject: {problem}") from None
        columns = dict(zip(given, (np.atleast_1d(a) for a in arrays), strict=True))
        self._check_frames(columns)
        as_type = {"src": np.int32, "dst": np.int32, "psdu_bytes": np.int32, "priority": np.uint8,
                   "max_offers": np.int32}  # fmt: skip
        ready = [
            _ticks(column) if key.endswith("_ns") else np.ascontiguousarray(column, as_type[key])
            for key, column in columns.items()
        ]
        first = self._engine.radio_end_frame(self._handle)
        count = ready[0].size
        self._engine.radio_inject(self._handle, count, *(pointer(column) for column in ready))
        return np.arange(first, first + count)

    def _check_frames(self, columns: dict[str, NDArray]) -> None:
        self._check_times("t_ns", columns["t_ns"])
        nodes = f" (the mesh has {self.size} nodes)"
        checks.within("src", columns["src"], 0, self.size - 1, nodes)
        checks.within("dst", columns["dst"], -2, self.size - 1, nodes)
        checks.within("psdu_bytes", columns["psdu_bytes"], 1, self.radio.max_psdu_bytes)
        checks.within("priority", columns["priority"], 0, 255)
        checks.within("max_offers", columns["max_offers"], 1, 10**6)
        checks.within("reoffer_min_ns", columns["reoffer_min_ns"], 0, 10**18)
        checks.within("reoffer_max_ns", columns["reoffer_max_ns"], 0, 10**18)
        bad = np.flatnonzero(columns["reoffer_max_ns"] < columns["reoffer_min_ns"])
        if bad.size:
            i = int(bad[0])
            raise InputError(f"reoffer_max_ns[{i}] = {columns['reoffer_max_ns'][i]}, expected at least "
                             f"reoffer_min_ns = {columns['reoffer_min_ns'][i]}")  # fmt: skip
        itself = np.flatnonzero(columns["src"] == columns["dst"])
        if itself.size:
            i = int(itself[0])
            raise InputError(f"dst[{i}] = {columns['dst'][i]}, expected another node than src")
        lost = np.flatnonzero(columns["dst"] == -1)
        if lost.size and not self.routed:
            raise InputError(f"dst[{lost[0]}] = -1, expected a node: the mesh was built with route=False")

    def _check_times(self, where: str, t_ns: NDArray) -> None:
        bad = np.flatnonzero(t_ns < self.now_ns)
        if bad.size:
            i = int(bad[0])
            raise InputError(f"{where}[{i}] = {t_ns[i]} ns is in the past, expected {self.now_ns} (now) or later")
        checks.within(where, t_ns, 0, 10**18)

    def power_off(self, nodes: ArrayLike, t_ns: ArrayLike, energy_nj: ArrayLike, *, sleep: ArrayLike = False) -> None:
        """Let nodes live on stored energy [nJ] from ``t_ns`` (int, not before now) until it is spent.

        A node that is already dead stays dead; one on stored energy goes on with the energy given now; one of
        ``backed`` stays on the mains. With ``sleep`` (bool or (M,) bool) it sleeps whenever it has nothing to
        send: it spends ``sleep_mw`` instead of ``listen_mw``, hears nothing and relays nothing.
        """
        ids, t, energy = self._power("power_off", nodes, t_ns, energy_nj)
        checks.within("energy_nj", energy, 0, 10**17)
        try:
            sleeps = np.ascontiguousarray(np.broadcast_to(np.asarray(sleep, bool), ids.shape), np.uint8)
        except ValueError:
            raise InputError(f"sleep has shape {np.shape(sleep)}, expected one value or {ids.shape}") from None
        self._engine.radio_supply(self._handle, ids.size, pointer(ids), pointer(t), pointer(energy), pointer(sleeps))

    def power_on(self, nodes: ArrayLike, t_ns: ArrayLike) -> None:
        """Put nodes back on the mains at ``t_ns``; one that had died starts with an empty queue.

        Of a power_on and a power_off of one node in the same tick, the power_on happens first.
        """
        ids, t, _ = self._power("power_on", nodes, t_ns, 0)
        self._engine.radio_supply(self._handle, ids.size, pointer(ids), pointer(t), None, None)

    def _power(self, what: str, nodes: ArrayLike, t_ns: ArrayLike, energy_nj: ArrayLike) -> tuple[NDArray, ...]:
        ids, t, energy = np.broadcast_arrays(
            np.atleast_1d(checks.whole("nodes", nodes)),
            checks.whole("t_ns", t_ns),
            checks.whole("energy_nj", energy_nj),
        )
        checks.within(f"{what} nodes", ids, 0, self.size - 1, f" (the mesh has {self.size} nodes)")
        self._check_times(f"{what} t_ns", t)
        return np.ascontiguousarray(ids, np.int32), _ticks(t), np.ascontiguousarray(energy)

    def run_until(self, t_ns: int) -> None:
        """Let everything before ``t_ns`` happen; what happens at ``t_ns`` itself is still to come."""
        if not isinstance(t_ns, int | np.integer) or t_ns < self.now_ns:
            raise InputError(f"run_until: t_ns = {t_ns!r}, expected whole nanoseconds, {self.now_ns} (now) or later")
        problem = self._engine.radio_run(self._handle, int(t_ns) // NS_PER_TICK)
        if problem:
            reason = (self._runner and self._runner.problem) or "no memory left"
            if isinstance(reason, KeyboardInterrupt):
                raise reason
            raise MissingPart(f"run_until: the kernels failed ({reason}), this run is void; use more tiles")
        if self.radio.tree == "living":
            self._tree.clear()

    def launches(self) -> dict[str, int]:
        """Return what kernels did so far, all 0 where none run the tiles.

        Launches, the windows in them, how often a tile waited for memory, how often a launch ended because a log was
        full.
        """
        numbers = np.empty(len(_LAUNCHES), np.int64)
        self._engine.radio_launches(self._handle, pointer(numbers))
        return dict(zip(_LAUNCHES, numbers.tolist(), strict=True))

    # ------------------------------------------------------------------ what happened

    @property
    def now_ns(self) -> int:
        """Simulated time [ns]: all before it has happened."""
        return int(self._engine.radio_now(self._handle)) * NS_PER_TICK

    def drain(self) -> Drained:
        """Return and forget what happened since the last drain."""
        inside, outside = (DELIVERY_ROW, END_ROW, DEATH_ROW, JOINING_ROW), (DELIVERY, END, DEATH, MEMBERSHIP)
        sizes = np.empty(len(inside), np.int64)
        self._engine.radio_log_sizes(self._handle, pointer(sizes))
        rows = [np.empty(n, dtype) for n, dtype in zip(sizes, inside, strict=True)]
        self._engine.radio_drain(self._handle, *(pointer(row) for row in rows))
        return Drained(*(_public(row, dtype) for row, dtype in zip(rows, outside, strict=True)))

    def frames(self, ids: ArrayLike | None = None) -> NDArray:
        """Return what is known of frames (all not forgotten by default), as a structured array of `FRAME`.

        ``first_tx_ns`` and ``first_rx_ns`` are -1 until they happen, ``sink`` until it arrives; ``attempts``,
        ``offers`` and ``copies`` count over all nodes; ``access_failure`` and ``no_ack`` are a sender's verdicts.
        """
        first, end = self._engine.radio_first_frame(self._handle), self._engine.radio_end_frame(self._handle)
        wanted = np.arange(first, end) if ids is None else np.atleast_1d(checks.whole("ids", ids))
        checks.within("ids", wanted, first, end - 1, " (others are forgotten or not injected yet)")
        rows = np.empty(wanted.size, FRAME_ROW)
        self._engine.radio_frames(self._handle, wanted.size, pointer(wanted), pointer(rows))
        out = np.empty(wanted.size, FRAME)
        out["frame"] = wanted
        out["t_ns"] = rows["injected"] * NS_PER_TICK
        for key in ("first_tx", "first_rx"):
            out[f"{key}_ns"] = np.where(rows[key] < 0, -1, rows[key] * NS_PER_TICK)
        out["access_failure"], out["no_ack"] = rows["access_verdict"], rows["ack_verdict"]
        for key in ("src", "dst", "psdu_bytes", "priority", "outcome", "attempts", "offers", "hops", "sink", "copies"):
            out[key] = rows[key]
        return out

    def forget_ended(self) -> None:
        """Free the memory of all frames before the first that has not ended; digest and counters do not change."""
        self._engine.radio_forget_ended(self._handle)

    def counters(self) -> dict[str, int]:
        """Return totals since the start.

        Frames: ``injected = resolved + alive``, and one count an outcome; ``on_air_data_us`` and
        ``on_air_ack_us`` are summed airtimes of all that was put on air [us].
        """
        keys = names(self._engine.radio_counter_names())
        values = np.empty(len(keys), np.int64)
        self._engine.radio_counters(self._handle, pointer(values))
        outcomes = np.empty(len(OUTCOMES), np.int64)
        self._engine.radio_outcomes(self._handle, pointer(outcomes))
        counts = dict(zip(keys, values.tolist(), strict=True))
        counts["alive"] = counts["injected"] - counts["resolved"]
        counts.update(zip(OUTCOMES[1:], outcomes[1:].tolist(), strict=True))
        return counts

    @property
    def alive(self) -> NDArray[np.bool_]:
        """(N,) whether each node has power."""
        return self._column("radio_alive", np.uint8).astype(bool)

    @property
    def airtime_ns(self) -> NDArray[np.int64]:
        """(N,) time each node has put on air [ns], a frame decided on counting whole."""
        return np.asarray(self._column("radio_airtime", np.int64) * NS_PER_TICK)

    def energy_nj(self, t_ns: int | None = None) -> NDArray[np.int64]:
        """Return the stored energy left at ``t_ns`` (now by default) [nJ]: -1 on the mains, 0 when dead."""
        out = np.empty(self.size, np.int64)
        self._engine.radio_energy(self._handle, self._tick_from_now(t_ns), pointer(out))
        return out

    def energy_spent_nj(self, t_ns: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the stored energy spent so far on listening and, beyond that, on sending [nJ], (N,) each."""
        spent = self.energy_accounts_nj(t_ns)
        return spent["listening"], spent["sending"]

    def energy_accounts_nj(self, t_ns: int | None = None) -> dict[str, NDArray[np.int64]]:
        """Return the stored energy spent so far [nJ], (N,) each, by what it was spent on.

        ``listening`` and ``asleep`` run all the time, ``sending`` and ``receiving`` are what a frame costs beyond
        them. Given = these four + what is left, exactly.
        """
        spent = {key: np.empty(self.size, np.int64) for key in ("listening", "sending", "receiving", "asleep")}
        self._engine.radio_spent(self._handle, self._tick_from_now(t_ns), *(pointer(row) for row in spent.values()))
        return spent

    def _tick_from_now(self, t_ns: int | None) -> int:
        if t_ns is None:
            return self.now_ns // NS_PER_TICK
        self._check_times("t_ns", np.atleast_1d(checks.whole("t_ns", t_ns)))
        return int(t_ns) // NS_PER_TICK

    def digest(self) -> str:
        """Return a hash of the whole state: equal for any windows, order of calls, save and load."""
        out = np.empty(2, np.uint64)
        self._engine.radio_digest(self._handle, pointer(out))
        return "".join(f"{int(lane):016x}" for lane in out)

    # ------------------------------------------------------------------ save and load

    def save(self, path: str | Path) -> None:
        """Write the whole state; `Mesh.load` goes on from it as if nothing had happened."""
        address = np.empty(1, np.uint64)
        size = self._engine.radio_save(self._handle, pointer(address))
        state = np.ctypeslib.as_array((ctypes.c_ubyte * size).from_address(int(address[0])))
        head = {
            "engine": engine_key(),
            "seed": self.seed,
            "routed": self.routed,
            "form": self.form,
            "tiles": self._tiles,
            "radio": asdict(self.radio),
        }
        parts = {"head": np.array(json.dumps(head)), "state": state, "sinks": self.sinks} | self._plane
        with written_whole(Path(path)) as beside, open(beside, "wb") as file:
            np.savez(file, **parts)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: str | Path, threads: int = 1) -> Mesh:
        """Return the mesh saved in a file, on the CPU; InputError if it is not one, or another engine's."""
        try:
            with np.load(path, allow_pickle=False) as file:
                parts = {key: file[key] for key in file.files}
            head = json.loads(str(parts.pop("head")))
            state, sinks = parts.pop("state"), parts.pop("sinks")
        except (OSError, ValueError, KeyError) as problem:
            raise InputError(f"{path}: not a saved mesh ({problem})") from None
        if head["engine"] != engine_key():
            raise InputError(f"{path}: saved by another version of the engine, expected {engine_key()[:12]}")
        radio = Radio(**head["radio"])
        runner = Runner(_REGION_BYTES) if head["form"] == "kernels" else None
        handle = new_engine(parts, radio, head["seed"], head["form"] != "plain", threads, head["tiles"], 0, runner)
        mesh = cls(handle, parts, radio, head["seed"], sinks, head["form"], head["tiles"], runner)
        if not mesh._engine.radio_load(mesh._handle, pointer(state), state.size):
            raise InputError(f"{path}: the saved state is damaged")
        mesh.routed = head["routed"]
        return mesh


def _runner(backend: str, form: str, region_bytes: int) -> Runner | None:
    """Return who runs the kernels, None where none do."""
    if backend == "cuda":
        return Device(region_bytes)
    return Runner(region_bytes) if form == "kernels" else None


def _ticks(t_ns: NDArray) -> NDArray[np.int64]:
    """Return the first tick not before a time."""
    return np.ascontiguousarray(-(-t_ns // NS_PER_TICK), np.int64)


def _public(rows: NDArray, dtype: np.dtype) -> NDArray:
    """Return log rows in the public form."""
    out = np.empty(rows.size, dtype)
    for key in dtype.names or ():
        out[key] = rows["tick"] * NS_PER_TICK if key == "t_ns" else rows[key]
    return out
