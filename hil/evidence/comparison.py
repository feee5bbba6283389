"""The integer model on what the board captured: both must decide at the same sample."""

from __future__ import annotations

import math

from hdl import scaling
from hdl.driver import FrontEnd
from hdl.model import POWER_FAIL, FrontEndModel, Settings
from hdl.regs.generated import regs
from hil.evidence.bench import Bench, Played

READY_S = 0.2  # the model starts at the capture's first sample: two cycles of Urms(1/2), then 0.1 s until it is armed


def model_settings(front_end: FrontEnd) -> Settings:
    """Return the model's settings as the board's registers say them."""
    read = front_end.port.read32
    timing, shape = read(regs.CROSS_TIMING), read(regs.DET_SHAPE)
    return Settings(
        hysteresis=read(regs.CROSS_HYSTERESIS),
        blank=(timing & regs.CROSS_TIMING_BLANK_MASK) >> regs.CROSS_TIMING_BLANK_SHIFT,
        timeout=(timing & regs.CROSS_TIMING_TIMEOUT_MASK) >> regs.CROSS_TIMING_TIMEOUT_SHIFT,
        cadence=(timing & regs.CROSS_TIMING_CADENCE_MASK) >> regs.CROSS_TIMING_CADENCE_SHIFT,
        k=read(regs.DET_K),
        drop=read(regs.DET_DROP),
        low=read(regs.DET_LOW),
        floor=read(regs.DET_FLOOR),
        ratio=(shape & regs.DET_SHAPE_RATIO_MASK) >> regs.DET_SHAPE_RATIO_SHIFT,
        persist=(shape & regs.DET_SHAPE_PERSIST_MASK) >> regs.DET_SHAPE_PERSIST_SHIFT,
        confirm=read(regs.DET_CONFIRM),
        confirm_rms=read(regs.DET_CONFIRM_RMS),
        return_rms=read(regs.DET_RETURN_RMS),
        return_samples=read(regs.DET_RETURN),
    )


def model_is_later_by(bench: Bench, played: Played) -> float:
    """Return by how many samples the model declares the power failure after the board [samples].

    NaN if one of them does not declare it, or the capture begins too shortly before it for the model to be armed.
    """
    found = played.first("power_fail")
    if found is None or found.sample - played.capture.first < READY_S * bench.rate_hz:
        return math.nan
    declared = model_failures(bench, played)
    return declared[0] - found.sample if declared else math.nan


def model_failures(bench: Bench, played: Played) -> list[int]:
    """Return the samples at which the model declares power failures in what the board captured."""
    first, volts = played.capture
    model = FrontEndModel(model_settings(bench.front_end))
    codes, _ = scaling.codes_from_volts(volts)
    model.push(codes.tolist())
    return [first + sample for kind, sample, _ in model.events if kind == POWER_FAIL]
