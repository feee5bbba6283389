"""Compiled once, and said so: a user who waits for the compiler knows what for."""

from pathlib import Path

from click.testing import CliRunner

from hil.cli import main
from teiden.build import cached_library


def test_a_build_is_told_of_and_a_kept_one_is_not(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TEIDEN_CACHE", str(tmp_path))

    def build(work: Path) -> Path:
        (work / "part").write_bytes(b"1")
        return work / "part"

    assert CliRunner().invoke(main, ["scenario", "list"]).exit_code == 0
    first = cached_library("part", "k" * 40, build)
    assert capsys.readouterr().err == f"· building part, once: kept in {tmp_path}\n"
    assert cached_library("part", "k" * 40, build) == first
    assert capsys.readouterr().err == ""
