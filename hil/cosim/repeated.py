"""What another simulator gave an interrupted run, to which it is held when the run is resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from teiden.errors import PartFailed
from twin.outside import Value

Given = tuple[int, dict[str, Value]]  # t_ns, inputs by name


def read_inputs(exchange: Path) -> list[Given]:
    """Return what each moment of an exchange gave, in order; what stands behind a line that is cut off is not read."""
    merged: dict[int, dict[str, Value]] = {}
    for line in exchange.read_text(encoding="utf-8").splitlines() if exchange.is_file() else []:
        try:
            row = json.loads(line)
            merged.setdefault(int(row["t_ns"]), {}).update(row["inputs"])
        except (ValueError, KeyError, TypeError):
            break
    return sorted(merged.items())


class RepeatedInputs:
    """Compares inputs with those of an interrupted run, moment by moment.

    Parameters
    ----------
    given : sequence
        What the interrupted run was given. Its last moment may not have come whole and is not compared.
    """

    def __init__(self, given: Sequence[Given]):
        self._end_ns = given[-1][0] if given else 0
        self._given = {t_ns: inputs for t_ns, inputs in given[:-1] if inputs}
        self._now: dict[str, Value] = {}
        self._t_ns = 0

    def check(self, t_ns: int, inputs: Mapping[str, Value]) -> None:
        """Take the inputs of a step at ``t_ns``, no earlier than the last one.

        Raises
        ------
        PartFailed
            If a moment before has got other inputs than in the interrupted run.
        """
        if t_ns > self._t_ns:
            self._compare(t_ns)
            self._t_ns, self._now = t_ns, {}
        self._now.update(inputs)

    def _compare(self, until_ns: int) -> None:
        """Compare the moment that is over, and find what was given after it and before ``until_ns``."""
        if self._t_ns >= self._end_ns:
            return
        moments = [self._t_ns, *(t_ns for t_ns in self._given if self._t_ns < t_ns < until_ns)]
        for t_ns in moments:
            before, now = self._given.get(t_ns, {}), self._now if t_ns == self._t_ns else {}
            if before != now:
                names = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
                raise PartFailed(
                    f"t = {t_ns / 1e9:.9g} s: {names[0]} = {now.get(names[0], 'nothing')}, in the interrupted run "
                    f"{before.get(names[0], 'nothing')} ({len(names)} inputs differ); the other simulator must repeat "
                    "itself, or start again without resuming"
                )
