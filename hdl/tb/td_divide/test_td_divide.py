"""td_divide, td_sqrt, td_multiply_signed, td_divide_root against Python's integers (the top holds one of each)."""

from __future__ import annotations

from math import isqrt
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge

from hdl.tb.drive import clocks, pulse, seeded, start


async def clocks_until(dut: Any, flag: Any, most: int) -> int:
    for waited in range(1, most + 1):
        if flag.value == 1:
            return waited
        await FallingEdge(dut.clk_i)
    raise AssertionError(f"not done after {most} clocks")


@cocotb.test()
async def quotient_is_the_integer_one(dut: Any) -> None:
    await start(dut, divide_start_i=0, sqrt_clear_i=0, sqrt_step_i=0, signed_start_i=0, both_start_i=0)
    rng = seeded("divide")
    for _ in range(200):
        divisor = rng.randrange(1, 1 << rng.randint(1, 29))
        high, low = rng.choice([0, divisor - 1, rng.randrange(divisor)]), rng.randrange(1 << 16)
        dut.high_i.value, dut.low_i.value, dut.divisor_i.value = high, low, divisor
        await pulse(dut, dut.divide_start_i)
        waited = await clocks_until(dut, dut.divide_done_o, 40)
        assert waited == 17  # QuotWidth + 1
        assert int(dut.quotient_o.value) == (high << 16 | low) // divisor


@cocotb.test()
async def root_is_the_integer_one(dut: Any) -> None:
    await start(dut, divide_start_i=0, sqrt_clear_i=0, sqrt_step_i=0, signed_start_i=0, both_start_i=0)
    rng = seeded("root")
    values = [0, 1, 2, 3, 4, (1 << 56) - 1, (1 << 54), (1 << 54) - 1]
    values += [rng.randrange(1 << rng.randint(1, 56)) for _ in range(100)]
    values += [rng.randrange(1 << 28) ** 2 + step for step in (0, -1) for _ in range(20)]
    for value in map(abs, values):
        pairs = 28 if rng.random() < 0.7 else (value.bit_length() + 1) // 2  # the highest ones may be left out
        await pulse(dut, dut.sqrt_clear_i)
        for place in reversed(range(pairs)):
            await clocks(dut, rng.choice((1, 1, 1, 4)))  # between steps
            dut.pair_i.value = value >> 2 * place & 3
            await pulse(dut, dut.sqrt_step_i)
        assert int(dut.root_o.value) == isqrt(value)


@cocotb.test()
async def signed_product_is_the_integer_one(dut: Any) -> None:
    await start(dut, divide_start_i=0, sqrt_clear_i=0, sqrt_step_i=0, signed_start_i=0, both_start_i=0)
    rng = seeded("signed product")
    edges_a, edges_b = (0, 1, -1, (1 << 47) - 1, -(1 << 47)), (0, 1, -1, (1 << 31) - 1, -(1 << 31))
    pairs = [(a, b) for a in edges_a for b in edges_b]
    pairs += [(rng.getrandbits(48) - (1 << 47), rng.getrandbits(32) - (1 << 31)) for _ in range(100)]
    for a, b in pairs:
        minus = rng.randrange(2)
        dut.left_i.value, dut.right_i.value, dut.minus_i.value = a & (1 << 48) - 1, b & (1 << 32) - 1, minus
        await pulse(dut, dut.signed_start_i)
        waited = await clocks_until(dut, dut.signed_done_o, 40)
        assert waited == 34  # BWidth + 2
        assert dut.signed_product_o.value.to_signed() == (-a * b if minus else a * b)


@cocotb.test()
async def ratio_mean_and_root_of_a_mean_are_the_integer_ones(dut: Any) -> None:
    await start(dut, divide_start_i=0, sqrt_clear_i=0, sqrt_step_i=0, signed_start_i=0, both_start_i=0)
    rng = seeded("mean")
    for _ in range(150):
        divisor = rng.randrange(1, 1 << rng.randint(1, 26))
        most = min(divisor << 28, 1 << 55) - 1
        size = rng.choice([0, most, rng.randrange(most + 1), rng.randrange(1 + (most >> 24))])
        steps = rng.choice((28, 48, 52, 60))
        dut.size_i.value, dut.length_i.value, dut.steps_i.value = size, divisor, steps
        await pulse(dut, dut.both_start_i)
        dut.size_i.value, dut.steps_i.value = rng.getrandbits(55), rng.randrange(28, 62, 2)  # taken with the start
        waited = await clocks_until(dut, dut.both_done_o, 100)
        assert waited == steps + 3
        quotient = (size << steps - 28) // divisor
        assert int(dut.mean_o.value) == quotient
        assert int(dut.rms_o.value) == isqrt(quotient)
        if rng.random() < 0.2:  # a start while busy starts over
            await pulse(dut, dut.both_start_i)
            await ClockCycles(dut.clk_i, rng.randrange(1, 90))
            await FallingEdge(dut.clk_i)
