"""Pushes: sizes against the byte budget, bytes against hand-made ones and a peer, and everything else refused."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from teiden.errors import InputError
from twin.metering import commands, payload
from twin.metering.profile import ENERGY, POWER, PROFILES, REGISTER
from twin.metering.readings import ABSENT, Readings, blank
from twin.metering.security import HEAD_END, MeterKeys, PayloadRefused, meter_keys, seal, system_title, unseal
from twin.store.schema import INTERVAL_NS, Mark, Series, checked

SEED, METER = 1, 42
KEYS = meter_keys(SEED, METER)
MIDNIGHT_NS = 0
EPOCH_UNIX_S = 1_743_433_200  # 2025-04-01T00:00+09:00, by `date -d '2025-04-01 00:00 +09:00' +%s`


def run_of(series, columns, values, first_end_ns=None, marks=None):
    """Return a run of readings of METER; `values` is (intervals, columns)."""
    values = np.asarray(values, np.int64)
    step = INTERVAL_NS[series]
    ends = (step if first_end_ns is None else first_end_ns) + np.arange(len(values)) * step
    filled = blank(METER, series, ends)
    for name, column in zip(columns, values.T, strict=True):
        filled[name] = column.copy()
    if marks is not None:
        filled["mark"] = np.asarray(marks, np.int64)
        for name in columns:
            filled[name][filled["mark"] == Mark.NO_DATA] = ABSENT
    return Readings(**filled)


HALF_HOUR = run_of(Series.HALF_HOUR, ENERGY, [[123_456, 789]])
RIDER = run_of(Series.FIVE_MINUTE, POWER, [[-1500 + i, 200, 1005] for i in range(6)])


@pytest.mark.parametrize(
    ("series", "intervals", "rider", "expected"),
    [
        (Series.HALF_HOUR, 1, 0, 51),
        (Series.HALF_HOUR, 1, 6, 144),
        (Series.FIVE_MINUTE, 2, 0, 73),
        (Series.HALF_HOUR, 48, 0, 621),
        (Series.FIVE_MINUTE, 288, 0, 4367),
    ],
)
def test_sizes_are_those_of_the_byte_budget(series, intervals, rider, expected):
    """DOMAIN.md 2.3, measured earlier with another release of the library."""
    assert payload.size_bytes(series, intervals, "seed-2021", rider) == expected


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_a_size_is_what_the_encoder_makes_of_any_values(profile):
    rng = np.random.default_rng(3)
    for series, kept in profile.series.items():
        for intervals in {1, 2, min(130, kept.slots(series))}:
            values = rng.integers(0, 60_000, (intervals, len(kept.columns)))
            apdu = payload.encode(run_of(series, kept.columns, values), number=77)
            assert len(seal(apdu, METER, 9, KEYS)) == payload.size_bytes(series, intervals, profile)


def test_bytes_of_a_half_hour_are_the_documented_ones():
    """By hand from the tables in the docstrings, opened with AES-GCM of the cryptography package."""
    data = seal(payload.encode(HALF_HOUR, number=5), METER, 7, KEYS)
    title = b"TDN" + (42).to_bytes(5, "big")
    assert data[:16] == b"\xdb\x08" + title + bytes([51 - 11]) + b"\x30" + (7).to_bytes(4, "big")
    # The 12-byte tag is the front of the 16-byte one, so ciphering again must give the same bytes.
    plain = (
        b"\x0f" + (5 << 4).to_bytes(4, "big") + b"\x00"
        + b"\x02\x03"
        + b"\x06" + (EPOCH_UNIX_S + 1800).to_bytes(4, "big")
        + b"\x06" + (123_456).to_bytes(4, "big")
        + b"\x06" + (789).to_bytes(4, "big")
    )  # fmt: skip
    sealed = AESGCM(KEYS.encryption).encrypt(title + data[12:16], plain, b"\x30" + KEYS.authentication)
    assert data[16:] == sealed[:-4]


@settings(max_examples=60, deadline=None)
@given(
    series_columns=st.sampled_from(
        [
            (Series.HALF_HOUR, ENERGY),
            (Series.FIVE_MINUTE, POWER),
            (Series.ONE_MINUTE, ENERGY + POWER),
            (Series.GAS, REGISTER),
        ]
    ),
    rows=st.lists(st.tuples(st.integers(0, 2**16 - 1), st.sampled_from([0, 1, 3, 4])), min_size=1, max_size=140),
    number=st.integers(0, 2**32),
)
def test_what_is_pushed_is_read_unchanged(series_columns, rows, number):
    series, columns = series_columns
    values = [[value] * len(columns) for value, _ in rows]
    readings = run_of(series, columns, values, marks=[mark for _, mark in rows])
    got = payload.decode(payload.encode(readings, number), METER)
    assert got.same_as(readings)


def test_extremes_keep_their_sign_and_width():
    both = run_of(Series.ONE_MINUTE, ENERGY + POWER, [[2**32 - 1, 0, -(2**31), 2**31 - 1, 2**16 - 1]])
    assert payload.decode(payload.encode(both), METER).same_as(both)


def test_five_minute_values_ride_with_their_half_hour():
    got = payload.decode(payload.encode(HALF_HOUR, five_minute=RIDER), METER)
    assert got.take(slice(0, 1)).same_as(HALF_HOUR)
    assert got.take(slice(1, None)).same_as(RIDER)


def test_readings_make_a_table_that_the_store_takes():
    table = payload.decode(payload.encode(HALF_HOUR, five_minute=RIDER), METER).to_table(2 * 10**12, 2 * 10**12 + 1)
    assert checked(table, "push").num_rows == 7
    assert table["p_w"].null_count == 1
    assert table["import_wh"].null_count == 6


def sealed_half_hour(counter=1):
    return seal(payload.encode(HALF_HOUR), METER, counter, KEYS)


def receiver(meters=100):
    return payload.Receiver(lambda meter: meter_keys(SEED, meter), meters)


@pytest.mark.parametrize("place", range(51))
def test_any_changed_bit_is_refused(place):
    data = bytearray(sealed_half_hour())
    data[place] ^= 0x04
    with pytest.raises(PayloadRefused):
        receiver().open(bytes(data))


@pytest.mark.parametrize("length", range(51))
def test_a_cut_push_is_refused(length):
    with pytest.raises(PayloadRefused):
        receiver().open(sealed_half_hour()[:length])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80))
def test_noise_is_refused_behind_a_good_tag_too(noise):
    """Only a push may come out of bytes that are none, whatever a genuine meter sends."""
    with pytest.raises(PayloadRefused):
        receiver().open(noise)
    assert reason_of_refusal(noise) in (None, "malformed")


def test_a_length_that_is_not_there_does_not_fill_the_memory():
    """Four bytes once asked for 4,294,967,295 entries."""
    body = bytes.fromhex("0202") + b"\x06" + EPOCH_UNIX_S.to_bytes(4, "big") + bytes.fromhex("0184ffffffff")
    assert reason_of_refusal(body) == "malformed"


def reason_of_refusal(body):
    """Return why a push of this body is refused, None where it is readings."""
    try:
        return None if len(payload.decode(b"\x0f" + bytes(5) + body, METER)) else "empty"
    except PayloadRefused as error:
        return error.reason


def test_a_counter_passes_once_and_may_be_overtaken():
    head_end = receiver()
    assert head_end.open(sealed_half_hour(5)).same_as(HALF_HOUR)
    assert head_end.open(sealed_half_hour(3)).same_as(HALF_HOUR)
    for counter in (3, 5):
        with pytest.raises(PayloadRefused, match=f"counter {counter} again") as caught:
            head_end.open(sealed_half_hour(counter))
        assert caught.value.reason == "repeated"


def test_a_forged_counter_does_not_shut_the_meter_out():
    head_end = receiver()
    forged = bytearray(sealed_half_hour(1))
    forged[12:16] = b"\xff\xff\xff\xff"
    with pytest.raises(PayloadRefused, match="tag does not fit"):
        head_end.open(bytes(forged))
    assert head_end.open(sealed_half_hour(1)).same_as(HALF_HOUR)


def test_a_meter_outside_the_asset_data_and_another_meters_key_are_refused():
    with pytest.raises(PayloadRefused, match="meter 42, expected below 42"):
        receiver(meters=42).open(sealed_half_hour())
    with pytest.raises(PayloadRefused, match="tag does not fit 42"):
        unseal(sealed_half_hour(), meter_keys(SEED, 43))


@pytest.mark.parametrize(
    ("readings", "rider", "says"),
    [
        (run_of(Series.HALF_HOUR, ENERGY, np.zeros((0, 2))), None, "no readings, expected at least one interval"),
        (
            run_of(Series.HALF_HOUR, ENERGY, np.zeros((3, 2))).take(np.array([0, 2])),
            None,
            "row 1 ends at 5400000000000 ns",
        ),
        (run_of(Series.HALF_HOUR, ENERGY, [[2**32, 0]]), None, "import_wh = 4294967296, expected what fits"),
        (run_of(Series.HALF_HOUR, ENERGY, [[-1, 0]]), None, "import_wh = -1, expected what fits"),
        (run_of(Series.HALF_HOUR, ("p_w",), [[1]]), None, "holds p_w, expected import_wh or"),
        (HALF_HOUR, RIDER.take(slice(0, 5)), "5-minute values end at 1500000000000 ns, expected the interval's 18"),
        (RIDER, RIDER, "6 intervals with a rider, expected one"),
    ],
)
def test_what_cannot_be_pushed_is_named(readings, rider, says):
    with pytest.raises(InputError, match=says):
        payload.encode(readings, five_minute=rider)


def test_sizes_ask_only_for_what_a_profile_has():
    with pytest.raises(InputError, match="profile present: no series five_minute, expected one of half_hour"):
        payload.size_bytes(Series.FIVE_MINUTE, 1, "present")
    with pytest.raises(InputError, match="2161 intervals of half_hour, expected 1 to 2160"):
        payload.size_bytes(Series.HALF_HOUR, 2161, "present")
    with pytest.raises(InputError, match=r"no profile 'final2022', expected one of .*; near: final-2022"):
        payload.size_bytes(Series.HALF_HOUR, 1, "final2022")


def test_a_counter_past_its_end_needs_new_keys():
    with pytest.raises(ValueError, match="invocation counter 4294967296"):
        seal(b"", METER, 2**32, MeterKeys(bytes(16), bytes(16)))


def test_gurux_reads_what_we_push():
    """The peer deciphers, verifies the tag and finds the same numbers; 130 entries need a length of two bytes."""
    many = run_of(Series.FIVE_MINUTE, POWER, [[-5 - i, 7, 1000 + i] for i in range(130)])
    for readings in (HALF_HOUR, many):
        numbers = numbers_in(gurux_xml(seal(payload.encode(readings, 3), METER, 8, KEYS), METER))
        names = [name for name in ENERGY + POWER if getattr(readings, name)[0] != ABSENT]
        values = np.stack([getattr(readings, name) for name in names], 1).ravel().tolist()
        assert numbers == [EPOCH_UNIX_S + int(readings.interval_end_ns[0]) // 10**9, *values]


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        (commands.switch_supply(False), {"ClassId": "0046", "InstanceId": "000060030AFF", "MethodId": "01"}),
        (commands.limit_amperes(10), {"ClassId": "0047", "AttributeId": "04", "UInt16": "0064"}),
        (commands.ask_range(Series.FIVE_MINUTE, 0, 10**12), {"ClassId": "0007", "InstanceId": "0100630200FF"}),
    ],
    ids=["open", "limit", "range"],
)
def test_gurux_reads_what_we_command(command, fields):
    found = gurux_xml(seal(command, HEAD_END, 8, KEYS), HEAD_END)
    assert {name: found.find(f".//{name}").get("Value") for name in fields} == fields


def gurux_xml(data, sender):
    """Return what gurux-dlms finds in a ciphered APDU, as XML."""
    python = os.environ.get("TEIDEN_GURUX_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import gurux_dlms"], capture_output=True, check=False).returncode:
        pytest.skip("gurux-dlms (GPL, never a dependency) is not there; TEIDEN_GURUX_PYTHON names a Python that has it")
    words = [system_title(sender).hex(), KEYS.encryption.hex(), KEYS.authentication.hex()]
    reader = Path(__file__).with_name("gurux_reader.py")
    out = subprocess.run([python, reader, *words], input=data.hex(), capture_output=True, text=True, check=True).stdout
    inner = re.sub(r"<!--.*?-->", "", out.split("<!--Decrypt data:", 1)[1]).split("\n-->", 1)[0]  # remarks in a remark
    return ET.fromstring(inner[inner.index("<") :])


def numbers_in(found):
    """Return the integers of a push, in order."""
    bits = {"UInt32": (32, False), "Int32": (32, True), "UInt16": (16, False)}
    numbers = []
    for element in found.iter():
        if element.tag in bits:
            width, signed = bits[element.tag]
            value = int(element.get("Value"), 16)
            numbers.append(value - (1 << width) if signed and value >> (width - 1) else value)
    return numbers
