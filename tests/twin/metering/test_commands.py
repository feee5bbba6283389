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
    "15 minutes": (commands.set_period(Series.HALF_HOUR, 900), "c1 01 c0 0007 0100 63 00 00 ff 04 00 06 00000384"),
    "push window": (commands.set_push_window(Series.HALF_HOUR, 600), "c1 01 c0 0028 0000 19 09 00 ff 05 00 12 0258"),
    "clock": (  # 2025-04-02 13:30:05, weekday unset, deviation -540 min
        commands.set_clock(DAY_NS + 13 * HOUR_NS + 1805 * 10**9),
        "c1 01 c0 0008 0000 01 00 00 ff 02 00 09 0c 07e9 04 02 ff 0d 1e 05 00 fde4 00",
    ),
    "on demand": (
        commands.ask_now(("p_w", "u_dv")),
        "c0 03 40 02 0003 0100 01 07 00 ff 02 00 0003 0100 20 07 00 ff 02 00",
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_bytes_are_those_of_the_object_tables(name):
    got, by_hand = BY_HAND[name]
    assert got.hex() == by_hand.replace(" ", "")


def test_a_reservation_carries_amperes_time_and_duration():
    amperes, profile = commands.reserve_limit(10, 7, DAY_NS, 7200)
    assert amperes.hex().endswith("ff0500120064")
    assert profile.hex().endswith("ff0800" + "0203" + "120007" + "090c07e90402ff00000000fde400" + "0600001c20")
    cancelled = commands.reserve_limit(10, 7, DAY_NS, 0)[1]
    assert cancelled == profile[:-4] + bytes(4)


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
        (
            lambda: commands.set_push_window(Series.FIVE_MINUTE, 301),
            "push window of five_minute: 301 s, expected 0 to 300",
        ),
        (lambda: commands.ask_range(Series.GAS, 2, 1), "range from 2 to 1 ns"),
    ],
)
def test_what_makes_no_sense_is_named(make, says):
    with pytest.raises(InputError, match=says):
        make()
