"""Print the accuracy figures of docs/front-end.md as JSON, measured on the compiled RTL.

python -m hdl.tb.figures            some minutes
python -m hdl.tb.figures --full     two minutes of noise too
"""

from __future__ import annotations

import itertools
import json
import sys

import numpy as np

from hdl.driver import FrontEnd
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.consumer import energy_errors
from hdl.tb.corpus import FIFTH_SEVENTH, PLAIN, RATE_HZ, steady, times_s
from hdl.tb.trial import codes
from hdl.tb.two_loads import Phasor, errors, pair


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


def two_elements() -> dict[str, float]:
    """Return the worst errors of two loads at once: energy over 10 000:1, RMS over 1 000:1, 45 to 65 Hz.

    With and without 5 % fifth and 5 % seventh harmonic in voltages and currents; PF 1 and 0.5 both ways.
    """
    worst: dict[str, float] = {}

    def keep(name: str, error: float) -> None:
        worst[name] = round(max(worst.get(name, 0.0), abs(error) * 100), 5)

    for hz, harmonics, level, lag_rad in itertools.product(
        (45.0, 50.0, 52.6, 60.0, 65.0), ((), ((5, 0.05), (7, 0.05))), (1.0, 1e-2, 1e-4), (0.0, np.pi / 3, -np.pi / 3)
    ):
        found = errors(hz, pair(level, lag_rad, harmonics))
        keep("energy_error_percent_10000_to_1", found["active"])
        if level > 1e-3:
            keep("i_rms_error_percent", max(abs(found["i1"]), abs(found["i2"])))
        keep("u_rms_error_percent", max(abs(found["u1"]), abs(found["u2"])))
    for hz in (45.0, 52.6, 65.0):
        full, small = (Phasor(100), Phasor(120, 0.5)), (Phasor(0.1), Phasor(0.12, 0.5))
        found = errors(hz, (*full, *small))
        keep("u_rms_error_percent_1000_to_1", found["u2"])
        keep("i_rms_error_percent_1000_to_1", found["i2"])
    return worst


def with_noise() -> dict[str, float]:
    """Return errors of two minutes at 1/10 000 with white noise of -100 dB of the full-scale sine on every channel."""
    noise = 2**23 / 2**0.5 * 1e-5
    worst = 0.0
    for lag_rad in (0.0, np.pi / 3):
        found = errors(50.0, pair(1e-4, lag_rad, ()), seconds=120, noise_codes=noise, seed=9)
        worst = max(worst, abs(found["active"]))
    return {"energy_error_percent_at_1e-4_with_noise_2_min": round(worst * 100, 5)}


def main(arguments: list[str]) -> None:
    """Print everything as one JSON object."""
    board = CompiledFrontEnd()
    figures = {
        "rtl_hash": board.rtl_hash,
        **accuracy(),
        **power(),
        **two_elements(),
        **(with_noise() if arguments == ["--full"] else {}),
    }
    board.close()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
