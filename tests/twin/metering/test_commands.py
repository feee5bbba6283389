"""Commands: bytes by hand from the COSEM object tables."""

import pytest
from dlms_cosem.protocol.xdlms import GetRequestNormal

from teiden.errors import InputError
from twin.metering import commands
from twin.metering.calendar import civil_time
from twin.metering.security import HEAD_END, PayloadRefused, meter_keys, seal, unseal
from twin.store.schema import DAY_NS, HOUR_NS, Series

# IEC 62056-5-3: request tag, normal, invoke id, class, logical name, attribute or method, then data.
BY_HAND = {
    "open": (commands.switch_supply(False, 3), "c3 01 c3 0046 0000 60 03 0a ff 01 01 0f 00"),
    "close": (commands.switch_supply(True), "c3 01 c0 0046 0000 60 03 0a ff 02 01 0f 00"),
    "10 A": (commands.limit_amperes(10), "c1 01 c0 0047 0000 11 00 00 ff 04 00 12 0064"),
    "on demand": (
        commands.ask_now(("p_w", "u_dv")),
        "c0 03 40 02 0003 0100 01 07 00 ff 02 00 0003 0100 20 07 00 ff 02 00",
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_bytes_are_those_of_the_object_tables(name):
    got, by_hand = BY_HAND[name]
    assert got.hex() == by_hand.replace(" ", "")


def test_a_reservation_is_one_request_with_amperes_time_and_duration():
    # set request with list: two attributes of the limiter, without selection, then their two values
    sent = commands.reserve_limit(10, 7, DAY_NS, 7200)
    names = "02 0047 0000 11 00 00 ff 05 00 0047 0000 11 00 00 ff 08 00"
    values = "02 12 0064 02 03 12 0007 09 0c 07e9 04 02 ff 00 00 00 00 fde4 00 06 00001c20"
    assert sent.hex() == f"c1 04 c0 {names} {values}".replace(" ", "")
    assert commands.reserve_limit(10, 7, DAY_NS, 0) == sent[:-4] + bytes(4)


def test_a_re_request_says_its_range():
    request = GetRequestNormal.from_bytes(commands.ask_range(Series.FIVE_MINUTE, HOUR_NS, DAY_NS))
    assert request.cosem_attribute.instance.to_string() == "1-0:99.2.0.255"
    between = request.access_selection
    assert (between.from_value, between.to_value) == (civil_time(HOUR_NS), civil_time(DAY_NS))


def test_a_command_opens_only_for_its_meter():
    keys = meter_keys(1, 5)
    sealed = seal(commands.switch_supply(False), HEAD_END, 1, keys)
    assert unseal(sealed, keys) == (commands.switch_supply(False), 1)
    with pytest.raises(PayloadRefused, match="tag does not fit"):
        unseal(sealed, meter_keys(1, 6))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: commands.limit_amperes(-1), "ampere limit -1 A, expected 0 to 120 A"),
        (lambda: commands.limit_amperes(121), "ampere limit 121 A"),
        (lambda: commands.ask_range(Series.GAS, 2, 1), "range from 2 to 1 ns"),
    ],
)
def test_what_makes_no_sense_is_named(make, says):
    with pytest.raises(InputError, match=says):
        make()
