"""Notices: genuine ones open, everything else is refused."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.field.notice import (
    KINDS,
    NOTICE_BYTES,
    TAG_BYTES,
    Notice,
    NoticeRefused,
    claimed_meter,
    meter_key,
    seal,
    unseal,
)

KEY = meter_key(1, 42)
GASP = Notice("last_gasp", 42, 7, 82_455, 7_498_011, False)


@given(
    kind=st.sampled_from(sorted(KINDS)),
    meter=st.integers(0, 2**32 - 1),
    sequence=st.integers(0, 2**32 - 1),
    counter=st.integers(0, 2**64 - 1),
    energy=st.integers(0, 2**32 - 1),
    supply=st.booleans(),
)
def test_what_is_sealed_opens_unchanged(kind, meter, sequence, counter, energy, supply):
    notice = Notice(kind, meter, sequence, counter, energy, supply)
    key = meter_key(3, meter)
    assert unseal(key, seal(key, notice)) == notice


def test_layout_is_the_documented_one():
    """Opened by hand with the library's own AES-CCM, from the table in the module's docstring."""
    data = seal(KEY, GASP)
    assert len(data) == NOTICE_BYTES == 31
    header = data[:10]
    assert header == bytes([1, 1]) + (42).to_bytes(4, "big") + (7).to_bytes(4, "big")
    body = AESCCM(KEY, tag_length=TAG_BYTES).decrypt(header + bytes(3), data[10:], header)
    assert body == (82_455).to_bytes(8, "big") + (7_498_011).to_bytes(4, "big") + b"\x00"


@pytest.mark.parametrize("place", range(NOTICE_BYTES))
def test_any_changed_bit_is_refused(place):
    data = bytearray(seal(KEY, GASP))
    data[place] ^= 0x10
    with pytest.raises(NoticeRefused):
        unseal(KEY, bytes(data))


def test_another_meters_key_does_not_open_it():
    with pytest.raises(NoticeRefused, match="tag does not fit meter 42") as caught:
        unseal(meter_key(1, 43), seal(KEY, GASP))
    assert caught.value.reason == "forged"


def test_keys_differ_by_meter_and_by_seed():
    assert len({meter_key(seed, meter) for seed in range(4) for meter in range(100)}) == 400


@given(st.binary(max_size=64))
@settings(max_examples=200)
def test_garbage_never_opens(data):
    with pytest.raises(NoticeRefused):
        unseal(KEY, data)


def test_a_header_without_proof_names_its_meter_only_if_it_is_one():
    assert claimed_meter(seal(KEY, GASP)) == 42
    with pytest.raises(NoticeRefused, match="no notice of version 1"):
        claimed_meter(b"\x02" + seal(KEY, GASP)[1:])
