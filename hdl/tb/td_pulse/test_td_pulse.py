"""td_pulse, sample by sample against the integer model, over its sources, widths and rates."""

from __future__ import annotations

from typing import Any

import cocotb

from hdl.model_meter import Measured, Pulse, PulseSettings
from hdl.tb.drive import clocks, pulse, reset, seeded, start

LATENCY = 13  # clocks from valid_i to cf_o
REST = 4  # clocks more until the next valid_i


@cocotb.test()
async def every_pulse_is_the_models(dut: Any) -> None:
    rng = seeded("pulse")
    await start(dut, valid_i=0, enable_i=0, source_i=0, energy_i=0, width_i=0, p_i=0, q_i=0, loaded_p_i=0, loaded_q_i=0)
    runs = [(source, width, rate) for source in range(4) for width, rate in ((1, 0.2), (5, 0.03), (7, 0.4), (0, 1.7))]
    late = 0
    for source, width, rate in runs:
        energy = rng.getrandbits(34) + 1
        settings = PulseSettings(True, source, energy, width)
        model = Pulse(settings)
        dut.enable_i.value, dut.source_i.value, dut.energy_i.value, dut.width_i.value = 1, source, energy, width
        size = int((energy << 16) * rate)
        for at in range(300):
            if at % 40 == 0:
                powers = [rng.choice((-1, 1)) * rng.randrange(size + 1) for _ in range(2)]
                loaded = [rng.random() < 0.8 for _ in range(2)]
            dut.p_i.value, dut.q_i.value = powers
            dut.loaded_p_i.value, dut.loaded_q_i.value = loaded
            await pulse(dut, dut.valid_i)
            values = Measured()._replace(p=powers[0], q=powers[1], loaded_p=loaded[0], loaded_q=loaded[1])
            before = model.late
            model.late = False
            level = model.step(values)
            await clocks(dut, LATENCY - 1)
            where = f"source {source} width {width} sample {at}"
            assert int(dut.cf_o.value) == level, where
            assert int(dut.count_o.value) == model.count, where
            assert int(dut.late_o.value) == model.late, where
            late += model.late
            model.late = before
            await clocks(dut, REST + rng.choice([0, 0, 1, 5]))
            assert dut.late_o.value == 0
        await reset(dut)
        assert dut.cf_o.value == 0
    assert late > 100


@cocotb.test()
async def energies_powers_and_widths_have_their_full_width(dut: Any) -> None:
    rng = seeded("width")
    await start(dut, valid_i=0, enable_i=0, source_i=0, energy_i=0, width_i=0, p_i=0, q_i=0, loaded_p_i=1, loaded_q_i=1)
    for _ in range(40):
        energy, width = rng.randrange(1 << 44, 1 << 48), rng.choice([1, 2, 0x5555, 0xAAAA, 0xFFFF])
        dut.enable_i.value, dut.energy_i.value, dut.width_i.value = 0, energy, width
        await clocks(dut, 2)
        model = Pulse(PulseSettings(True, 3, energy, width))
        dut.enable_i.value, dut.source_i.value = 1, 3
        first = int(dut.count_o.value)
        for _ in range(12):
            q = rng.randrange(-(1 << 63) + 1, 1 << 63) // rng.choice([1, 3])
            dut.q_i.value, dut.p_i.value = q, rng.randrange(-(1 << 63), 1 << 63)
            await pulse(dut, dut.valid_i)
            level = model.step(Measured()._replace(q=q, loaded_q=True))
            await clocks(dut, LATENCY - 1)
            assert int(dut.cf_o.value) == level
            assert int(dut.count_o.value) == first + model.count
            await clocks(dut, REST)
        await reset(dut)


@cocotb.test()
async def switched_off_or_without_energy_there_are_no_pulses(dut: Any) -> None:
    await start(dut, valid_i=0, source_i=0, width_i=1, p_i=1 << 62, q_i=0, loaded_p_i=1, loaded_q_i=1)
    for enable, energy in ((0, 1), (1, 0)):
        dut.enable_i.value, dut.energy_i.value = enable, energy
        for _ in range(20):
            await pulse(dut, dut.valid_i)
            await clocks(dut, LATENCY + REST)
            assert dut.cf_o.value == 0
        assert dut.count_o.value == 0
    dut.enable_i.value, dut.energy_i.value = 1, (1 << 48) - 1  # 2^62 a sample: the fourth fills the account
    counts = []
    for _ in range(12):
        await pulse(dut, dut.valid_i)
        await clocks(dut, LATENCY + REST)
        counts.append(int(dut.count_o.value))
    assert counts == [at // 4 for at in range(1, 13)]
