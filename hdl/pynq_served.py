"""The part that runs on a PYNQ board: loads its bitstream and serves its port over standard input and output.

Run as ``python3 -m hdl.pynq_served BITSTREAM`` on the board's own Python (3.10) with pynq and its numpy;
`hdl.remote_board` starts it, over ssh for one. Nothing listens on the network. Needs of this repository the folders
``hdl`` and ``teiden`` only. Not yet run on hardware.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from hdl.port_server import DONE, PortServer, failure
from hdl.pynq_port import BASE_ADDRESS, SIZE, PynqPort
from teiden.errors import InputError, MissingPart, PartFailed, TeidenError


def open_pynq(bitstream: str) -> PynqPort:
    """Load a bitstream into the PYNQ board that this runs on, and return its port; not yet run on hardware.

    Raises
    ------
    MissingPart
        If there is no pynq package here.
    PartFailed
        If PYNQ does not load it.
    """
    try:
        from pynq import MMIO, Overlay
    except ImportError:
        raise MissingPart(
            "board.kind = 'pynq', but there is no pynq package here; run this on the board's own Python, or give "
            "board.command that starts its part there"
        ) from None
    try:
        Overlay(bitstream)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise PartFailed(f"bitstream {bitstream!r}: PYNQ does not load it ({error})") from error
    return PynqPort(MMIO(BASE_ADDRESS, SIZE))


def hello(bitstream: Path) -> bytes:
    """Return what stands here, as a reply: JSON with the SHA-256 of the bitstream and the versions."""
    import pynq

    versions = {"python": platform.python_version(), "numpy": np.__version__, "pynq": str(pynq.__version__)}
    return DONE + json.dumps({"sha256": hashlib.sha256(bitstream.read_bytes()).hexdigest(), **versions}).encode()


def main(arguments: list[str]) -> int:
    """Serve the board; return the exit code."""
    replies = Connection(os.dup(1), readable=False)
    os.dup2(2, 1)  # what PYNQ prints must not fall among the replies
    with replies, Connection(os.dup(0), writable=False) as requests:
        try:
            if len(arguments) != 1 or not Path(arguments[0]).is_file():
                raise InputError(f"{' '.join(arguments)!r}: expected one bitstream, a file of the board")
            port = open_pynq(arguments[0])
        except TeidenError as error:
            replies.send_bytes(failure(error))
            return error.exit_code
        replies.send_bytes(hello(Path(arguments[0])))
        PortServer(port).serve(requests, replies)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
