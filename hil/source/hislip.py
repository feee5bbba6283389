"""A simulated source on the network by HiSLIP (IVI-6.1, 2011), synchronised mode, one client at a time.

No maintained HiSLIP server was found among the packages of PyPI, only clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass

from hil.source.faults import FaultScript
from hil.source.server import SourceServer
from hil.source.simulated import SimulatedSource

_HEADER = struct.Struct("!2sBBIQ")  # IVI-6.1, table 3: prologue, type, control code, parameter, length of payload
_MOST_BYTES = 1 << 20  # longest payload taken
_VERSION = 0x0100  # 1.0
_VENDOR = int.from_bytes(b"TD", "big")

# message types: IVI-6.1, table 4
INITIALIZE, INITIALIZE_RESPONSE, FATAL_ERROR, ERROR = 0, 1, 2, 3
ASYNC_LOCK, ASYNC_LOCK_RESPONSE, DATA, DATA_END = 4, 5, 6, 7
CLEAR_COMPLETE, CLEAR_ACKNOWLEDGE, REMOTE_LOCAL, REMOTE_LOCAL_RESPONSE, TRIGGER = 8, 9, 10, 11, 12
MAX_SIZE, MAX_SIZE_RESPONSE, ASYNC_INITIALIZE, ASYNC_INITIALIZE_RESPONSE, ASYNC_CLEAR = 15, 16, 17, 18, 19
STATUS_QUERY, STATUS_RESPONSE, ASYNC_CLEAR_ACKNOWLEDGE, LOCK_INFO, LOCK_INFO_RESPONSE = 21, 22, 23, 24, 25

# fatal error codes: table 14; error codes: table 16
_BAD_HEADER, _NO_CONNECTION_PAIR, _TOO_MANY_CLIENTS = 1, 2, 4
_UNKNOWN_TYPE = 1


@dataclass(frozen=True)
class _Message:
    kind: int
    control: int
    parameter: int
    payload: bytes


class _FatalError(Exception):
    """The connection is ended with a fatal error of this code."""

    def __init__(self, code: int, text: str):
        super().__init__(text)
        self.code = code


class HislipServer(SourceServer):
    """Serve a source by HiSLIP from a thread of its own while the context is open.

    With a device clear, which drops a reply on its way, and a serial poll. Locks are granted without being kept,
    because there is one client only; service requests are not sent. Parameters as for `SourceServer`.
    """

    def __init__(
        self, source: SimulatedSource, host: str = "127.0.0.1", port: int = 0, faults: FaultScript | None = None
    ):
        super().__init__(source, host, port, faults)
        self._session = 0
        self._cleared = asyncio.Event()

    @property
    def resource_name(self) -> str:
        """VISA resource name to reach the source by."""
        return f"TCPIP::{self._host}::hislip0,{self.port}::INSTR"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            first = await _read(reader)
            if first.kind == INITIALIZE:
                await self._serve_messages(reader, writer)
            elif first.kind == ASYNC_INITIALIZE and self._session and first.parameter == self._session:
                _send(writer, ASYNC_INITIALIZE_RESPONSE, 0, _VENDOR)
                await self._serve_controls(reader, writer)
            else:
                raise _FatalError(_NO_CONNECTION_PAIR, "initialize first")
        except _FatalError as error:
            with contextlib.suppress(ConnectionError):
                _send(writer, FATAL_ERROR, error.code, 0, str(error).encode("ascii"))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away; the next one is welcome
        finally:
            writer.close()

    async def _serve_messages(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve the synchronous channel; it holds the source."""
        try:
            await asyncio.wait_for(self._turn.acquire(), self.grace_s)
        except TimeoutError:
            raise _FatalError(_TOO_MANY_CLIENTS, "another client holds the source") from None
        self._client = writer
        self._session = self._session % 0xFFFF + 1
        try:
            _send(writer, INITIALIZE_RESPONSE, 0, _VERSION << 16 | self._session)
            await self._take_messages(reader, writer)
        finally:
            self._client = None
            self._turn.release()

    async def _take_messages(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pending = b""
        while True:
            message = await _read(reader)
            if message.kind in (DATA, DATA_END):
                pending += message.payload
                if len(pending) > _MOST_BYTES:
                    raise _FatalError(_BAD_HEADER, "message too long")
                if message.kind == DATA_END:
                    await self._answer(pending, message.parameter, writer)
                    pending = b""
            elif message.kind == TRIGGER:
                await self._answer(b"*TRG", message.parameter, writer)
            elif message.kind == CLEAR_COMPLETE:
                pending = b""
                self._cleared.clear()
                _send(writer, CLEAR_ACKNOWLEDGE)
            else:
                _send(writer, ERROR, _UNKNOWN_TYPE, 0, b"unrecognized message type")
            await writer.drain()

    async def _answer(self, text: bytes, number: int, writer: asyncio.StreamWriter) -> None:
        """Execute a message; its reply carries its number, unless a device clear came in between."""
        reply = await self._execute(text.rstrip(b"\n"), writer)
        if reply is not None and not self._cleared.is_set():
            _send(writer, DATA_END, 0, number, reply.encode("ascii") + b"\n")

    async def _delay(self) -> None:
        """Hold a stale reply back; a device clear ends the wait."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._cleared.wait(), self._faults.stale_s)

    async def _serve_controls(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve the asynchronous channel."""
        while True:
            message = await _read(reader)
            if message.kind == MAX_SIZE:
                _send(writer, MAX_SIZE_RESPONSE, 0, 0, _MOST_BYTES.to_bytes(8, "big"))
            elif message.kind == ASYNC_CLEAR:
                self._cleared.set()
                _send(writer, ASYNC_CLEAR_ACKNOWLEDGE)
            elif message.kind == STATUS_QUERY:
                _send(writer, STATUS_RESPONSE, self._source.status_byte())
            elif message.kind == ASYNC_LOCK:
                _send(writer, ASYNC_LOCK_RESPONSE, 1)
            elif message.kind == LOCK_INFO:
                _send(writer, LOCK_INFO_RESPONSE)
            elif message.kind == REMOTE_LOCAL:
                _send(writer, REMOTE_LOCAL_RESPONSE)
            else:
                _send(writer, ERROR, _UNKNOWN_TYPE, 0, b"unrecognized message type")
            await writer.drain()


async def _read(reader: asyncio.StreamReader) -> _Message:
    prologue, kind, control, parameter, length = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    if prologue != b"HS":
        raise _FatalError(_BAD_HEADER, "poorly formed message header")
    if length > _MOST_BYTES:
        raise _FatalError(_BAD_HEADER, "payload too long")
    return _Message(kind, control, parameter, await reader.readexactly(length))


def _send(writer: asyncio.StreamWriter, kind: int, control: int = 0, parameter: int = 0, payload: bytes = b"") -> None:
    writer.write(_HEADER.pack(b"HS", kind, control, parameter, len(payload)) + payload)
