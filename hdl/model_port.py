"""The integer model as a board: the same four methods and the same inlet for samples as the compiled RTL.

It has the registers of identity, switches, voltage, detector, events, trigger and the capture of raw samples, and no
clocks: an access sees what the RTL shows between two samples. Power, spectrum, control blocks and streams are not
there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from hdl import scaling
from hdl.codes import as_rows
from hdl.model import POWER_FAIL, POWER_FAIL_CONFIRMED, POWER_FAIL_WITHDRAWN, POWER_RETURN, FrontEndModel
from hdl.model_capture import COMMAND, EDGE, EVENT, SUSPECT, Capture
from hdl.model_settings import RESET_WORDS, settings_of
from hdl.model_trigger import TriggerLine
from hdl.regs.generated import regs
from teiden.errors import InputError

IDENTITY, VERSION = 0x54454944, 1 << regs.VERSION_MAJOR_SHIFT | 2  # as in hdl/regs/teiden_frontend.rdl
LEAST_CLOCKS = 64
FIFO_DEPTH = 16
RAILS = (scaling.CODE_MIN, scaling.CODE_MAX)
SATURATED = (
    regs.STATUS_SATURATED_MASK,
    regs.STATUS_CURRENT_SATURATED_MASK,
    regs.STATUS_U2_SATURATED_MASK,
    regs.STATUS_I2_SATURATED_MASK,
)
STAMPED = {
    POWER_FAIL: regs.SUSPECT_LO,
    POWER_FAIL_CONFIRMED: regs.CONFIRMED_LO,
    POWER_FAIL_WITHDRAWN: regs.WITHDRAWN_LO,
    POWER_RETURN: regs.RETURN_LO,
}
SETTINGS = {
    **RESET_WORDS,
    regs.IRQ_ENABLE: 0,
    regs.CTRL: 0,
    regs.CAP_POST: regs.CAP_DATA_WORDS // 2,
    regs.CAP_PRE: regs.CAP_DATA_WORDS - 1,
    regs.CAP_ENABLE: SUSPECT,
    regs.CAP_WINDOW: 0,
    regs.CAP_STREAM: regs.CAP_STREAM_CHANNELS_MASK,
    regs.CAP_MODE: 0,
}
LACKING = regs.IRQ_STATUS_WINDOW_MASK | regs.IRQ_STATUS_HARMONICS_MASK  # causes that the model never has
WORD = 0xFFFFFFFF


class ModelFrontEnd:
    """One front-end whose time moves only in `push`.

    Parameters
    ----------
    clocks_per_sample : int
        Clocks between two samples, 64 or more: the unit in which trigger edges are stamped.

    Raises
    ------
    InputError
        If there are too few clocks.
    """

    sample_rate_hz = scaling.SAMPLE_RATE_HZ

    def __init__(self, clocks_per_sample: int = LEAST_CLOCKS):
        if clocks_per_sample < LEAST_CLOCKS:
            raise InputError(f"clocks_per_sample = {clocks_per_sample}, expected {LEAST_CLOCKS} or more")
        self.clocks_per_sample = clocks_per_sample
        self._model = FrontEndModel(detect_on=False)
        self._words = dict(SETTINGS)
        self._flags = {regs.STATUS: 0, regs.IRQ_STATUS: 0}
        self._events: deque[tuple[int, int, int, int]] = deque()  # kind, sample, Urms(1/2), extreme
        self._stamps = dict.fromkeys(STAMPED, (0, 0))  # sample and count of the latest event of a kind
        self._trigger = TriggerLine(clocks_per_sample)
        self._capture = Capture(regs.CAP_DATA_WORDS)
        self._latched = dict.fromkeys(self._snapshot(), 0)
        self._acts: dict[int, Callable[[int], None]] = {
            regs.STATUS: lambda value: self._clear(regs.STATUS, value),
            regs.IRQ_STATUS: lambda value: self._clear(regs.IRQ_STATUS, value),
            regs.SNAPSHOT: self._take_snapshot,
            regs.EVENT_POP: self._pop,
            regs.CAP_CTRL: self._command,
        }

    # --- the four methods of a board

    def read32(self, address: int) -> int:
        """Return the register at a byte address."""
        for there in (self._latched, self._words):
            if address in there:
                return there[address]
        live = self._live()
        if address not in live:
            raise _unknown(address)
        return live[address]

    def write32(self, address: int, value: int) -> None:
        """Write 32 bits to a byte address."""
        value &= WORD
        if address in self._acts:
            self._acts[address](value)
        elif address in self._words:
            self._set(address, value)
        else:
            raise _unknown(address)

    def wait_irq(self, timeout_s: float) -> bool:
        """Return the level of the interrupt line, at once: simulated time does not move here."""
        del timeout_s
        return bool(self._flags[regs.IRQ_STATUS] & self._words[regs.IRQ_ENABLE])

    def read_block(self, address: int, count: int) -> npt.NDArray[np.uint32]:
        """Return ``count`` words from consecutive byte addresses, (count,) uint32."""
        first = (address - regs.CAP_DATA) // 4
        if 0 <= first <= first + count <= regs.CAP_DATA_WORDS and not address % 4:
            return self._captured(first, count)
        return np.array([self.read32(address + 4 * k) for k in range(count)], np.uint32)

    # --- the inlet

    def push(
        self,
        samples: npt.ArrayLike,
        trigger: tuple[int, int] | None = None,
        stop_on_irq: bool = False,
        currents: npt.ArrayLike | None = None,
    ) -> int:
        """Give the front-end samples and return how many it took, as `hdl.sim.frontend.CompiledFrontEnd.push`."""
        rows = as_rows(samples, currents)
        at, clock = (-1, 0) if trigger is None else trigger
        if trigger is not None and not (0 <= at < len(rows) and 0 <= clock < self.clocks_per_sample):
            raise InputError(
                f"trigger = {trigger}, expected a sample below {len(rows)} and a clock below {self.clocks_per_sample}"
            )
        for place, row in enumerate(rows.tolist()):
            line = self.wait_irq(0.0)
            self._step(row, clock if place == at else None)
            if stop_on_irq and self.wait_irq(0.0) and not line:
                return place + 1
        return len(rows)

    def close(self) -> None:
        """Do nothing: all of the model is in this process."""

    def _step(self, row: Sequence[int], edge_clock: int | None) -> None:
        """Take one sample and what follows from it."""
        model, index = self._model, self._model.samples
        published, made = len(model.published), len(model.events)
        for mask, code in zip(SATURATED, row, strict=True):
            if code in RAILS:
                self._flags[regs.STATUS] |= mask
        model.push_rows((row,))
        running = not self._capture.frozen
        self._capture.entry((row[0], row[1], row[2], row[3]), index)
        causes = 0
        for place in range(made, len(model.events)):
            causes |= self._event(*model.events[place], model.extremes.get(place, 0))
        if self._trigger.sample(index, edge_clock):
            causes |= EDGE
        self._capture.fire(causes, index)
        self._flags[regs.IRQ_STATUS] |= (
            (causes & EVENT and regs.IRQ_STATUS_EVENT_IN_MASK)
            | (causes & EDGE and regs.IRQ_STATUS_TRIGGER_MASK)
            | (len(model.published) > published and regs.IRQ_STATUS_HALF_CYCLE_MASK)
            | (running and self._capture.frozen and regs.IRQ_STATUS_CAPTURE_MASK)
        )

    def _event(self, kind: int, sample: int, urms: int, extreme: int) -> int:
        """Queue an event, if there is room, and return what it is for the capture."""
        if len(self._events) < FIFO_DEPTH:
            self._events.append((kind, sample, urms, extreme))
        else:
            self._flags[regs.STATUS] |= regs.STATUS_EVENT_OVERFLOW_MASK
        if kind in STAMPED:
            self._stamps[kind] = sample, self._stamps[kind][1] + 1 & 0xFFFF
        return EVENT | (SUSPECT if kind == POWER_FAIL else 0)

    # --- what registers show

    def _live(self) -> dict[int, int]:
        """Return the registers that show this moment."""
        shown, capture = self._model.shown, self._capture
        kind, sample, urms, extreme = self._events[0] if self._events else (0, 0, 0, 0)
        live = (
            self._model.zero_cross.lost << regs.STATUS_CROSSING_LOST_SHIFT
            | shown.urms_valid << regs.STATUS_URMS_VALID_SHIFT
            | (shown.period10 != 0) << regs.STATUS_PERIOD_VALID_SHIFT
        )
        return {
            regs.ID: IDENTITY,
            regs.VERSION: VERSION,
            regs.MAP_HASH: regs.MAP_HASH_EXPECTED,
            regs.STATUS: self._flags[regs.STATUS] | live,
            regs.IRQ_STATUS: self._flags[regs.IRQ_STATUS],
            regs.EVENT: kind | len(self._events) << regs.EVENT_WAITING_SHIFT,
            **_pair(regs.EVENT_LO, sample),
            regs.EVENT_URMS: urms,
            regs.EVENT_EXTREME: extreme,
            regs.EVENT_EXTRA: 0,
            regs.CAP_STATUS: capture.frozen | len(capture.entries) << regs.CAP_STATUS_COUNT_SHIFT,
            **_pair(regs.CAP_FIRST_LO, capture.first),
            regs.CAP_CAUSE: capture.cause | capture.before << regs.CAP_CAUSE_EARLIER_SHIFT,
            **_pair(regs.CAP_TRIG_LO, capture.trigger),
        }

    def _snapshot(self) -> dict[int, int]:
        """Return the registers that a snapshot latches, as they are now."""
        model, shown, detector = self._model, self._model.shown, self._model.power_fail
        whole, fraction = divmod(shown.cross, scaling.FRACTION_STEPS)
        words = {
            **_pair(regs.SAMPLE_LO, model.samples),
            regs.HALF_COUNT: shown.half_cycles,
            regs.U_HALF: shown.u_half,
            regs.URMS_HALF: shown.urms,
            regs.PERIOD_10: shown.period10,
            **_pair(regs.CROSS_LO, whole, fraction),
            regs.ENVELOPE: detector.envelope,
            regs.DET_STATE: detector.state
            | detector.below << regs.DET_STATE_BELOW_SHIFT
            | shown.period << regs.DET_STATE_PERIOD_SHIFT,
            **_pair(regs.TRIG_LO, self._trigger.stamp[0], self._trigger.count),
            regs.TRIG_TICKS: self._trigger.stamp[1],
            regs.TICKS_PER_SAMPLE: self.clocks_per_sample if model.samples > 1 else model.samples,
        }
        for kind, (sample, count) in self._stamps.items():
            words |= _pair(STAMPED[kind], sample, count)
        return words

    def _captured(self, first: int, count: int) -> npt.NDArray[np.uint32]:
        """Return words of the frozen capture's window, oldest first; 0 behind its end."""
        channel = self._words[regs.CAP_WINDOW]
        codes = [entry[channel] for entry in self._capture.entries[first : first + count]]
        words = np.zeros(count, np.int32)
        words[: len(codes)] = codes
        return words.view(np.uint32)

    # --- what writes do

    def _set(self, address: int, value: int) -> None:
        if address == regs.IRQ_ENABLE and value & LACKING:
            raise InputError("integer model: no spectrum, so neither window nor harmonics raise the line")
        if address == regs.CAP_MODE and value:
            raise InputError("integer model: no capture of points (CAP_MODE), expected one of raw samples")
        self._words[address] = value
        model, words, capture = self._model, self._words, self._capture
        model.detect_on = bool(words[regs.CTRL] & regs.CTRL_DETECT_MASK)
        model.quality_on = bool(words[regs.CTRL] & regs.CTRL_QUALITY_MASK)
        model.set(settings_of(words.__getitem__))
        if capture.running:  # a trigger has latched them
            capture.enabled, capture.pre, capture.post = (
                words[register] for register in (regs.CAP_ENABLE, regs.CAP_PRE, regs.CAP_POST)
            )

    def _clear(self, address: int, value: int) -> None:
        self._flags[address] &= ~value

    def _take_snapshot(self, value: int) -> None:
        if value & 1:
            self._latched = self._snapshot()

    def _pop(self, value: int) -> None:
        if value & 1 and self._events:
            self._events.popleft()

    def _command(self, value: int) -> None:
        """Arm, freeze or trigger the capture."""
        newest = max(self._model.samples - 1, 0)
        running = not self._capture.frozen
        if value & regs.CAP_CTRL_STREAM_MASK:
            raise InputError("integer model: no stream of captures, expected reads of the window")
        if value & regs.CAP_CTRL_TRIGGER_MASK:
            self._capture.fire(COMMAND, newest)
        if value & regs.CAP_CTRL_FREEZE_MASK:
            self._capture.freeze(newest)
        if running and self._capture.frozen:
            self._flags[regs.IRQ_STATUS] |= regs.IRQ_STATUS_CAPTURE_MASK
        if value & regs.CAP_CTRL_ARM_MASK:
            old, words = self._capture, self._words
            self._capture = Capture(
                old.depth,
                words[regs.CAP_PRE],
                words[regs.CAP_POST],
                words[regs.CAP_ENABLE],
                first=old.first,
                trigger=old.trigger,
            )


def _pair(low_address: int, number: int, extra: int = 0) -> dict[int, int]:
    """Return the two words of a 48-bit number, with 16 bits more in the upper half of the second."""
    return {low_address: number & WORD, low_address + 4: number >> 32 & 0xFFFF | extra << 16}


def _unknown(address: int) -> InputError:
    return InputError(f"integer model: no register at 0x{address:04X}; the compiled RTL (compiled) has all of them")
