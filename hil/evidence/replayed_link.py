"""A message link that answers from a transcript instead of an instrument."""

from __future__ import annotations

from hil.evidence.transcript import Tape
from hil.source.link import PROBE, ScpiLink
from teiden.errors import PartFailed


class ReplayedLink(ScpiLink):
    """Answer every message as the instrument did; another message than the recorded one is a `Departure`.

    Parameters
    ----------
    resource_name : str
        What messages call the source.
    tape : Tape
    """

    def __init__(self, resource_name: str, tape: Tape):
        self.resource_name = resource_name
        self._tape = tape
        self._is_open = True
        self._probe_reply = self.query(PROBE)

    @property
    def is_open(self) -> bool:
        """Whether it was closed."""
        return self._is_open

    def query(self, message: str) -> str:
        """Return the recorded reply; PartFailed where there was none."""
        self._tape.take(way="write", text=message)
        if not self._tape.follows(way="read"):
            raise PartFailed(f'source at {self.resource_name}: no reply to "{message}" in the recording')
        return str(self._tape.take(way="read")["text"])

    def close(self) -> None:
        """End the playback."""
        self._is_open = False
