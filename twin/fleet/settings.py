"""Settings of a national fleet: who lives where over which links, what is sampled, what the nation's office has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from twin.collection import settings as collection
from twin.collection.links_settings import CellularTable, FleetTable, HandyTable, PlcTable
from twin.scenario import NotNegative, Positive, Radio, Share, Study, Table, Wan

SUM_SLACK = 1e-3  # of shares that people round to a few digits

ByUtility = dict[str, float]


def _by_utility(description: str, value: float) -> Any:
    """Return a field with a value for each utility; by default one utility is all there is."""
    return Field(default_factory=lambda: {"all": value}, description=description)


class Nation(Table):
    """The fleet by utility, and how densely its customers live; a key a utility."""

    meters: Annotated[int, Field(ge=1000, le=10**9, description="In all (R1)")] = 61_050_000
    share: ByUtility = _by_utility("Of the meters; sums to 1", 1.0)
    dense_share: ByUtility = _by_utility("Of a utility's meters: in densely inhabited places", 0.73)
    dense_per_km2: ByUtility = _by_utility("Meters per area there", 3000.0)
    sparse_per_km2: Annotated[Positive, Field(description="Meters per area of a settlement elsewhere (assumed)")] = (
        400.0
    )
    mesh_share: ByUtility = _by_utility("Of a utility's meters: on the radio mesh (assumed)", 1.0)
    plc_share: ByUtility = _by_utility("... on power-line cells (assumed)", 0.0)
    cellular_share: ByUtility = _by_utility("... with a modem of their own (assumed)", 0.0)


class Sample(Table):
    """What is simulated packet by packet: towns out of reach of each other, some of each stratum."""

    town_meters: Annotated[int, Field(ge=1000, le=1_000_000, description="Meters of a simulated town")] = 10_000
    towns: Annotated[int, Field(ge=1, le=100_000, description="In all, shared out by the strata's meters")] = 40
    least: Annotated[int, Field(ge=1, le=1000, description="Towns of each stratum at least; an error needs two")] = 2


class Town(Table):
    """How a town is built; concentrators stand evenly in it."""

    meters_per_concentrator: Annotated[int, Field(ge=10, le=5000)] = 500
    pipe_shaft_share: Annotated[Share, Field(description="Meters in a pipe shaft behind a metal door")] = 0.1
    pipe_shaft_loss_db: Annotated[float, Field(ge=0, le=60)] = 20.0


class NationalOffice(Table):
    """The nation's head end and store, loaded by the sampled towns' flows, weighted."""

    workers: Annotated[int, Field(ge=1, le=1_000_000, description="Of head_end.batch_ms and value_us each")] = 64
    most_wait_s: Annotated[NotNegative, Field(description="Longest wait at the head end a sizing allows")] = 10.0
    store_values_per_s: Annotated[
        Positive, Field(description="One store process, batches of 50,000 (docs/store.md, measured)")
    ] = 373_070.0


class FleetScenario(Study):
    """A nation's half hour; every table has defaults that work."""

    kind: Literal["fleet"] = "fleet"
    time: collection.CollectionTime = collection.CollectionTime(duration_h=0.5)
    nation: Nation = Nation()
    sample: Sample = Sample()
    town: Town = Town()
    office: NationalOffice = NationalOffice()
    radio: Radio = collection.CollectionScenario.model_fields["radio"].default
    plc: PlcTable = PlcTable()
    cellular: CellularTable = CellularTable()
    handy: HandyTable = HandyTable()
    meter: collection.MeterTable = collection.MeterTable()
    load: collection.LoadTable = collection.LoadTable()
    half_hour: collection.HalfHour = collection.HalfHour()
    history: collection.History = collection.History()
    real_time: collection.RealTime = collection.RealTime()
    gas_water: collection.GasWater = collection.GasWater()
    delivery: collection.Delivery = collection.Delivery()
    concentrator: collection.Batching = collection.Batching()
    wan: Wan = Wan()
    head_end: collection.Workers = collection.Workers()
    requests: collection.Requests = collection.Requests()
    service_levels: collection.Levels = collection.Levels()

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, problem) for keys that cannot hold together."""
        yield from self._nation_problems()
        # What a town's own scenario says; its mix is judged above, utility by utility.
        yield from self.town_scenario("town", self.seed, FleetTable(), 1000.0).problems()

    def _nation_problems(self) -> Iterator[tuple[str, str]]:
        whole = sum(self.nation.share.values())
        if abs(whole - 1) > SUM_SLACK:
            yield "nation.share", f"nation.share sums to {whole:g}, expected 1"
        for key in ("dense_share", "dense_per_km2", "mesh_share", "plc_share", "cellular_share"):
            given = getattr(self.nation, key)
            if given.keys() != self.nation.share.keys():
                names = ", ".join(self.nation.share)
                yield f"nation.{key}", f"nation.{key} = {given!r}, expected a value for each of nation.share: {names}"
                return
            top = float("inf") if key.endswith("km2") else 1.0
            for name, value in given.items():
                if not 0 <= value <= top or (key.endswith("km2") and value == 0):
                    wanted = "above 0" if key.endswith("km2") else "0 to 1"
                    yield f"nation.{key}", f"nation.{key}.{name} = {value!r}, expected {wanted}"
                    return
        for name in self.nation.share:
            for key, value, expected in self.mix(name).pairs(f"nation.{name}"):
                yield key, f"{key} = {value!r}, expected {expected}"

    def mix(self, utility: str) -> FleetTable:
        """Return a utility's mix of links."""
        nation = self.nation
        return FleetTable(
            mesh_share=nation.mesh_share[utility],
            plc_share=nation.plc_share[utility],
            cellular_share=nation.cellular_share[utility],
        )

    def town_scenario(
        self, name: str, seed: int, mix: FleetTable, density_per_km2: float
    ) -> collection.CollectionScenario:
        """Return the collection scenario of one town."""
        shared = {key: getattr(self, key) for key in _SHARED}
        people = collection.Settlement(
            meters=self.sample.town_meters, density_per_km2=density_per_km2,
            meters_per_concentrator=self.town.meters_per_concentrator,
            pipe_shaft_share=self.town.pipe_shaft_share, pipe_shaft_loss_db=self.town.pipe_shaft_loss_db,
        )  # fmt: skip
        return collection.CollectionScenario(name=name, seed=seed, population=people, fleet=mix, **shared)


_SHARED = ("time", "radio", "plc", "cellular", "handy", "meter", "load", "half_hour", "history", "real_time",
           "gas_water", "delivery", "concentrator", "wan", "head_end", "requests", "service_levels")  # fmt: skip
