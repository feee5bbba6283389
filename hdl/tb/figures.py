"""Print the figures of docs/front-end.md as JSON, measured on the compiled RTL.

python -m hdl.tb.figures            about a minute
python -m hdl.tb.figures --full     48 points on wave, several minutes
"""

from __future__ import annotations

import itertools
import json
import sys
import time

import numpy as np

from hdl.driver import FrontEnd
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.consumer import energy_errors
from hdl.tb.corpus import FIFTH_SEVENTH, PLAIN, RATE_HZ, disturbances, losses, steady, times_s
from hdl.tb.trial import codes, sine, try_cases

BANDS: dict[int, tuple[float, ...]] = {50: (45.0, 47.5, 50.0, 52.5, 55.0), 60: (55.0, 57.5, 60.0, 62.5, 65.0)}


def detection(points: int) -> dict[str, float]:
    """Return counts and delays over losses and disturbances."""
    delays_s: list[float] = []
    missed = disturbed = false_alarms = 0
    for nominal_hz, band in BANDS.items():
        for hz in band:
            for outcome in try_cases(losses([hz], points, (0.0, 0.1, 0.2, 0.3), (0.9, 1.0, 1.1)), nominal_hz, hz):
                missed += not (outcome.ready and outcome.delays_s)
                delays_s.extend(outcome.delays_s[:1])
            for outcome in try_cases(disturbances([hz], points), nominal_hz, hz):
                disturbed += outcome.ready
                false_alarms += bool(outcome.delays_s)
    return {
        "losses": len(delays_s) + missed,
        "missed": missed,
        "delay_ms_min": round(min(delays_s) * 1e3, 3),
        "delay_ms_median": round(float(np.median(delays_s)) * 1e3, 3),
        "delay_ms_max": round(max(delays_s) * 1e3, 3),
        "disturbances": disturbed,
        "false_alarms": false_alarms,
    }


def accuracy() -> dict[str, float]:
    """Return the worst errors of Urms(1/2) and frequency, 45 to 65 Hz, with and without harmonics."""
    worst_v = worst_hz = 0.0
    for hz, harmonics, level in itertools.product(np.arange(45, 65.1, 0.5), (PLAIN, FIFTH_SEVENTH), (0.1, 1.0, 1.1)):
        board = CompiledFrontEnd()
        driver = FrontEnd(board)
        driver.configure(50 if hz < 55 else 60)
        wave = codes(level * steady(2 * np.pi * hz * times_s(round(0.5 * RATE_HZ)), harmonics))
        board.push(wave[:2400])
        true_v = 100 * level * (1 + sum(share**2 for share in harmonics.values())) ** 0.5
        for part in np.split(wave[2400:], 20):  # each ends in another half cycle
            board.push(part)
            found = driver.measure()
            worst_v = max(worst_v, abs(found.u_rms_half_v - true_v))
            worst_hz = max(worst_hz, float(abs(found.frequency_hz - hz)))
        board.close()
    return {"urms_half_error_percent_of_100_v": round(worst_v, 5), "frequency_error_mhz": round(worst_hz * 1e3, 3)}


def power() -> dict[str, float]:
    """Return the worst errors of energies and currents over one second, 45 to 65 Hz, PF 1 and 0.5 both ways."""
    worst: dict[str, float] = {}
    for hz, harmonics, level in itertools.product(
        (45.0, 49.7, 50.0, 55.3, 60.0, 65.0), (PLAIN, FIFTH_SEVENTH), (1.0, 1e-1, 1e-2, 1e-3, 1e-4)
    ):
        for lag_rad in (0.0, np.pi / 3, -np.pi / 3):
            found = energy_errors(hz, level, lag_rad, harmonics)
            if level < 1e-3:
                found.pop("irms")
            for name, error in found.items():
                place = f"{name}_error_percent{'_at_1e-4' if level < 1e-3 else ''}"
                worst[place] = round(max(worst.get(place, 0.0), abs(error) * 100), 5)
    return worst


def speed() -> dict[str, float]:
    """Return how many times faster than real time one core runs, 64 clocks a sample, 0.1 s blocks."""
    block = codes(sine(50, 0.1))
    board = CompiledFrontEnd()
    board.push(block)
    factors = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(20):
            board.push(block)
        factors.append(20 * block.size / RATE_HZ / (time.perf_counter() - started))
    board.close()
    return {"real_time_factor_median": round(float(np.median(factors)), 1)}


def main(arguments: list[str]) -> None:
    """Print everything as one JSON object."""
    points = 48 if arguments == ["--full"] else 6
    board = CompiledFrontEnd()
    figures = {
        "rtl_hash": board.rtl_hash,
        "points_on_wave": points,
        **speed(),
        **accuracy(),
        **power(),
        **detection(points),
    }
    board.close()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
