"""Where `hil.check` looks: the stand-ins, or a PYNQ board and an instrument."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hdl import scaling
from hdl.driver import BoardPort, FrontEnd
from hil.adapters import open_board
from hil.board import Wiring
from hil.clock import TOLERANCE_PPM, Anchor, anchor
from hil.findings import Finding, compare
from hil.real_board import open_real_board
from hil.source.dialects import open_source
from hil.source.guard import GuardedSource
from hil.source.scpi_source import ScpiSource
from hil.source.server import SourceServer
from hil.stand_in_source import stand_in_source
from hil.station import Station

NS = 1_000_000_000
SECOND = scaling.SAMPLE_RATE_HZ
READINGS = 8  # of a counter, of which the one with the shortest round trip counts

Source = AbstractContextManager[ScpiSource] | AbstractContextManager[GuardedSource]


@dataclass(frozen=True)
class Place:
    """A board, the way to its source, and the time that passes."""

    port: BoardPort
    board: str
    rtl_hash: str
    connect: Callable[[], Source]
    output_on: Callable[[], bool]
    elapse: Callable[[float], object]  # [s]
    second: Callable[[FrontEnd], Finding]  # lets a second pass and compares the board's counter with another clock
    energises: bool


@contextmanager
def stand_ins(station: Station, armed: bool, transcript: list[tuple[str, str]]) -> Iterator[Place]:
    """Give the stand-ins; they need no consent."""
    del armed
    board, simulated = station.board, stand_in_source(station, station.source.seed)
    with open_board(board.kind, board.clocks_per_sample, board.python) as fed, SourceServer(simulated) as server:
        wiring = Wiring(simulated, fed.port)

        def elapse(seconds: float) -> None:
            wiring.run(round(seconds * SECOND))

        def second(front_end: FrontEnd) -> Finding:
            before = front_end.measure().samples
            wiring.run(SECOND)
            counted = front_end.measure().samples - before
            return compare("counter, in 1 s of the source's clock", counted, SECOND, 0, "samples")

        yield Place(
            fed.port,
            fed.described,
            fed.rtl_hash,
            lambda: open_source(server.resource_name, station.source.dialect, transcript=_noting(transcript)),
            lambda: simulated.output_on,
            elapse,
            second,
            energises=True,
        )


@contextmanager
def hardware(station: Station, armed: bool, transcript: list[tuple[str, str]]) -> Iterator[Place]:
    """Give a PYNQ board and an instrument, whose output a supervising process owns; not yet run on hardware."""
    source = station.source

    def connect() -> GuardedSource:
        interlock = Path(source.interlock) if source.interlock else None
        note = _noting(transcript)
        return GuardedSource(source.address, source.dialect, interlock=interlock, armed=armed, transcript=note)

    with open_real_board(station.board) as board:
        yield Place(
            board.port,
            board.described,
            board.sha256,
            connect,
            lambda: False,  # closing the source raises unless it is seen to be off
            time.sleep,
            _host_second,
            energises=armed,
        )


def _noting(transcript: list[tuple[str, str]]) -> Callable[[str, str], None]:
    return lambda way, text: transcript.append((way, text))


def _host_second(front_end: FrontEnd) -> Finding:
    """Compare the counter's rate over a second with the host's clock, as far as its readings tell."""
    first = _reading(front_end)
    time.sleep(1.0)
    last = _reading(front_end)
    counted = float(last.counter - first.counter)
    shortest_s = float(last.host_ns.low - first.host_ns.high) / NS
    longest_s = float(last.host_ns.high - first.host_ns.low) / NS
    rate_hz = 2 * counted / (shortest_s + longest_s)
    limit_hz = SECOND * TOLERANCE_PPM * 1e-6 + rate_hz * (longest_s - shortest_s) / (longest_s + shortest_s)
    return compare("counter, against the host's clock", rate_hz, SECOND, limit_hz, "samples a second")


def _reading(front_end: FrontEnd) -> Anchor:
    """Read the counter a few times and return the reading of the shortest round trip."""
    rows = []
    for _ in range(READINGS):
        asked_ns = time.monotonic_ns()
        rows.append((asked_ns, front_end.measure().samples, time.monotonic_ns()))
    sent_ns, counts, received_ns = zip(*rows, strict=True)
    return anchor(sent_ns, counts, received_ns, NS / SECOND)
