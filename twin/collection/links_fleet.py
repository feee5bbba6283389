"""The fleet: which link each meter has, which cell it is in, and where its messages come out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from twin.chance import Purpose, uniform
from twin.collection.links_settings import CellularTable, FleetTable, PlcTable
from twin.field.population import Population

OFF_MESH_LOSS_DB = 300.0
"""Added path loss of a meter without a mesh radio: nobody hears it and it hears nobody."""


class Link(IntEnum):
    """How a meter is connected."""

    MESH = 0
    PLC = 1
    CELLULAR = 2


@dataclass(frozen=True)
class Fleet:
    """Links of N meters. Lanes are where messages come out: C concentrators, then cellular cells, then the terminals.

    Attributes
    ----------
    link : (N,) uint8
        A `Link`.
    cell : (N,) int
        PLC or cellular cell, counted apart; -1 on the mesh.
    lane : (N,) int
        Of a meter beside the mesh; -1 on the mesh (its route says) and without coverage.
    concentrators, plc_cells, cellular_cells : int
    """

    link: NDArray[np.uint8]
    cell: NDArray[np.int64]
    lane: NDArray[np.int64]
    concentrators: int
    plc_cells: int
    cellular_cells: int

    @property
    def on_mesh(self) -> NDArray[np.bool_]:
        """Return (N,) whether a meter is on the mesh."""
        return self.link == Link.MESH

    @property
    def mixed(self) -> bool:
        """Whether there is any link beside the mesh."""
        return bool(self.link.any())

    @property
    def terminals_lane(self) -> int:
        """Return the lane of the handy terminals, the last."""
        return self.concentrators + self.cellular_cells

    @property
    def lanes(self) -> int:
        """Return how many lanes there are."""
        return self.terminals_lane + 1

    def there(self) -> list[Link]:
        """Return the links that meters have."""
        return [link for link in Link if (self.link == link).any()]


def make_fleet(
    population: Population, seed: int, mix: FleetTable, plc: PlcTable, cellular: CellularTable
) -> Fleet:  # fmt: skip
    """Return who has which link.

    A power-line cell is a block of meters of one substation, drawn as a whole: a transformer has a master or has not.
    Modems are drawn one by one, and fill cells by place.
    """
    meters = population.meter_count
    block = _blocks(population.meter_substation, plc.meters_per_cell)
    on_line = uniform(seed, block, 0, Purpose.FLEET_LINK) < mix.plc_share
    rest = max(1 - mix.plc_share, 1e-12)
    with_modem = ~on_line & (uniform(seed, np.arange(meters), 1, Purpose.FLEET_LINK) < mix.cellular_share / rest)
    link = np.where(on_line, Link.PLC, np.where(with_modem, Link.CELLULAR, Link.MESH)).astype(np.uint8)
    cell = np.full(meters, -1)
    cells, cell[on_line] = np.unique(block[on_line], return_inverse=True)
    cell[with_modem] = np.arange(int(with_modem.sum())) // cellular.meters_per_cell
    count = population.concentrator_substation.size
    covered = uniform(seed, np.arange(meters), 2, Purpose.FLEET_LINK) >= cellular.uncovered_share
    lane = np.where(on_line, population.meter_concentrator, np.where(with_modem & covered, count + cell, -1))
    cellular_cells = int(cell[with_modem].max(initial=-1)) + 1
    return Fleet(link, cell, lane, count, cells.size, cellular_cells)


def _blocks(substation: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return (N,) a number for each block of so many meters of a substation; substations ascending."""
    first = np.searchsorted(substation, substation)
    rank = (np.arange(substation.size) - first) // size
    return substation * substation.size + rank
