"""What was written down answers in the place of the bench, and every other question is named."""

import json
from contextlib import closing

import numpy as np
import pytest

from hil.evidence.port import RecordedPort, ReplayedPort
from hil.evidence.replayed_link import ReplayedLink
from hil.evidence.transcript import REGISTERS, SCPI, Departure, Tape, Transcripts
from hil.source.link import PROBE
from teiden.errors import InputError, PartFailed


class Memory:
    """A port onto a dictionary."""

    def __init__(self):
        self.words = {}

    def read32(self, address):
        return self.words.get(address, 0)

    def write32(self, address, value):
        self.words[address] = value

    def wait_irq(self, timeout_s):
        return bool(self.words.get(0))

    def read_block(self, address, count):
        return np.array([self.read32(address + 4 * k) for k in range(count)], np.uint32)


def talk(port):
    """Use every method; return what came back."""
    port.write32(0x10, 7)
    port.write32(0x14, 0xFFFFFFFF)
    return [port.read32(0x10), port.wait_irq(0.5), port.read_block(0x10, 3).tolist(), port.read32(0x18)]


@pytest.fixture
def recorded(tmp_path):
    """A folder with the transcript of `talk` in a test called t."""
    with closing(Transcripts(tmp_path)) as transcripts:
        transcripts.begin("t")
        transcripts.use_clock(lambda: 1.25)
        talk(RecordedPort(Memory(), transcripts.registers))
    return tmp_path


def open_tape(folder, test="t", name=REGISTERS):
    tape = Tape(folder / name)
    tape.begin(test)
    return tape


def test_the_same_questions_get_the_same_answers(recorded):
    tape = open_tape(recorded)
    assert talk(ReplayedPort(tape)) == talk(Memory())
    tape.check_ended()


def test_every_line_has_test_and_time(recorded):
    entries = [json.loads(line) for line in (recorded / REGISTERS).read_text().splitlines()]
    assert [entry["op"] for entry in entries] == ["write32", "write32", "read32", "wait_irq", "read_block", "read32"]
    assert {(entry["test"], entry["t_s"]) for entry in entries} == {("t", 1.25)}


DEPARTURES = {
    "another value": (lambda port: port.write32(0x10, 8), r":1: recorded write32 0x0010 7, now asked write32 0x0010 8"),
    "another register": (lambda port: port.write32(0x20, 7), r":1: recorded write32 0x0010 7, now asked .* 0x0020 7"),
    "another access": (lambda port: port.read32(0x10), r":1: recorded write32 0x0010 7, now asked read32 0x0010"),
    "more than was asked": (
        lambda port: (talk(port), port.read32(0x10)),
        r"registers.jsonl: t ends here, now asked read32 0x0010",
    ),
}


@pytest.mark.parametrize("what", DEPARTURES)
def test_another_question_is_named_with_its_line(what, recorded):
    ask, named = DEPARTURES[what]
    with pytest.raises(Departure, match=named):
        ask(ReplayedPort(open_tape(recorded)))


def test_a_test_that_ends_early_is_named(recorded):
    tape = open_tape(recorded)
    ReplayedPort(tape).write32(0x10, 7)
    with pytest.raises(Departure, match=r":2: recorded write32 0x0014 4294967295, now the test has ended"):
        tape.check_ended()


def write_scpi(folder, *entries):
    with closing(Transcripts(folder)) as transcripts:
        transcripts.begin("t")
        for way, text in entries:
            transcripts.scpi.note(way=way, text=text)
    return open_tape(folder, name=SCPI)


def test_a_recorded_link_answers_and_knows_who_it_was(tmp_path):
    tape = write_scpi(tmp_path, ("write", PROBE), ("read", "1999.0;MAKER,M,1,2"), ("write", "VOLT?"), ("read", "100"))
    link = ReplayedLink("here", tape)
    assert (link.identity, link.is_open) == ("MAKER,M,1,2", True)
    assert link.query("VOLT?") == "100"
    with pytest.raises(Departure, match="t ends here, now asked write FREQ"):
        link.query("FREQ?")
    link.close()
    assert not link.is_open


def test_a_question_that_got_no_reply_gets_none_and_the_link_is_given_up(tmp_path):
    tape = write_scpi(tmp_path, ("write", PROBE), ("read", "1999.0;M"), ("write", "VOLT?"), ("write", PROBE))
    link = ReplayedLink("here", tape)
    with pytest.raises(
        PartFailed, match=r'no reply to "VOLT\?" in 2 s, nor to \*IDN\? after it; the connection is given up'
    ):
        link.query("VOLT?")
    assert not link.is_open
    tape.check_ended()


def test_a_late_reply_comes_late_again(tmp_path):
    """After the probe comes the late reply, then that of the probe, as when it was recorded."""
    said = [("write", PROBE), ("read", "1999.0;M"), ("write", "VOLT?"), ("write", PROBE), ("read", "100")]
    said += [("read", "1999.0;M"), ("write", "SYST:ERR?"), ("read", '0,"No error"'), ("write", "FREQ?"), ("read", "50")]
    tape = write_scpi(tmp_path, *said)
    link = ReplayedLink("here", tape)
    with pytest.raises(PartFailed, match="it answers again"):
        link.query("VOLT?")
    assert link.query("FREQ?") == "50"
    tape.check_ended()


@pytest.mark.parametrize("text", ["{", '{"t_s": 0}', "[1]"])
def test_a_file_that_is_no_transcript_is_refused(text, tmp_path):
    (tmp_path / SCPI).write_text(text + "\n")
    with pytest.raises(InputError, match=r"scpi.jsonl:\d+: cannot be read as a transcript"):
        Tape(tmp_path / SCPI)
