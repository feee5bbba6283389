"""What makes the link lose nothing and repeat nothing: numbers, acknowledgements, resending. No sockets here.

Every frame carries the number of its message and the number up to which the sender has taken the peer's messages.
A message is kept until the peer has acknowledged it and sent again when it may have been lost; a peer takes messages
in order of their numbers only, so a repeated one is dropped and one behind a gap comes again. An acknowledgement
means that the peer's program has taken the message, not that it lies in a buffer.
"""

from __future__ import annotations

import struct
from collections import deque

from teiden.errors import PartFailed

HEADER = struct.Struct("<QQ")  # number of this message, 0 for none; number up to which the peer's messages were taken


class Channel:
    """One end's numbering of what it sends and what it takes."""

    def __init__(self) -> None:
        self.sent = 0
        self.acknowledged = 0
        self.taken = 0
        self.told = 0  # the acknowledgement that went out last
        self.resent = 0
        self.duplicates = 0
        self._kept: deque[tuple[int, bytes]] = deque()

    @property
    def unacknowledged(self) -> int:
        """How many messages the peer has not acknowledged."""
        return self.sent - self.acknowledged

    @property
    def owed(self) -> int:
        """How many of the peer's messages were taken and not acknowledged; repeated ones count as one."""
        return self.taken - self.told

    def pack(self, payload: bytes) -> bytes:
        """Return the frame of the next message, which is kept until it is acknowledged."""
        self.sent += 1
        self._kept.append((self.sent, payload))
        return self._frame(self.sent, payload)

    def acknowledgement(self) -> bytes:
        """Return a frame that carries an acknowledgement only."""
        return self._frame(0, b"")

    def again(self) -> list[bytes]:
        """Return the frames of everything unacknowledged, oldest first."""
        self.resent += len(self._kept)
        return [self._frame(number, payload) for number, payload in self._kept]

    def unpack(self, frame: bytes) -> bytes | None:
        """Return the message in a frame if it is the next one, else None: a repeated one, or one behind a gap.

        Raises
        ------
        PartFailed
            If the frame cannot be the peer's: too short, or acknowledging what was never sent.
        """
        if len(frame) < HEADER.size:
            raise PartFailed(f"link: a frame of {len(frame)} bytes, expected {HEADER.size} or more")
        number, acknowledged = HEADER.unpack_from(frame)
        if acknowledged > self.sent:
            raise PartFailed(f"link: the peer acknowledges message {acknowledged}, but only {self.sent} were sent")
        self._release(acknowledged)
        if number == self.taken + 1:
            self.taken = number
            return frame[HEADER.size :]
        if 0 < number <= self.taken:
            self.duplicates += 1
            self.told = min(self.told, self.taken - 1)  # the peer missed the acknowledgement
        return None

    def _release(self, acknowledged: int) -> None:
        while self._kept and self._kept[0][0] <= acknowledged:
            self._kept.popleft()
        self.acknowledged = max(self.acknowledged, acknowledged)

    def _frame(self, number: int, payload: bytes) -> bytes:
        self.told = self.taken
        return HEADER.pack(number, self.taken) + payload
