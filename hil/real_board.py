"""A PYNQ board of a station: on this machine's own bus, or at the other end of a command."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hdl.metering import BoardPort
from hdl.pynq_served import open_pynq
from hdl.remote_board import RemoteBoard
from hil.station import Board
from teiden.errors import PartFailed


@dataclass(frozen=True)
class RealBoard:
    """A board that is open, and what it is."""

    port: BoardPort
    described: str
    sha256: str  # of its bitstream


@contextmanager
def open_real_board(board: Board) -> Iterator[RealBoard]:
    """Give a PYNQ board with its bitstream loaded; not yet run on hardware.

    Raises
    ------
    MissingPart
        If there is no pynq where the board is, or its command cannot be started.
    PartFailed
        If PYNQ does not load the bitstream, or the board has loaded another one than the station names.
    """
    sha256 = hashlib.sha256(Path(board.bitstream).read_bytes()).hexdigest()
    if not board.command:
        yield RealBoard(open_pynq(board.bitstream), f"PYNQ, {board.bitstream}", sha256)
        return
    with closing(RemoteBoard(board.command)) as remote:
        if remote.sha256 != sha256:
            raise PartFailed(
                f"board.bitstream = {board.bitstream!r} has SHA-256 {sha256[:12]}, the board has loaded "
                f"{remote.sha256[:12]}; copy this one to the board"
            )
        yield RealBoard(remote, f"PYNQ, {board.bitstream}; {remote.versions}", sha256)
