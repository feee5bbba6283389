"""Conservation: what was generated is delivered, queued, expired or lost, and every stage passes on what it took.

Each sum sets counts of different parts against each other, none of which knows the others: the ledger's rows, the radio
engine's counters, the concentrators', the head end's, and the rows in the store.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.collection.errands import Errand
from twin.collection.ledger import At
from twin.collection.links_figures import link_sums
from twin.collection.targets import wave_kinds
from twin.store.schema import HOUR_NS

if TYPE_CHECKING:
    from twin.collection.day import Collection

QUEUES = (At.METER, At.RADIO, At.CONCENTRATOR, At.WAN, At.HEAD_END)


@dataclass(frozen=True)
class ClassAccount:
    """Where the values of one class are."""

    name: str
    generated: int
    delivered: int
    queued: dict[str, int]
    expired: int
    lost: dict[str, int]

    @property
    def text(self) -> str:
        """The account as one line."""
        queued, lost = sum(self.queued.values()), sum(self.lost.values())
        causes = f" ({', '.join(f'{cause} {n:,}' for cause, n in self.lost.items())})" if lost else ""
        where = f" ({', '.join(f'{place} {n:,}' for place, n in self.queued.items())})" if queued else ""
        return (f"{self.name}: {self.generated:,} generated = {self.delivered:,} delivered + {queued:,} queued{where} "
                f"+ {self.expired:,} expired + {lost:,} lost{causes}")  # fmt: skip

    @property
    def sum(self) -> int:
        """Delivered, queued, expired and lost together."""
        return self.delivered + sum(self.queued.values()) + self.expired + sum(self.lost.values())


@dataclass(frozen=True)
class Stage:
    """One sum over a stage: two counts that must be equal."""

    text: str
    left: int
    right: int


@dataclass(frozen=True)
class Balance:
    """All sums at one moment."""

    accounts: list[ClassAccount]
    stages: list[Stage]
    broken: list[str] = field(default_factory=list)


def balance(run: Collection, radio: dict[str, int] | None = None, messages: int | None = None) -> Balance:
    """Return the sums of a run as it is now.

    Parameters
    ----------
    run : Collection
    radio : dict, optional
        The mesh's counters where it has gone ahead; those it has now by default.
    messages : int, optional
        Of the ledger's messages the first so many, where others are of an interval that ends now; all by default.
    """
    radio = run.plan.mesh.counters() if radio is None else radio
    places = run.ledger.values_by_place(len(run.classes), run.ledger.size if messages is None else messages)
    accounts = [_account(run, code, at) for code, at in enumerate(places)]
    stages = _stages(run, accounts, radio)
    broken = [f"{a.text}: {a.generated - a.sum:+,} missing" for a in accounts if a.generated != a.sum]
    broken += [f"{s.text}: {s.left:,} is not {s.right:,}" for s in stages if s.left != s.right]
    return Balance(accounts, stages, broken)


def _account(run: Collection, code: int, at: NDArray[np.int64]) -> ClassAccount:
    kind = run.classes[code]
    rows = run.ledger.rows
    gone = rows[(rows["at"] == At.LOST) & (rows["kind"] == code)]
    lost = np.bincount(gone["cause"], weights=gone["values"])
    until_ns = min(run.office.env.now - 1, run.generated_until_ns)
    dark = run.blackout.intervals_lost(kind.members, kind.period_ns, until_ns)
    return ClassAccount(
        kind.name,
        kind.records * (kind.members.size * (until_ns // kind.period_ns) - dark),
        int(at[At.STORED]),
        {place.name.lower(): int(at[place]) for place in QUEUES if at[place]},
        int(at[At.EXPIRED]),
        {run.ledger.causes[cause]: int(n) for cause, n in enumerate(lost) if n},
    )


def _stages(run: Collection, accounts: list[ClassAccount], radio: dict[str, int]) -> list[Stage]:
    concentrators, head_end = run.office.concentrators, run.office.head_end
    resolved = sum(run.record.outcomes.values())
    return [
        Stage("radio: frames handed over = ended + on their way", radio["injected"], resolved + radio["alive"]),
        Stage("concentrators: values taken = acknowledged + kept + dropped", concentrators.taken_values,
              concentrators.acknowledged_values + int(concentrators.kept_values.sum()) + concentrators.dropped_values),
        Stage("head end: values checked = stored + duplicates + conflicts + waiting for the store",
              head_end.checked_values,
              head_end.receipt.arrived + head_end.uncommitted_values),
        Stage("store: readings it acknowledged = values the ledger calls delivered", head_end.stored_values,
              sum(account.delivered for account in accounts)),
        *(Stage(*found) for found in link_sums(run)),
        Stage("requests: carried out by meters = reached the meter they were for",
              sum(agent.acted for agent in run.dialogue.agents.values()),
              sum(errand.received > 0 for errand in run.office.errands.all)),
        *_command_stages(run),
        *_image_stages(run),
    ]  # fmt: skip


def _image_stages(run: Collection) -> list[Stage]:
    """Return one sum for the blocks of an image: what meters hold, and how it came to them."""
    if run.firmware is None:
        return []
    image = run.firmware
    return [Stage("firmware: blocks that meters hold = first heard as broadcasts + brought one by one",
                  int(image.held.sum()), image.heard + image.repaired)]  # fmt: skip


def _command_stages(run: Collection) -> list[Stage]:
    """Return one sum for each part of the wave that has begun: who was addressed, and what came of it."""
    wave, found = run.plan.scenario.commands, []
    for kind, after_h in wave_kinds(wave):
        if round((wave.at_h + after_h) * HOUR_NS) < run.office.env.now:
            fates = Counter(map(command_fate, run.office.errands.of(kind)))
            told = " + ".join(f"{count:,} {fate}" for fate, count in sorted(fates.items())) or "nobody"
            found.append(Stage(f"{kind}: meters addressed = {told}", run.office.targets.size, fates.total()))
    return found


def command_fate(errand: Errand) -> str:
    """Return what has come of a command."""
    if errand.answered_ns is not None:
        return "confirmed"
    return "carried out, not confirmed" if errand.acted else "not carried out"


def store_stage(run: Collection) -> Stage:
    """Return the sum over the store's files, read again: slow, for the end of a run."""
    found = run.store.conservation()
    return Stage("store: readings found in its files = readings it acknowledged",
                 sum(found["readings_found"].to_pylist()), run.office.head_end.stored_values)  # fmt: skip
