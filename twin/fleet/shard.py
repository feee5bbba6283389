"""One simulated town: what the nation is told from."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.collection import kpis
from twin.collection.conservation import store_stage
from twin.collection.day import Collection
from twin.collection.ledger import NEVER, At
from twin.collection.links_fleet import Link
from twin.collection.plan import CollectionPlan
from twin.collection.traffic import BILLING_CODE
from twin.store.retention import bytes_a_reading
from twin.store.schema import Series
from twin.store.store import Store

BIN_S = 10
"""Width of the bins in which flows into the head end are counted."""


@dataclass(frozen=True)
class Shard:
    """A finished town of M meters, C concentrators; B bins of `BIN_S`.

    Attributes
    ----------
    stratum : int
    meters, concentrators : int
    on_mesh, without_route : int
    age_s : (R,) float32
        Of each billing message when stored, infinite if it never was.
    bin : (R,) int32
        In which it was checked at the head end; -1 if it never was.
    home : (R,) int32
        Concentrator it counts for; -1 with a modem.
    link : (R,) uint8
    asked : (R,) bool
        Whether the head end had to ask for it.
    class_ages_s : dict of str to (K,) float32
        Ages of the other classes' messages.
    values_in, batches_in, wan_bytes_in : (B,) int
        Into the head end.
    counters : dict
        Of the radio engine.
    generated, delivered, queued, lost : int
        Values of all classes.
    broken : list of str
        Sums that did not hold.
    bytes_each : dict
        Bytes of a reading in the store by series.
    """

    stratum: int
    meters: int
    concentrators: int
    on_mesh: int
    without_route: int
    age_s: NDArray[np.float32]
    bin: NDArray[np.int32]
    home: NDArray[np.int32]
    link: NDArray[np.uint8]
    asked: NDArray[np.bool_]
    class_ages_s: dict[str, NDArray[np.float32]]
    values_in: NDArray[np.int64]
    batches_in: NDArray[np.int64]
    wan_bytes_in: NDArray[np.int64]
    counters: dict[str, int]
    generated: int
    delivered: int
    queued: int
    lost: int
    broken: list[str]
    bytes_each: dict[Series, float]
    digest: str


def run_shard(
    plan: CollectionPlan, stratum: int, scratch: Path, watch: Callable[[int, Collection], None] = lambda t_ns, run: None
) -> Shard:
    """Run a town to its end and return what is kept of it; its store is thrown away."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder, Store.open(folder) as store:
        run = Collection(plan, store)
        run.run(watch)
        store.compact()
        stage = store_stage(run)
        broken = [text for _, text in run.record.broken]
        if stage.left != stage.right:
            broken.append(f"{stage.text}: {stage.left:,} is not {stage.right:,}")
        return _kept(run, stratum, broken, bytes_a_reading(store))


def _kept(run: Collection, stratum: int, broken: list[str], bytes_each: dict[Series, float]) -> Shard:
    plan, rows = run.plan, run.ledger.rows
    billing = rows[rows["kind"] == BILLING_CODE]
    link = plan.fleet.link[billing["meter"]]
    nominal = plan.population.meter_concentrator
    home = np.where(plan.concentrator_of >= 0, plan.concentrator_of, nominal)[billing["meter"]]
    checked = billing["head_end_ns"] != NEVER
    at = np.bincount(rows["at"], weights=rows["values"], minlength=len(At)).astype(np.int64)
    balance = run.record.balance
    assert balance is not None
    values_in, batches_in, wan_bytes_in = _flows(run)
    return Shard(
        stratum=stratum, meters=plan.meters, concentrators=plan.concentrators,
        on_mesh=int(plan.fleet.on_mesh.sum()),
        without_route=int((plan.fleet.on_mesh & (plan.concentrator_of < 0)).sum()),
        age_s=kpis.ages_s(billing).astype(np.float32),
        bin=np.where(checked, billing["head_end_ns"] // (BIN_S * 10**9), -1).astype(np.int32),
        home=np.where(link == Link.CELLULAR, -1, home).astype(np.int32), link=link, asked=billing["asked"] > 0,
        class_ages_s={kind.name: kpis.ages_s(rows[rows["kind"] == kind.code]).astype(np.float32)
                      for kind in run.classes if kind.code != BILLING_CODE},
        values_in=values_in, batches_in=batches_in, wan_bytes_in=wan_bytes_in, counters=plan.mesh.counters(),
        generated=sum(account.generated for account in balance.accounts), delivered=int(at[At.STORED]),
        queued=int(at[: At.STORED].sum()), lost=int(at[At.LOST] + at[At.EXPIRED]), broken=broken,
        bytes_each=bytes_each, digest=run.digest(),
    )  # fmt: skip


def _flows(run: Collection) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (B,) values, batches and bytes that the head end had checked, by bin.

    A batch is what one lane had checked at one moment; its bytes are those of its messages on air.
    """
    rows = run.ledger.rows[run.ledger.rows["head_end_ns"] != NEVER]
    bins = -(-run.end_ns // (BIN_S * 10**9))
    place = np.minimum(rows["head_end_ns"] // (BIN_S * 10**9), bins - 1)
    size = np.array([kind.psdu_bytes for kind in run.classes])[rows["kind"]]
    values = np.bincount(place, weights=rows["values"], minlength=bins).astype(np.int64)
    sizes = np.bincount(place, weights=size, minlength=bins).astype(np.int64)
    batches = np.unique(np.stack([rows["head_end_ns"], rows["sink"]]), axis=1)[0]
    at = np.minimum(batches // (BIN_S * 10**9), bins - 1)
    return values, np.bincount(at, minlength=bins), sizes
