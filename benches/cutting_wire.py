"""A wire that can be cut, for tests and benches of the link."""

from __future__ import annotations

import select
import socket
import threading


class CuttingWire:
    """A TCP relay that cuts its connections when told, losing whatever is on its way."""

    def __init__(self, endpoint: str):
        host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._cut = threading.Event()
        self._stop = threading.Event()
        self.made = 0
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def cut(self) -> None:
        """Cut all connections; new ones are let through."""
        self._cut.set()

    def close(self) -> None:
        """End the relay."""
        self._stop.set()
        self._thread.join()

    def _carry(self) -> None:
        while not self._stop.is_set():
            readable, _, _ = select.select([self._listener, *self._pairs], [], [], 0.01)
            for one in readable:
                if one is self._listener:
                    self._join(one.accept()[0])
                elif one in self._pairs:
                    self._pass(one)
            if self._cut.is_set():
                self._cut.clear()
                self._hang_up(*self._pairs)
        self._hang_up(*self._pairs, self._listener)

    def _join(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._target)
        except OSError:  # the twin has gone
            near.close()
            return
        self._pairs |= {near: far, far: near}
        self.made += 1

    def _pass(self, one: socket.socket) -> None:
        try:
            data = one.recv(2048)  # small, so that a cut falls into the middle of messages
            if data:
                self._pairs[one].sendall(data)
                return
        except OSError:
            pass
        self._hang_up(one, self._pairs[one])

    def _hang_up(self, *sockets: socket.socket) -> None:
        for one in sockets:
            self._pairs.pop(one, None)
            one.close()
