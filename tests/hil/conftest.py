"""What tests share: one small run and its variants, and a source that poses as an instrument."""

import pytest

from hil.run import run_scenario
from hil.source.simulated import SimulatedSource
from twin import scenario

SMALL = (
    "name=small",
    "population.meters=1000",
    "time.duration_s=60",
    "fault.at_s=4",
    "fault.isolate_s=26",
    "fault.tie_s=36",
    "policy.declare_s=1",
    "policy.window_s=5",
    "policy.reoffer_max_s=3",
    "meter.capacitance_f=0.25",  # 12 to 20 s of listening: every dark radio dies before the section is isolated
    "restoration.rejoin_min_s=1",
    "restoration.rejoin_max_s=5",
    "restoration.notice_window_s=3",
)


def small(*changes):
    """Return the small scenario with changes."""
    return scenario.load("feeder_fault", [*SMALL, *changes])


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """The finished small run, with a few attacks."""
    place = tmp_path_factory.mktemp("runs") / "small"
    return run_scenario(small("adversary.forged=20", "adversary.replayed=20", "adversary.spread_s=20"), place)


@pytest.fixture(scope="session")
def make_small():
    """Give the function that makes variants of the small scenario."""
    return small


class Posing(SimulatedSource):
    """A source that does not say that it is simulated, and that counts how often its output was switched on."""

    switched_on = 0

    def execute(self, message):
        before = self.output_on
        reply = super().execute(message)
        self.switched_on += self.output_on and not before
        return None if reply is None else reply.replace("TEIDEN,SIMULATED 6812B", "KEYSIGHT,6812B")


@pytest.fixture
def posing():
    """A simulated 6812B that poses as the instrument."""
    return Posing()
