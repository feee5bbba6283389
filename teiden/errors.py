"""Errors a caller may want to catch, each with the exit code its command ends with."""

from __future__ import annotations

from collections.abc import Sequence

INTERRUPTED = 130  # exit code after Ctrl-C, as a shell has it


class TeidenError(Exception):
    """Base of every error Teiden raises on purpose; the message says where, what came, what would do."""

    exit_code = 3


class InputError(TeidenError, ValueError):
    """A file, option or argument is wrong."""

    exit_code = 2


class ScenarioError(InputError):
    """A scenario has problems; all of them are listed at once.

    Parameters
    ----------
    problems : sequence of str
        One line per problem, ``file: table.key = value, expected ...``.
    """

    def __init__(self, problems: Sequence[str]):
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class MissingPart(TeidenError):
    """A compiler, device, instrument or peer that was asked for is not there."""


class PartFailed(TeidenError):
    """A part that was running stopped, answered wrongly or did not answer in time."""
