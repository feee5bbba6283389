"""The run folder: made beside its place, named incomplete until it is whole, renamed at the end."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from teiden.errors import InputError, PartFailed
from teiden.files import write_text

PARTIAL = ".partial"
MANIFEST = "run.json"
CHECKPOINTS = "checkpoints.jsonl"


class RunFolder:
    """A folder being filled; use `opened`.

    Attributes
    ----------
    place : Path
        Where the finished folder will be.
    path : Path
        Where it is filled: ``<place>.partial``.
    """

    def __init__(self, place: Path, expected: list[tuple[int, str]]):
        self.place = place
        self.path = place.with_name(place.name + PARTIAL)
        self._expected = dict(expected)
        self.resumed = bool(expected)

    def checkpoint(self, t_ns: int, digest: str) -> None:
        """Note the digest at a moment.

        Raises
        ------
        PartFailed
            If the interrupted run that is being resumed had another digest at this moment.
        """
        earlier = self._expected.get(t_ns)
        if earlier is not None and earlier != digest:
            raise PartFailed(
                f"{self.path}: at t = {t_ns / 1e9:g} s the digest is {digest[:12]}, the interrupted run had "
                f"{earlier[:12]}; something it ran on has changed, start again without --resume"
            )
        with open(self.path / CHECKPOINTS, "a", encoding="utf-8") as file:
            file.write(json.dumps([t_ns, digest]) + "\n")

    def manifest(self, content: dict[str, Any]) -> None:
        """Write ``run.json``."""
        write_json(self.path / MANIFEST, content)

    def finish(self) -> None:
        """Put the filled folder in its place; an earlier finished run there is replaced."""
        (self.path / CHECKPOINTS).unlink(missing_ok=True)
        old = self.place.with_name(f"{self.place.name}.old-{os.getpid()}")
        if self.place.exists():
            os.rename(self.place, old)
        os.rename(self.path, self.place)
        shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def opened(place: Path, content: dict[str, Any], resume: bool) -> Iterator[RunFolder]:
    """Open the folder of a run for filling, alone.

    Parameters
    ----------
    place : Path
        Where the finished folder shall be.
    content : dict
        The manifest so far; its "scenario", "seed" and "version" must equal those of a run to resume.
    resume : bool
        Go on with an interrupted run: it is played again from its start, and every checkpoint must come out the same.

    Raises
    ------
    InputError
        If the place holds something that is no run, another run fills it now, or there is nothing to resume.
    """
    check_place(place)
    partial = place.with_name(place.name + PARTIAL)
    with open(place.with_name(f".{place.name}.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{partial}: another run is filling it now; wait for it or choose another --out") from None
        expected = _interrupted(partial, content) if resume else []
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        folder = RunFolder(place, expected)
        folder.manifest(content)
        try:
            yield folder
        finally:
            Path(lock.name).unlink(missing_ok=True)


def check_place(place: Path) -> None:
    """Make the parent folder; InputError if a run cannot be put there."""
    if place.exists() and not (place / MANIFEST).is_file():
        raise InputError(f"{place}: exists and is no run folder (it has no {MANIFEST}); choose another --out")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place.parent):
            pass
    except OSError as error:
        raise InputError(f"{place.parent}: cannot write there ({error.strerror}); choose another --out") from error


def _interrupted(partial: Path, content: dict[str, Any]) -> list[tuple[int, str]]:
    """Return the checkpoints of the interrupted run; InputError if it is none or another."""
    manifest = partial / MANIFEST
    if not manifest.is_file():
        raise InputError(f"{partial}: nothing to resume there; run without --resume")
    before = read_json(manifest)
    for key in ("version", "seed", "scenario"):
        if before.get(key) != content[key]:
            raise InputError(f"{partial}: the interrupted run had another {key}; resume with the same, or start anew")
    lines = (partial / CHECKPOINTS).read_text(encoding="utf-8").splitlines() if (partial / CHECKPOINTS).exists() else []
    checkpoints = []
    for line in lines:
        with contextlib.suppress(json.JSONDecodeError):  # the last line may be cut off
            t_ns, digest = json.loads(line)
            checkpoints.append((int(t_ns), str(digest)))
    return checkpoints


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON whole; NaN is refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; InputError naming the file if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); is its folder a finished run?") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: no JSON object; is its folder a finished run?")
    return content
