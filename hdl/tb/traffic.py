"""Random traffic for a whole front-end: samples full of incidents, and every function switched on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hdl.driver import FrontEnd
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd

SEEN = [*range(0, 0x0900, 4), *range(0x0C00, 0x0C30, 4)]  # words of every register and of METER and FUND
MEMORIES = ((regs.HARM_DATA, 84), (regs.INT_DATA, regs.INT_DATA_WORDS), (regs.CAP_DATA, 300))
RATE_HZ = 8000
Rng = np.random.Generator


def waves(rng: Rng) -> Iterator[np.ndarray]:
    """Yield blocks of (n, 4) codes: mains with losses, dips, swells, rails and steps of frequency in between."""
    turns = 0.0
    frequency, level, current = 50.0, 1.0, 1.0
    while True:
        n = int(rng.choice([1, 2, 40, 400, 800, 1600]))
        if rng.random() < 0.4:
            level = float(rng.choice([1.0, 1.0, 1.0, 0.0, 0.2, 0.6, 0.93, 1.15, 2.2]))
            current = float(rng.choice([1.0, 0.0, 0.01, 3.0]))
            frequency = float(rng.choice([50.0, 50.0, 60.0, 47.5, 55.0]))
        at = turns + np.cumsum(np.full(n, frequency / RATE_HZ))
        turns = float(at[-1])
        u = (1 << 22) * level * np.sin(2 * np.pi * at)
        i = (1 << 20) * current * np.sin(2 * np.pi * at - rng.uniform(-2, 2))
        codes = np.column_stack([u, i, 0.97 * u, -0.5 * i]) + rng.normal(0, 300, (n, 4))
        yield np.clip(np.rint(codes), -(1 << 23), (1 << 23) - 1).astype(np.int32)


def prepare(board: CompiledFrontEnd) -> None:
    """Switch on every function, with limits short enough for a few seconds of samples."""
    front_end = FrontEnd(board)
    front_end.configure(nominal_hz=50, nominal_v=100, quality=True)
    front_end.configure_rapid_change()  # its window is made shorter below
    front_end.configure_overcurrent(30.0, 1.0)
    front_end.configure_last_gasp(declare_s=0.05)
    front_end.watch_crossings()
    for register, value in (
        (regs.IRQ_ENABLE, 0x3F), (regs.CONTROL, 0x7F), (regs.LIM_MAX, 1 << 24), (regs.LIM_MIN, 1), (regs.LIM_TRIP, 50),
        (regs.LIM_RECLOSE, 300), (regs.LIM_CLEAR, 2000), (regs.LIM_MODE, 3), (regs.HOLD_LOW, 2000),
        (regs.HOLD_STOP, 300), (regs.CAP_POST, 100), (regs.CAP_PRE, 150), (regs.CAP_STREAM, 0xF),
        (regs.CF_CTRL, 1), (regs.CF_ENERGY_LO, 1 << 24), (regs.CF_WIDTH, 3), (regs.RVC_WINDOW, 12),
        (regs.LIM_VALUE, 1 << 23), (regs.LIM_COMMAND, regs.LIM_COMMAND_APPLY_MASK | 100 << regs.LIM_COMMAND_ID_SHIFT),
    ):  # fmt: skip
        board.write32(register, value)
