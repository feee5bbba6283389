"""A saturated star against a fixed point: what a sender sees, from how often all the others send.

The decoupling of G. Bianchi (IEEE JSAC 18(3), 2000) for the unslotted CSMA/CA of IEEE 802.15.4, where backoffs are not
frozen and the turnaround makes the blind spots (as in C. Buratti and R. Verdone, IEEE Trans. Veh. Tech. 58(7), 2009):
every sender senses the channel as a Poisson process while it backs off, at the mean rate of its backoff chain. All
senders hear each other and the sink; any overlap kills. The channel then goes through cycles

    idle until somebody senses it idle | turnaround, in which others do so too | what is on air | idle ...

of three kinds: *success* (data, turnaround, ACK), *collision* (more than one in the turnaround), and *intrusion*
(somebody senses the gap between data and ACK idle and sends into the ACK, which is lost, and so is the intruder).
Who has sent does not contend until its ACK wait (or its pause after the ACK) is over.
"""

import functools
import math

import numpy as np
import pytest

import gpu

PSDU_BYTES = 100
SECONDS = 40


def fixed_point(senders, radio):
    """Return busy share of looks at the channel, transmissions, received and acknowledged frames a second."""
    busy, sent_before = 0.5, {"success": 1.0, "collision": 2.0, "intrusion": 1.0}
    for _ in range(2000):
        found = one_round(senders, radio, busy, sent_before)
        change = abs(found["busy"] - busy) + abs(found["sent"]["collision"] - sent_before["collision"])
        busy += 0.2 * (found["busy"] - busy)  # damped: the map alone swings
        sent_before = {kind: 0.8 * sent_before[kind] + 0.2 * found["sent"][kind] for kind in sent_before}
        if change < 1e-10:
            return found
    raise AssertionError("no fixed point")


def one_round(senders, radio, busy, sent_before):
    """Return what the channel does if a look finds it busy with this probability."""
    data, ack, turn = radio.air_us(PSDU_BYTES), radio.air_us(radio.ack_bytes), radio.turnaround_us
    stages = [min(radio.min_be + i, radio.max_be) for i in range(radio.max_csma_backoffs + 1)]
    waits = [(2**be - 1) / 2 * radio.unit_backoff_us + radio.cca_us for be in stages]
    reached = busy ** np.arange(len(stages))
    rate = reached.sum() / (reached * waits).sum()  # looks a contending sender and microsecond
    joins = 1 - math.exp(-rate * turn)  # one more sender looks within a turnaround

    kinds = list(sent_before)
    away = {"success": radio.lifs_us, "collision": radio.ack_wait_us, "intrusion": radio.ack_wait_us}
    alone, joined, idle, late = (np.empty(3) for _ in range(4))
    for row, kind in enumerate(kinds):  # after a cycle of this kind
        present = max(senders - sent_before[kind], 1.0)
        soon = 1 - math.exp(-present * rate * away[kind])  # before those who sent contend again
        idle[row] = soon / (present * rate) + (1 - soon) / (senders * rate)
        alone[row] = soon * (1 - joins) ** (present - 1) + (1 - soon) * (1 - joins) ** (senders - 1)
        joined[row] = joins * (soon * (present - 1) + (1 - soon) * (senders - 1))
        rest = max(away[kind] - turn, 0)  # how long they still miss when the channel is busy again
        late[row] = sent_before[kind] * (rest - (1 - math.exp(-present * rate * rest)) / (present * rate))
    undisturbed = (1 - joins) ** (senders - 1)
    steps = np.column_stack([alone * undisturbed, 1 - alone, alone * (1 - undisturbed)])
    share = np.linalg.matrix_power(steps, 200)[0]  # how often each kind

    last = last_offset(senders - 1, joins) * turn
    sent = {
        "success": 1.0,
        "collision": 1 + share @ joined / share[1],
        "intrusion": (senders - 1) * joins / (1 - undisturbed),  # the intruders; the sender has waited meanwhile
    }
    on_air = np.array([data + ack, data + last, 2 * data + last])
    contending = np.array([
        (senders - 1) * (data + ack),
        (senders - sent["collision"]) * (data + last),
        (senders - 1) * data + (senders - sent["intrusion"]) * (data + last) - (radio.ack_wait_us - turn),
    ])  # fmt: skip
    transmissions = share @ [1.0, sent["collision"], 1 + sent["intrusion"]]
    looks_busy = rate * (share @ contending - share @ late)
    cycle = share @ on_air + share @ idle + turn * (1 + share[0] + share[2])
    return {
        "busy": looks_busy / (looks_busy + transmissions),
        "sent": sent,
        "sent_per_s": transmissions / cycle * 1e6,
        "received_per_s": (share[0] + share[2]) / cycle * 1e6,
        "acked_per_s": share[0] / cycle * 1e6,
    }


def last_offset(others, joins):
    """Return the mean of the latest of uniform offsets in 0 to 1, of as many as join, given that some do."""
    count = np.arange(1, others + 1)
    weight = np.array([math.comb(others, int(k)) * joins**k * (1 - joins) ** (others - k) for k in count])
    return (weight * count / (count + 1)).sum() / weight.sum()


@functools.cache
def saturated(senders, radio):
    """Return the same figures of the engine, over SECONDS after two to warm up."""
    a, b = np.nonzero(~np.eye(senders + 1, dtype=bool))
    mesh = gpu.Mesh.build(np.zeros((senders + 1, 2)), [], radio, 1, links=(a, b, np.full(a.size, 40.0)), route=False)
    each = radio.queue_frames
    start_ns = np.random.default_rng(senders).integers(0, 10**7, senders)  # 802.15.4's times are multiples of 32 us:
    mesh.inject(np.tile(start_ns, each), np.tile(np.arange(1, senders + 1), each), 0, PSDU_BYTES)  # those who start in
    # the same microsecond would meet on that grid for ever
    mesh.run_until(2 * 10**9)
    before = mesh.counters()
    mesh.run_until((2 + SECONDS) * 10**9)
    after = mesh.counters()
    frames = mesh.frames()
    left = np.bincount(frames["src"][frames["copies"] > 0], minlength=senders + 1)[1:]
    assert left.min() > 0, "a sender ran out of frames"
    count = {key: after[key] - before[key] for key in after}
    refused = count["access_verdicts"] / (count["access_verdicts"] + count["tx_data"])
    return {
        "busy": refused ** (1 / (radio.max_csma_backoffs + 1)),
        "sent_per_s": count["tx_data"] / SECONDS,
        "received_per_s": count["tx_ack"] / SECONDS,
        "acked_per_s": count["acked"] / SECONDS,
    }


# Looks are closest to Poisson with many senders and wide windows. Standard errors are 1 to 1.5 % (2,500 to 5,500
# acknowledged frames); the decoupling itself, which forgets who has just sent and with which window, is worth as much.
CASES = [(10, 7, 7, 0.04), (10, 5, 7, 0.04), (20, 5, 7, 0.04), (20, 7, 7, 0.04)]
# With the windows of the standard a backoff of 0 to 7 units is no Poisson process any more, and those who collided
# come back together: only how busy the channel is and what is sent is foretold well.
CASES_NARROW = [(5, 3, 5, 0.04), (10, 3, 5, 0.06), (20, 3, 5, 0.08)]


def radio_of(min_be, max_be, /, **changes):
    given = {"min_be": min_be, "max_be": max_be} | changes
    return gpu.profile("oqpsk-250k-2450", capture="hard", queue_frames=8000, **given)


@pytest.mark.parametrize(("senders", "min_be", "max_be", "tolerance"), CASES)
def test_a_saturated_star_does_what_the_fixed_point_says(senders, min_be, max_be, tolerance):
    radio = radio_of(min_be, max_be)
    expected, found = fixed_point(senders, radio), saturated(senders, radio)
    assert found["busy"] == pytest.approx(expected["busy"], abs=0.015)
    for key in ("sent_per_s", "received_per_s", "acked_per_s"):
        assert found[key] == pytest.approx(expected[key], rel=tolerance), key


@pytest.mark.parametrize(("senders", "min_be", "max_be", "tolerance"), CASES_NARROW)
def test_with_the_standards_windows_load_and_sensing_are_foretold(senders, min_be, max_be, tolerance):
    radio = radio_of(min_be, max_be)
    expected, found = fixed_point(senders, radio), saturated(senders, radio)
    assert found["busy"] == pytest.approx(expected["busy"], abs=0.015)
    assert found["sent_per_s"] == pytest.approx(expected["sent_per_s"], rel=tolerance)


@pytest.mark.parametrize(
    "changes", [{"turnaround_us": 96}, {"max_csma_backoffs": 2}, {"unit_backoff_us": 400}, {"min_be": 4}]
)
def test_the_tolerance_tells_one_constant_from_another(changes):
    """The fixed point with one constant wrong is outside the tolerance of the engine's figures."""
    found = saturated(20, radio_of(5, 7))
    wrong = fixed_point(20, radio_of(5, 7, **changes))
    close = [
        found[key] == pytest.approx(wrong[key], rel=0.04) for key in ("sent_per_s", "received_per_s", "acked_per_s")
    ]
    assert not all(close) or abs(found["busy"] - wrong["busy"]) > 0.015
