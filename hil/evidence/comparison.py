"""The integer model on what the board captured: both must decide at the same sample."""

from __future__ import annotations

import math

from hdl import scaling
from hdl.model import POWER_FAIL, FrontEndModel
from hdl.model_settings import settings_of
from hil.evidence.bench import Bench, Played

READY_S = 0.2  # the model starts at the capture's first sample: two cycles of Urms(1/2), then 0.1 s until it is armed


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
    model = FrontEndModel(settings_of(bench.front_end.port.read32))
    codes, _ = scaling.codes_from_volts(volts)
    model.push(codes.tolist())
    return [first + sample for kind, sample, _ in model.events if kind == POWER_FAIL]
