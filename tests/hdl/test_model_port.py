"""The integer model as a board: whatever is done to it, its registers hold what the compiled RTL's hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hdl.capture import CaptureControl
from hdl.driver import FrontEnd
from hdl.model_port import FIFO_DEPTH, LACKING, SETTINGS, ModelFrontEnd
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from teiden.errors import InputError

SHOWN = sorted(
    {
        *range(regs.ID, regs.IRQ_STATUS, 4),
        *range(regs.SAMPLE_LO, regs.TICKS_PER_SAMPLE + 4, 4),
        *(regs.EVENT, regs.EVENT_LO, regs.EVENT_HI, regs.EVENT_URMS, regs.EVENT_EXTREME, regs.EVENT_EXTRA),
        *(regs.CAP_STATUS, regs.CAP_FIRST_LO, regs.CAP_FIRST_HI, regs.CAP_CAUSE, regs.CAP_TRIG_LO, regs.CAP_TRIG_HI),
        *SETTINGS,
    }
)
FIRST = (regs.CAP_FIRST_LO, regs.CAP_FIRST_HI)
RATE_HZ = 8000
NOMINAL = 1 << 22  # code of the peak of 100 V

Pair = tuple[CompiledFrontEnd, ModelFrontEnd]


@pytest.fixture
def pair(new_board: Callable[..., CompiledFrontEnd]) -> Pair:
    """Return both, straight after reset."""
    return new_board(), ModelFrontEnd()


def registers(port: CompiledFrontEnd | ModelFrontEnd) -> dict[str, int]:
    """Return everything that is shown, behind a snapshot."""
    port.write32(regs.SNAPSHOT, 1)
    empty = not port.read32(regs.CAP_STATUS) & regs.CAP_STATUS_COUNT_MASK  # then there is no first sample
    shown = {f"0x{address:04X}": port.read32(address) for address in SHOWN if not (empty and address in FIRST)}
    return shown | {"causes": port.read32(regs.IRQ_STATUS) & ~LACKING}


def assert_same(pair: Pair) -> None:
    real, model = (registers(port) for port in pair)
    assert model == real
    assert pair[1].wait_irq(0.0) == pair[0].wait_irq(0.0)


def wild(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return voltage with drift, noise, losses of every length and codes on the rails."""
    t_s = np.arange(count) / RATE_HZ
    volts = np.sin(2 * np.pi * (50 * t_s + 0.5 * np.sin(3 * t_s))) + rng.normal(0, 0.003, count)
    for first in range(2500, count - 900, 1800):
        volts[first : first + int(rng.integers(20, 900))] *= rng.choice([0.0, 0.01, 0.5, 0.85, 1.3])
    return np.clip(np.rint(NOMINAL * volts), -(1 << 23), (1 << 23) - 1).astype(np.int32)


def test_after_reset_both_show_the_same(pair: Pair) -> None:
    assert_same(pair)
    assert FrontEnd(pair[1]).identify() == FrontEnd(pair[0]).identify()


@pytest.mark.parametrize("seed", [1, 2])
def test_every_register_is_the_rtls_at_any_moment(seed: int, pair: Pair) -> None:
    """Blocks of random length, edges at random clocks, random commands between them."""
    rng = np.random.default_rng(seed)
    volts = wild(16_000, rng)
    volts[7000:7003] = (1 << 23) - 1
    drivers = [FrontEnd(port) for port in pair]
    for driver in drivers:
        driver.configure(50, 100, interrupts=("event", "half_cycle", "trigger", "capture"), quality=True)
    kinds = set()
    at = 0
    while at < len(volts):
        block = volts[at : at + int(rng.integers(1, 300))]
        edge = (int(rng.integers(len(block))), int(rng.integers(64))) if rng.random() < 0.3 else None
        stop = bool(rng.random() < 0.3)
        taken = [port.push(block, trigger=edge, stop_on_irq=stop) for port in pair]
        assert taken[0] == taken[1]
        at += taken[0]
        assert_same(pair)
        choice = rng.random()
        if choice < 0.3:
            causes, model_causes = (driver.take_interrupts() for driver in drivers)
            assert model_causes == causes - {"window"}
        if choice < 0.5:
            events, model_events = (driver.events() for driver in drivers)
            assert model_events == events
            kinds |= {event.kind for event in events}
        if 0.5 < choice < 0.55:
            for driver in drivers:
                driver.freeze_capture()
            assert_same(pair)
            captures = [driver.read_capture() for driver in drivers]
            assert captures[1][0] == captures[0][0]
            np.testing.assert_array_equal(captures[1][1], captures[0][1])
            post = int(rng.integers(0, 4096))
            for driver in drivers:
                driver.arm_capture(post)
        if 0.6 < choice < 0.63:
            for driver in drivers:
                driver.clear_status()
    assert {"power_fail", "power_fail_confirmed", "power_return", "dip_start", "dip_end"} <= kinds


@pytest.mark.parametrize("clock", [0, 1, 31, 60, 61, 62, 63])
@pytest.mark.parametrize("gap", [1, 2, 3])
def test_edges_are_stamped_alike_at_every_clock(clock: int, gap: int, pair: Pair) -> None:
    """Also where the stamp falls into the next sample, and where the line is still high from the edge before."""
    for place in (2, 2 + gap):
        for port in pair:
            port.push(np.zeros(place, np.int32))
            port.push(np.zeros(1, np.int32), trigger=(0, clock))
        assert_same(pair)
    for port in pair:
        port.push(np.zeros(1, np.int32))
    assert_same(pair)
    assert FrontEnd(pair[1]).trigger() == FrontEnd(pair[0]).trigger()


def test_two_edges_within_a_sample_are_one(pair: Pair) -> None:
    for port in pair:
        port.push(np.zeros(3, np.int32), trigger=(1, 10))
        port.push(np.zeros(1, np.int32), trigger=(0, 11))
    for later in (0, 1, 2):
        for port in pair:
            port.push(np.zeros(1, np.int32), trigger=(0, later + 10))
        assert_same(pair)


def test_a_full_queue_loses_the_newest_and_says_so(pair: Pair) -> None:
    block = np.concatenate([np.repeat(NOMINAL, 40), np.repeat(-NOMINAL, 40)])
    for port in pair:
        driver = FrontEnd(port)
        driver.configure(50, 100, quality=True)
        for scale in (1.0, 0.5) * 12:
            port.push(np.tile((block * scale).astype(np.int32), 12))
    assert_same(pair)
    assert FrontEnd(pair[1]).status().event_overflow
    assert FrontEnd(pair[1]).events() == FrontEnd(pair[0]).events()
    assert pair[0].read32(regs.EVENT) == 0
    assert FIFO_DEPTH == 16  # as the parameter of td_event_fifo in td_frontend.sv


def test_a_detector_switched_off_makes_no_events(pair: Pair) -> None:
    rng = np.random.default_rng(3)
    volts = wild(6000, rng)
    for port in pair:
        FrontEnd(port).configure(50, 100)
        port.write32(regs.CTRL, 0)
        port.push(volts)
    assert_same(pair)
    assert FrontEnd(pair[1]).events() == []


def test_the_capture_around_an_edge_is_the_rtls(pair: Pair) -> None:
    volts = wild(3000, np.random.default_rng(4))
    records = []
    for port in pair:
        capture = CaptureControl(port)
        capture.arm(pre_samples=99, post_samples=50, triggers=("trigger",))
        port.push(volts, trigger=(2000, 63))
        records.append(capture.read(("u1",)))
    np.testing.assert_array_equal(records[1].codes, records[0].codes)
    assert records[1][1:] == records[0][1:]
    assert_same(pair)


def test_what_the_model_lacks_is_named() -> None:
    model = ModelFrontEnd()
    for access in (lambda: model.read32(regs.LIM_MAX), lambda: model.write32(regs.LIM_MAX, 1)):
        with pytest.raises(InputError, match=r"no register at 0x0820; the compiled RTL"):
            access()
    with pytest.raises(InputError, match="neither window nor harmonics"):
        FrontEnd(model).configure(interrupts=("window",))
    with pytest.raises(InputError, match="expected one of raw samples"):
        model.write32(regs.CAP_MODE, 1)
    with pytest.raises(InputError, match="clocks_per_sample = 63, expected 64 or more"):
        ModelFrontEnd(63)
