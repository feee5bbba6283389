"""Fundamental, harmonics and resampler of the compiled RTL, against theory and the integer models."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from hdl import scaling, spectrum_tables
from hdl.driver import FrontEnd
from hdl.model import HalfCycle, Settings, ZeroCross
from hdl.model_meter import Calibration, Channel
from hdl.model_spectrum import FundamentalMeter, HarmonicsMeter, Resampler
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.consumer import MAX_A, amp_codes, volt_codes
from hdl.tb.corpus import FIFTH_SEVENTH, PLAIN, steady, times_s
from hdl.tb.figures_spectrum import fundamental_errors, harmonics_of, resampler
from hdl.tb.td_fundamental.words import words_of as fundamental_words
from hdl.tb.td_harmonics.words import words_of as harmonics_words
from teiden.errors import InputError, PartFailed

FUNDAMENTAL_BAR = 5e-4  # issue 3: fundamental reactive energy to 0.05 %
HARMONICS_BAR = 1e-3  # aim; IEC 61000-4-7, 2002, table 1, class I asks 5 % of reading from 1 % of nominal
KERNEL_BAR_PERCENT = 0.02  # stated in docs/front-end.md, up to the 40th of 65 Hz


@pytest.mark.parametrize("level", [1.0, 1e-2, 1e-4])
@pytest.mark.parametrize(
    ("hz", "lag_rad", "harmonics"),
    [(50.0, math.pi / 2, FIFTH_SEVENTH), (45.0, math.pi / 3, FIFTH_SEVENTH), (65.0, -math.pi / 2, FIFTH_SEVENTH),
     (59.9, math.pi / 3, PLAIN)],
)  # fmt: skip
def test_fundamental_power_and_energy_at_low_power_factor(
    hz: float, lag_rad: float, harmonics: dict[int, float], level: float
) -> None:
    errors = fundamental_errors(hz, level, lag_rad, harmonics)
    assert max(abs(error) for error in errors[:6]) <= FUNDAMENTAL_BAR
    if harmonics and level == 1.0:  # what the fundamental is for: Q of the broadband method is off by more
        assert abs(errors.broadband_q) > FUNDAMENTAL_BAR or hz != 50


def test_both_elements_and_all_four_sides(board: CompiledFrontEnd) -> None:
    driver = FrontEnd(board, max_a=MAX_A)
    t_s = times_s(16000)
    lag_rad = np.where(t_s < 1, 0.5, math.pi + 0.5)  # element 1 turns round; element 2 leads and is half as large
    angle = 2 * np.pi * 50 * t_s
    columns = [volt_codes(np.sin(angle)), amp_codes(np.sin(angle - lag_rad))]
    columns += [volt_codes(0.5 * np.sin(angle + 1)), amp_codes(np.sin(angle + 2))]
    board.push(np.column_stack(columns))
    one, two = driver.fundamental().elements
    full_va = 100 * MAX_A
    assert one.p_w == pytest.approx(-full_va * math.cos(0.5), rel=FUNDAMENTAL_BAR)
    assert one.q_var == pytest.approx(-full_va * math.sin(0.5), rel=FUNDAMENTAL_BAR)
    assert two.p_w == pytest.approx(full_va / 2 * math.cos(1), rel=FUNDAMENTAL_BAR)
    assert two.q_var == pytest.approx(-full_va / 2 * math.sin(1), rel=FUNDAMENTAL_BAR)
    assert two.displacement_factor == pytest.approx(math.cos(1), rel=FUNDAMENTAL_BAR)
    assert one.u_rms_v == pytest.approx(100, rel=1e-4)
    assert two.u_rms_v == pytest.approx(50, rel=1e-4)
    assert one.forward_wh > 0
    assert one.reverse_wh > 0
    assert one.lagging_varh > 0
    assert one.leading_varh > 0
    # From the first measured window (ten cycles and a settling of 0.1 s at most) on nothing is missing.
    seconds = (two.forward_wh * 3600) / (full_va / 2 * math.cos(1))
    assert 1.5 < seconds <= 2.0
    assert two.reverse_wh == two.lagging_varh == 0


@pytest.mark.parametrize(("hz", "channel"), [(50.0, "u1"), (65.0, "i1"), (45.0, "i1"), (60.0, "u1")])
def test_every_order_to_the_40th_with_its_angle(hz: float, channel: str) -> None:
    rng = np.random.default_rng(4)
    shares: dict[int, complex] = {h: 0.2 / h * np.exp(1j * float(rng.uniform(-3, 3))) for h in range(2, 41)}
    found = harmonics_of(channel, hz, shares, level=0.6)
    full = 100.0 if channel == "u1" else MAX_A
    truth = np.array([1.0, *(abs(share) for share in shares.values())])
    angle = np.array([0.0, *(np.angle(share) for share in shares.values())])
    assert found.channel == channel
    assert found.rms == pytest.approx(0.6 * full * truth, rel=HARMONICS_BAR)
    off_rad = np.angle(np.exp(1j * (found.angle_rad - angle)))
    assert np.abs(off_rad) == pytest.approx(0, abs=math.radians(0.2))  # the 40th sees the zero of time 40 times
    assert found.thd == pytest.approx(math.sqrt(np.sum(truth[1:] ** 2)), rel=HARMONICS_BAR)
    assert found.frequency_hz == pytest.approx(hz, abs=5e-3)


def test_a_clean_sine_has_no_harmonics() -> None:
    found = harmonics_of("u1", 50.0, {})
    assert np.max(found.rms[1:]) < 5e-5 * 100  # a tenth of the 0.05 % of nominal of IEC 61000-4-7 class I
    assert found.rms[0] == pytest.approx(100, rel=1e-5)


def test_harmonics_are_asked_for_and_announced(board: CompiledFrontEnd) -> None:
    driver = FrontEnd(board)
    driver.configure(50, 100, interrupts=("harmonics", "window"))
    with pytest.raises(PartFailed, match="start_harmonics"):
        driver.read_harmonics()
    with pytest.raises(InputError, match="u3"):
        driver.start_harmonics("u3")
    wave = volt_codes(np.sin(2 * np.pi * 50 * times_s(8000)))
    driver.start_harmonics("u2")
    assert board.push(wave, stop_on_irq=True) < len(wave)
    assert driver.take_interrupts() & {"window", "harmonics"} == {"window"}
    board.push(wave)
    assert driver.take_interrupts() >= {"harmonics", "window"}
    assert driver.harmonics_ready
    found = driver.read_harmonics()
    assert found.channel == "u2"
    assert math.isnan(found.thd)  # no voltage there
    driver.start_harmonics("u1")
    assert not driver.harmonics_ready


def wild(count: int, seed: int) -> np.ndarray:
    """Return rows of four channels: drift of the frequency, losses, noise, full scale, offset."""
    rng = np.random.default_rng(seed)
    t_s = times_s(count)
    angle = 2 * np.pi * (56 * t_s + 1.5 * np.sin(2 * t_s))
    volts = steady(angle, FIFTH_SEVENTH) + rng.normal(0, 0.003, count)
    volts[count // 2 : count // 2 + 900] *= 0.01
    amps = 0.5 * np.sin(angle - 2) + 0.01
    return np.column_stack(
        [
            volt_codes(volts),
            amp_codes(amps),
            volt_codes(2.2 * np.sin(3 * angle)),
            rng.integers(scaling.CODE_MIN, scaling.CODE_MAX + 1, count).astype(np.int32),
        ]
    )


def test_every_word_of_fundamental_and_harmonics_is_the_models(board: CompiledFrontEnd) -> None:
    rows = wild(12000, 3)
    ask = {0: 1, 4000: 3, 5000: 2}  # sample before which a channel is asked for
    driver = FrontEnd(board)
    crosses, half_cycle = ZeroCross(Settings()), HalfCycle()
    channels = [Channel(Calibration()) for _ in range(4)]
    resample, meter, harmonics = Resampler(), FundamentalMeter(), HarmonicsMeter()
    expected, seen = [], []
    for index, row in enumerate(rows.tolist()):
        if index in ask:
            harmonics.start(ask[index])
        fresh = half_cycle.publish()
        words = [channel.step(code) for channel, code in zip(channels, row, strict=True)]
        points = resample.step(words, half_cycle.shown.period10 if fresh else 0)
        if meter.step(points):
            expected.append((index, fundamental_words(meter.shown)))
        if harmonics.step(points):
            expected.append((index, harmonics_words(harmonics.done, ask[max(at for at in ask if at < index)])))
        boundary = crosses.step(row[0])
        half_cycle.step(index, crosses.delayed, boundary)
    board.write32(regs.IRQ_ENABLE, regs.IRQ_ENABLE_WINDOW_MASK | regs.IRQ_ENABLE_HARMONICS_MASK)
    for start, end in zip(sorted(ask), [*sorted(ask)[1:], len(rows)], strict=True):
        board.write32(regs.HARM_CTRL, 1 | ask[start] << regs.HARM_CTRL_CHANNEL_SHIFT)
        at = start
        while at < end:
            at += board.push(rows[at:end], stop_on_irq=True)
            causes = driver.take_interrupts()
            if "window" in causes:
                board.write32(regs.SNAPSHOT, 1)
                seen.append((at - 1, board.read_block(regs.FUND, regs.FUND_WORDS).tolist()))
            if "harmonics" in causes:
                seen.append((at - 1, board.read_block(regs.HARM_DATA, regs.HARM_DATA_WORDS).tolist()))
    assert seen == expected
    assert len(expected) == 9  # three of them harmonics


def trace_of(board: CompiledFrontEnd) -> tuple[list[object], list[int]]:
    """Return what is read every 100 samples, and the harmonics at the end."""
    driver = FrontEnd(board)
    driver.start_harmonics("i1")
    trace: list[object] = []
    for part in np.split(wild(6000, 8), 60):
        board.push(part)
        trace.append((driver.fundamental(), driver.harmonics_ready))
    return trace, board.read_block(regs.HARM_DATA, regs.HARM_DATA_WORDS).tolist()


def test_results_do_not_depend_on_the_clocks_per_sample(new_board: Callable[..., CompiledFrontEnd]) -> None:
    traces = [trace_of(new_board(clocks)) for clocks in (64, 97, 200)]
    assert repr(traces[0]) == repr(traces[1]) == repr(traces[2])
    assert any(traces[0][1])


@pytest.mark.slow
def test_results_are_the_same_at_50_mhz(new_board: Callable[..., CompiledFrontEnd]) -> None:
    assert repr(trace_of(new_board(6250))) == repr(trace_of(new_board(64)))


def test_kernel_follows_every_tone_up_to_the_40th() -> None:
    assert max(resampler().values()) <= KERNEL_BAR_PERCENT
    table = spectrum_tables.kernel()
    step, half = spectrum_tables.PHASES, spectrum_tables.HALF
    for p in range(1, step):  # DC passes at every phase
        total = sum(table[j * step + p] + table[j * step + step - p] for j in range(half))
        assert total == spectrum_tables.KERNEL_ONE


def test_memories_of_the_tables_are_what_their_generator_makes() -> None:
    for name, text in spectrum_tables.generate().items():
        assert (spectrum_tables.RTL / name).read_text() == text, f"{name} is stale: python -m hdl.spectrum_tables"
