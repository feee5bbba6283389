"""Fundamental values, harmonics and THD of the front-end in SI units.

Part of the driver (`hdl.driver.FrontEnd`); runs on the board's own Python too (3.10).
"""

from __future__ import annotations

import cmath
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hdl import scaling
from hdl.metering import CHANNELS, BoardPort
from hdl.regs.generated import regs
from teiden.errors import InputError, PartFailed

ORDERS = 40
RMS_STEPS = 256  # a code, of the words here
REFERENCE_WORD, PERIOD_WORD, FLAGS_WORD, WORDS = 80, 82, 83, 84


class FundamentalElement(NamedTuple):
    """One element by the fundamentals of its voltage and current over ten cycles; energies since reset."""

    u_rms_v: float  # [V]
    i_rms_a: float  # [A]
    p_w: float  # [W], negative: reverse
    q_var: float  # [var], positive: the current lags
    forward_wh: float  # each window of ten cycles counts on the side of its sign
    reverse_wh: float
    lagging_varh: float
    leading_varh: float

    @property
    def displacement_factor(self) -> float:
        """Cosine of the angle between the fundamentals; nan without power."""
        s_va = math.hypot(self.p_w, self.q_var)
        return self.p_w / s_va if s_va else math.nan


class Fundamental(NamedTuple):
    """What one snapshot holds of the latest window of ten cycles."""

    windows: int  # since reset, modulo 2**32; 0: none yet, all else is 0 then
    locked: bool  # the window's length was measured; else it is ten cycles of 50 Hz and energies stand still
    frequency_hz: float  # whose ten cycles the window is; nan before the first
    elements: tuple[FundamentalElement, FundamentalElement]


class Spectrum(NamedTuple):
    """Harmonics of one channel over one window of ten cycles; index 0 is the fundamental."""

    channel: str
    locked: bool  # the window's length was measured; else it is ten cycles of 50 Hz
    frequency_hz: float  # whose ten cycles the window is
    rms: npt.NDArray[np.float64]  # (40,) [V] or [A]
    angle_rad: npt.NDArray[np.float64]  # (40,) of a sine, 0 at the rising crossing of u1's fundamental, -pi to pi

    @property
    def thd(self) -> float:
        """Total harmonic distortion, orders 2 to 40 over the fundamental (IEC 61000-4-7, 3.3.1); nan without one."""
        first = float(self.rms[0])
        return float(np.sqrt(np.sum(self.rms[1:] ** 2))) / first if first else math.nan


def dc_removal(share: npt.NDArray[np.float64]) -> npt.NDArray[np.complex128]:
    """Return what the DC removal (td_channels) does to a tone, (n,), at shares of the sample rate, (n,).

    Its lead of 0.36 degrees at 50 Hz turns the zero of time of u1's fundamental, which the 40th sees 40 times.
    """
    turn = np.exp(-2j * np.pi * share)
    return (1 - 2**-13 + 2**-16) * (1 - turn) / (1 - (1 - 2**-12) * turn)


class Spectral:
    """Fundamental values and harmonics, to be mixed into the driver."""

    port: BoardPort
    sample_rate_hz: float
    max_a: float

    def fundamental(self) -> Fundamental:
        """Take a snapshot and return the fundamental values of the latest window of ten cycles."""
        self.port.write32(regs.SNAPSHOT, 1)
        words = [int(word) for word in self.port.read_block(regs.FUND, regs.FUND_WORDS)]

        def word(address: int) -> int:
            return words[(address - regs.FUND) // 4]

        def long(address: int) -> int:
            return word(address) | word(address + 4) << 32

        def signed(address: int) -> int:
            return scaling.signed_64(word(address), word(address + 4))

        volt, amp = scaling.CODES_PER_VOLT, scaling.codes_per_amp(self.max_a)
        watts = 1 / (volt * amp)  # of one squared code
        hours = watts * scaling.ENERGY_STEP / self.sample_rate_hz / 3600
        elements = []
        for number in (0, 1):
            powers, energies = 16 * number, 32 * number  # bytes behind those of element 1
            elements.append(
                FundamentalElement(
                    u_rms_v=word(regs.FUND_U1_RMS + 8 * number) / (RMS_STEPS * volt),
                    i_rms_a=word(regs.FUND_I1_RMS + 8 * number) / (RMS_STEPS * amp),
                    p_w=signed(regs.FUND_P1_LO + powers) * watts,
                    q_var=signed(regs.FUND_Q1_LO + powers) * watts,
                    forward_wh=long(regs.FUND_E1_FORWARD_LO + energies) * hours,
                    reverse_wh=long(regs.FUND_E1_REVERSE_LO + energies) * hours,
                    lagging_varh=long(regs.FUND_E1_LAGGING_LO + energies) * hours,
                    leading_varh=long(regs.FUND_E1_LEADING_LO + energies) * hours,
                )
            )
        return Fundamental(
            windows=word(regs.FUND_WINDOWS),
            locked=bool(word(regs.FUND_FLAGS) & 1),
            frequency_hz=scaling.hertz_from_period10(word(regs.FUND_PERIOD_10), self.sample_rate_hz),
            elements=(elements[0], elements[1]),
        )

    def start_harmonics(self, channel: str) -> None:
        """Begin with the next window of ten cycles; the result comes up to 0.5 s later (interrupt "harmonics").

        Raises
        ------
        InputError
            If there is no such channel.
        """
        if channel not in CHANNELS:
            raise InputError(f"channel {channel!r}, expected one of {', '.join(CHANNELS)}")
        word = regs.HARM_CTRL_START_MASK | CHANNELS.index(channel) << regs.HARM_CTRL_CHANNEL_SHIFT
        self.port.write32(regs.HARM_CTRL, word)

    @property
    def harmonics_ready(self) -> bool:
        """Return whether the harmonics asked for can be read."""
        return bool(self.port.read32(regs.HARM_STATUS) & regs.HARM_STATUS_DONE_MASK)

    def read_harmonics(self) -> Spectrum:
        """Return the harmonics asked for last.

        Raises
        ------
        PartFailed
            If they are not done.
        """
        if not self.harmonics_ready:
            raise PartFailed("front-end: no harmonics are done; call start_harmonics() and wait for harmonics_ready")
        words = np.asarray(self.port.read_block(regs.HARM_DATA, WORDS), np.uint32)
        flags = int(words[FLAGS_WORD])
        channel = CHANNELS[flags >> 1 & 3]
        parts = words[:PERIOD_WORD].view(np.int32).astype(np.float64)
        phasors = parts[0::2] - 1j * parts[1::2]  # orders 1 to 40, then the fundamental of u1
        frequency_hz = scaling.hertz_from_period10(int(words[PERIOD_WORD]), self.sample_rate_hz)
        orders = np.arange(1, ORDERS + 1)
        phasors /= dc_removal(np.append(orders, 1) * frequency_hz / self.sample_rate_hz)
        first_rad = cmath.phase(phasors[REFERENCE_WORD // 2])
        # From cosines of the window's own time to sines of a time that starts with u1's rising crossing.
        turned = np.angle(phasors[:ORDERS]) - orders * first_rad - (orders - 1) * np.pi / 2
        per_unit = scaling.CODES_PER_VOLT if channel.startswith("u") else scaling.codes_per_amp(self.max_a)
        return Spectrum(
            channel=channel,
            locked=bool(flags & 1),
            frequency_hz=frequency_hz,
            rms=np.abs(phasors[:ORDERS]) / (RMS_STEPS * per_unit),
            angle_rad=np.angle(np.exp(1j * turned)),
        )
