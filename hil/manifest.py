"""What every run's manifest has in common, and the checkpoints it is held to when it is resumed."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable, Sequence
from typing import Any

from teiden import __version__
from twin.scenario import Study
from twin.study.folder import RunFolder

RESUMED = "resumed: repeated from the start, all checkpoints of the interrupted run came out the same"


def begin_manifest(
    scenario: Study, backend: str, modelled: list[str], not_modelled: list[str], tools: Iterable[str]
) -> dict[str, Any]:
    """Return what is known of a run before it runs; ``tools`` are the packages whose versions matter to it."""
    return {
        "status": "incomplete",
        "version": __version__,
        "name": scenario.name,
        "seed": scenario.seed,
        "backend": backend,
        "modelled": modelled,
        "not_modelled": not_modelled,
        "tools": {"python": platform.python_version(), **{tool: importlib.metadata.version(tool) for tool in tools}},
        "scenario": scenario.model_dump(mode="json"),
    }


class Checkpoints:
    """Writes the checkpoints of a run as they come; a resumed run is held to those of the interrupted one."""

    def __init__(self, folder: RunFolder):
        self._folder = folder
        self._written = 0

    def write(self, so_far: Sequence[tuple[int, str]]) -> None:
        """Write what is new of a run's (t_ns, digest)."""
        for t_ns, digest in so_far[self._written :]:
            self._folder.checkpoint(t_ns, digest)
        self._written = len(so_far)
