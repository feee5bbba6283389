"""Draw one power failure from the waves of the RTL: ``python docs/pictures/front_end.py [FILE.fst]``.

The compiled front-end sees a loss to 20 % with harmonics; its FST waves are opened again with wellen, and
``front_end_fault.svg`` beside this file shows what the signals did. The waves are kept if a file is named.
"""

import re
import sys
import tempfile
from pathlib import Path

import matplotlib
import numpy as np

from hdl import scaling
from hdl.driver import DROP, LOW, FrontEnd
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.corpus import FIFTH_SEVENTH, loss
from twin.study import pictures_style as style

HERE = Path(__file__).parent
DETECTOR = "td_frontend.td_pins.td_frontend.u_power_fail"
SIGNALS = ("valid_i", "sample_i", "envelope_q", "row_q", "state_q", "urms_i")
CLOCKS, HALVES = 64, 2  # a sample; the trace counts half clocks


def record(path: Path) -> tuple[float, int]:
    """Play the loss with waves to ``path``; return its instant [samples] and how many samples were played."""
    case = loss(50.0, 0.31, 0.2, 1.0, FIFTH_SEVENTH, before_s=0.1, after_s=0.05)
    board = CompiledFrontEnd(CLOCKS, trace=path)
    driver = FrontEnd(board)
    driver.configure(50)
    board.write32(regs.DET_RETURN, 256)  # idle sooner, for a short trace
    board.push(scaling.codes_from_volts(case.wave * 100 * 2**0.5)[0])
    board.close()
    return case.change_s * scaling.SAMPLE_RATE_HZ, case.wave.size


def opened(path: Path, count: int) -> dict[str, np.ndarray]:
    """Return the detector's signals as they stand at the end of each sample, (count,), from the waves."""
    from pywellen import Waveform

    changes = {
        name.rpartition(".")[2]: np.array(list(var.signal))  # (changes, 2): time and value
        for var in Waveform(str(path)).all_vars()
        if (name := var.full_name).rpartition(".")[0] == DETECTOR and name.rpartition(".")[2] in SIGNALS
    }
    strobes = changes["valid_i"][changes["valid_i"][:, 1] == 1, 0][-count:]
    ends = np.append(strobes[1:], strobes[-1] + CLOCKS * HALVES) - 1
    found = {name: rows[np.searchsorted(rows[:, 0], ends, side="right") - 1, 1] for name, rows in changes.items()}
    code = found["sample_i"]
    found["volts"] = scaling.volts_from_codes(np.where(code >= 1 << 23, code - (1 << 24), code))
    return found


def draw(found: dict[str, np.ndarray], fall: float, path: Path) -> None:
    """Draw voltage, envelope and states over the time since the fall."""
    t_ms = (np.arange(found["volts"].size) - fall) / 8
    shown = (t_ms > -12) & (t_ms < 42)
    envelope = found["envelope_q"] / scaling.nominal_envelope(50, 100)
    suspect, confirmed = (float(t_ms[np.flatnonzero(found["state_q"] == state)[0]]) for state in (2, 3))
    with style.styled(), matplotlib.rc_context({"svg.hashsalt": "teiden", "svg.fonttype": "path"}):
        figure = style.new_figure(6.0)
        top, middle, low = figure.subplots(3, 1, sharex=True, height_ratios=(1.2, 1.2, 0.8))
        top.plot(t_ms[shown], found["volts"][shown], color=style.TRUTH, linewidth=1, label="samples")
        rms = [scaling.volts_from_rms(int(value)) for value in found["urms_i"][shown]]
        top.step(t_ms[shown], rms, color=style.BELIEF, where="post", label="Urms(1/2)")
        top.set_ylabel("Voltage [V]")
        top.legend(loc="upper right")
        middle.plot(t_ms[shown], envelope[shown], color=style.KNOWN, linewidth=1, label="envelope E")
        dashed = {"linestyle": "--", "linewidth": 0.9}
        middle.axhline(DROP, color=style.QUIET, label="0.41: below, if under 5/16 of a period ago", **dashed)
        middle.axhline(LOW, color=style.FAULT, label="0.176: below", **dashed)
        middle.set_yscale("log")
        middle.set_ylim(0.01, 30)
        middle.set_yticks([0.01, 0.1, 1, 10], ["0.01", "0.1", "1", "10"])
        middle.set_ylabel("E / nominal")
        middle.legend(loc="upper right")
        low.step(t_ms[shown], found["row_q"][shown], color=style.SOFT, where="post", label="samples below in a row")
        low.step(t_ms[shown], 4 * found["state_q"][shown], color=style.FAULT, where="post",
                 label="state: 4 idle, 8 suspect, 12 confirmed")  # fmt: skip
        low.set_ylim(0, 15)
        low.legend(loc="lower right")
        low.set_xlabel("Since the fall [ms]")
        for axes in (top, middle, low):
            axes.set_xlim(-12, 42)
        for axes in (middle, low):
            axes.axvline(suspect, color=style.QUIET, linewidth=0.8)
            axes.axvline(confirmed, color=style.QUIET, linewidth=0.8)
        style.mark_times(top, [(0.0, "fall to 20 %"), (suspect, f"power_fail {suspect:.2f} ms"),
                               (confirmed, f"confirmed {confirmed:.2f} ms")])  # fmt: skip
        figure.savefig(path, format="svg", metadata={"Date": None})
    path.write_text(re.sub(r' d="[^"]*"', lambda data: re.sub(r"(\.\d)\d+", r"\1", data[0]), path.read_text()))


def main(arguments: list[str]) -> None:
    """Record, open again, draw."""
    with tempfile.TemporaryDirectory() as folder:
        waves = Path(arguments[0]) if arguments else Path(folder) / "fault.fst"
        fall, count = record(waves)
        draw(opened(waves, count), fall, HERE / "front_end_fault.svg")


if __name__ == "__main__":
    main(sys.argv[1:])
