"""The rig: source, front-end and firmware of one board, in lockstep with a twin or in real time.

Run as ``python -m hil.rig ENDPOINT PARENT HEARTBEAT_MS [KEYS]``; `hil.process.RigProcess` does.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from hdl.driver import FrontEnd
from hdl.scaling import SAMPLE_RATE_HZ
from hil.adapters import open_board
from hil.board import Wiring
from hil.clock import TriggerDelay
from hil.link import RigEnd, RigSide
from hil.process import die_with_parent
from hil.real_board import open_real_board
from hil.rig_board import BoardOnSource
from hil.rig_lockstep import Rig
from hil.rig_real_time import HardwareRig, PacedRig
from hil.source.guard import GuardedSource
from hil.source.server import SourceServer
from hil.source.simulated import SimulatedSource
from hil.stand_in_source import stand_in_source
from hil.station import Station
from teiden.errors import InputError, MissingPart, TeidenError
from twin import wire
from twin.link.keys import load_keys

SETTLE_S = 0.5  # relay, and ten cycles of the front-end's measurements
VOLTAGE_LIMIT_PU = 1.25  # above the 1.2 that another simulator may ask for (docs/cosim.md)


class RunBench:
    """The stand-ins as a run asks for them."""

    dialect = "681x"
    delay = TriggerDelay()

    def configure(self, asked: wire.Configure) -> wire.Configure:
        """Return the configuration as this bench takes it."""
        return asked

    def simulate(self, asked: wire.Configure) -> SimulatedSource:
        """Return the source."""
        return SimulatedSource(asked.source_seed)

    def limits(self, asked: wire.Configure) -> dict[str, float]:
        """Return what the source's limits are set to."""
        return {
            "current_limit_a": Station().source.current_limit_a,
            "voltage_limit_v": VOLTAGE_LIMIT_PU * asked.nominal_v,
        }

    @contextmanager
    def opened(self, configure: wire.Configure, link: RigSide) -> Iterator[tuple[BoardOnSource, wire.Ready]]:
        """Give the rig with its output on, and what it is made of; the output is off in the end."""
        simulated = self.simulate(configure)
        with (
            open_board(configure.adapter, configure.clocks_per_sample, configure.python) as board,
            SourceServer(simulated, port=configure.source_port) as server,
            GuardedSource(server.resource_name, self.dialect) as source,
        ):
            energise(source, configure, self.limits(configure))
            kind = PacedRig if configure.real_time else Rig
            rig = kind(configure, link, source, Wiring(simulated, board.port), board.port, self.delay)
            yield rig, wire.Ready(board.name, source.identity, board.rtl_hash, board.made_of, SAMPLE_RATE_HZ)


class StationBench(RunBench):
    """The stand-ins of a station, which has its own board, source and limits.

    Parameters
    ----------
    station : Station
    """

    def __init__(self, station: Station):
        self._station = station
        self.dialect = station.source.dialect
        self.delay = station.source.trigger_delay

    def configure(self, asked: wire.Configure) -> wire.Configure:
        """Return the configuration with this station's board; InputError if the run asks for another supply."""
        board, supply = self._station.board, self._station.supply
        if (asked.nominal_v, asked.nominal_hz) != (supply.nominal_v, supply.nominal_hz):
            raise InputError(
                f"source: the run asks for {asked.nominal_v:g} V, {asked.nominal_hz} Hz; this station's [supply] is "
                f"{supply.nominal_v:g} V, {supply.nominal_hz} Hz"
            )
        return msgspec.structs.replace(
            asked, adapter=board.kind, python=board.python, clocks_per_sample=board.clocks_per_sample
        )

    def simulate(self, asked: wire.Configure) -> SimulatedSource:
        """Return the source, with the station's load."""
        return stand_in_source(self._station, asked.source_seed)

    def limits(self, asked: wire.Configure) -> dict[str, float]:
        """Return the station's limits."""
        source = self._station.source
        return {"current_limit_a": source.current_limit_a, "voltage_limit_v": source.voltage_limit_v}


class HardwareBench(StationBench):
    """A PYNQ board on an instrument, in real time only; not yet run on hardware."""

    def configure(self, asked: wire.Configure) -> wire.Configure:
        """Return the configuration; InputError if the run would have the board wait."""
        if not asked.real_time:
            raise InputError("this rig is hardware, which waits for nobody; run with --set link.mode=real-time")
        return super().configure(asked)

    @contextmanager
    def opened(self, configure: wire.Configure, link: RigSide) -> Iterator[tuple[BoardOnSource, wire.Ready]]:
        """Give the rig with its output on and settled; the output is off in the end."""
        station = self._station.source
        with (
            open_real_board(self._station.board) as board,
            GuardedSource(station.address, station.dialect, interlock=Path(station.interlock), armed=True) as source,
        ):
            FrontEnd(board.port).identify()  # nothing is energised for another board
            energise(source, configure, self.limits(configure))
            time.sleep(SETTLE_S)
            rig = HardwareRig(configure, link, source, board.port, self.delay)
            yield rig, wire.Ready("pynq", source.identity, board.sha256, board.described, SAMPLE_RATE_HZ)


def energise(source: GuardedSource, configure: wire.Configure, limits: dict[str, float]) -> None:
    """Set limits, read them back, and switch the output on at nominal voltage."""
    source.energise(configure.nominal_v, float(configure.nominal_hz), **limits)


def serve(link: RigSide, bench: RunBench) -> None:
    """Say hello, make the bench the twin asks for ready, run it to the end."""
    link.hello()
    asked = link.receive()
    assert isinstance(asked, wire.Configure)
    link.allow(asked.credits)
    configure = bench.configure(asked)
    link.send(wire.Configured())
    with bench.opened(configure, link) as (rig, ready):
        rig.prepare()
        link.send(ready)
        rig.run()


def main(arguments: Sequence[str]) -> int:
    """Run a rig against the twin at an endpoint; return the exit code."""
    endpoint, parent, heartbeat_ms, *folder = arguments
    die_with_parent(int(parent))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # through every with block
    keys = load_keys(Path(folder[0]), "rig") if folder else None
    link = RigEnd(endpoint, keys=keys, heartbeat_ms=int(heartbeat_ms))
    try:
        serve(link, RunBench())
    except TeidenError as error:
        link.send(wire.Failed(str(error), missing=isinstance(error, MissingPart)))
        link.flush()
        print(f"rig: {error}", file=sys.stderr)
        return error.exit_code
    finally:
        link.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
