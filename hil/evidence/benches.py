"""Benches to work on: the stand-ins, hardware, and a recording of either."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hdl.driver import BoardPort
from hdl.regs.generated import regs
from hdl.scaling import SAMPLE_RATE_HZ
from hil.adapters import open_board
from hil.board import Wiring
from hil.evidence.bench import Bench, Identity
from hil.evidence.port import RecordedPort, ReplayedPort
from hil.evidence.replayed_link import ReplayedLink
from hil.evidence.transcript import Tape, Transcripts
from hil.real_board import open_real_board
from hil.source.dialects import find_kind
from hil.source.guard import SILENCE_S, GuardedSource
from hil.source.server import SourceServer
from hil.stand_in_source import stand_in_source
from hil.station import Station
from teiden.errors import InputError

STAND_IN_SILENCE_S = 60.0  # a simulated output harms nobody, and a loaded machine may stand still for seconds


@contextmanager
def stand_ins(station: Station, transcripts: Transcripts | None) -> Iterator[tuple[Bench, Identity]]:
    """Give the station's front-end on a simulated source, its output owned by a supervising process."""
    simulated = stand_in_source(station, station.source.seed)
    board = station.board
    with open_board(board.kind, board.clocks_per_sample, board.python) as fed, SourceServer(simulated) as server:
        wiring = Wiring(simulated, fed.port)
        rate_hz = SAMPLE_RATE_HZ
        if transcripts is not None:
            transcripts.use_clock(lambda: wiring.samples / rate_hz)
        source = _supervised(station, server.resource_name, STAND_IN_SILENCE_S, False, transcripts)
        with source:
            bench = _bench(station, source, fed.port, lambda s: wiring.run(round(s * rate_hz)), transcripts)
            yield bench, _identify(bench, fed.described, fed.rtl_hash, no_hardware(station))


@contextmanager
def hardware(station: Station, transcripts: Transcripts | None, armed: bool) -> Iterator[tuple[Bench, Identity]]:
    """Give a PYNQ board on an instrument; not yet run on hardware.

    Raises
    ------
    InputError
        Without consent or an interlock file: nothing is connected then.
    MissingPart
        If this is no PYNQ board, or no instrument answers.
    """
    require_consent(station, armed)
    with open_real_board(station.board) as board:
        start_s = time.monotonic()
        if transcripts is not None:
            transcripts.use_clock(lambda: time.monotonic() - start_s)
        with _supervised(station, station.source.address, SILENCE_S, armed, transcripts) as source:
            bench = _bench(station, source, board.port, time.sleep, transcripts)
            yield bench, _identify(bench, board.described, board.sha256, "a real bench")


@contextmanager
def recording(station: Station, scpi: Tape, registers: Tape) -> Iterator[Bench]:
    """Give a bench that answers from transcripts; no time passes on it."""
    driver = find_kind(station.source.dialect).driver
    with driver("the recording", connect=lambda name, timeout_s, transcript: ReplayedLink(name, scpi)) as source:
        bench = Bench(station, source, ReplayedPort(registers), lambda s: registers.take(op="elapse", seconds=s))
        bench.front_end.identify()  # as every bench began
        yield bench


def no_hardware(station: Station) -> str:
    """Return what is said of a bench of stand-ins."""
    board = {"compiled": "the compiled RTL", "model": "the integer model"}.get(station.board.kind, "a simulated board")
    return f"none: {board} on a simulated source, neither of which has noise"


def require_consent(station: Station, armed: bool) -> None:
    """Raise InputError unless an instrument may be energised."""
    if not armed:
        raise InputError(f"source at {station.source.address}: a real instrument is energised only with --arm")
    if not station.source.interlock:
        raise InputError(
            f"source at {station.source.address}: a real instrument needs source.interlock in the station file, "
            "a file that says closed while the output may be on"
        )


def _supervised(
    station: Station, address: str, silence_s: float, armed: bool, transcripts: Transcripts | None
) -> GuardedSource:
    def note(way: str, text: str) -> None:
        assert transcripts is not None
        transcripts.scpi.note(way=way, text=text)

    interlock = Path(station.source.interlock) if station.source.interlock else None
    return GuardedSource(
        address,
        station.source.dialect,
        silence_s=silence_s,
        interlock=interlock,
        armed=armed,
        transcript=None if transcripts is None else note,
    )


def _bench(
    station: Station,
    source: GuardedSource,
    port: BoardPort,
    elapse: Callable[[float], object],
    transcripts: Transcripts | None,
) -> Bench:
    """Return a bench whose accesses and waits are written down."""
    if transcripts is None:
        return Bench(station, source, port, elapse)
    note = transcripts.registers.note

    def noted(seconds: float) -> None:
        note(op="elapse", seconds=seconds)
        elapse(seconds)

    return Bench(station, source, RecordedPort(port, transcripts.registers), noted)


def _identify(bench: Bench, board: str, rtl_hash: str, hardware: str) -> Identity:
    rtl_version = bench.front_end.identify()
    return Identity(board, rtl_hash, rtl_version, f"0x{regs.MAP_HASH_EXPECTED:08X}", bench.source.identity, hardware)
