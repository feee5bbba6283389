"""A PYNQ board at the other end of a command: its port, its end, what answers in its place, and what runs there."""

import ast
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from hdl import remote_board
from hdl.driver import FrontEnd
from hdl.port_server import REQUEST
from hdl.regs.generated import regs
from hdl.remote_board import RemoteBoard
from hil.real_board import open_real_board
from hil.station import Board
from teiden.errors import InputError, MissingPart, PartFailed

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).parent / "pynq_stand_in"
OLD_PYTHON = (3, 10)  # of the PYNQ-Z2 image v3.1


@pytest.fixture
def command(tmp_path):
    """What starts the board's part, as ssh would, with a pynq that has compiled RTL for a bitstream."""
    (tmp_path / "td.bit").write_bytes(b"bits")
    return f"env PYTHONPATH={ROOT}:{STAND_IN} {sys.executable} -m hdl.pynq_served {tmp_path}/td.bit"


@pytest.fixture
def board(command):
    with closing(RemoteBoard(command)) as opened:
        yield opened


def test_the_port_is_that_of_the_board(board):
    front_end = FrontEnd(board)
    assert front_end.identify()
    front_end.configure(60, 110)
    assert board.read32(regs.DET_SHAPE) == FrontEnd(board)._settings(60, 110)[regs.DET_SHAPE]
    board.write32(regs.CAP_POST, 0x123)
    assert board.read_block(regs.CAP_POST, 1).tolist() == [board.read32(regs.CAP_POST)] == [0x123]
    assert not board.wait_irq(0.05)
    assert front_end.measure().samples == 0
    with pytest.raises(InputError, match="expected words within"):
        board.read32(2)


def test_the_board_says_what_it_runs_on_and_what_it_loaded(board):
    assert board.sha256 == hashlib.sha256(b"bits").hexdigest()
    assert "pynq 0.0-stand-in" in board.versions


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (b"", "a request of 0 bytes"),
        (b"r\0", "a request of 2 bytes"),
        (REQUEST.pack(b"x", 0, 0, 0), "operation b'x', expected one of"),
        (REQUEST.pack(b"r", -4, 1, 0), "expected words within"),
        (REQUEST.pack(b"r", 0, 1 << 40, 0), "expected words within"),
        (REQUEST.pack(b"r", 0, -1, 0), "expected words within"),
        (REQUEST.pack(b"w", 1 << 40, 0, 0), "expected words within"),
    ],
)
def test_a_garbled_request_is_refused_and_the_next_one_answered(board, request_, said):
    board._requests.send_bytes(request_)
    with pytest.raises(InputError, match=said):
        board._answer()
    assert FrontEnd(board).identify()


def test_another_bitstream_than_the_stations_is_refused(command, tmp_path):
    (tmp_path / "other.bit").write_bytes(b"other bits")
    station = Board(kind="pynq", bitstream=str(tmp_path / "other.bit"), command=command)
    with (
        pytest.raises(PartFailed, match=r"the board has loaded .*; copy this one to the board"),
        open_real_board(station),
    ):
        pass


def test_a_board_that_is_gone_is_named(board):
    board._process.send_signal(signal.SIGKILL)
    with pytest.raises(PartFailed, match=r"board.command = .* it ended with -9"):
        [board.read32(regs.ID) for _ in range(2)]


def test_a_board_that_is_frozen_is_named(command, monkeypatch):
    monkeypatch.setattr(remote_board, "ANSWER_S", 0.3)
    with closing(RemoteBoard(command)) as board:
        board._process.send_signal(signal.SIGSTOP)
        with pytest.raises(PartFailed, match=r"no answer within 0\.3 s"):
            board.read32(regs.ID)
        board._process.send_signal(signal.SIGCONT)
        with pytest.raises(PartFailed, match=r"did not answer in time before"):  # its late answer is for nobody
            board.read32(regs.VERSION)


def test_the_boards_part_ends_with_this_process(command):
    """SIGKILL leaves it nothing but the end of its input."""
    lines = f"""
import time
from hdl.remote_board import RemoteBoard
board = RemoteBoard({command!r})
print(board._process.pid, flush=True)
time.sleep(60)
"""
    user = subprocess.Popen([sys.executable, "-c", lines], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    pid = int(user.stdout.readline())
    user.kill()
    user.communicate()
    until_s = time.monotonic() + 60
    while _runs(pid):
        assert time.monotonic() < until_s
        time.sleep(0.05)


def _runs(pid):
    """Return whether a process is there and no zombie, which is what is left where nobody waits for orphans."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("wrong", "kind", "said"),
    [
        ("no-such-program at all", MissingPart, "board.command = .*No such file"),
        ("", InputError, "board.command = '', expected a program"),
        ("false", PartFailed, "it ended with 1"),
        ("echo Welcome to the board", PartFailed, "it ended with 0"),
        (r"printf '\0\0\0\2k5'", PartFailed, "what answers is no hdl.pynq_served"),
        ("ssh 'unclosed", InputError, "No closing quotation"),
    ],
)
def test_what_is_no_board_is_named(wrong, kind, said):
    with pytest.raises(kind, match=said):
        RemoteBoard(wrong)


@pytest.mark.parametrize(
    ("bitstream", "kind", "said"),
    [("none.bit", InputError, "expected one bitstream, a file of the board"),
     ("text", PartFailed, r"PYNQ does not load it \(no .hwh beside it\)")],
)  # fmt: skip
def test_a_bitstream_that_the_board_cannot_load_is_named(bitstream, kind, said, command, tmp_path):
    (tmp_path / "text").write_text("text")
    with pytest.raises(kind, match=said):
        RemoteBoard(command.replace("td.bit", bitstream))


def test_without_pynq_there_it_is_a_missing_part(command):
    with pytest.raises(MissingPart, match="no pynq package here"):
        RemoteBoard(command.replace(f":{STAND_IN}", ""))


def _closure(module):
    """Return the files of this repository that a module imports, and the other modules, by name."""
    files, others, todo = {}, set(), [module]
    while todo:
        name = todo.pop()
        path = ROOT / name.replace(".", "/")
        file = next((f for f in (path.with_suffix(".py"), path / "__init__.py") if f.is_file()), None)
        if file is None:
            top = name.partition(".")[0]
            others |= {top} - {"hdl", "teiden"}
        elif file not in files:
            files[file] = ast.parse(file.read_text(), feature_version=OLD_PYTHON)
            todo += [name.rpartition(".")[0]] if "." in name else []
            for node in ast.walk(files[file]):
                if isinstance(node, ast.Import):
                    todo += [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    todo += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return set(files), others


def test_the_boards_part_needs_hdl_teiden_numpy_and_pynq_and_an_old_python():
    """Its syntax is that of 3.10 (`ast` refuses newer), and tomllib is what the library has got since."""
    files, others = _closure("hdl.pynq_served")
    assert {file.relative_to(ROOT).parts[0] for file in files} == {"hdl", "teiden"}
    assert others - set(sys.stdlib_module_names) == {"numpy", "pynq"}
    assert "tomllib" not in others


def _old_python():
    """Return a Python 3.10 with numpy, or None."""
    given = os.environ.get("TEIDEN_PYTHON310") or shutil.which("python3.10")
    code = "import sys, numpy; sys.exit(sys.version_info[:2] != (3, 10))"
    if given and subprocess.run([given, "-c", code], capture_output=True, check=False).returncode == 0:
        return given
    return None


def test_it_runs_on_the_python_of_the_boards_image(command, tmp_path):
    """From a copy of the two folders alone, with registers that are plain memory."""
    python = _old_python()
    if python is None:
        pytest.skip("no Python 3.10 with numpy here (python3.10 on the path, or TEIDEN_PYTHON310)")
    files, _ = _closure("hdl.pynq_served")
    for file in files:
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    (tmp_path / "pynq.py").write_text(
        "import numpy as np\n__version__ = 'memory'\nOverlay = str\nclass MMIO:\n"
        "    def __init__(self, base, size): self.array = np.zeros(size // 4, np.uint32)\n"
        "    def read(self, offset): return int(self.array[offset // 4])\n"
        "    def write(self, offset, data): self.array[offset // 4] = data\n"
    )
    served = f"env PYTHONPATH={tmp_path} {python} -m hdl.pynq_served {tmp_path}/td.bit"
    with closing(RemoteBoard(served)) as board:
        assert board.versions.startswith("python 3.10.")
        board.write32(regs.CAP_POST, -1)
        assert board.read32(regs.CAP_POST) == 0xFFFFFFFF
        assert not board.read_block(regs.CAP_DATA, 4096).any()
        assert not board.wait_irq(0.01)
