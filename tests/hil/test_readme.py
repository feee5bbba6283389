"""The README shows what the command prints."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from hil.cli import main

README = Path(__file__).resolve().parents[2] / "README.md"


def shown():
    """Return the output block of the README."""
    found = re.search(r"<!-- output of ./run.sh -->\n```\n(.*?)```\n<!-- end -->", README.read_text(), re.DOTALL)
    assert found
    return found[1]


def comparable(text):
    """Drop what differs from machine to machine: the wall time; and the end of line blanks."""
    return [re.sub(r"simulated in [\d.]+ s", "simulated", line.rstrip()) for line in text.strip().splitlines()]


@pytest.mark.slow
def test_the_readme_shows_what_the_command_prints(monkeypatch, tmp_path):
    scenario = README.parent / "scenarios" / "feeder_fault.toml"
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["run", str(scenario)])
    assert result.exit_code == 0, result.output
    assert comparable(result.stdout) == comparable(shown())


@pytest.mark.parametrize("line", re.findall(r"^teiden (.+?)\s*(?:#.*)?$", README.read_text(), re.MULTILINE))
def test_every_command_in_the_readme_exists(line):
    words = re.findall(r'"[^"]*"|\S+', line)
    command = main
    for word in words:
        if not hasattr(command, "commands"):
            break
        assert word in command.commands, line
        command = command.commands[word]
    options = {name for parameter in command.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options, line
