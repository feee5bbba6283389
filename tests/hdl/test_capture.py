"""The capture of four channels through the driver: window and stream, triggers, bad input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hdl.capture import CHANNELS, CaptureControl, select_source, source_flags
from hdl.driver import FrontEnd
from hdl.model import HalfCycle, Settings, ZeroCross
from hdl.model_meter import Calibration, Channel
from hdl.model_spectrum import Resampler
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.trial import codes, sine
from teiden.errors import InputError, PartFailed

Made = Callable[..., CompiledFrontEnd]


def four_channels(count: int) -> np.ndarray:
    """Return random codes, (count, 4)."""
    return np.random.default_rng(3).integers(-(1 << 23), 1 << 23, (count, 4)).astype(np.int32)


def test_window_and_stream_bring_the_same_samples_of_all_channels(board: CompiledFrontEnd) -> None:
    capture, rows = CaptureControl(board), four_channels(900)
    capture.arm(pre_samples=199, post_samples=50, triggers=())
    board.push(rows[:600])
    capture.trigger()
    board.push(rows[600:])
    record = capture.read()
    assert record.first_sample == 400
    assert record.trigger_sample == 599
    assert record.before == 200
    assert record.causes == {"command"}
    assert record.codes.tolist() == rows[400:650].tolist()
    assert capture.send(("u1", "i2")) == 500
    assert board.read_stream().reshape(250, 2).tolist() == rows[400:650, [0, 3]].tolist()
    assert capture.send() == 1000
    assert board.read_stream().reshape(250, 4).tolist() == rows[400:650].tolist()


def test_full_ring_keeps_the_last_4096_of_a_long_run(board: CompiledFrontEnd) -> None:
    capture, rows = CaptureControl(board), four_channels(6000)
    capture.arm(post_samples=4095, triggers=())
    board.push(rows[:1500])
    capture.trigger()
    board.push(rows[1500:])
    record = capture.read(("u2",))
    assert record.codes[:, 0].tolist() == rows[1500 + 4095 - 4096 : 1500 + 4095, 2].tolist()
    assert record.before == 1


def test_power_failure_freezes_and_streams_by_itself(new_board: Made) -> None:
    board = new_board()
    driver, capture = FrontEnd(board), CaptureControl(board)
    driver.configure(50, interrupts=("capture",))
    capture.arm(pre_samples=320, post_samples=160, stream=CHANNELS)
    wave = np.concatenate([codes(sine(50, 0.3)), np.zeros(400, np.int32)])
    board.push(wave)
    assert driver.take_interrupts() >= {"capture"}
    sent = board.read_stream().reshape(-1, 4)
    record = capture.record(sent, CHANNELS)
    (fail, *_) = driver.events()
    assert record.causes == {"suspect"}
    assert record.trigger_sample == fail.sample
    assert record.before == 321
    assert sent[:, 0].tolist() == wave[fail.sample - 320 : fail.sample + 161].tolist()


def test_trigger_input_and_events_start_it_where_they_are_enabled(new_board: Made) -> None:
    for name in ("trigger", "event"):
        board = new_board()
        driver, capture = FrontEnd(board), CaptureControl(board)
        driver.configure(50, quality=True)
        board.push(codes(sine(50, 0.3)))
        capture.arm(post_samples=3, triggers=(name,))
        dip = codes(0.8 * sine(50, 0.1))  # an event, no suspicion
        board.push(dip, trigger=(100, 40))
        record = capture.read(("u1",))
        assert record.causes == {name}
        if name == "trigger":
            assert record.trigger_sample == 2400 + 100
        else:
            assert record.trigger_sample == driver.events()[0].sample


def test_points_are_those_of_the_model_rounded_to_codes(board: CompiledFrontEnd) -> None:
    rows = np.column_stack([codes(wave) for wave in (sine(47.3, 0.6), sine(47.3, 0.6, 0.5, 1), sine(52, 0.6, 2.2))])
    rows = np.column_stack([rows, four_channels(len(rows))[:, 0]])
    crosses, half_cycle, resampler = ZeroCross(Settings()), HalfCycle(), Resampler()
    channels = [Channel(Calibration()) for _ in range(4)]
    points: list[list[int]] = []
    for index, row in enumerate(rows.tolist()):
        fresh = half_cycle.publish()
        words = [channel.step(code) for channel, code in zip(channels, row, strict=True)]
        made = resampler.step(words, half_cycle.shown.period10 if fresh else 0)
        points += [[min((value + 1) >> 1, (1 << 23) - 1) for value in point.values] for point in made]
        boundary = crosses.step(row[0])
        half_cycle.step(index, crosses.delayed, boundary)
    capture = CaptureControl(board)
    capture.arm(triggers=(), points=True)
    board.push(rows)
    capture.freeze()
    record = capture.read()
    assert len(record.codes) == len(points) > 3000
    assert record.codes.tolist() == points
    # Ten cycles of 128 points are one line, whatever their phase; before sample 4096, where the DC removal sets in.
    lines = np.abs(np.fft.rfft(record.codes[1600:2880, 0] / (1 << 22))) / 640
    assert abs(lines[10] - 1) < 1e-4  # the cycle is known to 1e-6 and the kernel is good to 1e-5 there
    assert np.delete(lines, 10).max() < 1e-4


def test_bad_input_is_named(board: CompiledFrontEnd) -> None:
    capture = CaptureControl(board)
    with pytest.raises(InputError, match="pre_samples = 4096"):
        capture.arm(pre_samples=4096)
    with pytest.raises(InputError, match="post_samples = -1"):
        capture.arm(post_samples=-1)
    with pytest.raises(InputError, match="trigger 'edge'"):
        capture.arm(triggers=("edge",))
    with pytest.raises(InputError, match="channel 'u3'"):
        capture.arm(stream=("u3",))
    with pytest.raises(InputError, match="no channel"):
        capture.arm(stream=())
    with pytest.raises(InputError, match="source 'adc'"):
        select_source(board, "adc")


def test_reading_or_sending_without_a_frozen_capture_or_during_a_stream_is_refused(board: CompiledFrontEnd) -> None:
    capture = CaptureControl(board)
    capture.arm()
    assert not capture.ready
    with pytest.raises(PartFailed, match="none is frozen"):
        capture.read()
    with pytest.raises(PartFailed, match="none is frozen"):
        capture.send()
    with pytest.raises(PartFailed, match="no packet"):
        board.read_stream()
    board.push(four_channels(10))
    capture.freeze()
    assert capture.ready
    capture.send()
    with pytest.raises(PartFailed, match="still runs"):
        capture.arm()
    assert board.read_stream().size == 40
    capture.arm()
    assert not capture.ready


def test_source_is_chosen_and_its_flags_are_clear(board: CompiledFrontEnd) -> None:
    select_source(board, "spi")
    assert board.read32(regs.ING_CTRL) == 1
    assert source_flags(board) == set()
