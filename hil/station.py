"""A station: which board stands on which source, what they are fed with and what is expected of them."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hil.clock import TriggerDelay
from teiden.errors import InputError

Positive = Annotated[float, Field(gt=0)]
PYNQ_TICKS = 12_500  # 100 MHz (hdl/pynq_z2/build.tcl) at 8 kS/s
Angles = Annotated[tuple[Annotated[float, Field(ge=0, lt=360)], ...], Field(min_length=1, strict=False)]


class Table(BaseModel):
    """One table of a station file: frozen, no unknown keys, no guessing of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Board(Table):
    """The front-end: one that the simulated source feeds, or a PYNQ board on a real one."""

    clocks_per_sample: Annotated[int, Field(ge=64, le=100_000, description="Clocks the RTL gets for a sample")] = 64
    kind: Annotated[
        Literal["compiled", "model", "pynq-simulated", "pynq"], Field(description="What the front-end runs on")
    ] = "compiled"
    python: Annotated[str, Field(description="Interpreter that has pynq, for pynq-simulated; empty: this one")] = ""
    bitstream: Annotated[str, Field(description="Of a PYNQ board")] = ""
    command: Annotated[
        str, Field(description="What starts the part on a PYNQ board elsewhere (ssh ...); empty: the board is this one")
    ] = ""

    @property
    def ticks_per_sample(self) -> int:
        """Clocks between two samples: as set, else of a real board those of its design."""
        given = self.kind != "pynq" or "clocks_per_sample" in self.model_fields_set
        return self.clocks_per_sample if given else PYNQ_TICKS


class Source(Table):
    """The source: simulated, or an instrument with an address."""

    dialect: Annotated[Literal["681x", "kikusui-le", "chroma"], Field(description="What it speaks")] = "681x"
    seed: Annotated[int, Field(ge=0, description="Key of its command latencies; also its serial number")] = 0
    current_limit_a: Annotated[Positive, Field(description="Set and read back before output-on")] = 5.0
    voltage_limit_v: Annotated[Positive, Field(description="Set and read back before output-on")] = 120.0
    address: Annotated[str, Field(description="VISA resource name of an instrument; empty: simulated")] = ""
    interlock: Annotated[str, Field(description="File that says closed while the output may be on")] = ""
    uncertainty_pu: Annotated[float, Field(ge=0, description="Of the voltage it gives, of nominal")] = 0.0
    trigger_delay_us: Annotated[
        float,
        Field(ge=-1000, le=1000, description="From its trigger-out to the change of its output, as rig check sees it"),
    ] = 0.0
    trigger_delay_bound_us: Annotated[float, Field(ge=0, le=1000, description="How well that is known")] = 0.0

    @property
    def trigger_delay(self) -> TriggerDelay:
        """What lies between its trigger-out and the change of its output."""
        return TriggerDelay(round(1e3 * self.trigger_delay_us), math.ceil(1e3 * self.trigger_delay_bound_us))


class Supply(Table):
    """What the source gives."""

    nominal_v: Annotated[float, Field(ge=10, le=166, description="RMS voltage")] = 100.0
    nominal_hz: Annotated[Literal[50, 60], Field(description="Frequency")] = 50


class Load(Table):
    """What hangs on the source; on a simulated one a rectifier with 470 uF."""

    power_w: Annotated[float, Field(ge=0, description="Drawn at any voltage; 0: no load")] = 0.0


class Limits(Table):
    """What a sound bench keeps to; all assumed, none from a standard."""

    noise_pu: Annotated[Positive, Field(description="RMS of the voltage channel, output off, of nominal")] = 1e-3
    voltage_pu: Annotated[Positive, Field(description="Board's RMS voltage against the source's read-back")] = 5e-3
    frequency_hz: Annotated[Positive, Field(description="Board's frequency against the source's read-back")] = 0.02
    current_pu: Annotated[
        Positive, Field(description="Board's RMS current against the source's read-back, of that")
    ] = 0.02
    angle_deg: Annotated[Positive, Field(description="Point on wave at the trigger, against what was asked for")] = 2.0


class Campaign(Table):
    """How the campaigns of ``teiden rig run`` are played; IEC 61000-4-11, 8.2.1 asks for three dips, 10 s apart."""

    environment: Annotated[Literal[2, 3], Field(description="Class of IEC 61000-4-11 whose dips are played")] = 3
    repeats: Annotated[int, Field(ge=1, le=100, description="Times each dip of a table is played")] = 3
    interval_s: Annotated[float, Field(ge=0.5, description="Rest between them")] = 10.0
    dip_angles_deg: Annotated[Angles, Field(description="Points on wave of the dips of a table")] = (0.0, 180.0)
    fail_angles_deg: Annotated[Angles, Field(description="Points on wave of the power failures")] = tuple(
        45.0 * k for k in range(8)
    )
    recorded_channel: Annotated[
        str, Field(description="Name or number from 1 of a recording's channel; empty: its first voltage")
    ] = ""
    recorded_as: Annotated[
        Literal["waveform", "rms"],
        Field(description="Cycles as they are, or as sines of their RMS voltage"),
    ] = "waveform"


class Station(Table):
    """A whole station file; every table and key may be left out."""

    board: Board = Board()
    source: Source = Source()
    supply: Supply = Supply()
    limits: Limits = Limits()
    load: Load = Load()
    campaign: Campaign = Campaign()

    @property
    def simulated(self) -> bool:
        """Whether board and source are the stand-ins."""
        return self.board.kind != "pynq" and not self.source.address


def load_station(path: Path) -> Station:
    """Return the station in a TOML file.

    Raises
    ------
    InputError
        If it cannot be read, or naming every key that is wrong, one a line.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; expected a station file in TOML") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}; expected TOML in UTF-8") from None
    try:
        station = Station.model_validate(tables)
    except ValidationError as error:
        raise InputError("\n".join(f"{path}: {problem}" for problem in problems(error))) from None
    if station.supply.nominal_v > station.source.voltage_limit_v:
        raise InputError(
            f"{path}: supply.nominal_v = {station.supply.nominal_v:g}, expected at most "
            f"source.voltage_limit_v = {station.source.voltage_limit_v:g} V"
        )
    if (station.board.kind == "pynq") != bool(station.source.address):
        raise InputError(
            f"{path}: board.kind = {station.board.kind!r} with source.address = {station.source.address!r}, expected "
            "both of hardware (pynq, an address) or neither: what one plays the other must see"
        )
    if station.board.command and station.board.kind != "pynq":
        raise InputError(f"{path}: board.command with board.kind = {station.board.kind!r}, expected with pynq only")
    if station.board.kind == "pynq" and not Path(station.board.bitstream).is_file():
        raise InputError(f"{path}: board.bitstream = {station.board.bitstream!r}, expected a file")
    return station


def problems(error: ValidationError) -> list[str]:
    """Return every problem of a station with its place, a line each."""
    return [_problem(dict(one)) for one in error.errors()]


def _problem(found: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in found["loc"])
    if found["type"] == "extra_forbidden":
        parent = Station.model_fields.get(str(found["loc"][0]))
        table = parent.annotation if parent is not None else Station
        known = table.model_fields if isinstance(table, type) and issubclass(table, Table) else {}
        return f"{place}: unknown, expected one of {', '.join(known)}"
    if found["type"] == "model_type":
        return f"{place} = {found['input']!r}, expected a table [{place}]"
    return f"{place} = {found['input']!r}, {found['msg'][0].lower()}{found['msg'][1:]}"
