"""The compiled model that leaves sleeping modules alone against the one that clocks every register in every clock."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hdl.driver import Event, FrontEnd
from hdl.regs.generated import regs
from hdl.sim.frontend import LEAST_CLOCKS, CompiledFrontEnd
from hdl.sim.toolchain import rtl_files
from hdl.sim.wakes import WAKES, skipping
from hdl.tb.traffic import MEMORIES, SEEN, Rng, prepare, waves
from teiden.errors import PartFailed


def write_something(board: CompiledFrontEnd, rng: Rng) -> None:
    """Write a command, a pulse, a setting or an address without a register."""
    command, value = rng.choice(
        [
            (regs.EVENT_POP, 1),
            (regs.SNAPSHOT, 1),
            (regs.IRQ_STATUS, 0xFFFF),
            (regs.STATUS, 0xFFFF),
            (regs.MISUSE, 0xFF),
            (regs.CAP_CTRL, rng.integers(16)),
            (regs.CAP_MODE, rng.integers(2)),
            (regs.CAP_ENABLE, rng.integers(8)),
            (regs.HARM_CTRL, rng.integers(8)),
            (regs.CTRL, rng.choice([3, 3, 3, 3, 2, 1])),
            (regs.CONTROL, rng.choice([0x7F, 0x7F, rng.integers(0x80)])),
            (regs.WIRING, rng.integers(3)),
            (regs.LIM_VALUE, rng.integers(1 << 24)),
            (regs.LIM_AT_LO, rng.integers(1 << 15)),
            (regs.LIM_COMMAND, rng.choice([1, 1, 1, 2, 4, 8, 16, 3]) | rng.integers(16) << regs.LIM_COMMAND_ID_SHIFT),
            (regs.LG_COMMAND, rng.integers(4)),
            (regs.INT_TICK, rng.integers(4)),
            (regs.CF_CTRL, rng.integers(8)),
            (regs.CAL_I1_OFFSET, rng.integers(1000)),
            (0x0FF0, 1),
        ]
    )
    board.write32(int(command), int(value))


def look(board: CompiledFrontEnd, rng: Rng) -> object:
    """Return what an access or a line between samples shows."""
    choice = rng.integers(12)
    if choice == 0:
        return [board.read32(address) for address in SEEN]
    if choice == 1:
        memory, words = MEMORIES[rng.integers(len(MEMORIES))]
        return board.read_block(memory, words).tolist()
    if choice == 2:
        board.minute_tick()
    elif choice == 3:
        board.give_holdup_code(int(rng.integers(4096)))
    elif choice == 4:
        board.write32(regs.GUARD_KEY, int(rng.choice([0x6B657931, 0x6B657932, 0x6C6F636B])))
    elif choice == 5:
        try:
            return board.read_stream().tolist()
        except PartFailed:
            return "no packet"
    elif choice == 6:
        board.write32(regs.SNAPSHOT, 1)
        return board.read_block(regs.METER, 44).tolist()
    elif choice == 7:
        return FrontEnd(board).events()
    else:
        write_something(board, rng)
    return board.wait_irq(0), board.last_gasp, board.breaker_closed


def played(board: CompiledFrontEnd, seed: int, samples: int) -> list[object]:
    """Return all that random traffic sees: numbers of samples taken, lines, registers, memories."""
    rng = np.random.default_rng(seed)
    prepare(board)
    seen: list[object] = []
    given = 0
    for block in waves(rng):
        trigger = (int(rng.integers(len(block))), int(rng.integers(LEAST_CLOCKS))) if rng.random() < 0.2 else None
        seen.append(board.push(block, trigger, stop_on_irq=bool(rng.random() < 0.5)))
        seen += [look(board, rng) for _ in range(rng.integers(4))]
        given += len(block)
        if given > samples:
            break
    return [*seen, [board.read32(address) for address in SEEN], board.read_block(regs.CAP_DATA, 300).tolist()]


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "clocks"), [(3, 64), (4, 64), (5, 97), (6, 64), (8, 65)])
def test_what_sleeps_shows_what_it_would_show_awake(seed: int, clocks: int) -> None:
    skipped, every = CompiledFrontEnd(clocks), CompiledFrontEnd(clocks, every_clock=True)
    found, expected = played(skipped, seed, 12_000), played(every, seed, 12_000)
    assert [place for place, (one, other) in enumerate(zip(found, expected, strict=True)) if one != other] == []
    kinds = {event.kind for one in expected if isinstance(one, list) for event in one if isinstance(event, Event)}
    assert len(kinds) >= 10, f"the traffic is too tame: only {sorted(kinds)}"
    skipped.close()
    every.close()


def test_every_module_that_sleeps_is_there_and_has_a_clock() -> None:
    texts = {path.stem: path.read_text() for path in rtl_files()}
    for name in WAKES:
        assert re.search(r"@\(posedge clk", texts[name])
        shaped = skipping(texts[name])
        assert "posedge" not in re.sub(r"//.*", "", shaped)
        assert shaped.count("iff wakes") == len(re.findall(r"@\(posedge clk", texts[name]))


def test_a_module_without_a_condition_gets_every_clock() -> None:
    text = "module td_other (\n  input logic clk_i\n);\n  always_ff @(posedge clk_i) a_q <= 1'b1;\nendmodule\n"
    assert skipping(text) == text.replace("posedge", "edge")
