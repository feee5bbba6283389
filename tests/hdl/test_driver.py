"""Driver, events, trigger stamp, capture and the limits of the port."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hdl import scaling
from hdl.driver import FrontEnd
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.trial import codes, sine
from teiden.errors import InputError, PartFailed


class Memory:
    """A port over a dictionary, for what no real front-end answers."""

    def __init__(self, words: dict[int, int]):
        self.words = words

    def read32(self, address: int) -> int:
        return self.words.get(address, 0)

    def write32(self, address: int, value: int) -> None:
        self.words[address] = value

    def wait_irq(self, timeout_s: float) -> bool:
        return timeout_s < 0

    def read_block(self, address: int, count: int) -> np.ndarray:
        return np.array([self.read32(address + 4 * k) for k in range(count)], np.uint32)


def test_identify_tells_the_version(board: CompiledFrontEnd) -> None:
    assert FrontEnd(board).identify() == "1.2"


@pytest.mark.parametrize(
    ("words", "said"),
    [({}, "ID register reads 0x00000000"), ({regs.ID: 0x54454944, regs.MAP_HASH: 1}, "register map 0x00000001")],
)
def test_wrong_front_end_is_refused(words: dict[int, int], said: str) -> None:
    with pytest.raises(PartFailed, match=said):
        FrontEnd(Memory(words)).identify()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"nominal_hz": 55}, "nominal_hz = 55, expected 50 or 60"),
        ({"nominal_v": 200}, "nominal_v = 200, expected 10 to 167"),
        ({"interrupts": ["evnt"]}, "interrupt 'evnt', expected one of event, half_cycle, trigger, capture"),
    ],
)
def test_impossible_configuration_is_refused(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        FrontEnd(Memory({})).configure(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(("nominal_hz", "k"), [(50, 6516), (60, 5428)])
def test_quadrature_gain_makes_the_envelope_of_a_sine_flat(nominal_hz: int, k: int) -> None:
    # 256 cot(2 pi 50 / 8000) = 256 / 0.0392901 = 6515.6; 60 Hz: 256 / 0.0471588 = 5428.5, just below the half
    # (HDL.md section 7 has 5429 there; one step of K is 0.02 % of d).
    assert scaling.quadrature_gain(nominal_hz) == k


def test_scale_has_100_v_at_code_2_to_the_22() -> None:
    found, saturated = scaling.codes_from_volts([0.0, 100 * 2**0.5, -100 * 2**0.5, 300.0, -300.0])
    assert found.tolist() == [0, 1 << 22, -(1 << 22), (1 << 23) - 1, -(1 << 23)]
    assert saturated
    assert not scaling.codes_from_volts([282.0])[1]
    np.testing.assert_allclose(scaling.volts_from_codes(found[:3]), [0, 141.42135623, -141.42135623], atol=1e-7)
    with pytest.raises(ValueError, match=r"volts\[1\] = nan"):
        scaling.codes_from_volts([0.0, float("nan")])


@pytest.mark.parametrize("nominal_v", [50, 110])
def test_limits_follow_the_nominal_voltage(nominal_v: float, board: CompiledFrontEnd) -> None:
    driver = FrontEnd(board)
    driver.configure(50, nominal_v)
    level = nominal_v / 100
    board.push(codes(sine(50, 0.4, level)))
    assert driver.measure().state == "idle"
    dip = sine(50, 0.1, level)
    dip[100:500] *= 0.72  # never a failure
    board.push(codes(dip))
    assert driver.events() == []
    board.push(codes(sine(50, 0.02, 0.28 * level)))  # always one
    assert [event.kind for event in driver.events()] == ["power_fail"]


def test_event_carries_sample_and_voltage_and_bounds_the_onset(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    board.push(codes(sine(50, 0.5)))
    taken = board.push(np.zeros(1000, np.int32), stop_on_irq=True)
    assert board.wait_irq(0)
    assert driver.take_interrupts() >= {"event"}
    assert not board.wait_irq(0)
    (event,) = driver.events()
    assert event.sample == 4000 + taken - 1
    assert event.fraction == 0
    assert event.u_rms_half_v == pytest.approx(100, abs=0.05)  # of the cycle before
    early_s, likely_s, late_s = driver.onset_s(event)
    assert early_s <= 0.5 <= late_s
    assert early_s < likely_s < late_s
    assert driver.events() == []


def test_full_event_queue_keeps_the_oldest_and_says_so(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    board.write32(regs.DET_RETURN, 256)
    for _ in range(6):  # fail, confirmed and return each: 18 for 16 places, the last return has not come
        board.push(codes(sine(50, 0.2)))
        board.push(np.zeros(400, np.int32))
    assert driver.status().event_overflow
    kept = driver.events()
    assert len(kept) == 16
    assert [event.kind for event in kept[:3]] == ["power_fail", "power_fail_confirmed", "power_return"]
    assert [event.sample for event in kept] == sorted(event.sample for event in kept)
    driver.clear_status()
    assert not driver.status().event_overflow
    assert driver.events() == []


def test_latest_transition_of_each_kind_is_latched_with_a_count(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    board.push(codes(sine(50, 0.4)))
    for _ in range(2):
        board.push(np.zeros(400, np.int32))
        board.push(codes(sine(50, 0.4)))
    events = driver.events()
    board.write32(regs.SNAPSHOT, 1)
    for kind, low in (
        ("power_fail", regs.SUSPECT_LO),
        ("power_fail_confirmed", regs.CONFIRMED_LO),
        ("power_return", regs.RETURN_LO),
    ):
        samples = [event.sample for event in events if event.kind == kind]
        high = board.read32(low + 4)
        assert board.read32(low) | (high & 0xFFFF) << 32 == samples[-1]
        assert high >> 16 == len(samples) == 2
    assert board.read32(regs.WITHDRAWN_HI) == 0


def test_saturated_sample_sets_a_flag_that_stays(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    board.push([scaling.CODE_MAX - 1, scaling.CODE_MIN + 2])
    assert not driver.status().saturated
    board.push([scaling.CODE_MAX, 0, 0])
    assert driver.status().saturated
    driver.clear_status()
    assert not driver.status().saturated
    board.push([scaling.CODE_MIN, 0])
    assert driver.status().saturated
    assert not driver.status().overrun


@pytest.mark.parametrize("clocks", [64, 97])
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (10, 33), (50, 63), (99, 61), (99, 63)])
def test_trigger_edge_is_placed_within_its_bound(
    clocks: int, place: tuple[int, int], new_board: Callable[..., CompiledFrontEnd]
) -> None:
    board = new_board(clocks)
    driver = FrontEnd(board)
    board.push(np.zeros(7, np.int32))
    assert driver.trigger() is None
    board.push(np.zeros(100, np.int32), trigger=place)
    driver.measure()  # register access takes no simulated time, also in the middle of the synchroniser
    board.push(np.zeros(2, np.int32))
    found = driver.trigger()
    assert found is not None
    true = 7 + place[0] + place[1] / clocks
    assert 0 <= found.fraction < 1
    assert found.bound == pytest.approx(2 / clocks)
    # The model's edge meets the set-up time of the first flop, so the stamp is exact.
    assert found.sample + found.fraction == pytest.approx(true, abs=1e-9)
    assert driver.trigger_count == 1
    assert "trigger" in driver.take_interrupts()


def test_trigger_edges_are_counted(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    for _ in range(3):
        board.push(np.zeros(5, np.int32), trigger=(1, 2))
    assert driver.trigger_count == 3


def test_capture_holds_the_samples_around_the_suspicion(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    driver.arm_capture(post_samples=1000)
    rng = np.random.default_rng(1)
    stream = codes(np.concatenate([sine(50, 1.0), rng.normal(0, 0.02, 3000)]))
    board.push(stream[:8500])
    (fail, *_) = driver.events()
    assert not driver.capture_ready
    with pytest.raises(PartFailed, match="no capture is frozen"):
        driver.read_capture()
    board.push(stream[8500:])
    assert driver.capture_ready
    assert "capture" in driver.take_interrupts()
    first, volts = driver.read_capture()
    assert len(volts) == 4096
    assert first + len(volts) - 1 == fail.sample + 1000
    np.testing.assert_array_equal(volts, scaling.volts_from_codes(stream[first : first + 4096]))


@pytest.mark.parametrize("count", [0, 1, 100, 4095, 4097, 9000])
def test_capture_frozen_by_hand_holds_the_latest_samples(count: int, board: CompiledFrontEnd) -> None:
    driver = FrontEnd(board)
    board.push(np.arange(333))
    driver.arm_capture()  # drops what was recorded
    stream = np.random.default_rng(2).integers(-(1 << 23), 1 << 23, count)
    board.push(stream)
    driver.freeze_capture()
    board.push([5, 6, 7])  # not recorded
    first, volts = driver.read_capture()
    kept = min(count, 4096)
    np.testing.assert_array_equal(volts, scaling.volts_from_codes(stream[count - kept :]))
    if count:
        assert first == 333 + count - kept


def test_capture_right_at_the_suspicion(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    driver.arm_capture(post_samples=0)
    board.push(codes(sine(50, 0.5)))
    board.push(np.zeros(500, np.int32))
    (fail, *_) = driver.events()
    first, volts = driver.read_capture()
    assert first + len(volts) - 1 == fail.sample
    assert first == 0


def test_detector_switched_off_makes_no_event(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    board.push(codes(sine(50, 0.5)))
    board.write32(regs.CTRL, 0)
    board.push(np.zeros(500, np.int32))
    assert driver.events() == []
    assert driver.measure().state == "off"


@pytest.mark.parametrize(
    ("samples", "arguments", "said"),
    [
        ([1 << 23], {}, "samples reach 8388608"),
        ([0.5], {}, "float64 of shape"),
        ([[1, 2, 3]], {}, r"of shape \(1, 3\), expected integers of shape \(n,\) or \(n, 2\) or \(n, 4\)"),
        ([[1, 2]], {"currents": [3]}, "expected samples of shape"),
        ([1, 2], {"trigger": (2, 0)}, "expected a sample below 2"),
        ([1, 2], {"trigger": (0, 64)}, "a clock below 64"),
    ],
)
def test_impossible_push_is_refused(samples: list, arguments: dict, said: str, board: CompiledFrontEnd) -> None:
    with pytest.raises(InputError, match=said):
        board.push(samples, **arguments)


def test_addresses_outside_the_map_and_use_after_close_are_refused(board: CompiledFrontEnd) -> None:
    for address in (-4, 2, 0x8000):
        with pytest.raises(InputError, match="expected words within"):
            board.read32(address)
    with pytest.raises(InputError, match="expected words within"):
        board.read_block(0x7FFC, 2)
    board.close()
    with pytest.raises(PartFailed, match="after close"):
        board.push([1])
    board.close()  # twice does no harm


def test_fewer_clocks_than_the_budget_are_refused() -> None:
    with pytest.raises(InputError, match="clocks_per_sample = 63, expected 64 or more"):
        CompiledFrontEnd(63)


def test_trace_into_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a folder that exists"):
        CompiledFrontEnd(trace=tmp_path / "missing" / "waves.fst")


def test_trace_file_is_written(tmp_path: Path) -> None:
    if not Path("/usr/include/lz4.h").exists():
        pytest.skip("needs lz4.h: apt-get install liblz4-dev zlib1g-dev")
    waves = tmp_path / "waves.fst"
    board = CompiledFrontEnd(trace=waves)
    board.push(np.arange(100))
    board.close()
    assert waves.stat().st_size > 1000
