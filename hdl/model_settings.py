"""The settings of the integer model as the registers hold them."""

from __future__ import annotations

from collections.abc import Callable

from hdl.model import Settings
from hdl.regs.generated import regs

RESET = Settings()
RESET_WORDS = {
    regs.CROSS_HYSTERESIS: RESET.hysteresis,
    regs.CROSS_TIMING: RESET.blank << regs.CROSS_TIMING_BLANK_SHIFT
    | RESET.timeout << regs.CROSS_TIMING_TIMEOUT_SHIFT
    | RESET.cadence << regs.CROSS_TIMING_CADENCE_SHIFT,
    regs.DET_K: RESET.k,
    regs.DET_DROP: RESET.drop,
    regs.DET_LOW: RESET.low,
    regs.DET_FLOOR: RESET.floor,
    regs.DET_SHAPE: RESET.ratio << regs.DET_SHAPE_RATIO_SHIFT | RESET.persist << regs.DET_SHAPE_PERSIST_SHIFT,
    regs.DET_CONFIRM: RESET.confirm,
    regs.DET_CONFIRM_RMS: RESET.confirm_rms,
    regs.DET_RETURN_RMS: RESET.return_rms,
    regs.DET_RETURN: RESET.return_samples,
    regs.QUAL_DIP: RESET.dip,
    regs.QUAL_SWELL: RESET.swell,
    regs.QUAL_INTERRUPTION: RESET.interruption,
    regs.QUAL_HYSTERESIS: RESET.quality_hysteresis,
}


def settings_of(read: Callable[[int], int]) -> Settings:
    """Return the model's settings as ``read(address)`` gives the registers."""
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
        dip=read(regs.QUAL_DIP),
        swell=read(regs.QUAL_SWELL),
        interruption=read(regs.QUAL_INTERRUPTION),
        quality_hysteresis=read(regs.QUAL_HYSTERESIS),
    )
