"""Driver of the front-end on any port with read32, write32, wait_irq and read_block.

Runs on the board's own Python too (3.10), so it knows nothing of the simulator.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hdl import scaling
from hdl.driver_control import CONTROL_KINDS, Control, Detail
from hdl.metering import BoardPort, Metering
from hdl.regs.generated import regs
from hdl.spectrum import Spectral
from teiden.errors import InputError, PartFailed

IDENTITY = 0x54454944  # "TEID"
EVENT_KINDS = {
    1: "power_fail",
    2: "power_fail_confirmed",
    3: "power_fail_withdrawn",
    4: "power_return",
    5: "dip_start",
    6: "dip_end",
    7: "swell_start",
    8: "swell_end",
    9: "interruption_start",
    10: "interruption_end",
    **CONTROL_KINDS,
}
FIRST_QUALITY_KIND, FIRST_CONTROL_KIND = 5, 11
DETECTOR_STATES = ("off", "idle", "suspect", "confirmed")
INTERRUPTS = {
    "event": regs.IRQ_ENABLE_EVENT_IN_MASK,
    "half_cycle": regs.IRQ_ENABLE_HALF_CYCLE_MASK,
    "trigger": regs.IRQ_ENABLE_TRIGGER_MASK,
    "capture": regs.IRQ_ENABLE_CAPTURE_MASK,
    "harmonics": regs.IRQ_ENABLE_HARMONICS_MASK,
    "window": regs.IRQ_ENABLE_WINDOW_MASK,
}
STICKY = {
    "saturated": regs.STATUS_SATURATED_MASK,
    "event_overflow": regs.STATUS_EVENT_OVERFLOW_MASK,
    "overrun": regs.STATUS_OVERRUN_MASK,
    "current_saturated": regs.STATUS_CURRENT_SATURATED_MASK,
    "u2_saturated": regs.STATUS_U2_SATURATED_MASK,
    "i2_saturated": regs.STATUS_I2_SATURATED_MASK,
    "clipped": regs.STATUS_CLIPPED_MASK,
    "pulse_late": regs.STATUS_CF_LATE_MASK,
}

# Limits of the power-fail detector in units of the nominal envelope, and its persistence:
# HDL.md section 7, proved on the corpora of tests/hdl.
DROP, LOW, FLOOR, RATIO_256, PERSIST_SAMPLES = 0.41, 0.176, 0.09, 80, 13
CONFIRM_PU = 0.45  # of nominal; assumed, inside the grey zone between residual 0.30 and 0.70
RETURN_PU = 0.75  # of nominal; assumed, above the grey zone and below any permitted supply voltage
RETURN_S = 0.1  # assumed; with the two cycles of Urms(1/2) the detector is ready again after 0.15 s
HYSTERESIS_PU = 0.02  # of the nominal peak; assumed, above the noise of an open input

# Of nominal: dip, swell and interruption, and the way back from each (IEC 61000-4-30, 2015, 5.4 and 5.5,
# leaves them to the contract and names these as usual).
DIP_PU, SWELL_PU, INTERRUPTION_PU, QUALITY_HYSTERESIS_PU = 0.90, 1.10, 0.10, 0.02

MAX_A = 120.0  # largest RMS current of the meter [A]

SYNCHRONISER_TICKS = 2  # td_trigger: the stamp is that late
TRIGGER_BOUND_TICKS = 2  # one clock of the edge before the first flop, one if that misses its set-up

# A loss to residual 0 to 30 % is detected 1.5 to 1.88 ms after its onset (HDL.md section 7).
LONGEST_DELAY_S, LIKELY_DELAY_S, SHORTEST_DELAY_S = 1.88e-3, 1.81e-3, 1.50e-3


class Event(NamedTuple):
    """One transition of detector, voltage quality or a control block, at the sample that decided it."""

    kind: str  # one of EVENT_KINDS
    sample: int  # number of the sample, from 0 at reset
    fraction: float  # of a sample; 0.0, the detector decides on whole samples
    u_rms_half_v: float  # latest Urms(1/2) at that moment [V]
    extreme_v: float | None = None  # lowest Urms(1/2) of a dip or interruption, highest of a swell, so far [V]
    detail: Detail | None = None  # of an event of a control block


class Trigger(NamedTuple):
    """The latest edge on the trigger input: at ``sample + fraction``, to ``bound`` samples."""

    sample: int
    fraction: float
    bound: float  # samples, either side


class Measurement(NamedTuple):
    """What one snapshot holds."""

    samples: int  # since reset
    half_cycles: int  # published since reset, modulo 2**32
    u_half_v: float  # RMS of the last half cycle [V]
    u_rms_half_v: float  # Urms(1/2) [V]
    frequency_hz: float  # over the last ten cycles; nan until there are ten in a row
    half_cycle_end: float  # samples from reset, on the voltage's own time axis
    state: str  # of the detector: off, idle, suspect, confirmed
    below: bool  # the envelope is below its limits
    tracked_period_samples: int


class Power(NamedTuple):
    """Current and sums of the elements in one snapshot; powers cover the cycle of Urms(1/2)."""

    i_rms_half_a: float  # of i1 [A]
    p_w: float  # [W], negative: reverse
    q_var: float  # [var], positive: the current lags
    s_va: float  # [VA]
    forward_wh: float  # since reset; each half cycle counts on the side of its sign
    reverse_wh: float
    lagging_varh: float
    leading_varh: float
    run_ws: float  # active energy of all samples since reset but the newest 8 [Ws]; wraps after hours


@dataclass(frozen=True)
class Status:
    """Sticky flags (until `FrontEnd.clear_status`) and live state."""

    saturated: bool
    event_overflow: bool
    overrun: bool
    crossing_lost: bool
    u_rms_half_valid: bool
    frequency_valid: bool
    current_saturated: bool = False
    u2_saturated: bool = False
    i2_saturated: bool = False
    clipped: bool = False  # calibration brought a sample beyond full scale
    pulse_late: bool = False  # energy pulses are due faster than their width lets them out


class FrontEnd(Metering, Spectral, Control):
    """The front-end behind a port.

    Parameters
    ----------
    port : BoardPort
        Where the registers are.
    sample_rate_hz : float
        Rate at which the port's front-end gets samples [Hz].
    max_a : float
        Largest RMS current, which sets the scale of the current [A].
    """

    def __init__(self, port: BoardPort, sample_rate_hz: float = scaling.SAMPLE_RATE_HZ, max_a: float = MAX_A):
        super().__init__(port, sample_rate_hz, max_a)

    def identify(self) -> str:
        """Return the RTL's version, "major.minor".

        Raises
        ------
        PartFailed
            If this is no front-end, or one with another register map than this driver's.
        """
        found = self.port.read32(regs.ID)
        if found != IDENTITY:
            raise PartFailed(f"front-end: ID register reads 0x{found:08X}, expected 0x{IDENTITY:08X}; is it loaded?")
        found = self.port.read32(regs.MAP_HASH)
        if found != regs.MAP_HASH_EXPECTED:
            raise PartFailed(
                f"front-end: register map 0x{found:08X}, this driver knows 0x{regs.MAP_HASH_EXPECTED:08X}; "
                "bitstream and software are of different versions"
            )
        version = self.port.read32(regs.VERSION)
        return f"{version >> regs.VERSION_MAJOR_SHIFT}.{version & regs.VERSION_MINOR_MASK}"

    def configure(
        self,
        nominal_hz: float = 50,
        nominal_v: float = 100,
        interrupts: Iterable[str] = ("event",),
        quality: bool = False,
    ) -> None:
        """Set every limit for a nominal supply, drop old events and flags, start the detector, arm the capture.

        Parameters
        ----------
        nominal_hz : float
            50 or 60 [Hz].
        nominal_v : float
            Nominal RMS voltage [V].
        interrupts : iterable of str
            Causes that raise the line: event, half_cycle, trigger, capture, harmonics, window.
        quality : bool
            Whether dips, swells and interruptions make events too.

        Raises
        ------
        InputError
            If a value is out of range.
        """
        if nominal_hz not in (50, 60):
            raise InputError(f"nominal_hz = {nominal_hz:g}, expected 50 or 60")
        highest = scaling.FULL_SCALE_V / 2**0.5 / 1.2
        if not 10 <= nominal_v <= highest:
            raise InputError(f"nominal_v = {nominal_v:g}, expected 10 to {highest:.0f} (20 % below full scale)")
        mask = 0
        for name in interrupts:
            if name not in INTERRUPTS:
                raise InputError(f"interrupt {name!r}, expected one of {', '.join(INTERRUPTS)}")
            mask |= INTERRUPTS[name]
        self.port.write32(regs.IRQ_ENABLE, 0)
        self.port.write32(regs.CTRL, 0)  # a detector that ran before starts anew
        for address, value in self._settings(nominal_hz, nominal_v).items():
            self.port.write32(address, value)
        self.events()  # of what ran before
        self.clear_status()
        self.arm_capture()
        self.port.write32(regs.CTRL, regs.CTRL_DETECT_MASK | (regs.CTRL_QUALITY_MASK if quality else 0))
        self.port.write32(regs.IRQ_STATUS, 0xFFFFFFFF)
        self.port.write32(regs.IRQ_ENABLE, mask)

    def _settings(self, nominal_hz: float, nominal_v: float) -> dict[int, int]:
        """Return address and value of every setting that follows from the nominal supply."""
        envelope = scaling.nominal_envelope(nominal_hz, nominal_v, self.sample_rate_hz)
        peak_code = nominal_v * 2**0.5 * scaling.CODES_PER_VOLT
        half = round(self.sample_rate_hz / nominal_hz / 2)
        longest = round(self.sample_rate_hz / 45 / 2 * 1.17)  # half a cycle at 45 Hz and a margin for a phase jump
        timing = 40 << regs.CROSS_TIMING_BLANK_SHIFT
        timing |= longest << regs.CROSS_TIMING_TIMEOUT_SHIFT | half << regs.CROSS_TIMING_CADENCE_SHIFT
        return {
            regs.CROSS_HYSTERESIS: round(HYSTERESIS_PU * peak_code * 16),
            regs.CROSS_TIMING: timing,
            regs.DET_K: scaling.quadrature_gain(nominal_hz, self.sample_rate_hz),
            regs.DET_DROP: round(DROP * envelope),
            regs.DET_LOW: round(LOW * envelope),
            regs.DET_FLOOR: round(FLOOR * envelope),
            regs.DET_SHAPE: RATIO_256 | PERSIST_SAMPLES << regs.DET_SHAPE_PERSIST_SHIFT,
            regs.DET_CONFIRM: round(self.sample_rate_hz / nominal_hz),
            regs.DET_CONFIRM_RMS: scaling.rms_from_volts(CONFIRM_PU * nominal_v),
            regs.DET_RETURN_RMS: scaling.rms_from_volts(RETURN_PU * nominal_v),
            regs.DET_RETURN: round(RETURN_S * self.sample_rate_hz),
            regs.QUAL_DIP: scaling.rms_from_volts(DIP_PU * nominal_v),
            regs.QUAL_SWELL: scaling.rms_from_volts(SWELL_PU * nominal_v),
            regs.QUAL_INTERRUPTION: scaling.rms_from_volts(INTERRUPTION_PU * nominal_v),
            regs.QUAL_HYSTERESIS: scaling.rms_from_volts(QUALITY_HYSTERESIS_PU * nominal_v),
        }

    def events(self) -> list[Event]:
        """Take every waiting event, oldest first; `Status.event_overflow` tells whether some were lost."""
        taken = []
        while kind := (head := self._read(regs.EVENT)) & regs.EVENT_KIND_MASK:
            if kind not in EVENT_KINDS:
                raise PartFailed(
                    f"front-end: event register reads 0x{head:08X}, expected a kind of 1 to {max(EVENT_KINDS)}"
                )
            sample = self._long(regs.EVENT_LO)
            u_rms_half_v = scaling.volts_from_rms(self._read(regs.EVENT_URMS))
            extreme_v = detail = None
            if kind >= FIRST_CONTROL_KIND:
                value, extra = self._read(regs.EVENT_EXTREME), self._read(regs.EVENT_EXTRA)
                detail = self.control_detail(EVENT_KINDS[kind], value, extra)
            elif kind >= FIRST_QUALITY_KIND:
                extreme_v = scaling.volts_from_rms(self._read(regs.EVENT_EXTREME))
            taken.append(Event(EVENT_KINDS[kind], sample, 0.0, u_rms_half_v, extreme_v, detail))
            self.port.write32(regs.EVENT_POP, 1)
        return taken

    def onset_s(self, event: Event) -> tuple[float, float, float]:
        """Return earliest, likeliest and latest time [s from sample 0] at which a power_fail began."""
        detected_s = event.sample / self.sample_rate_hz
        return detected_s - LONGEST_DELAY_S, detected_s - LIKELY_DELAY_S, detected_s - SHORTEST_DELAY_S

    def measure(self) -> Measurement:
        """Return one snapshot of everything measured."""
        self.port.write32(regs.SNAPSHOT, 1)
        cross_high = self._read(regs.CROSS_HI)
        whole = (cross_high & regs.CROSS_HI_SAMPLE_MASK) << 32 | self._read(regs.CROSS_LO)
        fraction = (cross_high >> regs.CROSS_HI_FRACTION_SHIFT) / scaling.FRACTION_STEPS
        state = self._read(regs.DET_STATE)
        return Measurement(
            samples=self._long(regs.SAMPLE_LO),
            half_cycles=self._read(regs.HALF_COUNT),
            u_half_v=scaling.volts_from_rms(self._read(regs.U_HALF)),
            u_rms_half_v=scaling.volts_from_rms(self._read(regs.URMS_HALF)),
            frequency_hz=scaling.hertz_from_period10(self._read(regs.PERIOD_10), self.sample_rate_hz),
            half_cycle_end=whole + fraction - 7.5,  # delay of the 16-sample average
            state=DETECTOR_STATES[state & regs.DET_STATE_STATE_MASK],
            below=bool(state & regs.DET_STATE_BELOW_MASK),
            tracked_period_samples=(state & regs.DET_STATE_PERIOD_MASK) >> regs.DET_STATE_PERIOD_SHIFT,
        )

    def power(self) -> Power:
        """Return one snapshot of current, powers and energies, of both elements as they are wired."""
        self.port.write32(regs.SNAPSHOT, 1)
        watts = self._watts
        hours = watts * scaling.ENERGY_STEP / self.sample_rate_hz / 3600
        amps = 1 / (scaling.RMS_STEPS_PER_CODE * scaling.codes_per_amp(self.max_a))
        return Power(
            i_rms_half_a=self._read(regs.IRMS_HALF) * amps,
            p_w=self._signed(regs.P_LO) * watts,
            q_var=self._signed(regs.Q_LO) * watts,
            s_va=self._signed(regs.S_LO) * watts,
            forward_wh=self._unsigned(regs.E_FORWARD_LO) * hours,
            reverse_wh=self._unsigned(regs.E_REVERSE_LO) * hours,
            lagging_varh=self._unsigned(regs.E_LAGGING_LO) * hours,
            leading_varh=self._unsigned(regs.E_LEADING_LO) * hours,
            run_ws=self._signed(regs.E_RUN_LO) * watts * scaling.RUN_STEP / self.sample_rate_hz,
        )

    @property
    def u_rms_half_v(self) -> float:
        """Urms(1/2) [V]."""
        return self.measure().u_rms_half_v

    @property
    def frequency_hz(self) -> float:
        """Frequency over the last ten cycles [Hz]; nan until there are ten in a row."""
        return self.measure().frequency_hz

    def trigger(self) -> Trigger | None:
        """Return the latest edge of the trigger input, or None if there was none (or 65536) since reset."""
        self.port.write32(regs.SNAPSHOT, 1)
        high = self._read(regs.TRIG_HI)
        ticks_per_sample = self._read(regs.TICKS_PER_SAMPLE)
        if not high & regs.TRIG_HI_COUNT_MASK or not ticks_per_sample:
            return None
        sample = (high & regs.TRIG_HI_SAMPLE_MASK) << 32 | self._read(regs.TRIG_LO)
        ticks = self._read(regs.TRIG_TICKS) - SYNCHRONISER_TICKS
        whole, rest = divmod(ticks, ticks_per_sample)
        return Trigger(sample + whole, rest / ticks_per_sample, TRIGGER_BOUND_TICKS / ticks_per_sample)

    @property
    def trigger_count(self) -> int:
        """Edges on the trigger input since reset, modulo 65536; more than one a run is a bouncing line."""
        self.port.write32(regs.SNAPSHOT, 1)
        return self._read(regs.TRIG_HI) >> regs.TRIG_HI_COUNT_SHIFT

    def status(self) -> Status:
        """Return the flags."""
        word = self._read(regs.STATUS)
        return Status(
            saturated=bool(word & regs.STATUS_SATURATED_MASK),
            event_overflow=bool(word & regs.STATUS_EVENT_OVERFLOW_MASK),
            overrun=bool(word & regs.STATUS_OVERRUN_MASK),
            crossing_lost=bool(word & regs.STATUS_CROSSING_LOST_MASK),
            u_rms_half_valid=bool(word & regs.STATUS_URMS_VALID_MASK),
            frequency_valid=bool(word & regs.STATUS_PERIOD_VALID_MASK),
            current_saturated=bool(word & regs.STATUS_CURRENT_SATURATED_MASK),
            u2_saturated=bool(word & regs.STATUS_U2_SATURATED_MASK),
            i2_saturated=bool(word & regs.STATUS_I2_SATURATED_MASK),
            clipped=bool(word & regs.STATUS_CLIPPED_MASK),
            pulse_late=bool(word & regs.STATUS_CF_LATE_MASK),
        )

    def clear_status(self) -> None:
        """Clear the sticky flags."""
        self.port.write32(regs.STATUS, sum(STICKY.values()))

    def take_interrupts(self) -> set[str]:
        """Return the causes seen since the last call and clear them; do this before reading what they announce."""
        word = self._read(regs.IRQ_STATUS)
        self.port.write32(regs.IRQ_STATUS, word)
        return {name for name, mask in INTERRUPTS.items() if word & mask}

    def arm_capture(self, post_samples: int = 2048) -> None:
        """Record into the ring again, until ``post_samples`` (0 to 4095) after the next power_fail."""
        if not 0 <= post_samples < regs.CAP_DATA_WORDS:
            raise InputError(f"post_samples = {post_samples}, expected 0 to {regs.CAP_DATA_WORDS - 1}")
        # As after a reset, whatever hdl.capture was used for before.
        self.port.write32(regs.CAP_MODE, 0)
        self.port.write32(regs.CAP_ENABLE, regs.CAP_ENABLE_SUSPECT_MASK)
        self.port.write32(regs.CAP_PRE, regs.CAP_DATA_WORDS - 1)
        self.port.write32(regs.CAP_STREAM, regs.CAP_STREAM_CHANNELS_MASK)
        self.port.write32(regs.CAP_POST, post_samples)
        self.port.write32(regs.CAP_CTRL, regs.CAP_CTRL_ARM_MASK)

    def freeze_capture(self) -> None:
        """Freeze the ring now."""
        self.port.write32(regs.CAP_CTRL, regs.CAP_CTRL_FREEZE_MASK)

    @property
    def capture_ready(self) -> bool:
        """Whether a capture is frozen and can be read."""
        return bool(self._read(regs.CAP_STATUS) & regs.CAP_STATUS_FROZEN_MASK)

    def read_capture(self) -> tuple[int, npt.NDArray[np.float64]]:
        """Return the number of the first captured sample and the voltages [V], (n,) with n up to 4096.

        Raises
        ------
        PartFailed
            If no capture is frozen.
        """
        status = self._read(regs.CAP_STATUS)
        if not status & regs.CAP_STATUS_FROZEN_MASK:
            raise PartFailed("front-end: no capture is frozen; wait for a power_fail or call freeze_capture()")
        count = (status & regs.CAP_STATUS_COUNT_MASK) >> regs.CAP_STATUS_COUNT_SHIFT
        self.port.write32(regs.CAP_WINDOW, 0)
        words = np.asarray(self.port.read_block(regs.CAP_DATA, count), np.uint32)
        return self._long(regs.CAP_FIRST_LO), scaling.volts_from_codes(words.view(np.int32))

    def _read(self, address: int) -> int:
        return self.port.read32(address)

    def _unsigned(self, low_address: int) -> int:
        return self._read(low_address) | self._read(low_address + 4) << 32

    def _signed(self, low_address: int) -> int:
        return scaling.signed_64(self._read(low_address), self._read(low_address + 4))

    def _long(self, low_address: int) -> int:
        """Return the 48-bit number whose high word follows its low word; neither may change in between."""
        return self._read(low_address) | (self._read(low_address + 4) & 0xFFFF) << 32
