"""Two elements of a voltage and a current each: wiring, calibration, powers, energies and pulses in SI units.

Part of the driver (`hdl.driver.FrontEnd`); runs on the board's own Python too (3.10).
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from hdl import scaling
from hdl.regs.generated import regs
from teiden.errors import InputError

WIRINGS = ("single-phase-2-wire", "single-phase-3-wire", "three-phase-3-wire")  # values of WIRING.mode
CHANNELS = ("u1", "i1", "u2", "i2")
PULSE_SOURCES = ("active", "forward", "reverse", "reactive")  # values of CF_CTRL.source
GAIN_STEPS, PHASE_STEPS, NO_LOAD_STEP = 1 << 22, 1 << 17, 256
LEAST_DELAY, MOST_DELAY = -2 / 3, 2.0  # samples; the all-pass coefficient stays within half of full scale


class BoardPort(Protocol):
    """What a board, real or simulated, offers."""

    def read32(self, address: int) -> int:
        """Return the register at a byte address."""

    def write32(self, address: int, value: int) -> None:
        """Write a register."""

    def wait_irq(self, timeout_s: float) -> bool:
        """Wait for the interrupt line and return its level."""

    def read_block(self, address: int, count: int) -> npt.NDArray[np.uint32]:
        """Return ``count`` words from consecutive byte addresses."""


class Load(NamedTuple):
    """Powers of an element or of both, over the cycle of Urms(1/2)."""

    p_w: float  # [W], negative: reverse
    q_var: float  # [var], positive: the current lags
    s_va: float  # [VA]

    @property
    def power_factor(self) -> float:
        """P / S, with the sign of P; nan without a load."""
        return self.p_w / self.s_va if self.s_va else math.nan


class Element(NamedTuple):
    """One element: a voltage and a current behind calibration and DC removal."""

    u_rms_v: float
    i_rms_a: float
    load: Load
    forward_wh: float  # since reset; each half cycle counts on the side of its sign
    reverse_wh: float


class Meter(NamedTuple):
    """One publication of both elements, taken with the half cycle of Urms(1/2)."""

    whole: bool  # the values cover one cycle without a gap; False: the last half cycle alone
    elements: tuple[Element, Element]
    total: Load  # of both; single-phase-2-wire: of the first
    u_line_rms_v: float  # u1 + u2 (200 V of a 100/200 V supply); three-phase: u1 - u2, the third line voltage
    i_common_rms_a: float  # i1 - i2, the neutral's; three-phase: i1 + i2, the common line's
    quadrant_varh: tuple[float, float, float, float]  # reactive energy of the total, I to IV of IEC 62053-23
    apparent_vah: float


def all_pass_coefficient(delay_samples: float, w: float) -> int:
    """Return the register value a, 2**-17, that delays by 1 + ``delay_samples`` samples at ``w`` rad a sample.

    a = sin((1 - D) w / 2) / sin((1 + D) w / 2) with D the whole delay: exact at ``w``, not only near 0 Hz.
    """
    whole = 1 + delay_samples
    return round(PHASE_STEPS * math.sin((1 - whole) * w / 2) / math.sin((1 + whole) * w / 2))


class Metering:
    """Driver of the two elements.

    Parameters
    ----------
    port : BoardPort
        Where the registers are.
    sample_rate_hz : float
        Rate at which the port's front-end gets samples [Hz].
    max_a : float
        Largest RMS current, which sets the scale of both currents [A].
    """

    def __init__(self, port: BoardPort, sample_rate_hz: float, max_a: float):
        self.port = port
        self.sample_rate_hz = sample_rate_hz
        self.max_a = max_a

    @property
    def _watts(self) -> float:
        """Watts of one squared code."""
        return 1 / (scaling.CODES_PER_VOLT * scaling.codes_per_amp(self.max_a))

    def set_wiring(self, wiring: str) -> None:
        """Say how the elements are wired; the totals, the line voltage and the common current follow it.

        ``single-phase-2-wire``: u1, i1 alone. ``single-phase-3-wire``: u1 from line 1 to neutral with i1 in
        line 1, u2 from neutral to line 2 with i2 in line 2, both counted the same way round; a channel wired the
        other way round gets a negative gain. ``three-phase-3-wire``: u1, u2 against the common line, i1, i2 in
        the other two.
        """
        if wiring not in WIRINGS:
            raise InputError(f"wiring = {wiring!r}, expected one of {', '.join(WIRINGS)}")
        self.port.write32(regs.WIRING, WIRINGS.index(wiring))

    def calibrate(
        self, channel: str, gain: float = 1.0, offset: float = 0.0, delay_s: float = 0.0, nominal_hz: float = 50.0
    ) -> None:
        """Set the calibration of a channel; what the other elements measure does not change.

        Parameters
        ----------
        channel : str
            u1, i1, u2 or i2.
        gain : float
            Factor on the sample, below 2 in size; negative turns the channel round.
        offset : float
            Added before the gain [V or A]; what is left of an offset the DC removal takes off.
        delay_s : float
            How much later the channel is made [s], -2/3 to 2 samples, exact at ``nominal_hz``.

        Raises
        ------
        InputError
            If a value is out of range.
        """
        if channel not in CHANNELS:
            raise InputError(f"channel = {channel!r}, expected one of {', '.join(CHANNELS)}")
        codes = scaling.CODES_PER_VOLT if channel.startswith("u") else scaling.codes_per_amp(self.max_a)
        gain_steps = round(gain * GAIN_STEPS) if math.isfinite(gain) else 2 * GAIN_STEPS
        if not -2 * GAIN_STEPS <= gain_steps < 2 * GAIN_STEPS:
            raise InputError(f"gain = {gain:g}, expected -2 to below 2")
        offset_codes = round(offset * codes) if math.isfinite(offset) else 1 << 23
        if not -(1 << 23) <= offset_codes < 1 << 23:
            raise InputError(f"offset = {offset:g}, expected within full scale, {(1 << 23) / codes:g} either way")
        delay = delay_s * self.sample_rate_hz
        if not LEAST_DELAY < delay < MOST_DELAY:
            low_s, high_s = LEAST_DELAY / self.sample_rate_hz, MOST_DELAY / self.sample_rate_hz
            raise InputError(f"delay_s = {delay_s:g}, expected {low_s:.3g} to {high_s:.3g}")
        phase = all_pass_coefficient(delay, 2 * math.pi * nominal_hz / self.sample_rate_hz)
        name = f"CAL_{channel.upper()}"
        for part, value, mask in (
            ("GAIN", gain_steps, regs.CAL_U1_GAIN_VALUE_MASK),
            ("OFFSET", offset_codes, regs.CAL_U1_OFFSET_VALUE_MASK),
            ("PHASE", phase, regs.CAL_U1_PHASE_VALUE_MASK),
        ):
            self.port.write32(getattr(regs, f"{name}_{part}"), value & mask)

    def set_no_load(self, active_w: float = 0.0, reactive_var: float = 0.0) -> None:
        """Set below which power of a cycle, in size, energies stand still; 0: never."""
        for name, register, value in (
            ("active_w", regs.NO_LOAD_P, active_w),
            ("reactive_var", regs.NO_LOAD_Q, reactive_var),
        ):
            steps = round(value / self._watts / NO_LOAD_STEP) if math.isfinite(value) else -1
            if not 0 <= steps < 1 << 32:
                highest = (1 << 32) * NO_LOAD_STEP * self._watts
                raise InputError(f"{name} = {value:g}, expected 0 to {highest:.0f}")
            self.port.write32(register, steps)

    def set_pulses(self, pulses_per_kwh: float, source: str = "active", width_s: float = 0.08) -> None:
        """Give energy pulses: so many a kWh (kvarh for ``reactive``), ``width_s`` long; 0 switches them off.

        Sources: ``active`` in either direction, ``forward``, ``reverse``, ``reactive`` of either sign. Pulses due
        faster than every 2 ``width_s`` come late and set `Status.pulse_late`. The default width is the 80 ms of the
        common metering ICs.
        """
        if source not in PULSE_SOURCES:
            raise InputError(f"source = {source!r}, expected one of {', '.join(PULSE_SOURCES)}")
        width = round(width_s * self.sample_rate_hz) if math.isfinite(width_s) else 0
        if not 1 <= width < 1 << 16:
            raise InputError(f"width_s = {width_s:g}, expected {1 / self.sample_rate_hz:g} to 8")
        if not (math.isfinite(pulses_per_kwh) and pulses_per_kwh >= 0):
            raise InputError(f"pulses_per_kwh = {pulses_per_kwh:g}, expected 0 or more")
        self.port.write32(regs.CF_CTRL, 0)
        if not pulses_per_kwh:
            return
        energy = round(3.6e6 / pulses_per_kwh * self.sample_rate_hz / self._watts / scaling.ENERGY_STEP)
        if not 1 <= energy < 1 << 48:
            raise InputError(f"pulses_per_kwh = {pulses_per_kwh:g}, expected an energy within the 48 bits of CF_ENERGY")
        self.port.write32(regs.CF_ENERGY_LO, energy & 0xFFFFFFFF)
        self.port.write32(regs.CF_ENERGY_HI, energy >> 32)
        self.port.write32(regs.CF_WIDTH, width)
        mask = regs.CF_CTRL_ENABLE_MASK | PULSE_SOURCES.index(source) << regs.CF_CTRL_SOURCE_SHIFT
        self.port.write32(regs.CF_CTRL, mask)

    @property
    def pulse_count(self) -> int:
        """Energy pulses since reset, modulo 2**32."""
        self.port.write32(regs.SNAPSHOT, 1)
        return self.port.read32(regs.CF_COUNT)

    def meter(self) -> Meter:
        """Return one snapshot of both elements; zeros before the first publication."""
        self.port.write32(regs.SNAPSHOT, 1)
        count = (regs.METER_E_APPARENT_HI - regs.METER) // 4 + 1
        words = [int(word) for word in self.port.read_block(regs.METER, count)]
        volts = 1 / (scaling.RMS_STEPS_PER_CODE * scaling.CODES_PER_VOLT)
        amps = 1 / (scaling.RMS_STEPS_PER_CODE * scaling.codes_per_amp(self.max_a))
        hours = self._watts * scaling.ENERGY_STEP / self.sample_rate_hz / 3600

        def word(address: int) -> int:
            return words[(address - regs.METER) // 4]

        def long(address: int) -> int:
            return scaling.signed_64(word(address), word(address + 4))

        def load(address: int) -> Load:  # P, Q and S follow each other
            return Load(*(long(address + 8 * k) * self._watts for k in range(3)))

        def energies(address: int, number: int) -> list[float]:
            return [long(address + 8 * k) * hours for k in range(number)]

        first = Element(
            word(regs.METER_U1_RMS) * volts,
            word(regs.METER_I1_RMS) * amps,
            load(regs.METER_P1_LO),
            *energies(regs.METER_E1_FORWARD_LO, 2),
        )
        second = Element(
            word(regs.METER_U2_RMS) * volts,
            word(regs.METER_I2_RMS) * amps,
            load(regs.METER_P2_LO),
            *energies(regs.METER_E2_FORWARD_LO, 2),
        )
        one, two, three, four = energies(regs.METER_E_Q1_LO, 4)
        return Meter(
            whole=bool(word(regs.METER_FLAGS) & 1),
            elements=(first, second),
            total=load(regs.METER_PT_LO),
            u_line_rms_v=word(regs.METER_ULINE_RMS) * volts,
            i_common_rms_a=word(regs.METER_ICOMMON_RMS) * amps,
            quadrant_varh=(one, two, three, four),
            apparent_vah=energies(regs.METER_E_APPARENT_LO, 1)[0],
        )
