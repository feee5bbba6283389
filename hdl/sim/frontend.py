"""The front-end RTL, compiled in: the board port of a real board plus an inlet for samples."""

from __future__ import annotations

import ctypes
import platform
import weakref
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hdl.codes import as_rows
from hdl.sim.toolchain import HDL, rtl_files, rtl_hash, tool_environment, verilator_program
from hdl.sim.wakes import write_skipping
from teiden.build import cached_library, content_hash, require_tool, run_tool
from teiden.errors import InputError, MissingPart, PartFailed

SHIM, PINS, WAKES = HDL / "sim" / "shim.cpp", HDL / "sim" / "td_pins.sv", HDL / "sim" / "wakes.py"
ADDRESS_END = 0x8000
HOLDUP_CODES = 1 << 12
LEAST_CLOCKS = 64  # budget of the RTL, docs/front-end.md


def verilate(work: Path, trace: bool, every_clock: bool) -> Path:
    """Compile RTL and shim into a shared library in ``work`` and return its path."""
    sources = rtl_files() if every_clock else write_skipping(rtl_files(), work / "rtl")
    command = [verilator_program(), "--cc", "--exe", "--build", "-j", "2", "-O3", "--x-assign", "fast"]
    command += ["--x-initial", "fast", "--no-assert", "-Wno-fatal", "--top-module", "td_pins", "--Mdir", str(work)]
    command += ["--output-split", "0"]  # split outputs use precompiled headers, for which the wheel lacks the flag
    defines = " -DTD_TRACE" * trace + " -DTD_EVERY_CLOCK" * every_clock
    command += ["-CFLAGS", "-fPIC -fvisibility=hidden" + defines]
    command += ["-LDFLAGS", "-shared", "-MAKEFLAGS", "OPT_FAST=-O2 OPT_SLOW=-O1", "-o", "frontend.so"]
    command += ["--trace-fst"] if trace else []
    command += [str(HDL / "lint" / "waivers.vlt"), *map(str, sources), str(PINS), str(SHIM)]
    run_tool(command, cwd=work, what="compiling the front-end RTL", env=tool_environment())
    return work / "frontend.so"


def require_lz4(work: Path) -> None:
    """Raise MissingPart unless lz4.h and zlib.h, which FST traces need, are installed."""
    probe = work / "probe.cpp"
    probe.write_text("#include <lz4.h>\n#include <zlib.h>\n")
    compiler = require_tool("g++", "to compile the front-end RTL", "apt-get install -y g++")
    try:
        run_tool([compiler, "-E", str(probe)], cwd=work, what="looking for lz4.h")
    except MissingPart:
        raise MissingPart("lz4.h not found, needed for FST traces; apt-get install -y liblz4-dev zlib1g-dev") from None


@lru_cache(maxsize=3)
def library(trace: bool, every_clock: bool) -> ctypes.CDLL:
    """Return the compiled front-end, from the cache where its sources are unchanged."""

    def build(work: Path) -> Path:
        if trace:
            require_lz4(work)
        return verilate(work, trace, every_clock)

    words = ["verilator 5.48.0", platform.machine(), f"trace {trace}", f"every clock {every_clock}"]
    key = content_hash([*rtl_files(), SHIM, PINS, Path(__file__), *([] if every_clock else [WAKES])], words)
    name = "td-frontend" + "-trace" * trace + "-every-clock" * (every_clock and not trace)
    shared = ctypes.CDLL(str(cached_library(name, key, build)))
    words_p = ctypes.POINTER(ctypes.c_uint32)
    samples_p = ctypes.POINTER(ctypes.c_int32)
    shared.td_new.argtypes, shared.td_new.restype = [ctypes.c_int, ctypes.c_char_p], ctypes.c_void_p
    shared.td_delete.argtypes, shared.td_delete.restype = [ctypes.c_void_p], None
    shared.td_irq.argtypes = [ctypes.c_void_p]
    shared.td_push.argtypes = [ctypes.c_void_p, samples_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int, ctypes.c_int]
    shared.td_push.restype = ctypes.c_int64
    for name in ("td_minute", "td_last_gasp", "td_breaker_closed"):
        getattr(shared, name).argtypes = [ctypes.c_void_p]
    shared.td_holdup.argtypes = [ctypes.c_void_p, ctypes.c_int]
    shared.td_read.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int64, words_p]
    shared.td_stream.argtypes, shared.td_stream.restype = [ctypes.c_void_p, ctypes.c_int64, words_p], ctypes.c_int64
    shared.td_write.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32]
    return shared


class CompiledFrontEnd:
    """One front-end whose time moves only in `push`.

    Parameters
    ----------
    clocks_per_sample : int
        Clocks the RTL gets for a sample, 64 or more; what it measures does not depend on it.
    trace : Path, optional
        FST file for the waves of every signal (another, slower build).
    every_clock : bool
        Clock every register in every clock, as the chip does, and not only the modules that have something to do
        (`hdl.sim.wakes`): several times slower, to compare with. A trace does so too.

    Raises
    ------
    InputError
        If there are too few clocks, or no folder for the trace.
    MissingPart
        If a compiler is missing or the build fails.
    """

    sample_rate_hz = 8000

    def __init__(self, clocks_per_sample: int = LEAST_CLOCKS, trace: Path | None = None, every_clock: bool = False):
        if clocks_per_sample < LEAST_CLOCKS:
            raise InputError(f"clocks_per_sample = {clocks_per_sample}, expected {LEAST_CLOCKS} or more")
        if trace is not None and not trace.parent.is_dir():
            raise InputError(f"trace = {trace}, expected a file in a folder that exists")
        self.rtl_hash = rtl_hash()
        self.clocks_per_sample = clocks_per_sample
        self._library = library(trace is not None, every_clock or trace is not None)
        self._board = self._library.td_new(clocks_per_sample, None if trace is None else str(trace).encode())
        self._delete = weakref.finalize(self, self._library.td_delete, self._board)

    def read32(self, address: int) -> int:
        """Return the register at a byte address."""
        return int(self.read_block(address, 1)[0])

    def write32(self, address: int, value: int) -> None:
        """Write 32 bits to a byte address."""
        self._check(address, 1)
        if not self._library.td_write(self._board, address, value & 0xFFFFFFFF):
            raise PartFailed(f"front-end RTL: no answer to a write to 0x{address:04X}")

    def wait_irq(self, timeout_s: float) -> bool:
        """Return the level of the interrupt line, at once: simulated time does not move here."""
        del timeout_s
        self._check(0, 1)
        return bool(self._library.td_irq(self._board))

    def read_block(self, address: int, count: int) -> npt.NDArray[np.uint32]:
        """Return ``count`` words from consecutive byte addresses, (count,) uint32."""
        self._check(address, count)
        values = np.empty(count, np.uint32)
        target = values.ctypes.data_as(ctypes.POINTER(ctypes.c_uint32))
        if not self._library.td_read(self._board, address, count, target):
            raise PartFailed(f"front-end RTL: no answer to a read at 0x{address:04X}")
        return values

    def push(
        self,
        samples: npt.ArrayLike,
        trigger: tuple[int, int] | None = None,
        stop_on_irq: bool = False,
        currents: npt.ArrayLike | None = None,
    ) -> int:
        """Give the front-end samples and return how many it took.

        Parameters
        ----------
        samples : (n,), (n, 2) or (n, 4) integers
            ADC codes, 24 bit signed: of u1; of u1, i1; of u1, i1, u2, i2. A channel left out gets zeros.
        trigger : (int, int), optional
            A rising edge on the trigger input: place in ``samples`` and clock after that sample's
            strobe, 0 to ``clocks_per_sample - 1``. Given only if the push gets that far.
        stop_on_irq : bool
            End behind the sample in which the interrupt line rose.
        currents : (n,) integers, optional
            ADC codes of i1 beside ``samples`` of shape (n,).

        Raises
        ------
        InputError
            If a sample does not fit 24 bits, is no integer, the trigger is outside the block, or
            the currents do not fit the samples.
        """
        block = as_rows(samples, currents)
        at, clock = (-1, 0) if trigger is None else trigger
        if trigger is not None and not (0 <= at < len(block) and 0 <= clock < self.clocks_per_sample):
            raise InputError(
                f"trigger = {trigger}, expected a sample below {len(block)} and a clock below {self.clocks_per_sample}"
            )
        self._check(0, 1)
        rows = block.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        return int(self._library.td_push(self._board, rows, len(block), at, clock, stop_on_irq))

    def minute_tick(self) -> None:
        """Give an edge on the line of the time tick."""
        self._check(0, 1)
        self._library.td_minute(self._board)

    def give_holdup_code(self, code: int) -> None:
        """Give the front-end an ADC code of the hold-up capacitor's voltage, 0 to 4095."""
        if not 0 <= code < HOLDUP_CODES:
            raise InputError(f"hold-up code {code}, expected 0 to {HOLDUP_CODES - 1}")
        self._check(0, 1)
        self._library.td_holdup(self._board, code)

    @property
    def last_gasp(self) -> bool:
        """Level of the line that tells that the Last Gasp is due."""
        self._check(0, 1)
        return bool(self._library.td_last_gasp(self._board))

    @property
    def breaker_closed(self) -> bool:
        """Level of the line to the breaker."""
        self._check(0, 1)
        return bool(self._library.td_breaker_closed(self._board))

    def read_stream(self, count: int = 4 * 4096) -> npt.NDArray[np.int32]:
        """Take a packet of up to ``count`` words off the capture's stream, as a DMA does, and return it, (n,).

        Raises
        ------
        PartFailed
            If none comes, or a longer one.
        """
        self._check(0, 1)
        words = np.empty(count, np.uint32)
        taken = self._library.td_stream(self._board, count, words.ctypes.data_as(ctypes.POINTER(ctypes.c_uint32)))
        if taken < 0:
            raise PartFailed(f"front-end RTL: no packet of up to {count} words on the capture's stream")
        return words[:taken].view(np.int32)

    def close(self) -> None:
        """Free the model and finish the trace; nothing else may be called afterwards."""
        self._delete()

    def _check(self, address: int, count: int) -> None:
        if not self._delete.alive:
            raise PartFailed("front-end RTL: used after close()")
        if address % 4 or address < 0 or count < 0 or address + 4 * count > ADDRESS_END:
            raise InputError(f"address 0x{address:04X}, {count} words: expected words within 0 to 0x{ADDRESS_END:04X}")
