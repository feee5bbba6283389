"""A PYNQ board that this machine reaches by a command, such as ssh, whose input and output are its port."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from multiprocessing.connection import Connection

from hdl.port_client import PortClient
from teiden.errors import InputError, MissingPart, PartFailed

LOADING_S = 60.0  # for ssh, Python, pynq and the bitstream
ANSWER_S = 5.0  # for a register: a thousand round trips of a local network
ENDING_S = 5.0


class RemoteBoard(PortClient):
    """The port that `hdl.pynq_served` serves at the other end of a command; not yet run on hardware.

    Parameters
    ----------
    command : str
        What starts it, as a shell would split it; no shell runs it.

    Attributes
    ----------
    sha256 : str
        Of the bitstream that it loaded.
    versions : str
        Of what runs there.

    Raises
    ------
    InputError
        If the command is none.
    MissingPart
        If it cannot be started, or there is no pynq where it ends up.
    PartFailed
        If it ends before it answers, something else answers, or the bitstream does not load.
    """

    def __init__(self, command: str):
        self._command = command
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise InputError(f"board.command = {command!r}: {error}") from None
        if not words:
            raise InputError("board.command = '', expected a program")
        try:
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise MissingPart(f"board.command = {command!r}: {error.strerror}") from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._process.stdin, self._process.stdout:
            requests = Connection(os.dup(self._process.stdin.fileno()), readable=False)
            replies = Connection(os.dup(self._process.stdout.fileno()), writable=False)
        super().__init__(replies, requests, ANSWER_S)
        try:
            self._meet()
        except BaseException:
            self.close()
            raise

    def _meet(self) -> None:
        answer = self._answer(LOADING_S)
        try:
            said = json.loads(answer)
            self.sha256 = str(said.pop("sha256"))
        except (ValueError, KeyError, AttributeError):
            raise PartFailed(f"board.command = {self._command!r}: what answers is no hdl.pynq_served") from None
        self.versions = ", ".join(f"{name} {version}" for name, version in said.items())

    def close(self) -> None:
        """End the other process."""
        self.hang_up()
        try:
            self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def lost(self) -> str:
        """Return how the other process ended."""
        try:
            ended = f"it ended with {self._process.wait(ENDING_S)}"
        except subprocess.TimeoutExpired:
            ended = "what it says is no answer"
        return f"board.command = {self._command!r}: {ended}"
