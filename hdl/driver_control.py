"""Driver of the control blocks in SI units: ampere limit, Last Gasp, hold-up capacitor, lock, intervals.

Runs on the board's own Python too (3.10).
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

from hdl import scaling
from hdl.metering import BoardPort
from hdl.regs.generated import regs
from teiden.errors import InputError, PartFailed

CONTROL_KINDS = {
    11: "rvc_start",
    12: "rvc_end",
    13: "overcurrent_start",
    14: "overcurrent_end",
    15: "limit_trip",
    16: "limit_reclose",
    17: "limit_lockout",
    18: "limit_release",
    19: "last_gasp",
    20: "holdup_low",
    21: "checksum_error",
    22: "crossing_lost",
}
RVC_KINDS, CURRENT_KINDS = ("rvc_start", "rvc_end"), ("overcurrent_start", "overcurrent_end")
DISCARDED = 1 << 31
LIMIT_STATES = ("closed", "open", "locked_out")
LAST_GASP_STATES = ("idle", "suspected", "declared", "sent", "returned")
MISUSE = ("duplicate", "refused", "tick", "locked_write", "unmapped", "checksum", "crossing", "holdup")
UNLOCK_KEYS, LOCK_KEY = (0x6B657931, 0x6B657932), 0x6C6F636B
INTERVAL_STEP = 1 << 38  # squared codes x sample
RING_RECORDS, RECORD_WORDS = 60, 8
RECORDS = {5: 60, 15: 61, 30: 62}  # of the latest interval of so many minutes
WHOLE, FROZEN = 1 << 16, 1 << 17
HOLDUP_CODES = 1 << 12
TRIES = 8  # trips until it locks out, as in Japan's meters (DOMAIN.md 4.1 of the project's notes)
RECLOSE_S = 10.0  # they re-close after 10 to 15 s
TRIP_S, CLEAR_S = 10.0, 600.0  # assumed
DECLARE_S = 1.0  # assumed: longer than a reclosing that is over at once
RVC_PU = 0.05  # of nominal; IEC 61000-4-30 (2015), 5.11.2 leaves it to the user, the hysteresis to half of it


class Detail(NamedTuple):
    """What goes with an event of a control block.

    ``value`` and ``extra``: rvc_start the voltage and the mean before it [V]; rvc_end dUmax and dUss [V];
    overcurrent the largest current [A] and the duration [s]; limit_* the current and the limit [A];
    last_gasp and holdup_low the usable energy as `Control.holdup` scales it (register units) and the time since
    the suspicion [s]; checksum_error both checksums.
    """

    value: float
    extra: float
    discarded: bool = False  # rvc_end: a dip or swell came in between


class LimitState(NamedTuple):
    """The ampere limit."""

    state: str  # closed, open, locked_out
    tries: int  # trips of this series
    limit_a: float | None  # applied; None: no limit
    current_a: float  # compared with it
    pending: bool
    applied_id: int  # of the command that set the limit
    applied_sample: int  # newest sample then
    last_id: int  # of the command accepted last
    overcurrent: bool


class LastGaspState(NamedTuple):
    """The Last Gasp; onset and return are 0 before the first."""

    state: str  # idle, suspected, declared, sent, returned
    onset: float  # estimated, in samples from reset
    return_sample: int
    declared: int  # declarations modulo 256
    momentary: int  # confirmed interruptions that were over before the declaration, modulo 65536
    frozen: bool  # energies stand still


class Interval(NamedTuple):
    """Energies of one interval."""

    tick: int  # number of the time tick that ended it
    end_sample: int
    duration_s: float
    forward_wh: float
    reverse_wh: float
    lagging_varh: float
    leading_varh: float
    whole: bool  # it began with a tick and has as many as its length
    frozen: bool  # energies stood still in it; what was missed comes in the next


class LockState(NamedTuple):
    """Write lock and checksum of the locked registers."""

    locked: bool
    reference: int | None  # checksum when they were locked, once it was taken
    checksum: int  # of the last pass
    mismatch: bool


class Control:
    """The control blocks behind a port; a part of `hdl.driver.FrontEnd`."""

    port: BoardPort
    sample_rate_hz: float
    max_a: float

    # ---- switches and limits ----------------------------------------------------------------------
    def configure_rapid_change(
        self, nominal_hz: float = 50, nominal_v: float = 100, threshold_pu: float = RVC_PU
    ) -> None:
        """Watch for rapid voltage changes beyond ``threshold_pu`` of nominal, hysteresis half of it; switches it on.

        Raises
        ------
        InputError
            If the frequency is not 50 or 60 Hz, or the threshold not within 0.01 to 0.1.
        """
        if nominal_hz not in (50, 60):
            raise InputError(f"nominal_hz = {nominal_hz:g}, expected 50 or 60")
        if not 0.01 <= threshold_pu <= 0.1:
            raise InputError(f"threshold_pu = {threshold_pu:g}, expected 0.01 to 0.1")
        self._switch(regs.CONTROL_RAPID_CHANGE_MASK, False)
        self.port.write32(regs.RVC_WINDOW, int(2 * nominal_hz))
        self.port.write32(regs.RVC_THRESHOLD, scaling.rms_from_volts(threshold_pu * nominal_v))
        self.port.write32(regs.RVC_HYSTERESIS, scaling.rms_from_volts(threshold_pu / 2 * nominal_v))
        self._switch(regs.CONTROL_RAPID_CHANGE_MASK, True)

    def configure_overcurrent(self, threshold_a: float, hysteresis_a: float = 0.0) -> None:
        """Make events of an RMS current of either pole above ``threshold_a``, back at ``hysteresis_a`` below."""
        if not 0 <= hysteresis_a < threshold_a:
            raise InputError(f"hysteresis_a = {hysteresis_a:g}, expected 0 to below threshold_a = {threshold_a:g}")
        self.port.write32(regs.OC_THRESHOLD, self._rms_from_amps("threshold_a", threshold_a))
        self.port.write32(regs.OC_HYSTERESIS, self._rms_from_amps("hysteresis_a", hysteresis_a))
        self._switch(regs.CONTROL_OVERCURRENT_MASK, True)

    def configure_limit(
        self,
        trip_s: float = TRIP_S,
        reclose_s: float = RECLOSE_S,
        clear_s: float = CLEAR_S,
        tries: int = TRIES,
        sum_of_poles: bool = False,
        least_a: float = 0.0,
        most_a: float | None = None,
    ) -> None:
        """Set up the ampere limit and switch it on; what the limit is, a command says.

        Parameters
        ----------
        trip_s, reclose_s, clear_s : float
            How long the current must be above the limit to trip, how long the breaker stays open, how long
            the current must then be below to begin a new series of trips [s].
        tries : int
            1 to 15; the trip of this number in a series locks out.
        sum_of_poles : bool
            Compare the sum of both poles' RMS currents instead of the larger.
        least_a, most_a : float
            Limits that a command may set [A]; 0 A (no limit) always.
        """
        if not 1 <= tries <= 15:
            raise InputError(f"tries = {tries}, expected 1 to 15")
        most_a = 2 * self.max_a if most_a is None else most_a
        if not 0 <= least_a <= most_a:
            raise InputError(f"least_a = {least_a:g}, expected 0 to most_a = {most_a:g}")
        self.port.write32(regs.LIM_TRIP, self._samples("trip_s", trip_s))
        self.port.write32(regs.LIM_RECLOSE, self._samples("reclose_s", reclose_s))
        self.port.write32(regs.LIM_CLEAR, self._samples("clear_s", clear_s))
        self.port.write32(regs.LIM_MODE, tries | sum_of_poles << regs.LIM_MODE_SUM_SHIFT)
        self.port.write32(regs.LIM_MIN, self._rms_from_amps("least_a", least_a))
        self.port.write32(regs.LIM_MAX, self._rms_from_amps("most_a", most_a))
        self._switch(regs.CONTROL_LIMITER_MASK, True)

    def configure_last_gasp(self, declare_s: float = DECLARE_S, freeze: bool = True) -> None:
        """Declare a confirmed loss ``declare_s`` after its suspicion; ``freeze``: energies stand still meanwhile."""
        self.port.write32(regs.LG_DECLARE, self._samples("declare_s", declare_s))
        self._switch(regs.CONTROL_FREEZE_MASK, freeze)
        self._switch(regs.CONTROL_LAST_GASP_MASK, True)

    def configure_holdup(self, full_scale_v: float, low_v: float, stop_v: float, hysteresis_v: float = 0.1) -> None:
        """Watch the hold-up capacitor; ``full_scale_v`` is ADC code 4096, below ``stop_v`` it is of no use."""
        if not 0 <= stop_v <= low_v < full_scale_v:
            raise InputError(
                f"stop_v = {stop_v:g}, low_v = {low_v:g}: expected 0 <= stop_v <= low_v < {full_scale_v:g} V"
            )
        low, stop, back = (round(volts / full_scale_v * HOLDUP_CODES) for volts in (low_v, stop_v, hysteresis_v))
        self.port.write32(regs.HOLD_LOW, low | back << regs.HOLD_LOW_HYSTERESIS_SHIFT)
        self.port.write32(regs.HOLD_STOP, stop)
        self._switch(regs.CONTROL_HOLDUP_MASK, True)

    def watch_crossings(self, on: bool = True) -> None:
        """Make an event when the zero crossings are lost."""
        self._switch(regs.CONTROL_CROSSING_MASK, on)

    # ---- ampere limit -------------------------------------------------------------------------------
    def limit_now(self, limit_a: float | None, command_id: int) -> str:
        """Apply a limit (None: none) and return accepted, duplicate or refused."""
        return self._command(regs.LIM_COMMAND_APPLY_MASK, command_id, limit_a)

    def limit_at(self, limit_a: float | None, sample: int, command_id: int) -> str:
        """Apply a limit when the sample of that number has come."""
        return self._command(regs.LIM_COMMAND_SCHEDULE_MASK, command_id, limit_a, sample)

    def limit_after_ticks(self, limit_a: float | None, ticks: int, command_id: int) -> str:
        """Apply a limit after so many time ticks, 1 to 65535."""
        if not 1 <= ticks <= 0xFFFF:
            raise InputError(f"ticks = {ticks}, expected 1 to 65535")
        return self._command(regs.LIM_COMMAND_SCHEDULE_TICK_MASK, command_id, limit_a, ticks)

    def cancel_limit(self, command_id: int) -> str:
        """Drop the scheduled limit."""
        return self._command(regs.LIM_COMMAND_CANCEL_MASK, command_id)

    def release_breaker(self, command_id: int) -> str:
        """Close the breaker and end a lock-out."""
        return self._command(regs.LIM_COMMAND_RELEASE_IN_MASK, command_id)

    def limit_state(self) -> LimitState:
        """Return the state of the ampere limit, the applied limit read back with its command and time."""
        while True:
            before = self.port.read32(regs.LIM_APPLIED_HI)
            limit, low = self.port.read32(regs.LIM_APPLIED), self.port.read32(regs.LIM_APPLIED_LO)
            word, current = self.port.read32(regs.LIM_STATE), self.port.read32(regs.LIM_CURRENT)
            if before == self.port.read32(regs.LIM_APPLIED_HI) and low == self.port.read32(regs.LIM_APPLIED_LO):
                break
        return LimitState(
            state=LIMIT_STATES[word & regs.LIM_STATE_STATE_MASK],
            tries=(word & regs.LIM_STATE_TRIES_MASK) >> regs.LIM_STATE_TRIES_SHIFT,
            limit_a=self._amps_from_rms(limit) if limit else None,
            current_a=self._amps_from_rms(current),
            pending=bool(word & regs.LIM_STATE_PENDING_MASK),
            applied_id=before >> regs.LIM_APPLIED_HI_ID_SHIFT,
            applied_sample=(before & regs.LIM_APPLIED_HI_SAMPLE_MASK) << 32 | low,
            last_id=word >> regs.LIM_STATE_ID_SHIFT,
            overcurrent=bool(word & regs.LIM_STATE_OVERCURRENT_MASK),
        )

    def _command(self, operation: int, command_id: int, limit_a: float | None = None, at: int = 0) -> str:
        if not 0 <= command_id <= 0xFFFF:
            raise InputError(f"command_id = {command_id}, expected 0 to 65535")
        if not 0 <= at < 1 << 48:
            raise InputError(f"sample = {at}, expected 0 to below 2**48")
        flags = regs.MISUSE_DUPLICATE_MASK | regs.MISUSE_REFUSED_MASK
        self.port.write32(regs.MISUSE, flags)  # of the commands before
        self.port.write32(regs.LIM_VALUE, self._rms_from_amps("limit_a", limit_a or 0.0))
        self.port.write32(regs.LIM_AT_LO, at & 0xFFFFFFFF)
        self.port.write32(regs.LIM_AT_HI, at >> 32)
        self.port.write32(regs.LIM_COMMAND, operation | command_id << regs.LIM_COMMAND_ID_SHIFT)
        found = self.port.read32(regs.MISUSE)
        if found & regs.MISUSE_DUPLICATE_MASK:
            return "duplicate"
        return "refused" if found & regs.MISUSE_REFUSED_MASK else "accepted"

    # ---- Last Gasp and hold-up capacitor --------------------------------------------------------------
    def last_gasp(self) -> LastGaspState:
        """Return the state of the Last Gasp."""
        while True:
            word = self.port.read32(regs.LG_STATE)
            low, high = self.port.read32(regs.LG_ONSET_LO), self.port.read32(regs.LG_ONSET_HI)
            back_low, back_high = self.port.read32(regs.LG_RETURN_LO), self.port.read32(regs.LG_RETURN_HI)
            if word == self.port.read32(regs.LG_STATE):
                break
        onset = (high & regs.LG_ONSET_HI_SAMPLE_MASK) << 32 | low
        return LastGaspState(
            state=LAST_GASP_STATES[word & regs.LG_STATE_STATE_MASK],
            onset=onset + (high >> regs.LG_ONSET_HI_FRACTION_SHIFT) / scaling.FRACTION_STEPS,
            return_sample=back_low | back_high << 32,
            declared=(word & regs.LG_STATE_DECLARED_MASK) >> regs.LG_STATE_DECLARED_SHIFT,
            momentary=word >> regs.LG_STATE_MOMENTARY_SHIFT,
            frozen=bool(word & regs.LG_STATE_FROZEN_MASK),
        )

    def last_gasp_sent(self) -> None:
        """Tell that the message is on its way: the line falls."""
        self.port.write32(regs.LG_COMMAND, regs.LG_COMMAND_SENT_MASK)

    def return_reported(self) -> None:
        """Tell that the return is reported: idle again."""
        self.port.write32(regs.LG_COMMAND, regs.LG_COMMAND_CLEAR_MASK)

    def holdup(self, full_scale_v: float, capacitance_f: float) -> tuple[float, float, bool]:
        """Return voltage [V], usable energy [J] and whether the hold-up capacitor is low."""
        word = self.port.read32(regs.HOLD_CODE)
        step_v = full_scale_v / HOLDUP_CODES
        energy_j = self.port.read32(regs.HOLD_ENERGY) * 0.5 * capacitance_f * step_v**2
        return (word & regs.HOLD_CODE_CODE_MASK) * step_v, energy_j, bool(word & regs.HOLD_CODE_LOW_MASK)

    # ---- write lock -------------------------------------------------------------------------------------
    def lock(self) -> int:
        """Lock calibration and limits against writing and return the checksum they must keep."""
        self.port.write32(regs.GUARD_KEY, LOCK_KEY)
        if not self.lock_state().locked:
            raise PartFailed("front-end: still unlocked after the lock key; is GUARD_KEY written as a whole word?")
        words = (self.port.read32(address) for address in sorted(regs.LOCKED))
        return zlib.crc32(b"".join(word.to_bytes(4, "little") for word in words))

    def unlock(self) -> None:
        """Write both keys."""
        for key in UNLOCK_KEYS:
            self.port.write32(regs.GUARD_KEY, key)

    def lock_state(self) -> LockState:
        """Return the state of lock and checksum; the reference is there two passes after locking at the latest."""
        word = self.port.read32(regs.GUARD_STATE)
        learned = bool(word & regs.GUARD_STATE_LEARNED_MASK)
        return LockState(
            locked=bool(word & regs.GUARD_STATE_LOCKED_MASK),
            reference=self.port.read32(regs.GUARD_REFERENCE) if learned else None,
            checksum=self.port.read32(regs.GUARD_CRC),
            mismatch=bool(word & regs.GUARD_STATE_MISMATCH_MASK),
        )

    def misuse(self) -> set[str]:
        """Return the sticky flags of misuse and trouble: names of MISUSE."""
        word = self.port.read32(regs.MISUSE)
        return {name for place, name in enumerate(MISUSE) if word >> place & 1}

    def clear_misuse(self) -> None:
        """Clear them."""
        self.port.write32(regs.MISUSE, (1 << len(MISUSE)) - 1)

    # ---- intervals --------------------------------------------------------------------------------------
    def end_minute(self) -> None:
        """Give the time tick by register: the minute ends with the next sample."""
        self.port.write32(regs.INT_TICK, regs.INT_TICK_TICK_MASK)

    def align_minutes(self, minute: int) -> None:
        """Tell which minute of the half hour, 0 to 29, now runs."""
        if not 0 <= minute <= 29:
            raise InputError(f"minute = {minute}, expected 0 to 29")
        self.port.write32(regs.INT_TICK, regs.INT_TICK_ALIGN_MASK | minute << regs.INT_TICK_MINUTE_SHIFT)

    def minutes(self) -> list[Interval]:
        """Return the minutes in the ring, oldest first, up to 60."""
        while True:
            ticks, state = self.port.read32(regs.INT_TICKS), self.port.read32(regs.INT_STATE)
            newest = state & regs.INT_STATE_NEWEST_MASK
            count = (state & regs.INT_STATE_COUNT_MASK) >> regs.INT_STATE_COUNT_SHIFT
            places = [(newest - back) % RING_RECORDS for back in reversed(range(count))]
            found = [self._interval(place) for place in places]
            if not state & regs.INT_STATE_BUSY_MASK and ticks == self.port.read32(regs.INT_TICKS):
                return found

    def interval(self, minutes: int) -> Interval | None:
        """Return the latest interval of 5, 15 or 30 minutes, None before the first."""
        if minutes not in RECORDS:
            raise InputError(f"minutes = {minutes}, expected 5, 15 or 30")
        place = list(RECORDS).index(minutes)
        while True:
            ticks, state = self.port.read32(regs.INT_TICKS), self.port.read32(regs.INT_STATE)
            if not state >> (regs.INT_STATE_LATEST_SHIFT + place) & 1:
                return None
            found = self._interval(RECORDS[minutes])
            if not state & regs.INT_STATE_BUSY_MASK and ticks == self.port.read32(regs.INT_TICKS):
                return found

    def _interval(self, record: int) -> Interval:
        block = self.port.read_block(regs.INT_DATA + 4 * RECORD_WORDS * record, RECORD_WORDS)
        words = [int(word) for word in block]
        watts = 1 / (scaling.CODES_PER_VOLT * scaling.codes_per_amp(self.max_a))  # of one squared code
        hours = watts * INTERVAL_STEP / self.sample_rate_hz / 3600
        return Interval(
            tick=words[7],
            end_sample=words[5] | (words[6] & 0xFFFF) << 32,
            duration_s=words[4] / self.sample_rate_hz,
            forward_wh=words[0] * hours,
            reverse_wh=words[1] * hours,
            lagging_varh=words[2] * hours,
            leading_varh=words[3] * hours,
            whole=bool(words[6] & WHOLE),
            frozen=bool(words[6] & FROZEN),
        )

    # ---- scales -----------------------------------------------------------------------------------------
    def control_detail(self, kind: str, value: int, extra: int) -> Detail:
        """Return what EVENT_EXTREME and EVENT_EXTRA say about an event of a control block."""
        if kind in RVC_KINDS:
            return Detail(
                scaling.volts_from_rms(value), scaling.volts_from_rms(extra & ~DISCARDED), bool(extra & DISCARDED)
            )
        if kind in CURRENT_KINDS:
            return Detail(self._amps_from_rms(value), extra / self.sample_rate_hz)
        if kind.startswith("limit_"):
            return Detail(self._amps_from_rms(value), self._amps_from_rms(extra))
        return Detail(value, extra / self.sample_rate_hz if kind == "last_gasp" else extra)

    def _switch(self, mask: int, on: bool) -> None:
        word = self.port.read32(regs.CONTROL)
        word = word | mask if on else word & ~mask
        self.port.write32(regs.CONTROL, word)
        if self.port.read32(regs.CONTROL) != word:
            raise PartFailed("front-end: the registers are locked; call unlock() before configuring")

    def _amps_from_rms(self, register: int) -> float:
        return register / (scaling.RMS_STEPS_PER_CODE * scaling.codes_per_amp(self.max_a))

    def _rms_from_amps(self, name: str, amps: float) -> int:
        register = round(amps * scaling.RMS_STEPS_PER_CODE * scaling.codes_per_amp(self.max_a))
        if not 0 <= register < 1 << 29:
            raise InputError(f"{name} = {amps:g}, expected 0 to {self._amps_from_rms((1 << 29) - 1):.0f} A")
        return register

    def _samples(self, name: str, seconds: float) -> int:
        samples = round(seconds * self.sample_rate_hz)
        if not 1 <= samples < 1 << 28:
            raise InputError(f"{name} = {seconds:g}, expected {1 / self.sample_rate_hz:g} to 33554 s")
        return samples
