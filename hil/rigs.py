"""The rigs of a run, one for each board: their ends of the link, their processes, and who of them failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from hil.process import RigProcess
from hil.realtime import INVALID, RealTime, WallClock
from teiden.errors import MissingPart, PartFailed, TeidenError
from twin import wire
from twin.link.keys import load_keys
from twin.link.lockstep import Lockstep
from twin.link.report import link_counts, link_flags
from twin.link.twin_end import CallingTwin, TwinEnd, TwinSide
from twin.scenario import Board, Link, Scenario

RIG_LOG = "rig{}.log"
ENDING_S = 5.0


class BoardRig:
    """The rig of one board; to the loop a `RigDriver`, whose errors name the board if there are several.

    Parameters
    ----------
    link : Link
        The scenario's settings.
    end : TwinSide
        The twin's socket.
    process : RigProcess or None
        None for a rig that is served elsewhere.
    name : str
        What its errors begin with; empty: nothing.
    wall : WallClock
        Of the run, in real time.
    """

    def __init__(self, link: Link, end: TwinSide, process: RigProcess | None, name: str, wall: WallClock):
        self.end = end
        self.ready: wire.Ready | None = None
        self._link = link
        self._process = process
        self._name = name
        self._driver: Lockstep | RealTime
        if link.mode == "real-time":
            self._driver = RealTime(end, link.timeout_s, link.limit_ms, wall)
        else:
            self._driver = Lockstep(end, link.timeout_s)

    def start(self, configure: wire.Configure) -> wire.Ready:
        """Meet the rig and configure it; return what it is made of."""
        with self._named():
            self.ready = self._driver.start(configure)
        return self.ready

    @property
    def ahead(self) -> bool:
        """Whether the next window may be granted before what happened in this one is collected."""
        return self._driver.ahead

    def grant(self, until_ns: int, supply: list[wire.SupplyChange], downlinks: list[wire.Downlink]) -> None:
        """Let the rig run to ``until_ns``; returns at once."""
        with self._named():
            self._driver.grant(until_ns, supply, downlinks)

    def collect(self) -> list[wire.BoardEvent | wire.Notice]:
        """Return the events up to the end of the window, ordered by (time, sequence)."""
        with self._named():
            return self._driver.collect()

    def stop(self) -> wire.Stopped:
        """End the rig's run and return what it recorded."""
        with self._named():
            return self._driver.stop()

    def record(self) -> dict[str, Any]:
        """Return what the manifest says of the link, which is over, and its flags; wait for the rig's end."""
        record = {"mode": self._link.mode, "curve": bool(self._link.keys), **link_counts(self.end)}
        flags = link_flags(record)
        if isinstance(self._driver, RealTime):
            record["real_time"] = self._driver.report()
            flags += self._driver.flags()
        if self._process is not None:
            self._process.wait(ENDING_S)
        return {**record, "flags": [self._named_flag(flag) for flag in flags]}

    def _named_flag(self, flag: str) -> str:
        """Return a flag with the board's name; one that makes the run invalid still begins with that."""
        if not self._name:
            return flag
        begin = INVALID if flag.startswith(INVALID) else ""
        return f"{begin}{self._name}: {flag.removeprefix(INVALID)}"

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except TeidenError as error:
            if not self._name:
                raise
            kind = MissingPart if isinstance(error, MissingPart) else PartFailed
            raise kind(f"{self._name}: {error}") from error


@contextmanager
def open_rigs(scenario: Scenario, folder: Path, start_rig: Callable[..., RigProcess]) -> Iterator[list[BoardRig]]:
    """Start or call a rig for each board of a scenario; all of them are ended in the end, whatever that is.

    Parameters
    ----------
    scenario : Scenario
    folder : Path
        Where their logs go.
    start_rig : callable
        Takes what `RigProcess` takes.
    """
    link, boards = scenario.link, scenario.all_boards
    several = len(boards) > 1
    with ExitStack() as stack:
        rigs, wall = [], WallClock()
        for place, board in enumerate(boards):
            end = stack.enter_context(closing(_open_link(link, board, place)))
            process = None
            if not board.rig:
                log = folder / RIG_LOG.format(f"_{board.id}" if several else "")
                process = start_rig(end.endpoint, log, keys=link.keys, heartbeat_ms=link.heartbeat_ms)
                end.alive = stack.enter_context(process).ended
            rigs.append(BoardRig(link, end, process, f"board {board.id}" if several else "", wall))
        yield rigs


def _open_link(link: Link, board: Board, place: int) -> TwinEnd | CallingTwin:
    """Return the twin's end: listening for a rig of its own, or calling one that is served."""
    keys = load_keys(Path(link.keys), "twin") if link.keys else None
    if board.rig:
        return CallingTwin(board.rig, keys, link.heartbeat_ms)
    return TwinEnd(link.port and link.port + place, address=link.address, keys=keys, heartbeat_ms=link.heartbeat_ms)
