"""The mosaik simulator in a process of its own."""

from __future__ import annotations

import asyncio
import signal

from teiden.errors import InputError, MissingPart


def serve_mosaik(address: str) -> None:
    """Serve the mosaik world at ``HOST:PORT`` until it closes the connection, then write the run folder.

    Raises
    ------
    InputError
        If the address is none.
    MissingPart
        If mosaik's API is not installed, or no world waits there.
    """
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()):
        raise InputError(f"address {address!r}, expected HOST:PORT")
    try:
        import mosaik_api_v3

        from hil.cosim.mosaik import TwinSimulator
    except ImportError:
        raise MissingPart("mosaik's API is not installed; pip install 'teiden[mosaik]'") from None
    # mosaik terminates its simulators as soon as it has told them to stop; the run folder is still to be written then.
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        asyncio.run(mosaik_api_v3.run_as_client(TwinSimulator(), host, int(port)))
    except OSError as error:
        raise MissingPart(f"no mosaik world waits at {address} ({error}); mosaik starts this command itself") from None
