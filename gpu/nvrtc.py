"""Compile the engine's kernels for a CUDA device; none is needed for that."""

from __future__ import annotations

import ctypes
from importlib.util import find_spec
from pathlib import Path

from teiden.errors import MissingPart

ARCHITECTURE = "sm_90"  # H100, H200
KERNELS = ("radio_run_windows",)
THREADS = 128  # a block: four warps, whose first lanes work
BLOCKS = 4  # a multiprocessor holds at least so many: 128 registers a thread, of which the kernel would take all 255


def options(layout: dict[str, int], architecture: str) -> list[str]:
    """Return the compiler's options: the sizes of the host's records are checked against the device's."""
    fixed = [f"--gpu-architecture={architecture}", "--std=c++17", "--device-as-default-execution-space"]
    fixed += ["--device-int128", f"-DTEIDEN_KERNEL=__global__ __launch_bounds__({THREADS}, {BLOCKS})"]
    return fixed + [f"-DTEIDEN_{name.upper()}_BYTES={size}" for name, size in layout.items()]


def library() -> ctypes.CDLL:
    """Load NVIDIA's run-time compiler from its wheel ``nvidia-cuda-nvrtc-cu12``.

    Raises
    ------
    MissingPart
        The wheel is not installed.
    """
    spec = find_spec("nvidia.cuda_nvrtc") if find_spec("nvidia") else None
    if spec is None or spec.submodule_search_locations is None:
        raise MissingPart("NVRTC, which compiles the kernels, is not installed; pip install nvidia-cuda-nvrtc-cu12")
    folder = Path(next(iter(spec.submodule_search_locations))) / "lib"
    return ctypes.CDLL(str(next(iter(sorted(folder.glob("libnvrtc.so.*"))))))


def compile_cubin(source: Path, given: list[str]) -> tuple[str, bytes]:
    """Compile a source with all headers beside it.

    Returns
    -------
    (str, bytes)
        The compiler's log, and a cubin for an ``sm_`` architecture.

    Raises
    ------
    MissingPart
        The compiler is missing or rejects the source; the message holds its log.
    """
    nvrtc = library()
    headers = [p for p in sorted(source.parent.iterdir()) if p.suffix in (".h", ".cpp")]
    texts = (ctypes.c_char_p * len(headers))(*(p.read_bytes() for p in headers))
    names = (ctypes.c_char_p * len(headers))(*(p.name.encode() for p in headers))
    program = ctypes.c_void_p()
    nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), source.read_bytes(), source.name.encode(), len(headers), texts, names
    )
    flags = (ctypes.c_char_p * len(given))(*(o.encode() for o in given))
    failed = nvrtc.nvrtcCompileProgram(program, len(given), flags)
    log = _text(nvrtc, program, "ProgramLog").decode(errors="replace").rstrip("\0")
    if failed:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
        raise MissingPart(f"compiling {source.name} for CUDA failed:\n{log}")
    code = _text(nvrtc, program, "CUBIN")
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return log, code


def _text(nvrtc: ctypes.CDLL, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, text)
    return text.raw
