"""Reactions kept beside a table that is still being measured, so that an interrupted characterisation goes on."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import msgspec

from hdl.characterise import Reaction


class _Header(msgspec.Struct):
    """The first line: what the lines below were measured with."""

    key: str


class KeptReactions:
    """A file of one JSON line a reaction, in the order of the cases; a context that closes it.

    Parameters
    ----------
    path : Path
        The file; lines of the same key are taken up, a file of another key or no such file is begun anew.
    key : str
        All that reactions depend on.
    """

    def __init__(self, path: Path, key: str):
        self._path = path
        self.reactions, sound_bytes = _read(path, key)
        self._file = path.open("ab")
        self._file.truncate(sound_bytes)  # nothing, or up to a line that was being written when the process ended
        if not sound_bytes:
            self._write(_Header(key))

    def add(self, reaction: Reaction) -> None:
        """Keep one more; it is the system's before this returns, so a killed process loses none."""
        self._write(reaction)
        self.reactions.append(reaction)

    def discard(self) -> None:
        """Remove the file: what it held is in the table."""
        self._path.unlink()

    def _write(self, line: _Header | Reaction) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()

    def __enter__(self) -> KeptReactions:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _read(path: Path, key: str) -> tuple[list[Reaction], int]:
    """Return the reactions that a file holds for a key, and the bytes of its whole lines."""
    if not path.exists():
        return [], 0
    lines = path.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    try:
        if not lines or msgspec.json.decode(lines[0], type=_Header).key != key:
            return [], 0
        return [msgspec.json.decode(line, type=Reaction) for line in lines[1:]], sum(map(len, lines))
    except msgspec.DecodeError:
        return [], 0
