"""Settings of a collection scenario: what is metered, how it travels, what the office does with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from twin.collection.links_settings import CellularTable, FleetTable, HandyTable, PlcTable
from twin.scenario import (
    GridTable,
    NotNegative,
    PopulationTable,
    Positive,
    Radio,
    Share,
    Study,
    Table,
    Wan,
    radio_problems,
)

HOUR_S = 3600


class CollectionTime(Table):
    """How long values are generated, and how long the run goes on for the last of them."""

    duration_h: Annotated[float, Field(gt=0, le=240, description="Values are generated for so long")] = 24.0
    after_h: Annotated[float, Field(ge=0, le=240, description="The run goes on for so long after that")] = 1.0


class MeterTable(Table):
    """The meters' generation."""

    profile: Annotated[
        Literal["seed-2021", "final-2022", "present"],
        Field(description="What a meter measures and sends; the present one has no five-minute values"),
    ] = "seed-2021"
    contract_a: Annotated[
        float, Field(gt=0, le=120, description="Everybody's contract: 60 A is the commonest; assumed for all")
    ] = 60.0


class Settlement(PopulationTable):
    """The low-voltage meters: around the grid's substations, or in the towns of a table of municipalities."""

    meters: Annotated[int, Field(ge=1, le=1_000_000, description="Meters in total, shared out by load power")] = 20_000
    places: Annotated[
        str, Field(description="CSV of municipalities (docs/metering.md); empty: around the grid's substations")
    ] = ""
    towns: Annotated[str, Field(description="CSV of their towns; empty: each has its office only")] = ""
    municipalities: list[str] = Field(default_factory=list, description="Codes or names to keep; none: all")
    prefecture: Annotated[str, Field(description="Keep those of this prefecture, as the table writes it")] = ""
    utility: Annotated[str, Field(description="Keep those of this supply area, as the table writes it")] = ""


class LoadTable(Table):
    """What the meters' customers draw and feed in."""

    shapes: Annotated[
        str, Field(description="CSV of days, minute and kW per home (docs/metering.md); empty: made-up homes")
    ] = ""

    pv_share: Annotated[Share, Field(description="Meters with a roof")] = 0.1
    adapts_share: Annotated[
        Share, Field(description="Customers who stay below a commanded limit; the others' breakers trip (assumed)")
    ] = 0.8


class HalfHour(Table):
    """The values everybody is billed on (R8); switchable to 15 minutes (R9)."""

    minutes: Annotated[Literal[15, 30], Field(description="Length of an interval")] = 30
    spread_s: Annotated[NotNegative, Field(description="A meter reports at random within this after the interval")] = (
        1200.0
    )


class History(Table):
    """Five-minute P, Q and V of a sample of the meters, due within days (R10)."""

    share: Annotated[Share, Field(description="Meters that take part")] = 0.10
    records: Annotated[int, Field(ge=1, le=72, description="Five-minute values in one message")] = 6
    spread_s: Annotated[NotNegative, Field(description="It is offered at random within this after the last value")] = (
        1500.0
    )


class RealTime(Table):
    """Five-minute P, Q and V of a few meters, due within ten minutes (R11)."""

    share: Annotated[Share, Field(description="Meters that take part")] = 0.03
    spread_s: Annotated[NotNegative, Field(description="A meter reports at random within this after the value")] = 120.0


class GasWater(Table):
    """Hourly values of gas and water meters that ride in the half-hour message of the meter beside them (R39)."""

    gas_share: Annotated[Share, Field(description="Meters with a gas meter beside them")] = 0.0
    water_share: Annotated[Share, Field(description="Meters with a water meter beside them")] = 0.0


class OnDemand(Table):
    """Instantaneous values that somebody at the head end asks for (R15)."""

    reads_per_h: Annotated[NotNegative, Field(description="Meters asked per hour, each at a random moment")] = 0.0


class Commands(Table):
    """One wave of remote ampere limits or openings (R21, R25), and what takes it back."""

    kind: Annotated[Literal["none", "limit", "open"], Field(description="What the wave commands")] = "none"
    at_h: Annotated[NotNegative, Field(description="When the wave begins")] = 12.0
    to: Annotated[Literal["drawn", "island"], Field(description="Meters drawn at random, or those of the island")] = (
        "drawn"
    )
    meters: Annotated[int, Field(ge=0, description="Meters addressed if they are drawn")] = 0
    rate_per_s: Annotated[Positive, Field(description="Commands the head end's limiter lets pass per second")] = 5.0
    amperes: Annotated[float, Field(ge=0, le=120, description="The limit that is commanded")] = 10.0
    starts_after_h: Annotated[
        NotNegative, Field(description="A limit that begins by itself so long after at_h (R22); 0: at once")
    ] = 0.0
    lasts_h: Annotated[Positive, Field(description="... and holds for so long")] = 2.0
    undo_after_h: Annotated[
        NotNegative,
        Field(description="So long after at_h: closed again, contract's limit again, reservation cancelled; 0: never"),
    ] = 0.0
    misdirected_share: Annotated[Share, Field(description="Commands that a wrong route takes to another meter")] = 0.0
    repeated_share: Annotated[Share, Field(description="Commands that a concentrator sends twice")] = 0.0


class Island(Table):
    """A district cut off from the grid that lives on a battery and its roofs until it is dark (R23)."""

    meters: Annotated[int, Field(ge=0, description="Meters of the district, near each other; 0: there is none")] = 0
    at_h: Annotated[NotNegative, Field(description="When it is cut off, whole five minutes")] = 6.0
    battery_kwh_per_meter: Annotated[Positive, Field(description="Common battery, per meter of the district")] = 3.0
    charged: Annotated[float, Field(gt=0, le=1, description="How full it is when the island begins")] = 1.0


class Firmware(Table):
    """A new image for the meters, sent in the background with the lowest priority."""

    image_kb: Annotated[int, Field(ge=0, le=4096, description="Its size; 0: there is none")] = 0
    at_h: Annotated[NotNegative, Field(description="When it begins")] = 1.0
    share: Annotated[Share, Field(description="Concentrators whose meters get it")] = 1.0
    block_bytes: Annotated[int, Field(ge=64, le=1800, description="A block; one frame")] = 1024
    airtime_share: Annotated[
        float, Field(gt=0, le=0.5, description="Share of the time that blocks may be on air around a concentrator")
    ] = 0.05
    copies: Annotated[int, Field(ge=1, le=100, description="A relay that heard a block so often keeps silent")] = 3
    tries: Annotated[int, Field(ge=1, le=20, description="Times each request of the repair is sent")] = 3
    repair_rate_per_s: Annotated[
        Positive, Field(description="Requests of the repair the head end sends per second")
    ] = 5.0


class Delivery(Table):
    """How a meter or relay persists with a message."""

    offers: Annotated[int, Field(ge=1, le=100, description="Times each holder offers a message to its MAC")] = 4
    reoffer_min_s: Annotated[NotNegative, Field(description="Pause after a failed offer, least")] = 10.0
    reoffer_max_s: Annotated[NotNegative, Field(description="Pause after a failed offer, most")] = 60.0
    answer_ms: Annotated[float, Field(ge=1, description="A meter needs this to answer a request")] = 100.0


class Batching(Table):
    """The concentrators: they gather readings and keep each until the head end has acknowledged it."""

    process_ms: Annotated[Positive, Field(description="From reception to the batch")] = 30.0
    turnaround_ms: Annotated[float, Field(ge=1, description="From the WAN to the radio")] = 100.0
    hold_s: Annotated[NotNegative, Field(description="A batch waits this long for company")] = 60.0
    urgent_hold_s: Annotated[NotNegative, Field(description="... with real-time values; answers go at once")] = 10.0
    ack_timeout_s: Annotated[Positive, Field(description="Sent again when not acknowledged for this long")] = 60.0
    storage_values: Annotated[
        int, Field(ge=1, description="Values a concentrator can keep; the oldest batch goes first when it is full")
    ] = 200_000


class WanOutage(Table):
    """Concentrators that are cut off from the head end for a while."""

    at_h: Annotated[NotNegative, Field(description="When it begins")] = 0.0
    hours: Annotated[NotNegative, Field(description="How long it lasts; 0: there is none")] = 0.0
    share: Annotated[Share, Field(description="Concentrators it takes")] = 0.1


class BlackoutTable(Table):
    """Substations without supply, as after a storm, that come back one after the other."""

    at_h: Annotated[NotNegative, Field(description="When supply is lost")] = 0.0
    hours: Annotated[NotNegative, Field(description="The first substation is back after this; 0: nobody is dark")] = 0.0
    restore_h: Annotated[NotNegative, Field(description="... and the last so much later")] = 0.0
    share: Annotated[Share, Field(description="Substations it takes")] = 0.3
    concentrators_backed: Annotated[Share, Field(description="Concentrators whose battery outlasts it")] = 0.0


class Workers(Table):
    """The head end: workers that check messages, and a store that commits them in groups."""

    workers: Annotated[int, Field(ge=1, le=1000)] = 4
    batch_ms: Annotated[Positive, Field(description="Time of a worker for one batch")] = 5.0
    value_us: Annotated[NotNegative, Field(description="... and for each value in it")] = 100.0
    queue_batches: Annotated[int, Field(ge=1, description="Batches that may wait; more are turned away")] = 10_000
    commit_s: Annotated[Positive, Field(description="What was checked is stored in groups of so long")] = 30.0
    commit_ms: Annotated[Positive, Field(description="Time until a group is durable")] = 50.0
    verified_share: Annotated[
        Share,
        Field(description="Messages made, sealed, opened and compared as real bytes; sizes are real for all"),
    ] = 0.01


class Requests(Table):
    """Re-request of missing values, and the pace of all that is sent to meters."""

    check_after_min: Annotated[Positive, Field(description="Missing half hours are looked for this long after")] = 32.0
    again_min: Annotated[Positive, Field(description="... and again each time this has passed")] = 30.0
    tries: Annotated[int, Field(ge=0, le=20, description="Requests each time; 0: nothing is asked for again")] = 3
    rate_per_s: Annotated[Positive, Field(description="Requests the head end sends per second")] = 20.0
    most_values: Annotated[int, Field(ge=1, le=96, description="Values asked for in one request")] = 48
    per_concentrator: Annotated[int, Field(ge=1, le=100, description="Requests open at a concentrator at a time")] = 2
    timeout_s: Annotated[Positive, Field(description="Wait for the answer to one request")] = 20.0


class DataManagement(Table):
    """What becomes of the values: retailers get them, bills rest on them."""

    retailers: Annotated[int, Field(ge=1, le=1000, description="Retailers; a meter's is drawn evenly")] = 3


class Levels(Table):
    """Limits for the verdicts; where the programme names none, they are our own (R53)."""

    half_hour_min: Annotated[Positive, Field(description="R8, R50: half hours are due within")] = 60.0
    half_hour_share: Annotated[Share, Field(description="... for this share of them (ours)")] = 0.99
    worst_share: Annotated[Share, Field(description="... and at the worst 1 % of the concentrators (ours)")] = 0.90
    history_days: Annotated[Positive, Field(description="R10: five-minute history is due within")] = 3.0
    history_share: Annotated[Share, Field(description="... for this share of it (ours)")] = 0.99
    real_time_min: Annotated[Positive, Field(description="R11: real-time values are due within")] = 10.0
    real_time_share: Annotated[Share, Field(description="... for this share of them (ours)")] = 0.99
    billing_share: Annotated[Share, Field(description="R49: half hours there for billing at the end (ours)")] = 0.999
    usage_share: Annotated[Share, Field(description="R51: meters whose whole usage can be handed over (ours)")] = 0.99
    read_s: Annotated[Positive, Field(description="R15: on-demand reads are answered within (ours)")] = 30.0
    read_share: Annotated[Share, Field(description="... for this share of them (ours)")] = 0.95
    command_min: Annotated[
        Positive, Field(description="R21, R25: commands are confirmed so long after the wave began (ours)")
    ] = 60.0
    command_share: Annotated[Share, Field(description="... for this share of the addressed meters (ours)")] = 0.95
    disruption_kw: Annotated[Positive, Field(description="R47: no more than this cut off for an hour")] = 7_000.0
    major_kw: Annotated[Positive, Field(description="R48: no more than this cut off for ten minutes")] = 70_000.0


class CollectionScenario(Study):
    """A time of collection; every table has defaults that work."""

    kind: Literal["collection"] = "collection"
    time: CollectionTime = CollectionTime()
    grid: GridTable = GridTable()
    population: Settlement = Settlement()
    radio: Radio = Radio(overrides={"channels": 14, "aggregate_frames": 8, "aggregate_wait_us": 2_000_000})
    fleet: FleetTable = FleetTable()
    plc: PlcTable = PlcTable()
    cellular: CellularTable = CellularTable()
    handy: HandyTable = HandyTable()
    meter: MeterTable = MeterTable()
    load: LoadTable = LoadTable()
    half_hour: HalfHour = HalfHour()
    history: History = History()
    real_time: RealTime = RealTime()
    gas_water: GasWater = GasWater()
    on_demand: OnDemand = OnDemand()
    commands: Commands = Commands()
    island: Island = Island()
    firmware: Firmware = Firmware()
    delivery: Delivery = Delivery()
    concentrator: Batching = Batching()
    wan: Wan = Wan()
    wan_outage: WanOutage = WanOutage()
    blackout: BlackoutTable = BlackoutTable()
    head_end: Workers = Workers()
    requests: Requests = Requests()
    data_management: DataManagement = DataManagement()
    service_levels: Levels = Levels()

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, problem) for keys that cannot hold together."""
        for key, value, expected in self._pairs():
            yield key, f"{key} = {value!r}, expected {expected}"
        yield from radio_problems(self.radio, {})

    def _pairs(self) -> Iterator[tuple[str, Any, str]]:
        interval_s = 60 * self.half_hour.minutes
        if self.time.duration_h * HOUR_S < interval_s:
            yield "time.duration_h", self.time.duration_h, f"one interval, {interval_s / HOUR_S:g} h, or more"
        if self.half_hour.spread_s >= interval_s:
            yield "half_hour.spread_s", self.half_hour.spread_s, f"below the interval, {interval_s} s"
        if self.meter.profile == "present":
            yield from self._beyond_the_present()
        if self.history.share + self.real_time.share > 1:
            most = f"at most {1 - self.real_time.share:g} beside real_time.share = {self.real_time.share:g}"
            yield "history.share", self.history.share, f"{most}: a meter is in one five-minute class at most"
        if self.real_time.spread_s >= 300:
            yield "real_time.spread_s", self.real_time.spread_s, "below the interval, 300 s"
        if self.delivery.reoffer_max_s < self.delivery.reoffer_min_s:
            least = f"at least delivery.reoffer_min_s = {self.delivery.reoffer_min_s:g}"
            yield "delivery.reoffer_max_s", self.delivery.reoffer_max_s, least
        if 60 * self.requests.check_after_min <= self.half_hour.spread_s:
            sent = f"more than half_hour.spread_s = {self.half_hour.spread_s:g} s, when all has been sent"
            yield "requests.check_after_min", self.requests.check_after_min, sent
        for key, meters in (("commands.meters", self.commands.meters), ("island.meters", self.island.meters)):
            if meters > self.population.meters:
                yield key, meters, f"at most population.meters = {self.population.meters}"
        if not self.population.places:
            for key in ("towns", "municipalities", "prefecture", "utility"):
                value = getattr(self.population, key)
                if value:
                    yield f"population.{key}", value, "none without population.places"
        yield from self._command_pairs()
        yield from self.fleet.pairs()
        yield from self.handy.pairs()

    def _command_pairs(self) -> Iterator[tuple[str, Any, str]]:
        """Yield what a wave of commands and an island cannot be."""
        wave, island = self.commands, self.island
        if wave.to == "island" and not island.meters:
            yield "commands.to", wave.to, '"drawn" with island.meters = 0'
        if wave.kind == "open" and wave.starts_after_h:
            yield "commands.starts_after_h", wave.starts_after_h, '0 with commands.kind = "open"; only limits wait'
        if wave.kind == "limit" and wave.amperes > self.meter.contract_a:
            yield "commands.amperes", wave.amperes, f"at most meter.contract_a = {self.meter.contract_a:g}"
        if island.meters and self.blackout.hours:
            yield "island.meters", island.meters, "0 with blackout.hours above 0: one cause of darkness a run"
        if island.at_h * 12 % 1:
            yield "island.at_h", island.at_h, "whole five minutes, a multiple of 1/12"

    def _beyond_the_present(self) -> Iterator[tuple[str, float, str]]:
        """Yield what a meter of the present generation cannot do."""
        wanted = {
            "history.share": self.history.share,
            "real_time.share": self.real_time.share,
            "gas_water.gas_share": self.gas_water.gas_share,
            "gas_water.water_share": self.gas_water.water_share,
        }
        for key, share in wanted.items():
            if share:
                yield key, share, '0 with meter.profile = "present", which has no such values'
        if self.half_hour.minutes != 30:
            yield "half_hour.minutes", self.half_hour.minutes, '30 with meter.profile = "present"'
