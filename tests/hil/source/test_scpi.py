"""What is sent to the simulated source and what comes back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.source.scpi import spell
from hil.source.simulated import SimulatedSource


def errors(source):
    found = []
    while not (reply := source.execute(b"SYST:ERR?")).startswith("+0"):
        found.append(int(reply.split(",")[0]))
    return found


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("*IDN?", "TEIDEN,SIMULATED 6812B,SIM1,1"),
        ("SYST:VERS?", "1990.0"),
        ("*OPC?;*TST?", "1;0"),
        ("VOLT 100;VOLT?", "+1.000000E+02"),
        ("SOURce:VOLTage:LEVel:IMMediate:AMPLitude 100 V;:volt?", "+1.000000E+02"),
        ("VOLT 2500 mV;:VOLT:LEV?", "+2.500000E+00"),
        ("VOLT:LEV 80;MODE LIST;:VOLT:MODE?", "LIST"),  # the path stays below VOLT
        ("VOLT MAX;VOLT?;VOLT? MIN", "+3.000000E+02;+0.000000E+00"),
        ("FREQ 0.06 KHZ;FREQ?", "+6.000000E+01"),
        ("OUTP ON;OUTP?;:OUTP 0;OUTP?", "1;0"),
        ("VOLT:RANG 120;RANG?", "+1.500000E+02"),
        ("CURR 2.5;CURR?;:CURR:PEAK 20 A;PEAK?", "+2.500000E+00;+2.000000E+01"),
        ("LIST:DWEL 100MS,0.2 S,.3;DWEL?;DWEL:POIN?", "+1.000000E-01,+2.000000E-01,+3.000000E-01;3"),
        ("LIST:TTLT ON,0;TTLT?", "1,0"),
        ("VOLT:SLEW INF;SLEW?", "+9.900000E+37"),
        ("TRIG:SYNC:SOUR PHASE;SOUR?;:TRIG:SEQ2:PHAS 90;PHAS?", "PHAS;+9.000000E+01"),
        ("TRIG:SOUR EXT;:TRIG:TRAN:SOUR?;:TRIG:SEQ1:SOUR?", "EXT;EXT"),
        ("FUNC:SHAP:SYMB SQUARE;:FUNC?", "SQU"),
        ("PULS:PER 0.1;DCYC 30;WIDT?", "+3.000000E-02"),
        ("MEAS:VOLT:AC?;:FETC:FREQ?", "9.91E37;9.91E37"),  # nothing played yet
        ("STAT:OPER:COND?;:INIT:SEQ1;:STAT:OPER:COND?", "0;32"),
        ("TRAC:DEF dip;CAT?", '"SIN","SQU","CSIN","DIP"'),
        (" \t*IDN? ;; *OPC? ; \r", "TEIDEN,SIMULATED 6812B,SIM1,1;1"),
        ("", None),
        ("VOLT 10", None),
    ],
)
def test_reply(sim, message, reply):
    assert sim.execute(message.encode()) == reply
    assert errors(sim) == []


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("VOLT 301", -222),
        ("VOLT:RANG 150;:VOLT 151", -222),
        ("VOLT 200;:VOLT:RANG 150", -221),
        ("FREQ 44.9", -222),
        ("VOLT abc", -104),
        ("VOLT", -109),
        ("VOLT 1,2", -108),
        ("*TRG 1", -108),
        ("VOLT 10 HZ", -131),
        ("VOLT 1E500", -123),
        ("BLAH 1", -113),
        ("VOLT:BLAH 1", -113),
        ("MEAS:VOLT:AC", -113),  # a query only
        ("ABOR?", -113),
        ("FUNC FOO", -224),
        ("VOLT:MODE FOO", -224),
        ("OUTP MAYBE", -224),
        ("VOLT! 1", -102),
        ("TRAC:DEF 'A", -151),
        ("VOLT \u00e9", -101),
        ("LIST:VOLT " + ",".join(["1"] * 101), -223),
        ("LIST:VOLT 1,2,999", -222),
        ("*TRG", -211),
        ("TRIG:TRAN:IMM", -211),
        ("INIT:SEQ1;:INIT:SEQ1", -213),
        ("VOLT:MODE LIST;:FREQ:MODE PULS;:INIT:SEQ1", -221),
        ("TRAC NONE," + ",".join(["1"] * 1024), -224),
        ("TRAC:DEF A;:TRAC A,1,2", -109),
        ("TRAC:DEF A;:TRAC A," + ",".join(["1"] * 1024), -222),
        ("TRAC:DEL A", -224),
        ("A" * 16385, -363),
    ],
)
def test_error(sim, message, number):
    assert sim.execute(message.encode("latin-1")) is None
    assert errors(sim) == [number]
    assert sim.execute(b"*IDN?").startswith("TEIDEN")


def test_errors_come_out_in_the_order_they_went_in(sim):
    sim.execute(b"*CLS")
    for message in (b"VOLT 400", b"VOLT abc", b"BLAH", b"FUNC FOO"):
        sim.execute(message)
    assert sim.execute(b"*STB?") == "4"
    assert errors(sim) == [-222, -104, -113, -224]
    assert sim.execute(b"*ESR?") == "48"  # command error 32 and execution error 16
    assert sim.execute(b"*ESR?;*STB?") == "0;0"


def test_a_full_error_queue_ends_in_overflow(sim):
    for _ in range(40):
        sim.execute(b"VOLT 400")
    found = errors(sim)
    assert found == [-222] * 15 + [-350]


def test_after_an_execution_error_the_message_goes_on_after_a_command_error_it_ends(sim):
    assert sim.execute(b"VOLT 400;VOLT?") == "+0.000000E+00"
    assert sim.execute(b"BLAH;VOLT?") is None


def test_a_refused_value_leaves_the_old_one(sim):
    sim.execute(b"VOLT 100;VOLT 400;:LIST:VOLT 1,2;VOLT 3,999")
    assert sim.execute(b"VOLT?;:LIST:VOLT?") == "+1.000000E+02;+1.000000E+00,+2.000000E+00"


def test_power_on_is_reported_once_and_masks_make_the_status_byte(sim):
    assert sim.execute(b"*ESR?;*ESR?") == "128;0"
    sim.execute(b"*ESE 32;*SRE 32;BLAH")
    assert sim.execute(b"*STB?") == str(4 + 32 + 64)
    assert sim.execute(b"*ESE?;*SRE?") == "32;32"
    sim.execute(b"*CLS;*OPC")
    assert sim.execute(b"*ESR?;*STB?") == "1;0"


def test_lists_of_unequal_length_fail_at_init_and_not_before(sim):
    sim.execute(b"VOLT:MODE LIST;:LIST:VOLT 100,0,100;DWEL 1,2")
    assert errors(sim) == []
    sim.execute(b"INIT:SEQ1")
    assert errors(sim) == [-226]
    assert sim.execute(b"STAT:OPER:COND?") == "0"
    sim.execute(b"LIST:DWEL 1;:INIT:SEQ1")  # a list of one point fits any
    assert errors(sim) == []
    assert sim.execute(b"STAT:OPER:COND?") == "32"


def test_a_list_above_the_range_fails_at_init(sim):
    sim.execute(b"VOLT:RANG 150;:VOLT:MODE LIST;:LIST:VOLT 100,200;:INIT:SEQ1")
    assert errors(sim) == [-222]


def test_reset_restores_what_was_set_and_keeps_the_errors(sim):
    sim.execute(b"VOLT 100;FREQ 50;:OUTP ON;:VOLT:MODE LIST;:LIST:TTLT ON,ON;:FUNC SQU;:VOLT:RANG 150;:BLAH")
    sim.execute(b"*RST")
    assert sim.execute(b"VOLT?;FREQ?;:OUTP?;:VOLT:MODE?") == "+0.000000E+00;+6.000000E+01;0;FIX"
    assert sim.execute(b"LIST:TTLT?;:FUNC?;:VOLT:RANG?") == "0;SIN;+3.000000E+02"
    assert errors(sim) == [-113]


def test_spelling_is_short_or_long_and_suffix_one_is_optional():
    assert spell("VOLTage") == {"VOLT", "VOLTAGE"}
    assert spell("SEQuence1") == {"SEQ", "SEQUENCE", "SEQ1", "SEQUENCE1"}
    assert spell("SEQuence2") == {"SEQ2", "SEQUENCE2"}


TOKENS = st.sampled_from(
    ["VOLT", "FREQ", "LIST:VOLT", "*TRG", "INIT:SEQ1", "ABOR", "*RST", ":", ";", ",", " ", "?", "1E9", "-", "100",
     "INF", "MAX", "NAN", "'", '"', "TRAC", "DEF", "PULS:DCYC", "VOLT:MODE PULS", "OUTP ON", "1E99", "0x1", "٣"]
)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.one_of(st.binary(max_size=80), st.lists(TOKENS, max_size=12).map(lambda t: "".join(t).encode())))
def test_no_message_crashes_the_source(message):
    source = SimulatedSource()
    reply = source.execute(message)
    assert reply is None or (reply.isascii() and "\n" not in reply)
    assert source.play(80, 8000).volts.size == 80
    assert source.execute(b"*IDN?").startswith("TEIDEN")
