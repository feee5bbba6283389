"""``teiden rig serve``: the rig of a station for twins that call, from this machine or another, one run at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hil.evidence.benches import require_consent
from hil.link import ServedRig
from hil.rig import HardwareBench, StationBench, serve
from hil.source.dialects import find_kind
from hil.station import Station
from teiden.errors import InputError, MissingPart, PartFailed, TeidenError
from twin import wire
from twin.link.heartbeat import HEARTBEAT_MS
from twin.link.keys import load_keys, require_keys

LOOK_S = 1.0  # how often a wait for a call tells of those who were not let in


def serve_station(
    station: Station,
    address: str,
    port: int,
    keys_folder: Path | None,
    tell: Callable[[str], None],
    once: bool,
    armed: bool = False,
    heartbeat_ms: int = HEARTBEAT_MS,
) -> None:
    """Serve runs until the program is ended, or one of them; the output is off between them.

    Parameters
    ----------
    station : Station
        Of stand-ins, or of hardware, which is not yet run on.
    address, port
        Where to listen; port 0 takes any free one, and keeps it.
    keys_folder : Path, optional
        With ``rig.key_secret`` and ``twin.key``; needed for other addresses than loopback.
    tell : callable
        Hears the endpoint first, then what becomes of each call.
    once : bool
        End after the first run, with its error if it failed.
    armed : bool
        Consent to energise a real instrument in every run that calls.
    heartbeat_ms : int
        Of the rig's end of the link, see `twin.link.end.End`.

    Raises
    ------
    InputError
        For hardware without consent or interlock, a source without a trigger, missing keys, or an address that is none.
    MissingPart
        If the port is taken.
    """
    _check(station, armed)
    bench = StationBench(station) if station.simulated else HardwareBench(station)
    keys = load_keys(keys_folder, "rig") if keys_folder is not None else None
    require_keys(address, keys)
    told = False
    while True:
        link = ServedRig(port, address, keys, heartbeat_ms)
        port = int(link.endpoint.rpartition(":")[2])
        if not told:
            tell(link.endpoint)
            told = True
        try:
            _serve_one(link, bench, tell)
        except TeidenError as error:
            tell(f"run failed: {error}")
            if once:
                raise
        finally:
            link.close()
        if once:
            return


def _check(station: Station, armed: bool) -> None:
    if not station.simulated:
        require_consent(station, armed)
    if not find_kind(station.source.dialect).instrument.trigger_out:
        raise InputError(
            f"source.dialect = {station.source.dialect!r} marks no step, expected one with a trigger output: a run "
            "counts from its edge"
        )


def _serve_one(link: ServedRig, bench: StationBench, tell: Callable[[str], None]) -> None:
    """Wait for a call and play its run; whatever ends it, the twin is told."""
    _await_call(link, tell)
    tell("a run has called")
    try:
        serve(link, bench)
    except TeidenError as error:
        _fail(link, str(error), missing=isinstance(error, MissingPart))
        raise
    except (KeyboardInterrupt, SystemExit):
        _fail(link, "this rig was ended")
        raise
    tell("the run is over")


def _await_call(link: ServedRig, tell: Callable[[str], None]) -> None:
    told: set[str] = set()  # a peer tries again and again
    while (call := link.take(LOOK_S)) is None:
        for reason in sorted(set(link.refused) - told):
            tell(f"a peer was not let in: {reason}")
        told |= set(link.refused)
    if not isinstance(call, wire.Call) or call.proto != wire.PROTO:
        text = f"rig: {call!r} instead of a call of protocol {wire.PROTO}; same version on both sides?"
        _fail(link, text)
        raise PartFailed(text)


def _fail(link: ServedRig, text: str, missing: bool = False) -> None:
    link.send(wire.Failed(text, missing=missing))
    link.flush()
