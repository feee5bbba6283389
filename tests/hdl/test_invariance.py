"""The clocks a sample gets do not show: every register and memory at 64, 97 and 6,250 clocks, with all functions on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hdl.driver import FrontEnd
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.traffic import MEMORIES, RATE_HZ, SEEN, prepare

# What is of clocks by its nature: the stamp of the trigger edge; the guard's passes, whose last word may be through
# its CRC before the next sample or behind it. Register -> bits that are left out.
OF_CLOCKS = {
    regs.TRIG_TICKS: 0xFFFFFFFF,
    regs.TICKS_PER_SAMPLE: 0xFFFFFFFF,
    regs.GUARD_STATE: regs.GUARD_STATE_PASSES_MASK,
}
PARTS, PART = 40, 80  # reads, and samples before each


def incidents() -> np.ndarray:
    """Return (n, 4) codes: mains, over-current, a dip, a loss, the return at another frequency, a swell."""
    n = np.arange(PARTS * PART)
    level = np.select([n < 900, n < 1050, n < 1500, n < 1900, n < 2900], [1.0, 0.6, 1.0, 0.02, 0.97], 2.3)
    turns = np.cumsum(np.where(n < 1500, 50.0, 52.3)) / RATE_HZ
    current = np.where((n > 300) & (n < 800), 3.0, 0.2)
    u = (1 << 22) * level * np.sin(2 * np.pi * turns) + 2e5 * np.sin(2 * np.pi * 5 * turns)
    i = (1 << 21) * current * np.sin(2 * np.pi * turns - 1.0)
    noise = np.random.default_rng(11).normal(0, 300, (n.size, 4))
    codes = np.column_stack([u, i, 0.97 * u, -0.5 * i]) + noise
    return np.clip(np.rint(codes), -(1 << 23), (1 << 23) - 1).astype(np.int32)


def registers_of(board: CompiledFrontEnd) -> tuple[list[object], set[str]]:
    """Return every register after each part, every memory at the end, and the kinds of events."""
    prepare(board)
    board.write32(regs.DET_RETURN, 200)  # ready in time for the loss
    trace: list[object] = []
    kinds: set[str] = set()
    for place, part in enumerate(np.split(incidents(), PARTS)):
        board.push(part, trigger=(7, 0) if place == 5 else None)
        if place == 3:
            board.write32(regs.HARM_CTRL, regs.HARM_CTRL_START_MASK)
        if place == 10:
            board.give_holdup_code(1234)
        if place % 9 == 8:
            board.minute_tick()
        board.write32(regs.SNAPSHOT, 1)
        trace.append({address: board.read32(address) & ~OF_CLOCKS.get(address, 0) for address in SEEN})
        events = FrontEnd(board).events()
        trace.append(events)
        kinds |= {event.kind for event in events}
    trace += [board.read_block(memory, words).tolist() for memory, words in MEMORIES]
    return trace, kinds


@pytest.mark.parametrize("clocks", [97, pytest.param(6250, marks=pytest.mark.slow)])
def test_no_register_depends_on_the_clocks_per_sample(clocks: int, new_board: Callable[..., CompiledFrontEnd]) -> None:
    expected, kinds = registers_of(new_board(64))
    found, _ = registers_of(new_board(clocks))
    for place, (one, other) in enumerate(zip(found, expected, strict=True)):
        if isinstance(one, dict) and isinstance(other, dict):
            assert {f"0x{at:04X}": (one[at], other[at]) for at in one if one[at] != other[at]} == {}, (
                f"part {place // 2}"
            )
        else:
            assert one == other, f"part {place // 2}"
    assert kinds >= {"power_fail", "dip_start", "swell_start", "overcurrent_start", "limit_trip", "last_gasp"}
