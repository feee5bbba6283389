"""What every cocotb bench does: start the clock, reset, give samples with gaps."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge

CLOCK_NS = 10


def seeded(name: str) -> random.Random:
    """Return a generator for a bench; the seed is in the log and set by COCOTB_RANDOM_SEED."""
    return random.Random(f"{cocotb.RANDOM_SEED} {name}")


async def start(dut: Any, **inputs: int) -> None:
    """Start the clock, set inputs and hold reset for four clocks. Inputs change at falling edges."""
    Clock(dut.clk_i, CLOCK_NS, unit="ns").start()
    for name, value in inputs.items():
        getattr(dut, name).value = value
    await reset(dut)


async def reset(dut: Any) -> None:
    """Hold reset for four clocks."""
    await FallingEdge(dut.clk_i)
    dut.rst_ni.value = 0
    await ClockCycles(dut.clk_i, 4)
    await FallingEdge(dut.clk_i)
    dut.rst_ni.value = 1


async def pulse(dut: Any, signal: Any, value: int = 1) -> None:
    """Hold a signal at ``value`` for one clock."""
    signal.value = value
    await FallingEdge(dut.clk_i)
    signal.value = 0


async def clocks(dut: Any, count: int) -> None:
    """Wait for so many falling edges."""
    if count:
        await ClockCycles(dut.clk_i, count)
        await FallingEdge(dut.clk_i)


def signed(codes: Iterable[float]) -> Iterator[int]:
    """Yield samples as 24-bit codes within the rails."""
    for code in codes:
        yield max(-(1 << 23), min((1 << 23) - 1, round(code)))
