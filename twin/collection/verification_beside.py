"""Verification in a process of its own: bytes are made and read message by message, in Python, which one thread runs.

The process takes what `Verification` is made of, then messages, until its input ends; then it says what it counted.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import Counter
from typing import IO

from teiden.errors import PartFailed
from twin.collection.values import Contents
from twin.collection.verification import Verification

WORTH_IT = 20_000  # messages; to begin takes as long as some thousand


class VerificationBeside(Verification):
    """As `Verification`, but `counts` are there once it is closed."""

    def __init__(self, seed: int, share: float, meters: int, profile: str):
        super().__init__(seed, share, meters, profile)
        self._made_of = seed, share, meters, profile
        self._process: subprocess.Popen[bytes] | None = None

    def check(self, held: Contents) -> None:
        """Hand on the sample of these messages.

        Raises
        ------
        PartFailed
            If the process ended.
        """
        if self._process is None:
            self._process = _begin()
            self._tell(self._process, self._made_of)
        self._tell(self._process, (held.kind.series, self.sample(held)))

    def close(self) -> None:
        """Wait for what was handed on, and take what was counted; a second call does nothing."""
        process, self._process = self._process, None
        if process is not None:
            told, _ = process.communicate()
            if process.returncode:
                raise PartFailed(f"verification: its process ended with {process.returncode}")
            self.counts += pickle.loads(told)

    @staticmethod
    def _tell(process: subprocess.Popen[bytes], what: object) -> None:
        assert process.stdin is not None
        try:
            pickle.dump(what, process.stdin)
            process.stdin.flush()
        except BrokenPipeError:
            raise PartFailed(f"verification: its process ended with {process.wait()}") from None


def _begin() -> subprocess.Popen[bytes]:
    """Begin the process; a key that breaks the run off does not reach it, it ends with its input."""
    return subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )


def serve(told: IO[bytes], answer: IO[bytes]) -> None:
    """Verify what is told until its end, then answer with the counts."""
    verification = Verification(*pickle.load(told))
    while True:
        try:
            series, messages = pickle.load(told)
        except EOFError:
            break
        for readings in messages:
            verification.send(series, readings)
    pickle.dump(Counter(verification.counts), answer)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
