"""td_zero_cross, sample by sample against the integer model, with gaps between samples and resets."""

from __future__ import annotations

import math
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from hdl.model import Settings, ZeroCross
from hdl.tb.drive import clocks, pulse, reset, seeded, signed, start

SETTINGS = Settings()
PLAIN_CLOCKS, CROSSING_CLOCKS = 2, 18  # from valid_i to step_o


async def give(dut: Any, sample: int) -> dict[str, int]:
    """Give one sample and return the outputs of its step."""
    dut.sample_i.value = sample
    await pulse(dut, dut.valid_i)
    waited = 1
    while dut.step_o.value == 0:
        assert dut.busy_o.value == 1
        assert waited < CROSSING_CLOCKS
        await FallingEdge(dut.clk_i)
        waited += 1
    assert waited == (CROSSING_CLOCKS if dut.crossing_o.value == 1 else PLAIN_CLOCKS)
    found = {name: int(getattr(dut, f"{name}_o").value) for name in ("boundary", "crossing", "restart", "fraction")}
    found["delayed"] = dut.delayed_o.value.to_signed()
    await FallingEdge(dut.clk_i)
    found["lost"] = int(dut.lost_o.value)
    assert dut.step_o.value == 0
    return found


def expected(model: ZeroCross, sample: int) -> dict[str, int]:
    seen = model.step(sample)
    return {
        "boundary": int(seen is not None),
        "crossing": int(seen is not None and seen.crossing),
        "restart": int(seen is not None and seen.restart),
        "fraction": seen.fraction if seen else 0,
        "delayed": model.delayed,
        "lost": int(model.lost),
    }


def stream(count: int, seed: str) -> list[int]:
    """Return a drifting sine with gaps, noise bursts and a chattering zero."""
    rng = seeded(seed)
    peak = 1 << 22
    wave = [peak * math.sin(2 * math.pi * 50 * n / 8000 + 0.4 * math.sin(n / 300)) for n in range(count)]
    for first, last in ((500, 760), (1200, 1206)):
        wave[first:last] = [rng.gauss(0, peak / 500) for _ in range(first, last)]
    wave[900:1130] = [0.0] * 230  # comes back with the other sign than it went with
    wave[1500:1600] = [rng.gauss(0, peak / 3) for _ in range(100)]
    return list(signed(wave))


@cocotb.test()
async def every_step_is_the_models(dut: Any) -> None:
    rng = seeded("gaps")
    await start(
        dut,
        valid_i=0,
        hysteresis_i=SETTINGS.hysteresis,
        blank_i=SETTINGS.blank,
        timeout_i=SETTINGS.timeout,
        cadence_i=SETTINGS.cadence,
    )
    crossings = 0
    for run in range(2):  # the second after a reset in the middle of a half cycle
        model = ZeroCross(SETTINGS)
        for at, sample in enumerate(stream(1800 - 900 * run, "stream")):
            found = await give(dut, sample)
            assert found == expected(model, sample), f"run {run} sample {at}"
            crossings += found["crossing"]
            await clocks(dut, rng.choice([0, 0, 1, 7]))
        await reset(dut)
        assert dut.lost_o.value == 1
    assert crossings > 20
