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
    identities : tuple of str
        What the reply to ``*IDN?`` of such an instrument contains, any one of them, in capitals.
    shapes : tuple of str
        Waveforms it has of its own, by the names its commands take.
    trace_points : int
        Points of an uploaded cycle; 0 for one that takes no upload, or by no command that we know.
    traces : int
        Uploaded waveforms it keeps at most.
    slews : bool
        Whether a step can have a slew; a ramp over the whole step is taken by all.
    shifts : bool
        Whether a step can jump in phase.
    trigger_out : bool
        Whether a step can be marked by a pulse.
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
    identities: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ("SIN", "SQU")
    trace_points: int = 0
    traces: int = 0
    slews: bool = False
    shifts: bool = False
    trigger_out: bool = True

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
    identities=("KEYSIGHT", "AGILENT", "HEWLETT-PACKARD", "AMETEK", "CALIFORNIA INSTRUMENTS", "SIMULATED 6812B"),
    shapes=("SIN", "SQU", "CSIN"),
    trace_points=1024,
    traces=50,  # AMETEK Sequoia manual, p. 136; no number was found for a Keysight
    slews=True,
    shifts=True,
)

KIKUSUI_PCR2000LE = Instrument(
    model="PCR2000LE",
    ranges_v=(152.5, 305.0),  # this and the currents: to be checked against the data sheet
    frequency_hz=(1.0, 999.9),
    current_a=20.0,
    peak_current_a=80.0,
    dwell_s=(1e-4, 3.6e6),  # shortest as docs/source.md; longest assumed
    slew_v_per_s=(1e-3, 1e6),
    list_points=600,  # assumed
    line_chars=128,  # Kikusui PCR-MA interface manual; assumed to hold for the LE
    identities=("KIKUSUI", "SIMULATED PCR2000LE"),
    shapes=("0", "1"),  # waveform banks: 0 the sine; how a bank is loaded was not found
)

CHROMA_61602 = Instrument(
    model="61602",
    ranges_v=(150.0, 300.0),
    frequency_hz=(15.0, 1000.0),
    current_a=16.0,  # this and the peak: to be checked against the data sheet
    peak_current_a=96.0,
    dwell_s=(1e-4, 99999.9999),  # Chroma 61500 manual: 0 to 99 999 999.9 ms in steps of 0.1 ms
    slew_v_per_s=(1e-3, 1.2e6),
    list_points=100,
    line_chars=1024,  # assumed
    identities=("CHROMA", "SIMULATED 61602"),
    shapes=("A", "B"),
    trigger_out=False,  # no command for it was found
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
        Time after ``*RST`` in which nothing takes effect; not assumed for `CHROMA_TIMING`.
    blank_ns : int
        How long a change of range interrupts the output.
    """

    update_ns: int = 1_000
    latency_ns: tuple[int, int] = (100_000, 200_000)
    fall_ns: int = 30_000
    relay_ns: int = 10_000_000
    reset_ns: int = 500_000_000
    blank_ns: int = 20_000_000


CHROMA_TIMING = Timing(reset_ns=3_000_000_000)  # what drivers of others wait with a 61600; 7 s with a 61500
