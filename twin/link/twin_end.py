"""The twin's end of the link: it binds, for a rig that the run starts, or calls a rig that is served elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from teiden.errors import MissingPart, PartFailed
from twin.link.caller import Caller
from twin.link.end import End
from twin.link.heartbeat import HEARTBEAT_MS
from twin.link.keys import Keys, host_of, require_keys
from twin.link.listener import Listener
from twin.link.telemetry import Subscriber
from twin.wire import PROTO, Call, Hello

ANSWER_S = 15.0  # for a served rig to say hello


class TwinSide(End):
    """What the twin asks of its end, however it is connected."""

    alive: Callable[[], str | None] = staticmethod(lambda: None)
    strangers = 0
    telemetry: Subscriber

    def _listen(self, keys: Keys | None) -> None:
        """Make what hears telemetry, closed with the link."""
        self.telemetry = Subscriber(self._context, keys)
        self._with_it.insert(0, self.telemetry.close)

    def meet(self, patience_s: float) -> Any:
        """Return the rig's first message."""
        return self.receive(patience_s, "hello")

    def receive(self, timeout_s: float, waiting_for: str) -> Any:
        """Return the next message.

        Raises
        ------
        PartFailed
            If the rig's process ended, its connection broke, it reported a failure, or nothing
            came within ``timeout_s``; the message says what was waited for.
        """
        try:
            message = self.take(timeout_s)
        except RigLost as lost:
            raise PartFailed(f"{lost} while the twin waited for {waiting_for}") from None
        if message is None:
            raise PartFailed(f"rig ({self.state}): no {waiting_for} within {timeout_s:g} s{self._turned_away()}")
        return message

    def _turned_away(self) -> str:
        said = f"; {self.strangers} messages of others were refused" if self.strangers else ""
        if self.refused:
            said += f"; {len(self.refused)} peers were not let in, the last because {self.refused[-1]}"
        return said

    def _look_after_rig(self) -> None:
        """Raise RigLost if the rig is gone."""
        self.telemetry.drain()
        ended = self.alive()
        if ended is not None and not self._socket.poll(0):
            raise RigLost(f"rig ({self.state}): {ended}")
        if self.lost_for_good:
            raise RigLost(f"rig ({self.state}): {self.loss}")


class TwinEnd(TwinSide, Listener):
    """The twin's socket, for one rig: the first peer that says hello.

    Parameters
    ----------
    port : int
        TCP port; 0 takes any free one.
    alive : callable
        Returns None while the rig's process lives, else a line saying how it ended.
    address : str
        Where to listen; other than loopback it needs keys.
    keys : Keys, optional
        Encrypts, and lets the holder of the rig's key in only.
    heartbeat_ms : int
        See `End`.

    Raises
    ------
    MissingPart
        If the port is taken.
    InputError
        If the address is not loopback and there are no keys.
    """

    begins_with = Hello
    taken = "link: this run has a rig already"

    def __init__(
        self,
        port: int = 0,
        alive: Callable[[], str | None] = lambda: None,
        *,
        address: str = "127.0.0.1",
        keys: Keys | None = None,
        heartbeat_ms: int = HEARTBEAT_MS,
    ):
        super().__init__(port, address, keys, heartbeat_ms)
        self.alive = alive
        self._listen(keys)
        self.telemetry.bind(address)

    def _look(self) -> None:
        self._look_after_rig()


class CallingTwin(TwinSide, Caller):
    """The twin's socket to a rig that ``teiden rig serve`` runs.

    Parameters
    ----------
    endpoint : str
        ``tcp://host:port`` of the rig; other than loopback it needs keys.
    keys : Keys, optional
        Of the twin.
    heartbeat_ms : int
        See `End`.

    Raises
    ------
    InputError
        If the endpoint is none, or not loopback and there are no keys.
    """

    def __init__(self, endpoint: str, keys: Keys | None = None, heartbeat_ms: int = HEARTBEAT_MS):
        require_keys(host_of(endpoint), keys, what=f"rig at {endpoint}")
        super().__init__(endpoint, keys, heartbeat_ms, peer="rig", own="twin")
        self._listen(keys)

    def meet(self, patience_s: float) -> Any:
        """Call the rig and return its first message; MissingPart if nobody is there."""
        self.send(Call(PROTO))
        hello = self.take(ANSWER_S)
        if hello is None:
            raise MissingPart(
                f"rig at {self.endpoint}: no answer within {ANSWER_S:g} s{self._turned_away()}; "
                "is teiden rig serve running there, with the rig's keys if this run has keys?"
            )
        if isinstance(hello, Hello):
            self.telemetry.connect(self.endpoint, hello.telemetry_port)
        return hello

    def _look(self) -> None:
        Caller._look(self)
        self._look_after_rig()


class RigLost(PartFailed):
    """The rig is gone, and how."""
