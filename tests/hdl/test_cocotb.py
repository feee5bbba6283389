"""Run the cocotb benches of hdl/tb under Verilator; builds are kept by content in Teiden's cache."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from hdl.sim import toolchain
from hdl.tb import coverage as code_coverage
from teiden.build import cache_dir, content_hash

cocotb_runner = pytest.importorskip("cocotb_tools.runner", reason="needs cocotb: pip install 'teiden[hdl]'")

TB = toolchain.HDL / "tb"
SEED = "20260211"
# Bench -> (top module, parameters, sources beside hdl/rtl)
BENCHES: dict[str, tuple[str, dict[str, int], list[Path]]] = {
    "td_divide": ("td_arithmetic", {}, [TB / "td_divide" / "td_arithmetic.sv"]),
    "td_zero_cross": ("td_zero_cross", {}, []),
    "td_half_cycle": ("td_half_cycle", {}, []),
    "td_power_fail": ("td_power_fail", {}, []),
    "td_product": ("td_product", {}, []),
    "td_channels": ("td_channels", {}, []),
    "td_sums": ("td_sums", {}, []),
    "td_account": ("td_account", {}, []),
    "td_metrology": ("td_metrology", {}, []),
    "td_results": ("td_results", {}, []),
    "td_pulse": ("td_pulse", {}, []),
    "td_quality": ("td_quality", {}, []),
    "td_capture": ("td_capture", {"Depth": 64}, []),
    "td_event_fifo": ("td_event_fifo", {"Width": 146}, []),
    "td_trigger": ("td_trigger", {}, []),
    "td_rapid_change": ("td_rapid_change", {}, []),
    "td_overcurrent": ("td_overcurrent", {}, []),
    "td_control": ("td_control", {}, []),
    "td_limiter": ("td_limiter", {}, []),
    "td_last_gasp": ("td_last_gasp", {}, []),
    "td_holdup": ("td_holdup", {}, []),
    "td_intervals": ("td_intervals", {}, []),
    "td_guard": ("td_guard", {}, []),
    "td_resample": ("td_resample", {}, []),
    "td_fundamental": ("td_fundamental", {}, []),
    "td_harmonics": ("td_harmonics", {}, []),
    "td_frontend": ("td_frontend", {}, []),
    "td_spi_adc": ("td_spi_adc", {"HalfPeriod": 2, "ResetClocks": 300, "SilentClocks": 3000}, []),
    "td_ingress": (
        "td_ingress",
        {
            "SpiHalfPeriod": 2,
            "SpiResetClocks": 300,
            "SpiSilentClocks": 3000,
            "BitHalfPeriod": 3,
            "Oversampling": 64,
        },
        [],
    ),
    "td_pynq_z2": ("td_pynq_z2", {}, [toolchain.HDL / "pynq_z2" / "td_pynq_z2.v"]),
    "td_decimate": ("td_bit_feed", {"Oversampling": 128}, [TB / "td_decimate" / "td_bit_feed.sv"]),
}
SLOW = {"td_pynq_z2"}
# Not --coverage, which adds user points and with them an internal error of this Verilator on arrays.
UNKNOWN = ["--x-assign", "unique", "--x-initial", "unique"]  # what is unknown differs from run to run
COVERAGE = ["--coverage-line", "--coverage-toggle", "--coverage-expr"]


def run_bench(bench: str, work: Path) -> Path:
    """Build and run a bench in ``work``; return where its coverage.dat is."""
    top, parameters, more = BENCHES[bench]
    sources = [*toolchain.rtl_files(), *more]
    # The makefile left in the folder names files of this checkout and of this environment.
    places = [str(toolchain.HDL), sys.prefix]
    folder = cache_dir() / "cocotb" / f"{bench}-{content_hash(sources, places)[:16]}"
    runner = cocotb_runner.get_runner("verilator")
    runner.build(
        sources=[toolchain.HDL / "lint" / "waivers.vlt", *sources],
        hdl_toplevel=top,
        parameters=parameters,
        build_dir=folder,
        # The wheel's makefile lacks the compiler's flag for precompiled headers, which split outputs use.
        build_args=["--output-split", "0", "-O2", *UNKNOWN, "-Wno-fatal", *COVERAGE],
        timescale=("1ns", "1ps"),
    )
    repository = str(toolchain.HDL.parent)
    results = runner.test(
        hdl_toplevel=top,
        test_module=[f"hdl.tb.{bench}.{path.stem}" for path in sorted((TB / bench).glob("test_*.py"))],
        build_dir=folder,
        test_dir=work,
        seed=SEED,
        extra_env={"PYTHONPATH": os.pathsep.join([repository, os.environ.get("PYTHONPATH", "")])},
    )
    ran, failed = cocotb_runner.get_results(results)
    assert ran >= 1
    assert failed == 0
    return work / "coverage.dat"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """Give the function that runs a bench, once, and returns its coverage.dat."""
    with pytest.MonkeyPatch.context() as environment:
        wrapper = toolchain.write_wrapper(tmp_path_factory.mktemp("bin"))
        environment.setenv("PATH", f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}")
        environment.delenv("VERILATOR_ROOT", raising=False)
        # Benches are small: compiling takes longer than running.
        environment.setenv("MAKEFLAGS", "OPT_GLOBAL=-O0 OPT_SLOW=-O0 OPT_FAST=-O1")
        yield cache(lambda bench: run_bench(bench, tmp_path_factory.mktemp(bench)))


@pytest.mark.parametrize("bench", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in BENCHES])
def test_bench(bench: str, run: Callable[[str], Path]) -> None:
    run(bench)


def test_benches_cover_every_module(run: Callable[[str], Path]) -> None:
    files = [run(name) for name in BENCHES if name not in SLOW]
    found, idle = code_coverage.scores(code_coverage.merged(files), code_coverage.read_waivers())
    print(code_coverage.table(found))
    missing = {path.stem for path in (toolchain.HDL / "rtl").glob("*.sv")} - set(found)
    assert not missing, "no bench runs these modules"
    short = code_coverage.shortfalls(found)
    assert not short, "\n".join(short)
    assert not idle, "waivers that match nothing"
