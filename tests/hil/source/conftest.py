"""Simulated sources for the tests: one as shipped, one without latencies and with an ideal amplifier."""

from __future__ import annotations

import pytest

from hil.source.driver import AcSource681x
from hil.source.instrument import Timing
from hil.source.server import SourceServer
from hil.source.simulated import SimulatedSource


@pytest.fixture
def sim():
    return SimulatedSource(seed=1)


@pytest.fixture
def ideal():
    """A source whose commands act at the standing time, so that expected times can be written down."""
    return SimulatedSource(seed=1, timing=Timing(latency_ns=(0, 0), fall_ns=0, relay_ns=0, reset_ns=0))


@pytest.fixture
def server(sim):
    with SourceServer(sim) as server:
        yield server


@pytest.fixture
def driver(server):
    source = AcSource681x(server.resource_name, timeout_s=5)
    yield source
    if source._link.is_open:
        source.close()
