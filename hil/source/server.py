"""A simulated source on the network: SCPI over a raw TCP socket, LF-terminated, one client at a time."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from types import TracebackType

from hil.source.faults import OVERFLOW_ERRORS, TRIP_AFTER_NS, FaultScript
from hil.source.simulated import SimulatedSource
from teiden.errors import MissingPart

_READ_BYTES = 4096


class SourceServer:
    """Serve a source from a thread of its own while the context is open.

    A second client is refused by closing its connection within 0.1 s; a message longer than the input buffer is
    dropped and queued as error -363; an unfinished message is dropped with its connection. The output stays as it
    is when a client goes away, as on the instrument.

    Parameters
    ----------
    source : SimulatedSource
        What executes the messages.
    host : str
        Address to listen at.
    port : int
        Port to listen at; 0 takes a free one.
    faults : FaultScript or None
        What goes wrong and when.

    Raises
    ------
    MissingPart
        On entry, if the port cannot be had.
    """

    grace_s = 0.1  # for the last client's end to be noticed before the next one is refused

    def __init__(
        self, source: SimulatedSource, host: str = "127.0.0.1", port: int = 0, faults: FaultScript | None = None
    ):
        self.port = port
        self._source = source
        self._host = host
        self._faults = faults or FaultScript()
        self._client: asyncio.StreamWriter | None = None
        self._turn = asyncio.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulated source", daemon=True)
        self._server: asyncio.Server | None = None

    @property
    def resource_name(self) -> str:
        """VISA resource name to reach the source by."""
        return f"TCPIP::{self._host}::{self.port}::SOCKET"

    def __enter__(self) -> SourceServer:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        except OSError as error:
            self._stop_loop()
            raise MissingPart(
                f"simulated source at {self._host}:{self.port}: cannot listen there ({error.strerror}); "
                "end the program that holds the port, or give port 0 for a free one"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._stop_loop()

    def drop_client(self) -> None:
        """Cut the client's connection, as a source that is switched off does; does nothing without a client."""
        asyncio.run_coroutine_threadsafe(self._abort_client(), self._loop).result()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._abort_client()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _abort_client(self) -> None:
        if self._client is not None:
            self._client.transport.abort()
            with suppress(ConnectionError):  # it has gone by itself meanwhile
                await self._client.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.wait_for(self._turn.acquire(), self.grace_s)
        except TimeoutError:
            writer.close()
            return
        self._client = writer
        try:
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._converse(reader, writer)
        except ConnectionError:
            pass  # the client went away in the middle of a message; the next one is welcome
        finally:
            self._client = None
            self._turn.release()
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = _LineBuffer(self._source.line_chars)
        while data := await reader.read(_READ_BYTES):
            for line in lines.add(data):
                if line is None:
                    self._source.report_overrun()
                    continue
                reply = await self._execute(line, writer)
                if reply is not None:
                    writer.write(reply.encode("ascii") + b"\n")
                    await writer.drain()

    async def _execute(self, line: bytes, writer: asyncio.StreamWriter) -> str | None:
        """Execute a message with the fault that it meets; ConnectionAbortedError if that is a cut connection."""
        kind = self._faults.next_kind()
        if kind == "drop":
            writer.transport.abort()
            raise ConnectionAbortedError
        if kind == "overflow":
            for _ in range(OVERFLOW_ERRORS):
                self._source.report(-363)
        if kind == "trip":
            self._source.trip("over-current", TRIP_AFTER_NS)
        reply = self._source.execute(line)
        if kind == "stale" and reply is not None:
            await self._delay()
        return reply

    async def _delay(self) -> None:
        """Hold a stale reply back."""
        await asyncio.sleep(self._faults.stale_s)


class _LineBuffer:
    """Cut a stream into lines, holding no more than one line of the longest length."""

    def __init__(self, limit: int):
        self._limit = limit
        self._pending = b""
        self._overrun = False

    def add(self, data: bytes) -> list[bytes | None]:
        """Return the lines that end in the data; None stands for one that was too long."""
        *ended, self._pending = (self._pending + data).split(b"\n")
        lines: list[bytes | None] = []
        for line in ended:
            lines.append(None if self._overrun or len(line) > self._limit else line)
            self._overrun = False
        if len(self._pending) > self._limit:
            self._overrun, self._pending = True, b""
        return lines
