"""Capture of four channels on any port: triggers, lengths, window reads; and the source of the samples.

Runs on the board's own Python too (3.10), so it knows nothing of the simulator.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hdl.driver import BoardPort
from hdl.regs.generated import regs
from teiden.errors import InputError, PartFailed

CHANNELS = ("u1", "i1", "u2", "i2")
TRIGGERS = {
    "suspect": regs.CAP_ENABLE_SUSPECT_MASK,
    "event": regs.CAP_ENABLE_EVENT_IN_MASK,
    "trigger": regs.CAP_ENABLE_TRIGGER_MASK,
}
CAUSES = {
    "suspect": regs.CAP_CAUSE_SUSPECT_MASK,
    "event": regs.CAP_CAUSE_EVENT_IN_MASK,
    "trigger": regs.CAP_CAUSE_TRIGGER_MASK,
    "command": regs.CAP_CAUSE_COMMAND_MASK,
}
SOURCES = {"parallel": 0, "spi": 1, "sigma_delta": 2}
INGRESS_FLAGS = {
    "crc_error": regs.ING_STATUS_CRC_ERROR_MASK,
    "setup_error": regs.ING_STATUS_SETUP_ERROR_MASK,
    "adc_reset": regs.ING_STATUS_ADC_RESET_MASK,
    "late": regs.ING_STATUS_LATE_MASK,
    "silent": regs.ING_STATUS_SILENT_MASK,
    "bit_overrun": regs.ING_STATUS_BIT_OVERRUN_MASK,
    "limited": regs.ING_STATUS_LIMITED_MASK,
    "u1_clipped": regs.ING_STATUS_U1_CLIPPED_MASK,
    "i1_clipped": regs.ING_STATUS_I1_CLIPPED_MASK,
    "u2_clipped": regs.ING_STATUS_U2_CLIPPED_MASK,
    "i2_clipped": regs.ING_STATUS_I2_CLIPPED_MASK,
}
RING_ENTRIES = regs.CAP_DATA_WORDS


class Record(NamedTuple):
    """A frozen capture."""

    codes: npt.NDArray[np.int32]  # (entries, channels), oldest first; samples, or points of 128 a cycle
    channels: tuple[str, ...]
    first_sample: int  # number of the oldest sample; of no meaning for points
    trigger_sample: int  # the newest sample when the trigger came
    before: int  # entries up to the trigger
    causes: frozenset[str]  # empty: frozen by hand


class CaptureControl:
    """The capture behind a port."""

    def __init__(self, port: BoardPort):
        self.port = port

    def arm(
        self,
        pre_samples: int = RING_ENTRIES - 1,
        post_samples: int = RING_ENTRIES // 2,
        triggers: Iterable[str] = ("suspect",),
        stream: Iterable[str] | None = None,
        points: bool = False,
    ) -> None:
        """Start recording, until a trigger and ``post_samples`` more.

        Parameters
        ----------
        pre_samples, post_samples : int
            Samples kept from before the trigger, beside the newest then, and recorded after it, 0 to 4095.
            Together at most 4096 are kept, the latest.
        triggers : iterable of str
            Any of suspect, event, trigger (the input); `trigger` works always.
        stream : iterable of str, optional
            Channels sent on the stream as soon as the ring freezes; left out: none.
        points : bool
            Record 128 points a cycle, calibrated and without DC, instead of samples; the lengths then count points.

        Raises
        ------
        InputError
            If a name or a number is none of these.
        """
        for name, value in (("pre_samples", pre_samples), ("post_samples", post_samples)):
            if not 0 <= value < RING_ENTRIES:
                raise InputError(f"{name} = {value}, expected 0 to {RING_ENTRIES - 1}")
        enable = 0
        for name in triggers:
            if name not in TRIGGERS:
                raise InputError(f"trigger {name!r}, expected any of {', '.join(TRIGGERS)}")
            enable |= TRIGGERS[name]
        mask = 0 if stream is None else _channel_mask(stream)
        self._wait_for_stream()
        self.port.write32(regs.CAP_ENABLE, enable)
        self.port.write32(regs.CAP_PRE, pre_samples)
        self.port.write32(regs.CAP_POST, post_samples)
        self.port.write32(regs.CAP_STREAM, mask | (regs.CAP_STREAM_AUTO_MASK if mask else 0))
        self.port.write32(regs.CAP_MODE, regs.CAP_MODE_POINTS_MASK if points else 0)
        self.port.write32(regs.CAP_CTRL, regs.CAP_CTRL_ARM_MASK)

    def trigger(self) -> None:
        """Trigger now."""
        self.port.write32(regs.CAP_CTRL, regs.CAP_CTRL_TRIGGER_MASK)

    def freeze(self) -> None:
        """Freeze now, with nothing more to come."""
        self.port.write32(regs.CAP_CTRL, regs.CAP_CTRL_FREEZE_MASK)

    def send(self, channels: Iterable[str] = CHANNELS) -> int:
        """Start the stream of a frozen capture and return the number of its words.

        Raises
        ------
        PartFailed
            If no capture is frozen or a stream still runs.
        """
        count, mask = self._frozen_count(), _channel_mask(channels)
        self._wait_for_stream()
        self.port.write32(regs.CAP_STREAM, mask)
        self.port.write32(regs.CAP_CTRL, regs.CAP_CTRL_STREAM_MASK)
        return count * mask.bit_count()

    @property
    def ready(self) -> bool:
        """Whether a capture is frozen and can be read."""
        return bool(self.port.read32(regs.CAP_STATUS) & regs.CAP_STATUS_FROZEN_MASK)

    def read(self, channels: Iterable[str] = CHANNELS) -> Record:
        """Return a frozen capture, read through the window.

        Raises
        ------
        PartFailed
            If no capture is frozen.
        """
        names = tuple(channels)
        _channel_mask(names)
        count = self._frozen_count()
        codes = np.empty((count, len(names)), np.int32)
        for column, name in enumerate(names):
            self.port.write32(regs.CAP_WINDOW, CHANNELS.index(name))
            codes[:, column] = np.asarray(self.port.read_block(regs.CAP_DATA, count), np.uint32).view(np.int32)
        self.port.write32(regs.CAP_WINDOW, 0)
        return self.record(codes, names)

    def record(self, codes: npt.NDArray[np.int32], channels: Iterable[str]) -> Record:
        """Return codes of the frozen capture, (entries, channels), with where they belong."""
        cause = self.port.read32(regs.CAP_CAUSE)
        return Record(
            codes,
            tuple(channels),
            self._long(regs.CAP_FIRST_LO),
            self._long(regs.CAP_TRIG_LO),
            (cause & regs.CAP_CAUSE_EARLIER_MASK) >> regs.CAP_CAUSE_EARLIER_SHIFT,
            frozenset(name for name, mask in CAUSES.items() if cause & mask),
        )

    def _frozen_count(self) -> int:
        status = self.port.read32(regs.CAP_STATUS)
        if not status & regs.CAP_STATUS_FROZEN_MASK:
            raise PartFailed("capture: none is frozen; wait for a trigger, or call trigger() or freeze()")
        return (status & regs.CAP_STATUS_COUNT_MASK) >> regs.CAP_STATUS_COUNT_SHIFT

    def _wait_for_stream(self) -> None:
        if self.port.read32(regs.CAP_CAUSE) & regs.CAP_CAUSE_STREAMING_MASK:
            raise PartFailed("capture: its stream still runs; take the rest of its words first")

    def _long(self, low_address: int) -> int:
        return self.port.read32(low_address) | (self.port.read32(low_address + 4) & 0xFFFF) << 32


def _channel_mask(channels: Iterable[str]) -> int:
    mask = 0
    for name in channels:
        if name not in CHANNELS:
            raise InputError(f"channel {name!r}, expected any of {', '.join(CHANNELS)}")
        mask |= 1 << CHANNELS.index(name)
    if not mask:
        raise InputError(f"no channel, expected any of {', '.join(CHANNELS)}")
    return mask


def select_source(port: BoardPort, source: str) -> None:
    """Choose where the samples come from (parallel, spi or sigma_delta) and clear its flags."""
    if source not in SOURCES:
        raise InputError(f"source {source!r}, expected one of {', '.join(SOURCES)}")
    port.write32(regs.ING_CTRL, SOURCES[source])
    port.write32(regs.ING_STATUS, sum(INGRESS_FLAGS.values()))


def source_flags(port: BoardPort) -> set[str]:
    """Return what went wrong in the source since `select_source`."""
    word = port.read32(regs.ING_STATUS)
    return {name for name, mask in INGRESS_FLAGS.items() if word & mask}
