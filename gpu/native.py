"""The compiled engine: built once by g++, kept by content, called through ctypes."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from teiden.build import cached_library, content_hash, require_tool, run_tool

_SOURCES = Path(__file__).parent / "engine"
# -fno-semantic-interposition: nobody replaces a function of this library, so it may inline what it exports
_FLAGS = (
    "-std=c++17", "-O3", "-pthread", "-fPIC", "-shared", "-fvisibility=default", "-fno-semantic-interposition",
    "-Wall", "-Wextra",
)  # fmt: skip

FRAME_ROW = np.dtype(
    [("injected", "i8"), ("first_tx", "i8"), ("first_rx", "i8"), ("src", "i4"), ("dst", "i4"), ("psdu_bytes", "i4"),
     ("sink", "i4"), ("attempts", "i4"), ("offers", "i4"), ("copies", "i4"), ("hops", "i2"), ("priority", "u1"),
     ("outcome", "u1"), ("access_verdict", "u1"), ("ack_verdict", "u1"), ("pad", "V6")]
)  # fmt: skip
DELIVERY_ROW = np.dtype(
    [("frame", "i8"), ("tick", "i8"), ("node", "i4"), ("hops", "i4"), ("attempts", "i4"), ("pad", "i4")]
)
END_ROW = np.dtype([("frame", "i8"), ("tick", "i8"), ("node", "i4"), ("outcome", "i4")])
JOINING_ROW = np.dtype(
    [("tick", "i8"), ("node", "i4"), ("parent", "i4"), ("pan", "i4"), ("state", "u1"), ("pad", "V3")]
)
NETWORK_ROW = np.dtype(
    [("since", "i8"), ("parent", "i4"), ("pan", "i4"), ("key_pan", "i4"), ("cost", "i4"), ("count", "i4"),
     ("version", "i4"), ("state", "i4"), ("candidates", "i4", 5)]
)  # fmt: skip
DEATH_ROW = np.dtype([("tick", "i8"), ("node", "i4"), ("pad", "i4")])

_P = ctypes.c_void_p
_I64 = ctypes.c_int64
_SIGNATURES: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "radio_config_names": (ctypes.c_char_p, ()),
    "radio_counter_names": (ctypes.c_char_p, ()),
    "radio_layout_names": (ctypes.c_char_p, ()),
    "radio_layout": (None, (_P,)),
    "radio_new": (_P, (_P, _P, _P, _P, _P, _I64, _P, _P, _P, _P, _I64, _P)),
    "radio_launches": (None, (_P, _P)),
    "radio_free": (None, (_P,)),
    "radio_set_links": (None, (_P, _P, _P, _P)),
    "radio_start": (None, (_P, ctypes.c_int32, ctypes.c_int32, ctypes.c_int32, ctypes.c_uint64)),
    "radio_route": (None, (_P, _P, _I64, _P)),
    "radio_live": (None, (_P, ctypes.c_int32)),
    "radio_measure_living_tree": (None, (_P,)),
    "radio_network": (None, (_P, _P)),
    "radio_candidates": (None, (_P, _I64, _P, _P)),
    "radio_set_parents": (None, (_P, _P, _P, _I64)),
    "radio_link_etx": (None, (_P, _I64, _P, _P, _P)),
    "radio_link_level": (None, (_P, _I64, _P, _P, _P)),
    "radio_channels": (None, (_P, _I64, _P, _I64, _P)),
    "radio_inject": (None, (_P, _I64, *([_P] * 8))),
    "radio_supply": (None, (_P, _I64, _P, _P, _P, _P)),
    "radio_set_backed": (None, (_P, _P)),
    "radio_run": (ctypes.c_int32, (_P, _I64)),
    "radio_now": (_I64, (_P,)),
    "radio_first_frame": (_I64, (_P,)),
    "radio_end_frame": (_I64, (_P,)),
    "radio_forget_ended": (None, (_P,)),
    "radio_log_sizes": (None, (_P, _P)),
    "radio_drain": (None, (_P, _P, _P, _P, _P)),
    "radio_frames": (None, (_P, _I64, _P, _P)),
    "radio_counters": (None, (_P, _P)),
    "radio_outcomes": (None, (_P, _P)),
    "radio_digest": (None, (_P, _P)),
    "radio_parents": (None, (_P, _P)),
    "radio_hops": (None, (_P, _P)),
    "radio_sinks_of": (None, (_P, _P)),
    "radio_etx": (None, (_P, _P)),
    "radio_airtime": (None, (_P, _P)),
    "radio_alive": (None, (_P, _P)),
    "radio_energy": (None, (_P, _I64, _P)),
    "radio_spent": (None, (_P, _I64, _P, _P, _P, _P)),
    "radio_save": (_I64, (_P, _P)),
    "radio_load": (ctypes.c_int32, (_P, _P, _I64)),
}


def engine_key() -> str:
    """Return the content hash of the engine's sources and flags: what a saved state depends on."""
    return content_hash(_SOURCES.iterdir(), _FLAGS)


@cache
def engine() -> ctypes.CDLL:
    """Return the engine, compiled if its sources or flags changed."""

    def compile_in(work: Path) -> Path:
        compiler = require_tool("g++", "to build the radio engine", "install it: apt-get install g++")
        sources = [str(p) for p in sorted(_SOURCES.glob("*.cpp"))]
        run_tool([compiler, *_FLAGS, *sources, "-o", "radio.so"], work, "building the radio engine")
        return work / "radio.so"

    library = ctypes.CDLL(str(cached_library("radio", engine_key(), compile_in)))
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


def layout() -> dict[str, int]:
    """Return the sizes in bytes of the records that kernels share with the engine."""
    sizes = np.empty(9, np.int64)
    engine().radio_layout(pointer(sizes))
    return dict(zip(names(engine().radio_layout_names()), sizes.tolist(), strict=True))


def pointer(array: NDArray) -> int:
    """Return the address of a contiguous array."""
    if not array.flags.c_contiguous:
        raise ValueError("the engine takes contiguous arrays")
    return int(array.ctypes.data)


def names(text: bytes) -> list[str]:
    """Split the engine's list of names."""
    return text.decode().rstrip(",").split(",")
