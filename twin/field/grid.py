"""The medium-voltage grid: where its substations are and what its switches connect."""

from __future__ import annotations

import difflib
import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from teiden.errors import InputError
from twin.field.coordinates import Floats, guess_metres_per_unit, read_point, read_polyline, to_lon_lat_deg, to_plane_m
from twin.field.feeders import LOW_VOLTAGE_KV, Feeders, find_feeders
from twin.field.topology import Bools, Ints, Topology, build_topology

DEFAULT_GRID = "mv_oberrhein"
STATION_TYPE = "MV/LV Station"  # load.type of the MV/LV stations in pandapower.networks.mv_oberrhein


@dataclass(frozen=True, eq=False)  # == of arrays is no truth value
class Grid:
    """A grid in its normal switching state; B buses, S substations, L lines, W switches, F feeders, K breakers.

    Arrays hold places in these axes, never table indices, except the ``*_index`` arrays and `breaker_switch`,
    `switch_index`: those hold the indices of the pandapower tables, which is how switches and lines are named to
    `supplied` and in timelines.

    Attributes
    ----------
    net : pandapowerNet
        The network itself; treat as read-only.
    source : str
        What `load_grid` was asked for.
    origin_deg : tuple of float, or None
        Longitude and latitude of the plane's origin; None when the network has plain coordinates, and then every
        ``*_deg`` array is NaN.
    bus_index : (B,) int
    bus_x_m, bus_y_m, bus_lon_deg, bus_lat_deg : (B,) float
        NaN where a bus has no place.
    bus_is_mv : (B,) bool
        Above 1 kV.
    bus_feeder : (B,) int
        -1 outside every feeder.
    substation_load : (S,) int
        Index in the load table (the first one, where a substation stands for several loads).
    substation_name : tuple of str
    substation_bus : (S,) int
    substation_p_mw : (S,) float
        Load power times scaling.
    substation_x_m, substation_y_m, substation_lon_deg, substation_lat_deg : (S,) float
    substation_feeder : (S,) int
    line_index : (L,) int
    line_name : tuple of str
    line_from, line_to : (L,) int
    line_length_m : (L,) float
    line_in_service : (L,) bool
    line_is_mv : (L,) bool
        Above 1 kV.
    line_feeder : (L,) int
    line_polyline : tuple of (P, 2) float
        Vertices for maps: longitude and latitude [deg], or x and y [m] where `origin_deg` is None.
    switch_index, switch_bus : (W,) int
    switch_closed : (W,) bool
        The normal state.
    switch_line : (W,) int
        The line a switch sits on, -1 for other switches.
    feeder_name : tuple of str
    breaker_switch, breaker_feeder, breaker_line, breaker_busbar : (K,) int
        Feeder breakers: switch index, feeder, head line, busbar.
    topology : Topology
    feeders : Feeders
    """

    net: Any
    source: str
    origin_deg: tuple[float, float] | None
    bus_index: Ints
    bus_x_m: Floats
    bus_y_m: Floats
    bus_lon_deg: Floats
    bus_lat_deg: Floats
    bus_is_mv: Bools
    bus_feeder: Ints
    substation_load: Ints
    substation_name: tuple[str, ...]
    substation_bus: Ints
    substation_p_mw: Floats
    substation_x_m: Floats
    substation_y_m: Floats
    substation_lon_deg: Floats
    substation_lat_deg: Floats
    substation_feeder: Ints
    line_index: Ints
    line_name: tuple[str, ...]
    line_from: Ints
    line_to: Ints
    line_length_m: Floats
    line_in_service: Bools
    line_is_mv: Bools
    line_feeder: Ints
    line_polyline: tuple[Floats, ...]
    switch_index: Ints
    switch_bus: Ints
    switch_closed: Bools
    switch_line: Ints
    feeder_name: tuple[str, ...]
    breaker_switch: Ints
    breaker_feeder: Ints
    breaker_line: Ints
    breaker_busbar: Ints
    topology: Topology
    feeders: Feeders

    def find_line(self, line: int | str) -> int:
        """Return the place of a line given by its index in the line table or its name.

        Raises
        ------
        InputError
            If there is no such line, or several of that name; the message lists near matches.
        """
        text = str(line)
        if text.lstrip("-").isdigit():
            place = self.topology.line_position.get(int(text))
            if place is not None:
                return place
        named = [i for i, name in enumerate(self.line_name) if name == text]
        if len(named) == 1:
            return named[0]
        if named:
            indices = ", ".join(str(self.line_index[i]) for i in named[:5])
            raise InputError(f"{self.source}: {len(named)} lines are named {text!r}; give an index ({indices})")
        known = [*self.line_name, *map(str, self.line_index)]
        near = difflib.get_close_matches(text, known, 3, 0.5) or list(self.line_name[:3])
        raise InputError(f"{self.source}: no line {text!r}, expected a line's name or index; near: {', '.join(near)}")


def supplied(
    grid: Grid,
    open_switches: Iterable[int] = frozenset(),
    lines_out: Iterable[int] = frozenset(),
    closed_switches: Iterable[int] = frozenset(),
) -> Bools:
    """Return which buses are connected to a source.

    Parameters
    ----------
    grid : Grid
    open_switches, closed_switches : iterable of int
        Indices of switches that are open or closed against the normal state.
    lines_out : iterable of int
        Indices of lines taken out of service.

    Returns
    -------
    (B,) bool
        False for buses out of service.
    """
    return grid.topology.live_nodes(open_switches, lines_out, closed_switches)[: grid.bus_index.size]


def load_grid(source: str = DEFAULT_GRID, keep_folder: Path | None = None) -> Grid:
    """Load a grid.

    Parameters
    ----------
    source : str
        ``"mv_oberrhein"`` (pandapower's real 20 kV network with two 110/20 kV stations) or the path of a
        pandapower JSON network with coordinates.
    keep_folder : Path, optional
        Folder to which the network is written as ``grid.json``, so that a run keeps what it ran on.

    Raises
    ------
    InputError
        If the file is missing or no network, or the network has no coordinates, lines, loads or sources.
    """
    with quiet_pandapower():
        net = _read_net(source)
        if keep_folder is not None:
            import pandapower  # takes a second; only a process that loads a grid pays it

            keep_folder.mkdir(parents=True, exist_ok=True)
            pandapower.to_json(net, str(keep_folder / "grid.json"))
    for table, remedy in (("line", "a line"), ("load", "a load"), ("ext_grid", "an external grid")):
        if not len(net[table]):
            raise InputError(f"{source}: table {table} is empty, expected at least {remedy}")
    topology = build_topology(net, source)
    return _assemble(net, source, topology, find_feeders(net, topology))


@contextmanager
def quiet_pandapower() -> Iterator[None]:
    """Keep pandapower from warning about numba, which connectivity does not need."""
    loggers = [logging.getLogger(name) for name in ("pandapower", "pandapower.auxiliary")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _read_net(source: str) -> Any:
    """Return the pandapower network named or stored at `source`."""
    import pandapower
    import pandapower.networks

    if source == DEFAULT_GRID:
        return pandapower.networks.mv_oberrhein()
    path = Path(source)
    if not path.is_file():
        raise InputError(f"{source}: no such file; expected {DEFAULT_GRID!r} or a pandapower network (JSON)")
    try:
        net = pandapower.from_json(str(path))
    except Exception as error:  # pandapower lets whatever its parser meets through
        raise InputError(f"{source}: not a pandapower network ({error}); write one with pandapower.to_json") from error
    if not isinstance(net, pandapower.pandapowerNet):
        raise InputError(f"{source}: JSON, but not a pandapower network; write one with pandapower.to_json(net, path)")
    return net


def _assemble(net: Any, source: str, topology: Topology, feeders: Feeders) -> Grid:
    """Turn tables into arrays."""
    bus_position = {int(index): i for i, index in enumerate(net.bus.index)}
    line_from = np.array([bus_position[int(bus)] for bus in net.line.from_bus], np.int64)
    line_to = np.array([bus_position[int(bus)] for bus in net.line.to_bus], np.int64)
    length_m = 1000.0 * net.line.length_km.to_numpy(float)
    groups = _group_loads(net, source, topology, bus_position)
    station_bus = np.array([bus for bus, _ in groups], np.int64)
    raw = _read_places(net, source, np.unique(np.concatenate([line_from, line_to, station_bus])))
    shapes = _read_shapes(net, raw, line_from, line_to)
    scale_m = guess_metres_per_unit(raw[line_from], raw[line_to], length_m)
    x_m, y_m, lon_deg, lat_deg, origin_deg = _place(raw, scale_m)
    if scale_m is not None:
        centre = np.nanmean(raw, axis=0)
        shapes = tuple(scale_m * (shape - centre) for shape in shapes)
    level_kv = net.bus.vn_kv.to_numpy(float)
    power_mw = (net.load.p_mw * net.load.scaling).to_numpy(float)
    node_feeder = feeders.node_feeder
    on_line = net.switch.et.to_numpy() == "l"
    return Grid(
        net=net,
        source=source,
        origin_deg=origin_deg,
        bus_index=net.bus.index.to_numpy(np.int64),
        bus_x_m=x_m,
        bus_y_m=y_m,
        bus_lon_deg=lon_deg,
        bus_lat_deg=lat_deg,
        bus_is_mv=level_kv > LOW_VOLTAGE_KV,
        bus_feeder=node_feeder[: len(net.bus)],
        substation_load=np.array([net.load.index[loads[0]] for _, loads in groups], np.int64),
        substation_name=tuple(_name(net.load, loads[0], "Load") for _, loads in groups),
        substation_bus=station_bus,
        substation_p_mw=np.array([power_mw[loads].sum() for _, loads in groups]),
        substation_x_m=x_m[station_bus],
        substation_y_m=y_m[station_bus],
        substation_lon_deg=lon_deg[station_bus],
        substation_lat_deg=lat_deg[station_bus],
        substation_feeder=node_feeder[station_bus],
        line_index=net.line.index.to_numpy(np.int64),
        line_name=tuple(_name(net.line, i, "Line") for i in range(len(net.line))),
        line_from=line_from,
        line_to=line_to,
        line_length_m=length_m,
        line_in_service=net.line.in_service.to_numpy(bool),
        line_is_mv=level_kv[line_from] > LOW_VOLTAGE_KV,
        line_feeder=node_feeder[topology.first_node["line"] :][: len(net.line)],
        line_polyline=shapes,
        switch_index=topology.switch_index,
        switch_bus=np.array([bus_position[int(bus)] for bus in net.switch.bus], np.int64),
        switch_closed=topology.switch_closed,
        switch_line=np.array(
            [
                topology.line_position[int(element)] if line else -1
                for element, line in zip(net.switch.element, on_line, strict=True)
            ],
            np.int64,
        ),
        feeder_name=_name_feeders(net, feeders),
        breaker_switch=feeders.breaker,
        breaker_feeder=feeders.breaker_feeder,
        breaker_line=feeders.breaker_head_line,
        breaker_busbar=feeders.breaker_busbar,
        topology=topology,
        feeders=feeders,
    )


def _group_loads(
    net: Any, source: str, topology: Topology, bus_position: dict[int, int]
) -> list[tuple[int, list[int]]]:
    """Return the bus and the places in the load table of each substation.

    Loads of type "MV/LV Station" are the substations where there are any. Otherwise each load is one, except that
    the loads of one low-voltage network with a transformer are one together, at the transformer's low-voltage bus.
    """
    use = net.load.in_service.to_numpy(bool)
    load_bus = [bus_position[int(bus)] for bus in net.load.bus]
    if (net.load.type == STATION_TYPE).any():
        use &= (net.load.type == STATION_TYPE).to_numpy(bool)
        return [(load_bus[i], [i]) for i in np.flatnonzero(use).tolist()]
    if not use.any():
        raise InputError(f"{source}: no load in service, expected at least one")
    low = np.append(
        net.bus.vn_kv.to_numpy(float) <= LOW_VOLTAGE_KV,
        np.arange(topology.bus_count, topology.node_in_service.size) < topology.first_node["trafo"],
    )
    labels = topology.islands(topology.closed_joints(), topology.node_in_service & low)
    feeding = {int(labels[bus_position[int(bus)]]): bus_position[int(bus)] for bus in net.trafo.lv_bus[::-1]}
    groups: dict[tuple[int, int], list[int]] = {}
    for i in np.flatnonzero(use).tolist():
        bus = load_bus[i]
        station = feeding.get(int(labels[bus])) if low[bus] else None
        key = (bus, i) if station is None else (station, -1)
        groups.setdefault(key, []).append(i)
    return [(bus, loads) for (bus, _), loads in groups.items()]


def _read_places(net: Any, source: str, needed: Ints) -> Floats:
    """Return (B, 2) the coordinates of the buses; those at places `needed` must have them."""
    geo = net.bus["geo"] if "geo" in net.bus else [None] * len(net.bus)
    raw = np.array([read_point(text) for text in geo], float).reshape(-1, 2)
    missing = needed[np.isnan(raw[needed]).any(axis=1)]
    if missing.size:
        raise InputError(
            f"{source}: bus {net.bus.index[missing[0]]} has no coordinates ({missing.size} of {needed.size} buses with "
            "lines or loads); fill net.bus.geo, for instance with pandapower.plotting.create_generic_coordinates"
        )
    return raw


def _read_shapes(net: Any, raw: Floats, line_from: Ints, line_to: Ints) -> tuple[Floats, ...]:
    """Return the polyline of each line, a straight one where the network has none."""
    geo = net.line["geo"] if "geo" in net.line else [None] * len(net.line)
    straight = np.stack([raw[line_from], raw[line_to]], axis=1)
    shapes = (read_polyline(text) for text in geo)
    return tuple(ends if shape is None else shape for shape, ends in zip(shapes, straight, strict=True))


def _place(raw: Floats, scale_m: float | None) -> tuple[Floats, Floats, Floats, Floats, tuple[float, float] | None]:
    """Return x, y [m], longitude, latitude [deg] of the buses and the origin, about the buses' centroid."""
    centre = np.nanmean(raw, axis=0)
    if scale_m is not None:
        x_m, y_m = (scale_m * (raw - centre)).T
        return x_m, y_m, np.full(len(raw), np.nan), np.full(len(raw), np.nan), None
    origin_deg = (float(centre[0]), float(centre[1]))
    x_m, y_m = to_plane_m(raw[:, 0], raw[:, 1], origin_deg)
    lon_deg, lat_deg = to_lon_lat_deg(x_m, y_m, origin_deg)
    return x_m, y_m, lon_deg, lat_deg, origin_deg


def _name(frame: Any, place: int, kind: str) -> str:
    """Return a row's name, or its kind and index where it has none."""
    name = frame["name"].iloc[place] if "name" in frame else None
    return name if isinstance(name, str) and name else f"{kind} {frame.index[place]}"


def _name_feeders(net: Any, feeders: Feeders) -> tuple[str, ...]:
    """Return "busbar / head line" for each feeder, after its first breaker."""
    names: dict[int, str] = {}
    rows = zip(feeders.breaker_feeder, feeders.breaker_busbar, feeders.breaker_head_line, strict=True)
    for feeder, bus, line in rows:
        names.setdefault(int(feeder), f"{_name(net.bus, bus, 'Bus')} / {_name(net.line, line, 'Line')}")
    return tuple(names[i] for i in range(len(names)))
