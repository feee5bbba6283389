"""Print the figures of the sigma-delta path in docs/front-end.md as JSON.

python -m hdl.tb.ingress_figures

Response: sines through a second-order modulator at 8.192 MHz and the bit-exact model of
td_decimate, fitted by least squares, beside the theory of each filter. Power fail: losses through
an ideal modulator, the model's sinc and the compiled detector.
"""

from __future__ import annotations

import itertools
import json

import numpy as np
import numpy.typing as npt

from hdl import model_ingress
from hdl.driver import FrontEnd
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.corpus import FIFTH_SEVENTH, PLAIN, steady
from hdl.tb.modulator import modulate
from hdl.tb.trial import SHORT_RETURN_SAMPLES

Floats = npt.NDArray[np.float64]

OVERSAMPLING = 256
BIT_HZ = model_ingress.FAST_HZ * OVERSAMPLING
LEVEL = 0.75  # of full scale, inside the modulator's linear range (0.78)
FULL = 1 << 23
SETTLE = 64  # outputs left out
FLAT_HZ = (45.0, 50.0, 55.0, 60.0, 65.0, 500.0, 1000.0, 1500.0, 2000.0, 2600.0)
STOP_HZ = (5400.0, 6000.0, 7000.0, 9000.0, 10600.0, 13400.0, 15000.0, 18600.0, 26000.0)


def fit(samples: npt.ArrayLike, hz: float, rate_hz: float) -> tuple[float, float, float]:
    """Return amplitude, phase [rad] and RMS of the rest of a sine in samples, least squares with DC."""
    values = np.asarray(samples, np.float64)
    angle = 2 * np.pi * hz * np.arange(values.size) / rate_hz
    basis = np.column_stack([np.sin(angle), np.cos(angle), np.ones(values.size)])
    (a, b, _), *_ = np.linalg.lstsq(basis, values, rcond=None)
    rest = values - basis @ np.linalg.lstsq(basis, values, rcond=None)[0]
    return float(np.hypot(a, b)), float(np.arctan2(b, a)), float(np.std(rest))


def measured_response(hz: tuple[float, ...], seconds: float) -> list[tuple[float, float, float]]:
    """Return gain, delay [s] and RMS of the rest in full scales for each frequency, all modulated at once."""
    t_s = np.arange(round(seconds * BIT_HZ)) / BIT_HZ
    bits = modulate(LEVEL * np.sin(2 * np.pi * np.outer(t_s, hz)))
    found = []
    for column, one_hz in enumerate(hz):
        slow = model_ingress.decimate(bits[:, column], OVERSAMPLING).slow[SETTLE:]
        amplitude, phase, rest = fit(slow, one_hz, model_ingress.SLOW_HZ)
        last_bit_s = (SETTLE * 4 * OVERSAMPLING + 4 * OVERSAMPLING - 1) / BIT_HZ
        turns = 2 * np.pi * one_hz
        late = (turns * last_bit_s - phase + np.pi) % (2 * np.pi) - np.pi if turns else 0.0
        found.append((amplitude / (LEVEL * FULL), late / turns, rest / FULL))
    return found


def decibels(ratio: npt.ArrayLike) -> float:
    """Return the largest of some amplitude ratios in decibels."""
    return round(float(20 * np.log10(np.abs(ratio).max())), 1)


def response_figures() -> dict[str, object]:
    """Return flatness, stop band and delay, measured and by theory."""
    flat = measured_response(FLAT_HZ, 0.13)
    stop = measured_response(STOP_HZ, 0.05)
    theory = model_ingress.response(FLAT_HZ, OVERSAMPLING)
    band = np.arange(1.0, 2601.0)
    folding = np.concatenate([np.arange(k - 2600.0, k + 2601.0) for k in (8000.0, 16000.0, 24000.0)])
    near = np.arange(32000.0 - 2600.0, 32000.0)
    return {
        "flat_45_65_hz_measured": round(max(abs(gain - 1) for gain, *_ in flat[:5]), 8),
        "flat_45_65_hz_theory": round(float(np.ptp(model_ingress.response(np.arange(45.0, 65.1, 0.5)))), 9),
        "flat_2600_hz_measured": round(max(abs(gain - 1) for gain, *_ in flat), 7),
        "flat_2600_hz_theory": round(float(np.abs(model_ingress.response(band) - 1).max()), 7),
        "measured_against_theory": round(max(abs(f[0] - t) for f, t in zip(flat, theory, strict=True)), 8),
        "stop_db_measured": decibels([gain for gain, *_ in stop]),
        "stop_db_theory": decibels(model_ingress.response(folding)),
        "stop_db_theory_32_khz_less_2600_hz": decibels(model_ingress.response(near)),
        "stop_db_theory_32_khz_less_1000_hz": decibels(model_ingress.response([31000.0])),
        "delay_ms_measured_50_hz": round(flat[1][1] * 1e3, 5),
        "delay_ms_theory": round(model_ingress.delay_s(OVERSAMPLING) * 1e3, 5),
        "fast_delay_ms_theory": round(model_ingress.fast_delay_s(OVERSAMPLING) * 1e3, 5),
        "noise_db_of_full_scale_50_hz": decibels(flat[1][2]),
    }


# ---- power fail ---------------------------------------------------------------------------------

IDEAL_HZ = 1_024_000  # of the ideal modulator: 32 values a sample of 32 kS/s
BEFORE_S, AFTER_S = 0.13, 0.03


def behind_sinc(wave: Floats, oversampling: int) -> npt.NDArray[np.int32]:
    """Return the samples of a sinc of so many values of the ideal modulator, one in 128 values, (n // 128,)."""
    kernel = np.ones(1)
    for _ in range(3):
        kernel = np.convolve(kernel, np.full(oversampling, 1 / oversampling))
    padded = np.concatenate([np.zeros(kernel.size), wave])
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.size)[128::128]
    return np.rint(windows @ kernel * (FULL / 2)).astype(np.int32)  # nominal peak at half of full scale


def latencies_ms(oversampling: int, points: int) -> list[float]:
    """Return the delay from loss to power_fail behind a sinc, nan for a miss, over the corpus of the bar."""
    found = []
    for nominal_hz, offset_hz in itertools.product((50, 60), (-5.0, 0.0, 5.0)):
        board = CompiledFrontEnd()
        driver = FrontEnd(board)
        driver.configure(nominal_hz)
        board.write32(regs.DET_RETURN, SHORT_RETURN_SAMPLES)
        board.push(behind_sinc(np.sin(2 * np.pi * nominal_hz * np.arange(IDEAL_HZ * 3 // 10) / IDEAL_HZ), oversampling))
        driver.events()
        for point, residual, level, harmonics in itertools.product(
            range(points), (0.0, 0.3), (0.9, 1.1), (PLAIN, FIFTH_SEVENTH)
        ):
            hz = nominal_hz + offset_hz
            change_s = (np.floor(BEFORE_S * hz) + 1 + point / points) / hz
            t_s = np.arange(round((change_s + AFTER_S) * 8000) * 128) / IDEAL_HZ
            wave = steady(2 * np.pi * hz * t_s, harmonics) * np.where(t_s < change_s, level, residual)
            start = driver.measure().samples
            board.push(behind_sinc(wave, oversampling))
            trips = [event.sample - start for event in driver.events() if event.kind == "power_fail"]
            # sample k shows what came up to the end of its 128 values
            found.append(((trips[0] + 1) / 8000 - change_s) * 1e3 if len(trips) == 1 else np.nan)
        board.close()
    return found


def power_fail_figures(points: int = 12) -> dict[str, object]:
    """Return counts and worst delays behind the 32 kS/s tap and behind a sinc straight to 8 kS/s."""
    figures: dict[str, object] = {}
    for name, oversampling in (("fast_tap", 32), ("direct_8_khz", 128)):
        delays_ms = latencies_ms(oversampling, points)
        figures[f"{name}_losses"] = len(delays_ms)
        figures[f"{name}_missed"] = int(np.isnan(delays_ms).sum())
        figures[f"{name}_delay_ms_median"] = round(float(np.nanmedian(delays_ms)), 3)
        figures[f"{name}_delay_ms_max"] = round(float(np.nanmax(delays_ms)), 3)
    return figures


def main() -> None:
    """Print everything as one JSON object."""
    print(json.dumps({**response_figures(), **power_fail_figures()}, indent=2))


if __name__ == "__main__":
    main()
