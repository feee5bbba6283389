"""Print what fundamental, harmonics and resampler reach, as JSON, measured on the compiled RTL.

python -m hdl.tb.figures_spectrum       about four minutes

Errors of powers and energies are parts of the apparent ones, as for reactive energy at PF 1 nothing else is
there to divide by.
"""

from __future__ import annotations

import itertools
import json
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hdl.driver import FrontEnd
from hdl.sim.frontend import CompiledFrontEnd
from hdl.spectrum import Spectrum
from hdl.spectrum_tables import HALF, KERNEL_ONE, PHASES, TAPS, kernel
from hdl.tb.consumer import MAX_A, NOMINAL_V, amp_codes, volt_codes
from hdl.tb.corpus import FIFTH_SEVENTH, PLAIN, RATE_HZ, Wave, steady, times_s

SETTLE_S = 1.5  # the DC removal fills for 0.5 s; the first window with a measured length ends after 0.6 s
LAGS_RAD = (0.0, math.pi / 3, -math.pi / 2)  # PF 1, 0.5 lagging, 0 leading
BAND_HZ = (45.0, 50.0, 55.3, 60.0, 65.0)


class Errors(NamedTuple):
    """Relative errors of one element; powers and energies in parts of the apparent ones."""

    u_rms: float
    i_rms: float
    p: float
    q: float
    active: float  # energies
    reactive: float
    broadband_q: float  # Q of the broadband method against the fundamental's truth


def push_pair(board: CompiledFrontEnd, volts: Wave, amps: Wave) -> None:
    """Push voltage and current, in units of their peaks, as element 1."""
    board.push(np.column_stack([volt_codes(volts), amp_codes(amps)]))


def fundamental_errors(hz: float, level: float, lag_rad: float, harmonics: dict[int, float]) -> Errors:
    """Return the errors at a steady load; the harmonics are in voltage and current."""
    board = CompiledFrontEnd()
    driver = FrontEnd(board, max_a=MAX_A)
    angle = 2 * np.pi * hz * times_s(round((SETTLE_S + 0.9) * RATE_HZ)) + 0.4
    volts, amps = steady(angle, harmonics), level * steady(angle - lag_rad, harmonics)
    settle = round(SETTLE_S * RATE_HZ)
    push_pair(board, volts[:settle], amps[:settle])
    before = driver.fundamental()
    push_pair(board, volts[settle:], amps[settle:])
    after, q_var = driver.fundamental(), driver.power().q_var
    board.close()
    (old, _), (new, _) = before.elements, after.elements
    full_va = NOMINAL_V * MAX_A * level
    hours = (after.windows - before.windows) * 10 / hz / 3600
    active = new.forward_wh - new.reverse_wh - old.forward_wh + old.reverse_wh
    reactive = new.lagging_varh - new.leading_varh - old.lagging_varh + old.leading_varh
    return Errors(
        new.u_rms_v / NOMINAL_V - 1,
        new.i_rms_a / (MAX_A * level) - 1,
        new.p_w / full_va - math.cos(lag_rad),
        new.q_var / full_va - math.sin(lag_rad),
        active / hours / full_va - math.cos(lag_rad),
        reactive / hours / full_va - math.sin(lag_rad),
        q_var / full_va - math.sin(lag_rad),
    )


def fundamentals() -> dict[str, float]:
    """Return the worst errors over band, level, power factor and harmonics."""
    worst: dict[str, float] = {}
    for hz, harmonics, level, lag_rad in itertools.product(
        BAND_HZ, (PLAIN, FIFTH_SEVENTH), (1.0, 1e-4, 3e-5), LAGS_RAD
    ):
        errors = fundamental_errors(hz, level, lag_rad, harmonics)
        for name, error in errors._asdict().items():
            place = f"{name}_error_percent{'' if level == 1 else f'_at_{level:.0e}'}"
            if name == "broadband_q":
                if level < 1:
                    continue
                place = f"broadband_q_deviation_percent{'_with_h5_h7' if harmonics else ''}"
            worst[place] = round(max(worst.get(place, 0.0), abs(error) * 100), 5)
    return worst


def harmonics_of(channel: str, hz: float, shares: dict[int, complex], level: float = 1.0, seed: int = 0) -> Spectrum:
    """Return the harmonics of a channel; ``shares`` are peak and angle of sines beside the fundamental."""
    settle = round(SETTLE_S * RATE_HZ)
    angle = 2 * np.pi * hz * times_s(settle + round(0.5 * RATE_HZ)) + np.random.default_rng(seed).uniform(0, 2 * np.pi)
    wave = np.sin(angle)
    for order, share in shares.items():
        wave = wave + abs(share) * np.sin(order * angle + np.angle(share))
    board = CompiledFrontEnd()
    driver = FrontEnd(board, max_a=MAX_A)
    volts, amps = (level * wave, 0 * wave) if channel == "u1" else (np.sin(angle), level * wave)
    push_pair(board, volts[:settle], amps[:settle])
    driver.start_harmonics(channel)
    push_pair(board, volts[settle:], amps[settle:])
    found = driver.read_harmonics()
    board.close()
    return found


def harmonics() -> dict[str, float]:
    """Return the worst errors of orders 2 to 40, all at once (THD 18 %) and one alone at 10 %, and of a clean sine."""
    reading = nominal = angle = leak = alone = 0.0
    rng = np.random.default_rng(7)
    for hz, channel in itertools.product(BAND_HZ, ("u1", "i1")):
        full = NOMINAL_V if channel == "u1" else MAX_A
        shares: dict[int, complex] = {
            order: 0.1 / order**0.5 * np.exp(1j * float(rng.uniform(-3, 3))) for order in range(2, 41)
        }
        found = harmonics_of(channel, hz, shares, level=0.6)
        truth = np.array([1.0, *(abs(share) for share in shares.values())]) * full * 0.6
        turn = np.array([0.0, *(np.angle(share) for share in shares.values())])
        reading = max(reading, float(np.max(np.abs(found.rms / truth - 1))))
        nominal = max(nominal, float(np.max(np.abs(found.rms - truth))) / full)
        angle = max(angle, float(np.max(np.abs(np.angle(np.exp(1j * (found.angle_rad - turn)))))))
        for order in (3, 13, 40):
            one = harmonics_of(channel, hz, {order: 0.1}, level=0.6)
            alone = max(alone, abs(float(one.rms[order - 1]) / (0.06 * full) - 1))
        clean = harmonics_of(channel, hz, {})
        leak = max(leak, float(np.max(clean.rms[1:])) / full)
    return {
        "harmonic_alone_error_percent_of_reading": round(alone * 100, 4),
        "harmonics_error_percent_of_reading": round(reading * 100, 4),
        "harmonics_error_percent_of_nominal": round(nominal * 100, 4),
        "harmonics_angle_error_degrees": round(math.degrees(angle), 3),
        "harmonics_of_a_clean_sine_percent": round(leak * 100, 5),
    }


def resampled_tone(hz: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.complex128]]:
    """Return instants between two samples, (n,), and what the kernel makes of a tone there, over the tone, (n,)."""
    table = np.array(kernel()) / KERNEL_ONE
    mu = (np.arange(4096) + 0.5) / 4096
    distance = np.arange(TAPS) - (HALF - 1) - mu[:, None]
    taps = np.interp(np.abs(distance) * PHASES, np.arange(table.size), table)
    made: npt.NDArray[np.complex128] = np.sum(taps * np.exp(2j * np.pi * hz / RATE_HZ * distance), axis=1)
    return mu, made


def resampler() -> dict[str, float]:
    """Return the largest error of tones up to the 40th of 65 Hz, of the tone."""
    names = {"fundamental_65": 65.0, "h40_50": 2000.0, "h40_60": 2400.0, "h40_65": 2600.0}
    worst = {name: float(np.max(np.abs(resampled_tone(hz)[1] - 1))) for name, hz in names.items()}
    return {f"resampler_error_percent_{name}_hz": round(error * 100, 5) for name, error in worst.items()}


def images() -> dict[str, float]:
    """Return how much of a tone above the band comes back at 8 kHz less its frequency."""
    found = {}
    for hz in (2800.0, 3000.0, 3600.0):
        mu, made = resampled_tone(hz)
        image = max(abs(np.mean(made * np.exp(2j * np.pi * sign * mu))) for sign in (1, -1))
        found[f"resampler_image_percent_{hz:.0f}_hz"] = round(float(image) * 100, 2)
    return found


def main() -> None:
    """Print everything as one JSON object."""
    board = CompiledFrontEnd()
    figures = {"rtl_hash": board.rtl_hash, **resampler(), **images(), **fundamentals(), **harmonics()}
    board.close()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
