"""What an AC source can do (`Instrument`) and how the simulated one behaves in time (`Timing`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Instrument:
    """Limits of one model, known to the driver (which refuses) and to the simulated source (which queues an error).

    Parameters
    ----------
    model : str
        Model name.
    ranges_v : tuple of float
        Output ranges, RMS, ascending [V]; the last one is the most the instrument can give.
    frequency_hz : (float, float)
        Lowest and highest frequency [Hz].
    current_a, peak_current_a : float
        Highest RMS and peak current limit [A].
    dwell_s : (float, float)
        Shortest and longest time at one point of a list [s].
    slew_v_per_s : (float, float)
        Slowest and fastest voltage slew that is a number [V/s]; 9.9E37 means without slewing.
    list_points : int
        Most points in a list.
    line_chars : int
        Longest program message, terminator excluded.
    """

    model: str
    ranges_v: tuple[float, ...]
    frequency_hz: tuple[float, float]
    current_a: float
    peak_current_a: float
    dwell_s: tuple[float, float]
    slew_v_per_s: tuple[float, float]
    list_points: int
    line_chars: int

    @property
    def max_v(self) -> float:
        """Highest RMS voltage of the widest range [V]."""
        return self.ranges_v[-1]


KEYSIGHT_6812B = Instrument(
    model="6812B",
    ranges_v=(150.0, 300.0),
    frequency_hz=(45.0, 1000.0),
    current_a=6.5,  # currents and ranges: to be checked against the data sheet
    peak_current_a=40.0,
    # Longest: what the 6811B family's manual gives for times. Shortest: assumed, the 1 ms step of the AMETEK Sequoia.
    dwell_s=(0.001, 429497.0),
    slew_v_per_s=(1e-3, 1e6),  # assumed
    list_points=100,  # Keysight 6811C Programming Guide, p. 134
    line_chars=16384,  # assumed; must hold a TRACe of 1024 values
)


@dataclass(frozen=True)
class Timing:
    """Times of the simulated source; all assumed, none measured on an instrument.

    Parameters
    ----------
    update_ns : int
        Changes of the output land on multiples of this (the DDS update clock).
    latency_ns : (int, int)
        Shortest time from a command to its effect, and the width of the seeded uniform part added to it.
    fall_ns : int
        Time constant of the amplifier, which turns a jump of the output into an exponential.
    relay_ns : int
        From the output command to the relay's contact.
    reset_ns : int
        Time after ``*RST`` in which nothing takes effect.
    """

    update_ns: int = 1_000
    latency_ns: tuple[int, int] = (100_000, 200_000)
    fall_ns: int = 30_000
    relay_ns: int = 10_000_000
    reset_ns: int = 500_000_000
