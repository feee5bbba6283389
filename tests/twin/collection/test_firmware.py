"""A new image: everybody gets it, within the air it may take, with blocks repaired; sums broken on purpose."""

import numpy as np
import pytest
from dlms_cosem.protocol.xdlms import ActionRequestNormal

from teiden.errors import InputError
from twin.collection.conservation import balance
from twin.collection.firmware import TICK_NS
from twin.collection.firmware_figures import activations_ns, firmware_figures
from twin.metering import image
from twin.metering.agent import MeterAgent
from twin.metering.security import HEAD_END, meter_keys, seal, unseal

SHORT = ("history.share=0", "real_time.share=0", "time.duration_h=2.0", "time.after_h=0.5", "firmware.image_kb=4",
         "firmware.at_h=0.1", "firmware.repair_rate_per_s=20")  # fmt: skip


def test_the_bytes_of_image_transfer_are_those_of_the_object_table():
    # action request, normal, class 18, 0-0:44.0.0.255, method 2: a structure of a number and 300 bytes (82 012c)
    block = image.transfer_block(7, bytes(300), 1)
    head = "c3 01 41 0012 0000 2c 00 00 ff 02 01 02 02 06 00000007 09 82 012c"
    assert block.hex() == head.replace(" ", "") + "00" * 300
    assert image.block_number(bytes(ActionRequestNormal.from_bytes(block).data)) == 7
    assert image.ask_blocks(2).hex() == "c00142001200002c0000ff0300"
    # get response, normal, data, bit string of 10: 1010000001 and six that fill the byte
    held = np.array([1, 0, 1, 0, 0, 0, 0, 0, 0, 1], bool)
    told = image.tell_blocks(held, b"\x42")
    assert told.hex() == "c4014200" + "040a" + "a040"
    assert image.read_blocks(told, 10).tolist() == held.tolist()


def test_a_meter_that_lacks_a_block_does_not_activate():
    keys = meter_keys(1, 5)
    agent = MeterAgent(5, keys, 60.0, lambda t_ns: {}, lambda t_ns: 0)
    agent.image = np.array([True, False])

    def ask(apdu, counter):
        return unseal(agent.take(seal(apdu, HEAD_END, counter, keys), 0).answer, keys)[0].hex()

    assert ask(image.activate(), 1) == "c701400200"  # temporary failure
    assert ask(image.transfer_block(1, b"block"), 2) == "c701400000"
    assert agent.image.all()
    assert ask(image.activate(), 3) == "c701400000"


def test_all_meters_get_all_blocks_within_the_air_they_may_take(play):
    share = 15.5 * 0.0956 / 300  # fifteen blocks of 96 ms in five minutes, and half a one
    run = play(*SHORT, f"firmware.airtime_share={share}")
    new, said = run.firmware, firmware_figures(run)
    assert run.record.broken == []
    assert said["blocks"] == 4
    assert said["meters"] == (run.concentrators_now() >= 0).sum() > 950
    assert said["complete"] == said["activated"] == said["meters"]
    assert said["blocks_heard_as_broadcast"] + said["blocks_brought_one_by_one"] == 4 * said["meters"]
    assert said["blocks_heard_as_broadcast"] > 2 * said["meters"]  # broadcasts carry most of it
    assert said["blocks_brought_one_by_one"] > 0
    assert max(new.sent_us.values()) <= 15 * new.air_us  # the limiter, for each concentrator and five minutes
    assert 0 < said["most_of_five_minutes_on_air_share"] <= share
    # Nobody activates before it has the image, and nothing is sent before the image begins.
    assert all(t_ns > new.complete_ns[meter] >= new.begin_ns for meter, t_ns in activations_ns(run).items())
    # Hand calculation: a block takes 8 x (16 + PSDU) / 100 kb/s; PSDU 1,024 B and 101 B of headers and some.
    assert new.air_us == pytest.approx(8 * (1024 + 101 + 70) / 0.1, rel=0.03)
    # The lowest priority: half hours are heard as before.
    assert said["billing_heard_meanwhile_share"] >= said["billing_heard_otherwise_share"] - 0.01


@pytest.mark.slow
def test_results_do_not_depend_on_windows(play):
    quick = ("firmware.airtime_share=0.5", "time.duration_h=0.5", "time.after_h=0.2", "firmware.image_kb=1")
    runs = [play(*SHORT, *quick, window_ns=window_s * 10**9) for window_s in (60, 7)]
    assert firmware_figures(runs[0])["activated"] > 0
    assert runs[0].digest() == runs[1].digest()
    assert np.array_equal(runs[0].firmware.complete_ns, runs[1].firmware.complete_ns)


def test_a_block_nobody_brought_raises_the_alarm(play):
    run = play(*SHORT, "firmware.airtime_share=0.5", "time.duration_h=0.5", "time.after_h=0.25", "firmware.image_kb=1")
    assert balance(run).broken == []
    run.firmware.held[np.flatnonzero(run.firmware.members)[0]] = False
    assert any(text.startswith("firmware") for text in balance(run).broken)


def test_too_little_air_for_a_block_is_named(play):
    with pytest.raises(InputError, match=r"airtime_share = 0.0001, expected at least 0.0003\d*: a block takes 9"):
        play(*SHORT, "firmware.airtime_share=0.0001")


def test_a_part_of_the_concentrators_is_a_part_of_the_meters(play):
    run = play(*SHORT, "firmware.share=0.5", "time.duration_h=0.5", "time.after_h=0.25", "firmware.image_kb=1")
    home = run.concentrators_now()
    served = np.unique(home[run.firmware.members])
    assert 0 < served.size < 4
    assert (run.firmware.members == np.isin(home, served)).all()
    assert not run.firmware.held[~run.firmware.members].any()
    assert {concentrator for concentrator, _ in run.firmware.sent_us} == set(served.tolist())
    assert min(tick for _, tick in run.firmware.sent_us) * TICK_NS >= run.firmware.begin_ns


def test_meters_beside_the_mesh_are_brought_every_block_by_itself(play):
    run = play(*SHORT, "firmware.airtime_share=0.5", "time.duration_h=0.5", "time.after_h=0.5", "firmware.image_kb=2",
               "fleet.mesh_share=0.9", "fleet.plc_share=0.06", "fleet.cellular_share=0.04",
               "requests.per_concentrator=20")  # fmt: skip
    new, said, fleet = run.firmware, firmware_figures(run), run.plan.fleet
    assert run.record.broken == []
    beside = np.flatnonzero(fleet.lane >= 0)
    assert beside.size > 60
    assert new.members[beside].all()
    brought = [errand for errand in run.office.errands.of("image_block") if errand.acted]
    assert sorted((e.meter, e.block) for e in brought if fleet.link[e.meter]) == sorted(
        (meter, block) for meter in beside.tolist() for block in range(2)
    )
    assert new.held[beside].all()
    assert said["activated"] == said["complete"] == said["meters"]
