"""The compiled front-end with every function on against one model of all of it, under random incidents and commands."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from hdl.model import Settings
from hdl.model_control import DECLARED, RETURNED
from hdl.model_meter import Calibration, MeterSettings, PulseSettings
from hdl.model_settings import RESET_WORDS
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.td_frontend.whole import Limits, Seen, Whole
from hdl.tb.td_fundamental.words import words_of as fundamental_words
from hdl.tb.traffic import waves

COMMANDS = ("apply", "schedule", "schedule_tick", "cancel", "release")
SAMPLES = 9000
Rng = np.random.Generator


class Pair(NamedTuple):
    """RTL and model side by side."""

    board: CompiledFrontEnd
    model: Whole

    def command(self, rng: Rng, identity: int) -> None:
        """Give the limiter a random command; MISUSE must say what the model says."""
        board, name = self.board, str(rng.choice(COMMANDS))
        value, newest = int(rng.choice([0, 1 << 24, 1 << 25, 1 << 30 - 1])), self.model.front_end.samples - 1
        at = int(rng.integers(3)) if name == "schedule_tick" else max(0, newest + int(rng.integers(-3, 300)))
        board.write32(regs.LIM_VALUE, value)
        board.write32(regs.LIM_AT_LO, at)
        mask = getattr(regs, f"LIM_COMMAND_{'RELEASE_IN' if name == 'release' else name.upper()}_MASK")
        board.write32(regs.LIM_COMMAND, mask | identity << regs.LIM_COMMAND_ID_SHIFT)
        flags = board.read32(regs.MISUSE) & (regs.MISUSE_DUPLICATE_MASK | regs.MISUSE_REFUSED_MASK)
        board.write32(regs.MISUSE, flags)
        seen = {0: "accepted", regs.MISUSE_DUPLICATE_MASK: "duplicate", regs.MISUSE_REFUSED_MASK: "refused"}[flags]
        assert seen == self.model.limiter.command(name, identity, newest, value, at), (name, at, newest)

    def between(self, rng: Rng, identity: int) -> None:
        """Do something between samples."""
        board, model, choice = self.board, self.model, rng.integers(6)
        if choice == 0:
            self.command(rng, identity)
        elif choice == 1:
            board.minute_tick()
            board.read32(regs.ID)  # the edge is two flops behind the pin
            model.intervals.tick()
            model.limiter.tick()
        elif choice == 2:
            code = int(rng.integers(4096))
            board.give_holdup_code(code)
            for _ in range(6):
                board.read32(regs.ID)  # the energy takes 14 clocks
            model.holdup.code(code)
        elif choice == 3 and model.last_gasp.state in (DECLARED, RETURNED):
            sent = model.last_gasp.state == DECLARED
            board.write32(regs.LG_COMMAND, regs.LG_COMMAND_SENT_MASK if sent else regs.LG_COMMAND_CLEAR_MASK)
            (model.last_gasp.sent if sent else model.last_gasp.clear)()

    def events(self) -> list[Seen]:
        """Empty the FIFO."""
        read, seen = self.board.read32, []
        while (event := read(regs.EVENT)) & regs.EVENT_KIND_MASK:
            sample = read(regs.EVENT_LO) | read(regs.EVENT_HI) << 32
            rest = [read(address) for address in (regs.EVENT_URMS, regs.EVENT_EXTREME, regs.EVENT_EXTRA)]
            seen.append(Seen(event & regs.EVENT_KIND_MASK, sample, *rest))
            self.board.write32(regs.EVENT_POP, 1)
        return seen


def paired(board: CompiledFrontEnd, rng: Rng) -> Pair:
    """Draw settings, write them and return both."""
    settings = Settings(return_samples=int(rng.integers(20, 200)))
    limits = Limits(rvc_window=int(rng.integers(2, 12)), declare=int(rng.integers(1, 400)))
    gains = [int(rng.integers(-(1 << 23), 1 << 23)) for _ in range(3)]
    meter = MeterSettings(int(rng.integers(3)), 5000, 5000, (Calibration(), *map(Calibration, gains)))  # type: ignore[arg-type]
    pulses = PulseSettings(True, int(rng.integers(4)), 1 << 26, 3)
    words = {**RESET_WORDS, regs.DET_RETURN: settings.return_samples, regs.CTRL: 3, **limits.registers()}
    words |= {regs.CONTROL: 0x7F, regs.WIRING: meter.wiring, regs.NO_LOAD_P: 5000, regs.NO_LOAD_Q: 5000}
    for channel, calibration in zip(("U1", "I1", "U2", "I2"), meter.calibration, strict=True):
        words[getattr(regs, f"CAL_{channel}_GAIN")] = calibration.gain & 0xFFFFFF
    words |= {regs.CF_ENERGY_LO: pulses.energy, regs.CF_WIDTH: pulses.width}
    words[regs.CF_CTRL] = 1 | pulses.source << regs.CF_CTRL_SOURCE_SHIFT
    for address, word in words.items():
        board.write32(address, word)
    return Pair(board, Whole(settings, limits, meter, pulses, 0))


@pytest.mark.parametrize("seed", [1, 4, 8])
def test_every_event_minute_and_total_is_the_models(seed: int, board: CompiledFrontEnd) -> None:
    rng = np.random.default_rng(seed)
    pair = paired(board, rng)
    model, seen = pair.model, []
    for identity, block in enumerate(waves(rng), start=1):
        for start in range(0, len(block), 40):  # few enough for the FIFO
            part = block[start : start + 40]
            board.push(part)
            for row in part.tolist():
                model.push(row)
            seen += pair.events()
        assert seen == model.events, f"sample {model.front_end.samples}"
        if model.front_end.samples > SAMPLES:
            break
        pair.between(rng, identity)
    board.push(np.zeros((1, 4), np.int32))  # the last record is written by then
    board.write32(regs.SNAPSHOT, 1)
    for place, record in enumerate(model.intervals.ring):
        assert board.read_block(regs.INT_DATA + 32 * place, 8).tolist() == record.words()
    assert board.read_block(regs.FUND, regs.FUND_WORDS).tolist() == fundamental_words(model.fundamental.shown)
    model.push([0] * 4)  # the board's last sample
    cycle, sums = model.front_end.meter.cycle, model.frozen or model.front_end.meter.shown.energies
    longs = [cycle.p, cycle.q, cycle.s]
    longs += [energy >> 8 for energy in (sums.forward, sums.reverse, sums.lagging, sums.leading)]
    totals = [cycle.i1, 0, *(word & 0xFFFFFFFF for long in longs for word in (long, long >> 32))]
    assert board.read_block(regs.TOTALS, regs.TOTALS_WORDS).tolist() == totals
    assert board.read32(regs.CF_COUNT) == model.front_end.pulse.count
    assert not board.read32(regs.STATUS) & (regs.STATUS_OVERRUN_MASK | regs.STATUS_EVENT_OVERFLOW_MASK)
    assert len({event.kind for event in seen}) >= 10, "the traffic is too tame"
