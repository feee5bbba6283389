"""Settings of the links beside the mesh, and of the mix of them in a utility's fleet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from twin.scenario import NotNegative, Positive, Share, Table

SUM_SLACK = 1e-6  # shares are decimals typed by people


class FleetTable(Table):
    """What the meters are connected by (R41 to R43); shares sum to 1; no source gives a utility's as numbers."""

    mesh_share: Annotated[Share, Field(description="Meters on the radio mesh (R41)")] = 1.0
    plc_share: Annotated[Share, Field(description="Meters on power-line cells (R42)")] = 0.0
    cellular_share: Annotated[Share, Field(description="Meters with a cellular modem of their own, 1:N (R43)")] = 0.0

    def pairs(self, place: str = "fleet") -> Iterator[tuple[str, float, str]]:
        """Yield (key, value, expectation) if the shares do not sum to 1."""
        beside = self.plc_share + self.cellular_share
        if abs(self.mesh_share + beside - 1) > SUM_SLACK:
            others = f"{place}.plc_share = {self.plc_share:g} and {place}.cellular_share = {self.cellular_share:g}"
            would_do = f"{max(1 - beside, 0):g}" if beside <= 1 else "shares that sum to 1"
            yield f"{place}.mesh_share", self.mesh_share, f"{would_do} beside {others}: they sum to 1"


class PlcTable(Table):
    """Power-line cells: meters behind one pole transformer share its line; its master is wired to a concentrator."""

    meters_per_cell: Annotated[int, Field(ge=1, le=1000, description="Meters behind one transformer (assumed)")] = 12
    rate_kbps: Annotated[
        float, Field(gt=0, le=300, description="5.6 to 45 in practice, 300 at most in the ARIB band (DOMAIN 2.7)")
    ] = 20.0
    frame_ms: Annotated[
        NotNegative, Field(description="Of each frame: preamble 2.03 ms, header, contention, ACK (in part assumed)")
    ] = 12.0
    frame_loss: Annotated[
        float, Field(ge=0, lt=1, description="Mean share of frames that noise destroys; varies by cell (assumed)")
    ] = 0.1
    tries: Annotated[int, Field(ge=1, le=20, description="Sendings of one frame before its message is given up")] = 6


class CellularTable(Table):
    """Meters with an LTE-M or Cat-1 modem: random access, a bounded number of sessions, the carrier's gateway."""

    meters_per_cell: Annotated[int, Field(ge=1, le=50_000, description="Of this utility (assumed)")] = 500
    sessions: Annotated[
        int, Field(ge=1, le=10_000, description="At a time in a cell; 24 of 200 ms: 500 polled at once wait 2 s")
    ] = 24
    session_ms: Annotated[Positive, Field(description="Connection set up and released, data left out")] = 200.0
    rate_kbps: Annotated[Positive, Field(description="Of the data in a session (assumed)")] = 300.0
    preambles: Annotated[int, Field(ge=1, le=64, description="Two who draw the same one collide (assumed)")] = 54
    access_ms: Annotated[Positive, Field(description="From one random access opportunity to the next (assumed)")] = 10.0
    backoff_ms: Annotated[NotNegative, Field(description="Pause after a collision, at most (assumed)")] = 960.0
    tries: Annotated[int, Field(ge=1, le=200, description="Random accesses before a message is given up")] = 10
    paging_s: Annotated[NotNegative, Field(description="Until a modem hears that it is called (assumed)")] = 1.28
    attach_s: Annotated[
        NotNegative, Field(description="Registration after a loss of supply; a Cat-M upload with it took 37 s")
    ] = 37.0
    uncovered_share: Annotated[Share, Field(description="Modems without coverage, in basements (assumed)")] = 0.005
    forward_ms: Annotated[Positive, Field(description="Through the carrier's network to its gateway (assumed)")] = 50.0


class HandyTable(Table):
    """The handy terminal: crews that read on the spot whom no link reaches (R45)."""

    crews: Annotated[int, Field(ge=0, le=10_000, description="0: nobody is visited")] = 0
    visits_per_day: Annotated[int, Field(ge=1, le=1000, description="Of one crew (assumed)")] = 60
    from_h: Annotated[float, Field(ge=0, lt=24, description="First visit, hour of each day")] = 9.0
    to_h: Annotated[float, Field(gt=0, le=24, description="Last visit")] = 17.0
    upload_h: Annotated[float, Field(gt=0, le=24, description="The terminals are read out, hour of the same day")] = (
        18.0
    )
    after_h: Annotated[NotNegative, Field(description="Visited is who owes a value older than this")] = 6.0

    def pairs(self) -> Iterator[tuple[str, float, str]]:
        """Yield (key, value, expectation) for hours out of order."""
        if self.to_h <= self.from_h:
            yield "handy.to_h", self.to_h, f"after handy.from_h = {self.from_h:g}"
        if self.upload_h < self.to_h:
            yield "handy.upload_h", self.upload_h, f"handy.to_h = {self.to_h:g} or later"
