"""Progress of long work on standard error: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import resource
import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

PLAIN_EVERY_S = 10.0
LIVE_EVERY_S = 0.1


class Watch:
    """Show stages by name, then simulated time, speed factor and a few counts.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    """

    def __init__(self, quiet: bool = False):
        self._quiet = quiet
        self._console = Console(stderr=True)
        self._live: Progress | None = None
        self._task: TaskID | None = None
        self._next = 0.0
        self._started = 0.0

    def stage(self, text: str) -> None:
        """Say what is being prepared."""
        if not self._quiet:
            self._console.print(f"[dim]·[/dim] {text}", highlight=False)

    def start(self, duration_s: float) -> None:
        """Begin to show simulated time."""
        self._started = time.monotonic()
        self._next = self._started + (LIVE_EVERY_S if self._console.is_terminal else PLAIN_EVERY_S)
        if self._console.is_terminal and not self._quiet:
            columns = (BarColumn(bar_width=12), TextColumn("{task.fields[note]}"))
            self._live = Progress(*columns, TimeElapsedColumn(), console=self._console)
            self._task = self._live.add_task("", total=duration_s, note="")
            self._live.start()

    def due(self) -> bool:
        """Return whether something should be shown now; cheap, asked after every window."""
        return not self._quiet and time.monotonic() >= self._next

    def show(self, now_s: float, duration_s: float, note: str) -> None:
        """Show simulated time, how many times faster than real, memory, and a note."""
        wall_s = time.monotonic() - self._started
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        speed = now_s / max(wall_s, 1e-9)
        factor = f"{speed:.0f}" if speed >= 100 else f"{speed:.1f}" if speed >= 1 else f"{speed:.3f}"
        text = f"{now_s:6.1f}/{duration_s:g} s {factor:>5}x real time {memory_mb:,.0f} MB  {note}"
        if self._live is not None and self._task is not None:
            self._live.update(self._task, completed=now_s, note=text)
            self._next = time.monotonic() + LIVE_EVERY_S
        else:
            print(text, file=sys.stderr, flush=True)
            self._next = time.monotonic() + PLAIN_EVERY_S

    def show_share(self, share: float) -> None:
        """Show how much of the work is done, 0 to 1."""
        if self._live is not None and self._task is not None:
            self._live.update(self._task, completed=share, note=f"{share:.0%}")
            self._next = time.monotonic() + LIVE_EVERY_S
        else:
            print(f"{share:.0%} done", file=sys.stderr, flush=True)
            self._next = time.monotonic() + PLAIN_EVERY_S

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
