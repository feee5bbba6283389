"""Model of td_capture: what a ring around a trigger holds, as lists of entries."""

from __future__ import annotations

from dataclasses import dataclass, field

Entry = tuple[int, int, int, int]
SUSPECT, EVENT, EDGE, COMMAND = 1, 2, 4, 8  # bits of the cause


@dataclass
class Capture:
    """One capture from arming to arming; entries come one by one, `fire` and `freeze` between them."""

    depth: int
    pre: int = 4095
    post: int = 2048
    enabled: int = SUSPECT
    entries: list[Entry] = field(default_factory=list)
    first: int = 0  # number of the oldest raw sample
    after: int = 0
    cause: int = 0
    trigger: int = 0
    frozen: bool = False

    @property
    def running(self) -> bool:
        """Whether a trigger would be taken."""
        return not self.frozen and self.cause == 0

    @property
    def before(self) -> int:
        """How many of the entries came up to the trigger."""
        return len(self.entries) - self.after

    def entry(self, codes: Entry, index: int) -> None:
        """Take an entry that came with raw sample ``index``."""
        if self.frozen:
            return
        if not self.entries:
            self.first = index
        self.entries.append(codes)
        if len(self.entries) > self.depth:
            del self.entries[0]
            self.first += 1
        if self.cause:
            self.after += 1
            self.frozen = self.after == self.post

    def fire(self, causes: int, index: int) -> None:
        """Take triggers that came together, with the newest raw sample."""
        causes &= self.enabled | COMMAND
        if not self.running or not causes:
            return
        self.cause, self.trigger = causes, index
        dropped = max(0, len(self.entries) - self.pre - 1)
        del self.entries[:dropped]
        self.first += dropped
        self.frozen = self.post == 0

    def freeze(self, index: int) -> None:
        """Freeze by hand."""
        if self.running:
            self.trigger = index
        self.frozen = True

    def words(self, mask: int) -> list[int]:
        """Return what the stream sends."""
        return [codes[channel] for codes in self.entries for channel in range(4) if mask >> channel & 1]
