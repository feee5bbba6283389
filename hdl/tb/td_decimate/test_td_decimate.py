"""td_decimate against the integer model: noise, modulated sines, rails, gaps, resets, too little time."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt
from cocotb.triggers import FallingEdge

from hdl import model_ingress
from hdl.model import FrontEndModel, Settings
from hdl.tb.drive import clocks, reset, seeded, start
from hdl.tb.modulator import modulate

OVERSAMPLING = 128
GROUP = 4 * OVERSAMPLING  # bits of one output
INPUTS = {"load_i": 0, "words_i": 0, "spacing_i": 1}
Bits = npt.NDArray[np.int8]


def signed24(packed: int, channel: int) -> int:
    """Return a channel of four packed samples."""
    code = packed >> 24 * channel & 0xFFFFFF
    return code - (1 << 24) if code >> 23 else code


async def ready(dut: Any) -> None:
    while not dut.ready_o.value:
        await FallingEdge(dut.clk_i)


async def feed(dut: Any, bits: Bits, spacing: int = 1, gap: int = 0) -> list[tuple[int, int]]:
    """Give bits, (n, 4), n a multiple of 64, and return (samples, fast) of every output."""
    seen: list[tuple[int, int]] = []
    before = int(dut.outputs_o.value)
    dut.spacing_i.value = spacing
    for at in range(0, len(bits), 64):
        packed = np.packbits(bits[at : at + 64].T.reshape(-1).astype(np.uint8), bitorder="little")
        dut.words_i.value = int.from_bytes(packed.tobytes(), "little")
        dut.load_i.value = 1
        await FallingEdge(dut.clk_i)
        dut.load_i.value = 0
        await clocks(dut, 64 * spacing + gap)
        if int(dut.outputs_o.value) != before:  # at most one: 64 bits are less than a group
            before = int(dut.outputs_o.value)
            seen.append((int(dut.samples_o.value), int(dut.fast_o.value)))
    await clocks(dut, 120)
    if int(dut.outputs_o.value) != before:
        seen.append((int(dut.samples_o.value), int(dut.fast_o.value)))
    return seen


def compare(seen: list[tuple[int, int]], bits: Bits) -> None:
    for channel in range(4):
        expected = model_ingress.decimate(bits[:, channel], OVERSAMPLING)
        assert [signed24(samples, channel) for samples, _ in seen] == expected.slow.tolist(), channel
        assert [signed24(fast, channel) for _, fast in seen] == expected.fast.tolist(), channel


def random_bits(groups: int) -> Bits:
    source = np.random.default_rng(seeded("bits").getrandbits(32))
    density = source.uniform(0.1, 0.9, 4)
    return (source.random((groups * GROUP, 4)) < density).astype(np.int8)


@cocotb.test()
async def modulated_sines_come_out_as_the_model_has_them(dut: Any) -> None:
    await start(dut, **INPUTS)
    await ready(dut)
    t = np.arange(90 * GROUP)[:, None] / (8000 * GROUP)
    bits = modulate(0.75 * np.sin(2 * np.pi * np.array([50.0, 400.0, 2000.0, 3600.0]) * t))
    seen = await feed(dut, bits)
    assert len(seen) == 90
    compare(seen, bits)
    assert int(dut.flags_o.value) == 0


@cocotb.test()
async def gaps_between_bits_change_nothing(dut: Any) -> None:
    await start(dut, **INPUTS)
    await ready(dut)
    bits = random_bits(24)
    seen = await feed(dut, bits, spacing=3, gap=11)
    assert len(seen) == 24
    compare(seen, bits)


@cocotb.test()
async def reset_at_any_time_starts_from_nothing(dut: Any) -> None:
    await start(dut, **INPUTS)
    rng = seeded("reset")
    for _ in range(4):
        await ready(dut)
        await feed(dut, random_bits(6)[: 64 * rng.randrange(8, 48)])
        await clocks(dut, rng.randrange(200))
        await reset(dut)
    await ready(dut)
    bits = random_bits(20)
    compare(await feed(dut, bits), bits)


@cocotb.test()
async def bits_while_the_memory_is_cleared_are_ignored(dut: Any) -> None:
    await start(dut, **INPUTS)
    assert dut.ready_o.value == 0
    await feed(dut, random_bits(1)[:128])
    await ready(dut)
    bits = random_bits(8)
    compare(await feed(dut, bits), bits)


@cocotb.test()
async def full_scale_is_limited_and_flagged_by_channel(dut: Any) -> None:
    await start(dut, **INPUTS)
    await ready(dut)
    quiet = np.tile(np.array([[1], [0]], np.int8), (40 * GROUP // 2, 1))[:, 0]
    step = np.where(np.arange(40 * GROUP) < 20 * GROUP, 0, 1)  # from rail to rail: the filters overshoot
    # An AMC1306 beyond its range makes one opposite bit in 128.
    beyond = np.where(np.arange(40 * GROUP) % 128 == 5, 0, 1)
    bits = np.stack([quiet, step, beyond, 1 - beyond], 1).astype(np.int8)
    seen = await feed(dut, bits)
    compare(seen, bits)
    assert int(dut.flags_o.value) == 0b01_1110  # overrun, limited, clipped by channel
    assert max(signed24(samples, 1) for samples, _ in seen) == model_ingress.CODE_MAX


@cocotb.test()
async def groups_that_come_too_fast_raise_overrun(dut: Any) -> None:
    """A group of 32 bits has 128 clocks with one bit in four, 32 with one in each."""
    await start(dut, **INPUTS)
    await ready(dut)
    await feed(dut, random_bits(1), spacing=4)
    assert dut.hasty_o.value == 0
    await feed(dut, random_bits(1))
    assert dut.hasty_o.value == 1
    assert int(dut.flags_o.value) >> 5 == 0


@cocotb.test()
async def loss_of_voltage_is_detected_within_2_ms_of_the_bits(dut: Any) -> None:
    """Points on wave by channel; the detector is its model, compared with the RTL elsewhere."""
    await start(dut, **INPUTS)
    await ready(dut)
    change_s, full_codes = 0.11, 1 << 23
    t = np.arange(960 * GROUP)[:, None] / (8000 * GROUP)
    level = (1 << 22) / full_codes  # nominal peak
    wave = level * np.sin(2 * np.pi * 50 * t + np.array([0.0, 0.8, 1.6, 2.4]))
    wave = np.where(t < change_s, wave, 0.3 * wave)
    seen = await feed(dut, modulate(wave))
    for channel in range(4):
        model = FrontEndModel(Settings(return_samples=256))
        model.push([signed24(fast, channel) for _, fast in seen])
        kind, sample, _ = model.events[0]
        assert kind == 1
        # output k shows the voltage up to the end of its group of bits
        assert 0 < (sample + 1) / 8000 - change_s <= 2e-3, channel
