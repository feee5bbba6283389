"""What was said on the bench: SCPI messages and register accesses as JSON lines, and their playback."""

from __future__ import annotations

import base64
import json
from collections import defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teiden.errors import InputError, PartFailed

SCPI, REGISTERS = "scpi.jsonl", "registers.jsonl"


class Departure(PartFailed):
    """A replay asked for something else than the recording did."""


class Transcript:
    """A file of JSON lines, each with its test and the bench's time.

    Parameters
    ----------
    path : Path
        The file to write.
    """

    def __init__(self, path: Path):
        self._file = open(path, "w", encoding="utf-8")  # noqa: SIM115 (closed by `close`)
        self.test = ""
        self.clock: Callable[[], float] = lambda: 0.0

    def note(self, **entry: Any) -> None:
        """Write a line."""
        self._file.write(json.dumps({"test": self.test, "t_s": round(self.clock(), 9), **entry}) + "\n")

    def close(self) -> None:
        """End the file."""
        self._file.close()


class Transcripts:
    """Both transcripts of a session.

    Parameters
    ----------
    folder : Path
        Where they are written.
    """

    def __init__(self, folder: Path):
        self.scpi = Transcript(folder / SCPI)
        self.registers = Transcript(folder / REGISTERS)

    def begin(self, test: str) -> None:
        """What follows belongs to a test."""
        self.scpi.test = self.registers.test = test

    def use_clock(self, clock: Callable[[], float]) -> None:
        """Take the times from a bench [s]."""
        self.scpi.clock = self.registers.clock = clock

    def close(self) -> None:
        """End both files."""
        self.scpi.close()
        self.registers.close()


class Tape:
    """A transcript being played back, test by test.

    Parameters
    ----------
    path : Path
        A file that a `Transcript` wrote.

    Raises
    ------
    InputError
        If it cannot be read.
    """

    def __init__(self, path: Path):
        self._path = path
        self._entries: dict[str, deque[tuple[int, dict[str, Any]]]] = defaultdict(deque)
        self._test = ""
        number = 0
        try:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                entry = json.loads(line)
                self._entries[entry["test"]].append((number, entry))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}:{number}: cannot be read as a transcript ({error})") from error

    def begin(self, test: str) -> None:
        """What follows belongs to a test."""
        self._test = test

    def take(self, **asked: Any) -> dict[str, Any]:
        """Return the next entry of the test, which must hold what is asked.

        Raises
        ------
        Departure
            Naming the line, what was recorded and what is asked now.
        """
        entries = self._entries[self._test]
        if not entries:
            raise Departure(f"replay: {self._path.name}: {self._test} ends here, now asked {_said(asked)}")
        number, entry = entries.popleft()
        if any(entry.get(name) != value for name, value in asked.items()):
            recorded = _said({name: entry[name] for name in entry if name not in ("test", "t_s")})
            raise Departure(f"replay: {self._path.name}:{number}: recorded {recorded}, now asked {_said(asked)}")
        return entry

    def follows(self, **what: Any) -> bool:
        """Return whether the next entry of the test holds this."""
        entries = self._entries[self._test]
        return bool(entries) and all(entries[0][1].get(name) == value for name, value in what.items())

    def check_ended(self) -> None:
        """Raise Departure if the recording of the test goes on."""
        entries = self._entries[self._test]
        if entries:
            number, entry = entries[0]
            recorded = _said({name: entry[name] for name in entry if name not in ("test", "t_s")})
            raise Departure(f"replay: {self._path.name}:{number}: recorded {recorded}, now the test has ended")


def _said(content: dict[str, Any]) -> str:
    """Return an entry as a short text."""
    text = " ".join(f"0x{value:04X}" if name == "address" else str(value) for name, value in content.items())
    return text if len(text) <= 120 else text[:117] + "..."


def pack_words(words: NDArray[np.uint32]) -> str:
    """Return words as base64 of their little-endian bytes."""
    return base64.b64encode(words.astype("<u4").tobytes()).decode()


def unpack_words(text: str) -> NDArray[np.uint32]:
    """Return the words, (n,), of `pack_words`."""
    return np.frombuffer(base64.b64decode(text), "<u4").astype(np.uint32)
