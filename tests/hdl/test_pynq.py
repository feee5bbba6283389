"""Unmodified pynq.MMIO on the compiled front-end, in an environment of its own: pynq pins numpy below 2.

Left out by default, for it installs some hundred megabytes: pytest -m pynq tests/hdl/test_pynq.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hdl.capture import CaptureControl
from hdl.driver import FrontEnd
from hdl.pynq_port import BASE_ADDRESS, SIZE, PynqPort
from hdl.regs.generated import regs
from hdl.sim import pynq_device
from hdl.sim.frontend import CompiledFrontEnd
from hdl.sim.pynq_board import SimulatedPynqBoard
from hdl.tb.trial import codes, sine
from teiden.build import cache_dir
from teiden.errors import InputError, MissingPart

REQUIREMENT = "pynq>=3.1.2,<4"  # the last line for Zynq-7000
REPOSITORY = Path(__file__).resolve().parents[2]


class Words:
    """What `PynqPort` uses of an MMIO, over an array."""

    def __init__(self) -> None:
        self.array = np.zeros(SIZE // 4, np.uint32)

    def read(self, offset: int) -> int:
        return int(self.array[offset // 4])

    def write(self, offset: int, data: int) -> None:
        self.array[offset // 4] = data


def test_port_reads_and_writes_words_within_the_map() -> None:
    words = Words()
    port = PynqPort(words)
    port.write32(regs.CAP_POST, -1)
    assert port.read32(regs.CAP_POST) == 0xFFFFFFFF
    words.array[regs.CAP_DATA // 4 :] = np.arange(regs.CAP_DATA_WORDS)
    assert port.read_block(regs.CAP_DATA, 4096).tolist() == list(range(4096))
    for address, count in ((2, 1), (-4, 1), (SIZE, 1), (SIZE - 8, 3)):
        with pytest.raises(InputError, match="expected words within"):
            port.read_block(address, count)


def test_port_sees_the_line_only_while_an_enabled_cause_is_set() -> None:
    port = PynqPort(Words())
    port.write32(regs.IRQ_STATUS, 0b1010)
    port.write32(regs.IRQ_ENABLE, 0b0101)
    assert not port.wait_irq(0.005)
    port.write32(regs.IRQ_ENABLE, 0b0010)
    assert port.wait_irq(0.0)


def test_without_pynq_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynq.pl_server.device", None)
    with pytest.raises(MissingPart, match=r"pip install 'pynq>=3\.1\.2,<4'"):
        pynq_device.simulated_device(None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pynq_python(request: pytest.FixtureRequest) -> Path:
    """Return the interpreter of an environment with pynq, made once and kept in Teiden's cache."""
    if "pynq" not in request.config.getoption("markexpr"):
        pytest.skip("installs pynq only when asked for: pytest -m pynq")
    folder = cache_dir() / f"pynq-{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        done = subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", REQUIREMENT],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"{REQUIREMENT} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
        (folder / "complete").touch()
    return python


def expected() -> dict[str, Any]:
    """Return what the same steps give on the compiled front-end directly."""
    board = CompiledFrontEnd()
    driver, capture = FrontEnd(board), CaptureControl(board)
    driver.configure(50, 100, interrupts=("event", "capture"))
    capture.arm(pre_samples=99, post_samples=50)
    board.push(np.concatenate([codes(sine(50, 0.3)), np.zeros(400, np.int32)]))
    record = capture.read(("u1",))
    values = {
        "events": [[event.kind, event.sample, event.u_rms_half_v] for event in driver.events()],
        "u_rms_half_v": driver.measure().u_rms_half_v,
        "capture": [record.first_sample, record.trigger_sample, record.codes[:, 0].tolist()],
    }
    board.close()
    return values


@pytest.mark.pynq
def test_unmodified_mmio_gives_what_the_compiled_front_end_gives(pynq_python: Path) -> None:
    values = expected()
    done = subprocess.run(
        [str(pynq_python), str(REPOSITORY / "tests" / "hdl" / "pynq_session.py")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["pynq"].startswith("3.")
    assert found["mmio_module"] == "pynq.mmio"
    assert found["identity"] == 0x54454944
    assert found["written"] == [0x123] * 3
    assert (found["quiet"], found["interrupt"]) == (False, True)
    assert [kind for kind, *_ in values["events"]] == ["power_fail", "power_fail_confirmed"]
    for name, value in values.items():
        assert found[name] == value, name
    assert BASE_ADDRESS == 0x43C00000


@pytest.mark.pynq
def test_the_board_that_runs_use_is_the_compiled_front_end(pynq_python: Path) -> None:
    """`hdl.sim.pynq_board`, the adapter pynq-simulated, over the package itself."""
    boards = (CompiledFrontEnd(), SimulatedPynqBoard(64, str(pynq_python)))
    wave = np.concatenate([codes(sine(50, 0.3)), np.zeros(400, np.int32)])
    found = []
    for board in boards:
        driver = FrontEnd(board)
        driver.configure(50, 100)
        assert board.push(wave, trigger=(2000, 5)) == len(wave)
        assert board.wait_irq(0.0)
        values = (driver.take_interrupts(), driver.events(), driver.measure(), driver.trigger(), driver.status())
        driver.freeze_capture()
        found.append((*values, driver.read_capture()[1].tolist()))
        board.close()
    assert found[1] == found[0]
    assert boards[1].pynq_version.startswith("3.")
