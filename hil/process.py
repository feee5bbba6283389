"""The rig as a child process that never outlives its run."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from twin.link.heartbeat import HEARTBEAT_MS

ENDING_S = 5.0  # for the rig to switch its source off before it is killed; its source's supervisor then does
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class RigProcess:
    """Start ``python -m hil.rig ENDPOINT PARENT HEARTBEAT_MS [KEYS]``; leaving the context ends it.

    Parameters
    ----------
    endpoint : str
        The twin's socket.
    log : Path
        Where the rig's output goes.
    program : sequence of str
        What Python runs; the rig by default.
    heartbeat_ms : int
        Of the rig's end of the link.
    keys : str
        Folder of the link's keys; empty: none.
    """

    def __init__(
        self,
        endpoint: str,
        log: Path,
        program: Sequence[str] = ("-m", "hil.rig"),
        *,
        heartbeat_ms: int = HEARTBEAT_MS,
        keys: str = "",
    ):
        self._log = log
        with open(log, "wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *program, endpoint, str(os.getpid()), str(heartbeat_ms), *([keys] if keys else [])],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """The rig's process number."""
        return self._process.pid

    def ended(self) -> str | None:
        """Return how the process ended, None while it lives."""
        code = self._process.poll()
        if code is None:
            return None
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return f"process {how}" + (f" ({lines[-1]})" if lines else "")

    def wait(self, timeout_s: float) -> None:
        """Give the process time to end by itself, then end it."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> RigProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()  # the rig switches its source off
        self.wait(ENDING_S)


def die_with_parent(parent: int) -> None:
    """Ask Linux to end this process when its parent ends; end at once if the parent has gone already.

    Ctrl-C is left to the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(f"the run that started this rig (process {parent}) has gone")
