"""Scenarios: TOML in, frozen and checked settings out, every problem reported at once with its place."""

from __future__ import annotations

import copy
import math
import tomllib
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import gpu
from teiden.errors import InputError, ScenarioError
from twin.link.heartbeat import HEARTBEAT_MS

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
LAST_PORT = 65535
Port = Annotated[int, Field(ge=0, le=LAST_PORT)]
BOARD_RULES = ("auto", "longest_dark", "shortest_dark")  # instead of a meter's name


class Table(BaseModel):
    """One table of a scenario: frozen, no unknown keys, no guessing of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Time(Table):
    """How long the run is, and how far board and mesh may run apart."""

    duration_s: Annotated[float, Field(gt=0, le=864_000, description="Simulated length of the run")] = 270.0
    window_ms: Annotated[
        float, Field(ge=1, le=1000, description="Lockstep window: one grant to the rig; also the look-ahead")
    ] = 20.0


class GridTable(Table):
    """Which medium-voltage network fails."""

    network: Annotated[
        str, Field(description='"mv_oberrhein", or the path of a pandapower JSON network with coordinates')
    ] = "mv_oberrhein"


class Fault(Table):
    """The short circuit on one MV line and what the operator does about it; times count from ``at_s``."""

    line: Annotated[str, Field(description='Name or index of the MV line that fails, or "auto"')] = "auto"
    at_s: Annotated[float, Field(ge=1, description="Moment of the short circuit; the source needs 1 s before it")] = (
        10.0
    )
    position: Annotated[Share, Field(description="Where on the line, 0 at the fed end to 1")] = 0.5
    fault_ohm: Annotated[NotNegative, Field(description="Resistance of the arc; sets the dip until the trip")] = 0.3
    upstream_mva: Annotated[Positive, Field(description="Short-circuit power behind the HV/MV transformer")] = 3000.0
    trip_s: Annotated[
        float, Field(ge=0.05, description="Breaker opens: the whole feeder is dark; the source needs 50 ms a step")
    ] = 0.3
    isolate_s: Annotated[Positive, Field(description="Section isolated, breaker closed again")] = 90.0
    tie_s: Annotated[Positive, Field(description="Normally open tie closed: healthy parts return")] = 150.0
    repair_s: Annotated[float, Field(ge=0, description="Line repaired, normal state again; 0: not in this run")] = 0.0


class PopulationTable(Table):
    """The low-voltage meters, their places and their concentrators."""

    meters: Annotated[int, Field(ge=1000, le=1_000_000, description="Meters in total, shared out by load power")] = (
        20_000
    )
    density_per_km2: Annotated[float, Field(gt=0, le=1e6, description="Meters per area around a substation")] = 1000.0
    meters_per_concentrator: Annotated[int, Field(ge=10, le=5000)] = 500
    pipe_shaft_share: Annotated[Share, Field(description="Meters in a pipe shaft behind a metal door")] = 0.1
    pipe_shaft_loss_db: Annotated[float, Field(ge=0, le=60)] = 20.0


class Radio(Table):
    """The mesh: a profile of the engine and what differs from it."""

    profile: Annotated[str, Field(description="Radio profile, e.g. fsk-100k-920")] = "fsk-100k-920"
    overrides: Annotated[
        dict[str, float | int | bool | str], Field(description="Constants of the profile to replace, by name")
    ] = {}


class Meter(Table):
    """The meter's hold-up supply and its reaction times."""

    capacitance_f: Annotated[Positive, Field(description="Hold-up capacitor, new")] = 1.0
    start_v: Annotated[Positive, Field(description="Capacitor voltage when the mains is lost")] = 5.0
    stop_v: Annotated[Positive, Field(description="Voltage at which the radio's regulator drops out")] = 2.5
    efficiency: Annotated[float, Field(gt=0, le=1)] = 0.85
    aged_least: Annotated[float, Field(gt=0, le=1, description="Capacitance of the oldest part, share of new")] = 0.6
    listen_mw: Annotated[int, Field(ge=1, le=100_000, description="Draw on hold-up while listening")] = 100
    transmit_mw: Annotated[int, Field(ge=1, le=100_000, description="Draw on hold-up while transmitting")] = 350
    detection: Annotated[
        str,
        Field(
            min_length=1,
            description='Delays of virtual meters: "rtl", as measured on the compiled front-end; a table of '
            '"teiden characterise"; or "even", drawn from detect_min_ms to detect_max_ms',
        ),
    ] = "rtl"
    detect_min_ms: Annotated[NotNegative, Field(description='With detection = "even": fastest')] = 0.9
    detect_max_ms: Annotated[NotNegative, Field(description='With detection = "even": slowest')] = 1.9
    loss_pu: Annotated[
        float, Field(gt=0, lt=1, description="Voltage over nominal below which supply is lost; the front-end's limit")
    ] = 0.45
    handoff_ms: Annotated[Positive, Field(description="From metrology to the radio's MAC; at least time.window_ms")] = (
        20.0
    )


class Policy(Table):
    """How the office learns of an outage."""

    kind: Annotated[
        Literal["last_gasp", "polling", "last_gasp+polling"],
        Field(description="Last Gasp from the meters, polls from the head end, or both"),
    ] = "last_gasp"
    declare_s: Annotated[NotNegative, Field(description="Outage must last this long before it is declared")] = 3.0
    window_s: Annotated[NotNegative, Field(description="Random start of the Last Gasp within this window")] = 20.0
    offers: Annotated[int, Field(ge=1, le=20, description="Times each holder offers a frame to its MAC")] = 5
    reoffer_min_s: Annotated[NotNegative, Field(description="Pause after a failed offer, least")] = 0.2
    reoffer_max_s: Annotated[NotNegative, Field(description="Pause after a failed offer, most")] = 10.0
    poll_sample: Annotated[int, Field(ge=1, le=10_000, description="Suspects polled per substation and round")] = 3
    poll_tries: Annotated[int, Field(ge=1, le=10, description="Unanswered polls before a meter is called dark")] = 2
    poll_timeout_s: Annotated[Positive, Field(description="Wait for an answer to one poll")] = 8.0
    poll_round_s: Annotated[Positive, Field(description="Pause between rounds over the suspects")] = 20.0
    poll_rate_per_s: Annotated[Positive, Field(description="Polls the head end sends per second")] = 20.0


class Restoration(Table):
    """How meters come back when the voltage returns."""

    confirm_s: Annotated[NotNegative, Field(description="Voltage must be back this long before it is reported")] = 1.0
    notice_window_s: Annotated[NotNegative, Field(description="Random start of the power-return notice")] = 20.0
    rejoin_min_s: Annotated[
        NotNegative,
        Field(
            description="A radio that had died is in the mesh again after this, least (a living tree takes its time)"
        ),
    ] = 10.0
    rejoin_max_s: Annotated[NotNegative, Field(description="... and this, most; assumed: keys kept, small PAN")] = 60.0


class Concentrator(Table):
    """The concentrators; they are battery-backed for the whole run."""

    process_ms: Annotated[Positive, Field(description="From reception to the WAN")] = 30.0
    turnaround_ms: Annotated[Positive, Field(description="From the WAN to the radio; at least time.window_ms")] = 50.0


class Wan(Table):
    """The line between concentrators and head end."""

    latency_ms: Annotated[Positive, Field(description="Least one-way delay; at least time.window_ms")] = 60.0
    jitter_ms: Annotated[NotNegative, Field(description="Mean of the exponential delay on top")] = 40.0
    loss: Annotated[Share, Field(description="Chance that one sending is lost")] = 0.01
    resend_s: Annotated[Positive, Field(description="Sent again when unacknowledged for this long")] = 2.0
    tries: Annotated[int, Field(ge=1, le=20, description="Sendings before it is given up")] = 4


class HeadEnd(Table):
    """The head end: verification, belief, naming the section."""

    workers: Annotated[int, Field(ge=1, le=1000)] = 4
    verify_ms: Annotated[Positive, Field(description="Time one worker takes for one message")] = 2.0
    breaker_alarm_s: Annotated[
        NotNegative, Field(description="Feeder breaker's telemetry reaches the office after this long")
    ] = 2.0
    locate_every_s: Annotated[Positive, Field(description="How often the section is named")] = 5.0


class Adversary(Table):
    """Frames sent by somebody who holds no key, over the same radio."""

    forged: Annotated[int, Field(ge=0, le=100_000, description="False Last Gasps with made-up tags")] = 0
    replayed: Annotated[int, Field(ge=0, le=100_000, description="Genuine Last Gasps sent again later")] = 0
    spread_s: Annotated[Positive, Field(description="Forged frames start within this after the fault")] = 60.0
    replay_after_s: Annotated[float, Field(ge=1, description="Overheard frames are sent again after this")] = 30.0


class Source(Table):
    """The AC source that plays the feeder's voltage to the board."""

    nominal_v: Annotated[float, Field(ge=80, le=130, description="RMS service voltage")] = 100.0
    nominal_hz: Annotated[Literal[50, 60], Field(description="Japan has both")] = 50
    point_on_wave_deg: Annotated[float, Field(ge=0, lt=360, description="Angle at which the voltage falls")] = 90.0
    port: Annotated[
        Port,
        Field(
            description="TCP port of the simulated source's SCPI socket, the next ones of further boards; 0: any free"
        ),
    ] = 0


class Board(Table):
    """A real front-end among the meters; several of them stand under [[boards]] instead."""

    id: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$", description="Its name in messages and result files"),
    ] = "board"
    meter: Annotated[
        str,
        Field(
            description='Name of the meter it stands for, or a rule: "auto", one of the dark feeder; "longest_dark", '
            '"shortest_dark", one of those that are dark the longest or the shortest'
        ),
    ] = "auto"
    adapter: Annotated[
        Literal["compiled", "model", "pynq-simulated"],
        Field(
            description='What it runs on: "compiled", the RTL; "model", the integer model; "pynq-simulated", the RTL '
            "behind pynq.MMIO, not yet run on hardware"
        ),
    ] = "compiled"
    python: Annotated[
        str, Field(description="Interpreter that has the pynq package, for pynq-simulated; empty: this one")
    ] = ""
    clocks_per_sample: Annotated[int, Field(ge=64, le=10_000, description="Simulated clocks per sample")] = 64
    rig: Annotated[
        str,
        Field(
            pattern=r"^(tcp://[A-Za-z0-9.-]+:[0-9]{1,5})?$",
            description="tcp://HOST:PORT of a rig that teiden rig serve runs, whose station has the keys above but id "
            "and meter; empty: the run starts a rig",
        ),
    ] = ""


class Link(Table):
    """ZeroMQ between twin and rig."""

    mode: Annotated[
        Literal["lockstep", "real-time"],
        Field(description='"lockstep": same seed, same result; "real-time": by the wall clock, nobody waits'),
    ] = "lockstep"
    limit_ms: Annotated[
        Positive, Field(description="Real time: overrun, lateness or clock bound above this makes the run invalid")
    ] = 100.0
    address: Annotated[
        str, Field(description="IPv4 address the twin listens at; other than loopback it needs keys")
    ] = "127.0.0.1"
    port: Annotated[Port, Field(description="TCP port, the next ones for further boards; 0: any free")] = 0
    keys: Annotated[str, Field(description='Folder of keys made by "teiden rig keys DIR"; empty: none')] = ""
    heartbeat_ms: Annotated[
        int, Field(ge=10, le=60_000, description="A frozen rig or twin is seen after four of these")
    ] = HEARTBEAT_MS
    timeout_s: Annotated[Positive, Field(description="Longest wait for the rig's answer in a running lockstep")] = 20.0
    credits: Annotated[int, Field(ge=1, le=10_000, description="Events the rig may have unacknowledged")] = 64


class ServiceLevels(Table):
    """Limits for the verdicts; our own, since the programme has set none for Last Gasp (R53)."""

    delivery_ratio: Annotated[Share, Field(description="Last Gasps at the head end / meters truly dark")] = 0.9
    delivery_90_s: Annotated[Positive, Field(description="90 % of what arrives is there after")] = 60.0
    detection_ms: Annotated[Positive, Field(description="Board: loss of voltage to detection")] = 2.0
    known_ratio: Annotated[Share, Field(description="Dark meters rightly believed dark / meters truly dark")] = 0.9
    known_after_s: Annotated[Positive, Field(description="... this long after the trip")] = 60.0
    section_right_s: Annotated[Positive, Field(description="Head end names the right section this long after trip")] = (
        60.0
    )


class Study(Table):
    """What every kind of scenario has; ``kind`` says which tables follow."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="Name of the run folder")]
    kind: str
    title: Annotated[str, Field(description="One line for people")] = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1

    @abstractmethod
    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, problem) for what single values cannot show."""


class Scenario(Study):
    """A failing feeder; every table has defaults that work."""

    kind: Literal["outage"] = "outage"
    time: Time = Time()
    grid: GridTable = GridTable()
    fault: Fault = Fault()
    population: PopulationTable = PopulationTable()
    radio: Radio = Radio()
    meter: Meter = Meter()
    policy: Policy = Policy()
    restoration: Restoration = Restoration()
    concentrator: Concentrator = Concentrator()
    wan: Wan = Wan()
    head_end: HeadEnd = HeadEnd()
    adversary: Adversary = Adversary()
    source: Source = Source()
    board: Board = Board()
    boards: Annotated[
        tuple[Board, ...], Field(strict=False, max_length=64, description="Several boards, each with its own source")
    ] = ()
    link: Link = Link()
    service_levels: ServiceLevels = ServiceLevels()

    @property
    def all_boards(self) -> tuple[Board, ...]:
        """The boards of the run: those of [[boards]], else the one of [board]."""
        return self.boards or (self.board,)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, problem) for keys that cannot hold together."""
        yield from _ordering_problems(self)
        yield from _board_problems(self)
        yield from radio_problems(self.radio, {"listen_mw": "meter.listen_mw", "tx_extra_mw": "meter.transmit_mw"})


def _model(data: dict[str, Any], place: str) -> type[Study]:
    """Return the model of a scenario's kind; without a kind it is an outage."""
    from twin.collection.settings import CollectionScenario  # its tables are built on those of this module
    from twin.fleet.settings import FleetScenario

    models: dict[str, type[Study]] = {"outage": Scenario, "collection": CollectionScenario, "fleet": FleetScenario}
    kind = data.get("kind", "outage")
    if kind not in models:
        raise ScenarioError([f"{place}: kind = {kind!r}, expected one of {', '.join(models)}"])
    return models[kind]


def _ordering_problems(s: Scenario) -> Iterator[tuple[str, str]]:
    """Yield (key, problem) for each pair of keys that cannot hold together."""
    for key, value, expected in _pairs(s):
        yield key, f"{key} = {value!r}, expected {expected}"


def _board_problems(s: Scenario) -> Iterator[tuple[str, str]]:
    """Yield (key, problem) for boards that cannot stand beside each other."""
    for place, board in enumerate(s.all_boards):
        name = f"boards.{place}" if s.boards else "board"
        for key in ("adapter", "python", "clocks_per_sample"):
            value = getattr(board, key)
            if board.rig and value != Board.model_fields[key].default:
                yield name, f"{name}.{key} = {value!r} with {name}.rig, expected in the station file of that rig"
    if not s.boards:
        return
    if s.board != Board():
        yield "board", "board: beside [[boards]], expected one of the two"
    for key in ("id", "meter", "rig"):
        given = [getattr(board, key) for board in s.boards]
        for value in sorted({value for value in given if given.count(value) > 1 and value not in (*BOARD_RULES, "")}):
            yield "boards", f"boards: {key} = {value!r} {given.count(value)} times, expected once"
    for key, port in (("source.port", s.source.port), ("link.port", s.link.port)):
        if port and port + len(s.boards) - 1 > LAST_PORT:
            yield key, f"{key} = {port}, expected so that {len(s.boards)} ports from there on end at {LAST_PORT}"


def _pairs(s: Scenario) -> Iterator[tuple[str, Any, str]]:
    """Yield (key, value, expectation)."""
    window = s.time.window_ms
    for key, value in (
        ("meter.handoff_ms", s.meter.handoff_ms),
        ("concentrator.turnaround_ms", s.concentrator.turnaround_ms),
        ("wan.latency_ms", s.wan.latency_ms),
    ):
        if value < window:
            yield key, value, f"at least time.window_ms = {window:g} (the look-ahead of the lockstep)"
    if not float(window * 8).is_integer():
        yield "time.window_ms", window, "a multiple of 0.125 (whole samples at 8 kS/s)"
    if s.fault.at_s >= s.time.duration_s:
        yield "fault.at_s", s.fault.at_s, f"below time.duration_s = {s.time.duration_s:g}"
    steps = [("fault.trip_s", s.fault.trip_s), ("fault.isolate_s", s.fault.isolate_s), ("fault.tie_s", s.fault.tie_s)]
    if s.fault.repair_s:
        steps.append(("fault.repair_s", s.fault.repair_s))
    for (before, earlier), (key, value) in pairwise(steps):
        if value <= earlier:
            yield key, value, f"above {before} = {earlier:g}"
    for low, high in (
        ("meter.detect_min_ms", "meter.detect_max_ms"),
        ("policy.reoffer_min_s", "policy.reoffer_max_s"),
        ("restoration.rejoin_min_s", "restoration.rejoin_max_s"),
    ):
        if _value_at(s, high) < _value_at(s, low):
            yield high, _value_at(s, high), f"at least {low} = {_value_at(s, low):g}"
    if s.meter.stop_v >= s.meter.start_v:
        yield "meter.stop_v", s.meter.stop_v, f"below meter.start_v = {s.meter.start_v:g}"
    if s.meter.transmit_mw < s.meter.listen_mw:
        yield "meter.transmit_mw", s.meter.transmit_mw, f"at least meter.listen_mw = {s.meter.listen_mw:g}"


def _value_at(scenario: Scenario, key: str) -> Any:
    value: Any = scenario
    for part in key.split("."):
        value = getattr(value, part)
    return value


def load(path: Path | str, changes: Iterable[str] = (), seed: int | None = None) -> Study:
    """Read a scenario file, or one that ships with Teiden by its name, and check all of it.

    Parameters
    ----------
    path : Path or str
        A TOML file, or the name of a shipped scenario (see `shipped`).
    changes : iterable of str
        ``table.key=value`` with the value written as in TOML; bare words are taken as text.
    seed : int, optional
        Replaces the file's seed.

    Raises
    ------
    ScenarioError
        Listing every problem as ``file: table.key = value, expected ...``.
    """
    file = find(path)
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError([f"{file.name}: not valid TOML: {error}"]) from error
    data.setdefault("name", file.stem)
    for change in changes:
        _apply(data, change)
    if seed is not None:
        data["seed"] = seed
    return check(data, file.name)


def check(data: dict[str, Any], place: str) -> Study:
    """Return the scenario that nested plain data describe; ScenarioError with all problems, naming ``place``."""
    problems: list[str] = []
    failed: set[str] = set()
    model = _model(data, place)
    scenario: Study | None = None
    while scenario is None:
        try:
            scenario = model.model_validate(data)
        except ValidationError as error:
            problems += [_in_words(model, place, item) for item in error.errors()]
            failed |= {".".join(map(str, item["loc"])) for item in error.errors()}
            data = _without(data, [item["loc"] for item in error.errors()])
    problems += [f"{place}: {text}" for key, text in scenario.problems() if key not in failed]
    if problems:
        raise ScenarioError(problems)
    return scenario


def _without(data: dict[str, Any], places: Iterable[tuple[Any, ...]]) -> dict[str, Any]:
    """Return the data less the values at these places, whose defaults then stand in for the checks that remain."""
    reduced = copy.deepcopy(data)
    for whole in places:
        numbers = [k for k, part in enumerate(whole) if isinstance(part, int)]
        place = whole[: numbers[0]] if numbers else whole  # a list that is wrong somewhere goes as a whole
        table: Any = reduced
        for part in place[:-1]:
            table = table.get(part, {}) if isinstance(table, dict) else {}
        if place == ("name",):
            reduced["name"] = "unnamed"
        elif isinstance(table, dict):
            table.pop(place[-1], None)
    return reduced


def radio_problems(radio: Radio, reserved: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (key, problem) for what the radio engine says of profile and overrides; other keys set the reserved."""
    overrides = {key: value for key, value in radio.overrides.items() if key not in reserved}
    for key in reserved.keys() & radio.overrides.keys():
        yield "radio.overrides", f"radio.overrides.{key} = {radio.overrides[key]!r}, expected in {reserved[key]}"
    try:
        gpu.profile(radio.profile, **overrides)
    except InputError as error:
        for line in str(error).splitlines():
            unknown = line.startswith("profile")
            yield "radio.profile" if unknown else "radio.overrides", f"radio.{'' if unknown else 'overrides.'}{line}"


def _in_words(model: type[Study], place: str, item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    kind, context = item["type"], item.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{place}: {key} = {item['input']!r}, expected no such key{_near(model, item['loc'])}"
    if kind == "missing":
        return f"{place}: {key} is missing, expected {_describe(model, item['loc'])}"
    bounds = {"greater_than": "above {gt:g}", "greater_than_equal": "{ge:g} or more", "less_than": "below {lt:g}"}
    bounds |= {"less_than_equal": "{le:g} or less", "literal_error": "{expected}"}
    bounds |= {"int_type": "a whole number", "int_from_float": "a whole number", "float_type": "a number"}
    bounds |= {"bool_type": "true or false", "string_type": "text in quotes", "model_type": f"a table, [{key}]"}
    bounds |= {"dict_type": "a table, { key = value }"}
    pattern = "letters and digits, then also . _ -, at most 64"
    bounds |= {"string_pattern_mismatch": "tcp://HOST:PORT" if item["loc"][-1] == "rig" else pattern}
    want = bounds[kind].format(**context) if kind in bounds else item["msg"].removeprefix("Input should be ")
    return f"{place}: {key} = {item['input']!r}, expected {want}{_describe(model, item['loc'], ' (', ')')}"


def _near(model: Any, loc: Sequence[Any]) -> str:
    """Name the key that was probably meant: beside the unknown one, else in any table."""
    tables = {name: type(value) for name, value in model(name="any") if isinstance(value, Table)}
    if loc[0] == "boards":
        tables["boards"] = Board
    everywhere = [f"{table}.{key}" for table, part in tables.items() for key in part.model_fields]
    beside = list(model.model_fields)
    if loc[0] in tables and len(loc) > 1:
        beside = list(tables[loc[0]].model_fields)
    close = get_close_matches(str(loc[-1]), beside, n=1, cutoff=0.6)
    leaves = [path for path in everywhere if path.endswith(f".{loc[-1]}")]
    guesses = close + leaves if len(loc) > 1 else leaves + close
    if guesses:
        return f" (did you mean {guesses[0]}?)"
    return f" (known: {', '.join(beside)})"


def _describe(model: Any, loc: Sequence[Any], before: str = "", after: str = "") -> str:
    text = None
    for part in loc:
        if isinstance(part, int):  # of a list of tables
            model = get_args(model)[0]
            continue
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            break
        text, model = field.description, field.annotation
    return f"{before}{text}{after}" if text else ""


def _apply(data: dict[str, Any], change: str) -> None:
    key, separator, raw = change.partition("=")
    parts = key.strip().split(".")
    if not separator or not all(parts):
        raise ScenarioError([f"--set {change}: expected table.key=value, e.g. population.meters=50000"])
    table: Any = data
    for part in parts[:-1]:
        table = _inside(table, part, change)
    if not isinstance(table, dict):
        raise ScenarioError([f"--set {change}: expected an id in between, e.g. boards.b1.meter=auto"])
    try:
        table[parts[-1]] = tomllib.loads(f"v = {raw.strip()}")["v"]
    except tomllib.TOMLDecodeError:
        table[parts[-1]] = raw.strip()


def _inside(table: Any, part: str, change: str) -> Any:
    """Return the table of a name in a table, or of an id in a list of tables."""
    if isinstance(table, list):
        for one in table:
            if isinstance(one, dict) and one.get("id") == part:
                return one
        raise ScenarioError([f"--set {change}: no table with id = {part!r}"])
    found = table.setdefault(part, {}) if isinstance(table, dict) else None
    if not isinstance(found, dict | list):
        raise ScenarioError([f"--set {change}: {part} is a value, not a table"])
    return found


def shipped() -> dict[str, Path]:
    """Return the scenarios that come with Teiden, by name."""
    beside_source = Path(__file__).resolve().parent.parent / "scenarios"
    folder = beside_source if beside_source.is_dir() else Path(str(resources.files("twin") / "scenarios"))
    return {file.stem: file for file in sorted(folder.glob("*.toml"))}


def find(path: Path | str) -> Path:
    """Return the scenario's file: a path that exists, or the name of a shipped one."""
    file = Path(path)
    if file.is_file():
        return file
    known = shipped()
    if str(path) in known:
        return known[str(path)]
    raise InputError(f"{path}: no such scenario file; shipped scenarios: {', '.join(known) or 'none'}")


def ns(seconds: float) -> int:
    """Return seconds as whole nanoseconds, rounded to nearest."""
    return math.floor(seconds * 1e9 + 0.5)


def ms_ns(milliseconds: float) -> int:
    """Return milliseconds as whole nanoseconds, rounded to nearest."""
    return math.floor(milliseconds * 1e6 + 0.5)


def to_toml(scenario: Study) -> str:
    """Return every setting as TOML with its description as a comment."""
    lines = [f"{name} = {_literal(getattr(scenario, name))}" for name in ("name", "kind", "title", "seed")]
    for table in type(scenario).model_fields:
        part = getattr(scenario, table)
        if isinstance(part, Table):
            lines += ["", f"[{table}]  # {(type(part).__doc__ or '').strip().splitlines()[0]}", *_keys(part)]
        elif isinstance(part, tuple):
            for one in part:
                lines += ["", f"[[{table}]]", *_keys(one)]
    return "\n".join(lines)


def _keys(table: Table) -> Iterator[str]:
    for key, detail in type(table).model_fields.items():
        comment = f"  # {detail.description}" if detail.description else ""
        yield f"{key} = {_literal(getattr(table, key))}{comment}"


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_literal(item)}" for key, item in value.items()) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return (
        repr(value) if isinstance(value, int | float) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    )
