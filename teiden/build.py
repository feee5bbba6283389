"""Compile once, keep by content: shared libraries made from sources shipped with the package."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from teiden.errors import MissingPart

_log = logging.getLogger(__name__)


def cache_dir() -> Path:
    """Return the folder of compiled parts: ``$TEIDEN_CACHE``, else the user's cache folder."""
    chosen = os.environ.get("TEIDEN_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "teiden"


def content_hash(files: Iterable[Path], extra: Sequence[str] = ()) -> str:
    """Return the SHA-256 of the files' names and bytes and of ``extra``, independent of the files' order."""
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda p: p.name):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    for word in extra:
        digest.update(f"\0{word}".encode())
    return digest.hexdigest()


def require_tool(name: str, why: str, remedy: str) -> str:
    """Return the path of a program, or raise MissingPart saying what it is for and how to get it."""
    found = shutil.which(name)
    if found is None:
        raise MissingPart(f"{name} not found on PATH, needed {why}; {remedy}")
    return found


def run_tool(command: Sequence[str], cwd: Path, what: str, env: dict[str, str] | None = None) -> str:
    """Run a build command and return its output; raise MissingPart with the last lines if it fails."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise MissingPart(f"{what} failed (exit {done.returncode}): {' '.join(command)}\n{tail}")
    return done.stdout


def cached_library(name: str, key: str, build: Callable[[Path], Path], suffix: str = ".so") -> Path:
    """Return the library (or other file) called ``name`` for content ``key``, building it if it is not in the cache.

    Parameters
    ----------
    name : str
        Base name of the library, used as the folder's prefix.
    key : str
        Content hash of all that determines the library (see `content_hash`).
    build : callable
        Gets an empty work folder, compiles there and returns the library's path.
    suffix : str
        Of the file in the cache.

    Returns
    -------
    Path
        The library in the cache. Two processes asking at once build it once; a build that
        is killed leaves nothing that looks finished. That it is being built is logged (INFO):
        it takes from seconds to minutes.
    """
    home = cache_dir()
    home.mkdir(parents=True, exist_ok=True)
    done = home / f"{name}-{key[:20]}{suffix}"
    if done.exists():
        return done
    with open(home / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            return done
        _log.info("building %s, once: kept in %s", name, home)
        with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=home) as work:
            os.replace(build(Path(work)), done)
    return done
