"""SCPI on the instrument's side: header tree, messages, error queue and status registers, for any dialect.

Rules from SCPI-1999 volume 1 (chapters 5 to 7) and IEEE 488.2-1992.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

ERRORS = {
    0: "No error",
    -101: "Invalid character",
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -123: "Exponent too large",
    -131: "Invalid suffix",
    -151: "Invalid string data",
    -211: "Trigger ignored",
    -213: "Init ignored",
    -221: "Settings conflict",
    -222: "Data out of range",
    -223: "Too much data",
    -224: "Illegal parameter value",
    -226: "Lists not same length",
    -350: "Queue overflow",
    -363: "Input buffer overrun",
}

OPERATION_COMPLETE, DEVICE_ERROR, EXECUTION_ERROR, COMMAND_ERROR, POWER_ON = 1, 8, 16, 32, 128  # bits of *ESR?
ERROR_AVAILABLE, EVENT_SUMMARY, MASTER_SUMMARY = 4, 32, 64  # bits of *STB?

Handler = Callable[[list[str]], "str | None"]

_UNIT = re.compile(r"(?P<header>[:*]?[A-Za-z][A-Za-z0-9_:]*\??)(?:\s+(?P<parameters>.*))?", re.DOTALL)
_NODE = re.compile(r"\[?:?(?P<name>[A-Za-z]+\d*)\]?:?")


class ScpiError(Exception):
    """A command that failed, with its SCPI error number."""

    def __init__(self, number: int):
        self.number = number
        super().__init__(f'{number},"{ERRORS[number]}"')


class ErrorQueue:
    """First in, first out; when full, the newest entry becomes -350."""

    def __init__(self, capacity: int = 16):
        self._capacity = capacity
        self._numbers: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._numbers)

    def push(self, number: int) -> None:
        """Append an error."""
        if len(self._numbers) == self._capacity:
            self._numbers[-1] = -350
        else:
            self._numbers.append(number)

    def pop(self) -> str:
        """Remove the oldest error and return it as ``SYST:ERR?`` does."""
        number = self._numbers.popleft() if self._numbers else 0
        return f'{number:+d},"{ERRORS[number]}"'

    def clear(self) -> None:
        """Forget all errors."""
        self._numbers.clear()


class Status:
    """Event status register, its enable, service request enable and the error queue."""

    def __init__(self) -> None:
        self.errors = ErrorQueue()
        self.event = POWER_ON
        self.event_enable = 0
        self.request_enable = 0

    def report(self, number: int) -> None:
        """Queue an error and set its bit in the event status register."""
        self.errors.push(number)
        if -200 < number <= -100:
            self.event |= COMMAND_ERROR
        elif -300 < number <= -200:
            self.event |= EXECUTION_ERROR
        else:
            self.event |= DEVICE_ERROR

    def take_event(self) -> int:
        """Return the event status register and clear it."""
        event, self.event = self.event, 0
        return event

    def byte(self) -> int:
        """Return the status byte."""
        byte = ERROR_AVAILABLE * bool(len(self.errors)) | EVENT_SUMMARY * bool(self.event & self.event_enable)
        return byte | MASTER_SUMMARY * bool(byte & self.request_enable)

    def clear(self) -> None:
        """Do what ``*CLS`` does."""
        self.errors.clear()
        self.event = 0


@dataclass
class _Node:
    """One node of the header tree; `children` knows every spelling of a child."""

    children: dict[str, _Node] = field(default_factory=dict)
    command: Handler | None = None
    query: Handler | None = None


class CommandTree:
    """Headers and their handlers; patterns are written as manuals print them: ``[SOURce:]VOLTage[:LEVel]``."""

    def __init__(self) -> None:
        self.root = _Node()

    def add(self, pattern: str, *, command: Handler | None = None, query: Handler | None = None) -> None:
        """Add a header. Handlers take the parameters as text; a query's returns its reply."""
        for names in _variants(pattern):
            node = self.root
            for name in names:
                node = _child(node, name)
            node.command = command or node.command
            node.query = query or node.query

    def add_common(self, name: str, *, command: Handler | None = None, query: Handler | None = None) -> None:
        """Add a common command such as ``*IDN``."""
        self.root.children[name] = _Node(command=command, query=query)


def _variants(pattern: str) -> Iterable[tuple[str, ...]]:
    """Return a pattern's header with and without each optional node."""
    choices = []
    for match in _NODE.finditer(pattern):
        name = (match["name"],)
        choices.append((name, ()) if match[0].startswith("[") else (name,))
    return (tuple(itertools.chain.from_iterable(picked)) for picked in itertools.product(*choices))


def _child(node: _Node, name: str) -> _Node:
    """Return the child of that name, made if new, reachable in its short and long form, suffix 1 optional."""
    spellings = spell(name)
    child = next((node.children[s] for s in spellings if s in node.children), _Node())
    for spelling in spellings:
        node.children[spelling] = child
    return child


def spell(name: str) -> frozenset[str]:
    """Return every accepted spelling of a mnemonic such as ``SEQuence1``, in capitals."""
    stem = name.rstrip("0123456789")
    suffix = name[len(stem) :]
    short = "".join(letter for letter in stem if not letter.islower())
    suffixes = {suffix, ""} if suffix == "1" else {suffix}
    return frozenset(form + end for form in (short, stem.upper()) for end in suffixes)


class Interpreter:
    """Execute program messages against a header tree.

    Parameters
    ----------
    tree : CommandTree
        The headers.
    status : Status
        Where errors go.
    line_chars : int
        Longest message.
    before_command : callable
        Called before every command that is not a query.
    """

    def __init__(self, tree: CommandTree, status: Status, line_chars: int, before_command: Callable[[], None]):
        self._tree = tree
        self._status = status
        self._line_chars = line_chars
        self._before_command = before_command

    def execute(self, message: bytes) -> str | None:
        """Execute one message, terminator excluded; return the replies of its queries joined, or None.

        Errors go to the queue. After an execution error the rest of the message is still executed; after a
        command error it is dropped, because the header path is then unknown.
        """
        if len(message) > self._line_chars:
            self._status.report(-363)
            return None
        replies: list[str] = []
        try:
            self._run(_decode(message), replies)
        except ScpiError as error:
            self._status.report(error.number)
        return ";".join(replies) if replies else None

    def _run(self, text: str, replies: list[str]) -> None:
        path = self._tree.root
        for unit in split(text, ";"):
            if not unit:
                continue
            match = _UNIT.fullmatch(unit)
            if match is None:
                raise ScpiError(-102)
            node, path = self._find(match["header"].rstrip("?"), path)
            parameters = split(match["parameters"] or "", ",")
            handler = node.query if unit_is_query(match["header"]) else node.command
            if handler is None:
                raise ScpiError(-113)
            self._call(handler, parameters if parameters != [""] else [], unit_is_query(match["header"]), replies)

    def _call(self, handler: Handler, parameters: list[str], is_query: bool, replies: list[str]) -> None:
        if not is_query:
            self._before_command()
        try:
            reply = handler(parameters)
        except ScpiError as error:
            if error.number > -200:
                raise
            self._status.report(error.number)
        else:
            if reply is not None:
                replies.append(reply)

    def _find(self, header: str, path: _Node) -> tuple[_Node, _Node]:
        """Return the node of a header and the path for the one after it."""
        if header.startswith("*"):
            found = self._tree.root.children.get(header.upper())
            if found is None:
                raise ScpiError(-113)
            return found, path
        node = parent = self._tree.root if header.startswith(":") else path
        for name in header.removeprefix(":").upper().split(":"):
            child = node.children.get(name)
            if child is None:
                raise ScpiError(-113)
            node, parent = child, node
        return node, parent


def unit_is_query(header: str) -> bool:
    """Return whether a header asks."""
    return header.endswith("?")


def _decode(message: bytes) -> str:
    """Return the text of a message; control characters count as white space, as IEEE 488.2 has it."""
    if any(byte > 126 for byte in message):
        raise ScpiError(-101)
    return "".join(chr(byte) if byte >= 32 else " " for byte in message)


def split(text: str, separator: str) -> list[str]:
    """Split text at a separator outside quotes and strip the parts."""
    parts, quote = [""], ""
    for letter in text:
        if letter == separator and not quote:
            parts.append("")
            continue
        if letter in "\"'" and quote in ("", letter):
            quote = "" if quote else letter
        parts[-1] += letter
    if quote:
        raise ScpiError(-151)
    return [part.strip() for part in parts]
