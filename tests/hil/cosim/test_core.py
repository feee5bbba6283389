"""The core alone: steps of any length, the native run's bytes, what is refused."""

import json
import time

import pytest

from hil.cosim.core import load_outage, opened
from teiden.errors import InputError, PartFailed


@pytest.fixture(scope="module")
def stepped(small_cosim, giver, tmp_path_factory):
    """The run, stepped from change to change; its outputs."""
    place = tmp_path_factory.mktemp("core") / "small"
    with opened(small_cosim, place, 1.0, "a test") as twin:
        told = [twin.step(t_ns, inputs) for t_ns, inputs in giver.moves]
        told.append(twin.step(twin.end_ns, {}))
        return told, twin.finish({"twin": 1.0})


def test_it_leaves_the_native_runs_tables(stepped, same_events):
    same_events(stepped[1])


def test_outputs_are_what_the_head_end_knew_then(stepped, native):
    told, _ = stepped
    assert [one["t_s"] for one in told] == [4.0, 4.3, 14.0, 18.0, 24.0]
    before = native.summary["belief"]  # the moments just before the trip, the isolation and the tie, and the end
    assert [one["meters_out"] for one in told[1:]] == [moment["truly_dark"] for moment in before]
    assert [one["meters_believed_out"] for one in told[1:]] == [moment["believed_dark"] for moment in before]
    gasps, returns = native.summary["gasps"]["delivered"], native.summary["returns"]["delivered"]
    assert (told[-1]["gasps_received"], told[-1]["returns_received"]) == (gasps, returns)
    assert told[-1]["polls_answered"] == native.summary["polls"]["answered"]
    for one in told:
        named = [row["named"] for row in native.summary["sections"] if row["t_s"] < one["t_s"]]
        assert one["section"] == (named[-1] if named else "nothing")


def test_the_exchange_is_on_file(stepped, giver):
    told, done = stepped
    lines = [json.loads(line) for line in (done.folder / "exchange.jsonl").read_text().splitlines()]
    assert [line["t_ns"] for line in lines] == [*(t_ns for t_ns, _ in giver.moves), 24_000_000_000]
    assert [line["inputs"] for line in lines] == [*(inputs for _, inputs in giver.moves), {}]
    assert [line["outputs"] for line in lines] == told
    assert done.manifest["supply"] == "a test"
    assert "the supply of another simulator left" in (done.folder / "report.html").read_text().lower()


@pytest.fixture(scope="module")
def twin(small_cosim, tmp_path_factory):
    """A run at its beginning, for what is refused."""
    with opened(small_cosim, tmp_path_factory.mktemp("refused") / "small", 1.0, "a test") as started:
        started.step(500_000_000, {})
        yield started


def test_a_step_backwards_is_refused(twin):
    with pytest.raises(InputError, match=r"step to t = 0\.25 s after t = 0\.5 s, expected no earlier time"):
        twin.step(250_000_000, {})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("meter/M9999999/voltage_pu", 0.0, "no meter 'M9999999', expected M0000000 to M0000999"),
        ("substation/LV Lood 3/voltage_pu", 0.0, "no substation 'LV Lood 3' among 141 .* did you mean 'LV Load 3'"),
        ("feeder/none/breaker_open", True, "no feeder 'none' among 4"),
        ("substation/LV Load 3/voltage_pu", float("nan"), "= nan, expected a voltage over nominal of 0 to 1.2"),
        ("substation/LV Load 3/voltage_pu", 230.0, "= 230.0, expected a voltage over nominal of 0 to 1.2"),
        ("substation/LV Load 3/voltage_v", 1.0, "input 'substation/LV Load 3/voltage_v', expected one of"),
        ("stage", "a b", "stage = 'a b', expected a word"),
        ("feeder/Bus 178 / Line 62/breaker_open", 0.5, "= 0.5, expected 0 .closed. or 1 .open."),
    ],
)
def test_a_wrong_input_is_refused_by_name(twin, name, value, said):
    with pytest.raises(InputError, match=said):
        twin.step(twin.now_ns, {name: value})


def test_a_meter_with_a_voltage_of_its_own_leaves_its_neighbours_alone(twin):
    substation = twin.substations[int(twin._loop.plan.population.meter_substation[42])]
    neighbours = int((twin._loop.plan.population.meter_substation == twin.supply.substation(substation)).sum())
    twin.step(600_000_000, {"meter/M0000042/voltage_pu": 0.0})
    assert twin.step(700_000_000, {"meter/M0000042/voltage_pu": 1.0})["meters_out"] == 1
    twin.step(800_000_000, {f"substation/{substation}/voltage_pu": 0.0})
    assert twin.step(900_000_000, {f"substation/{substation}/voltage_pu": 1.0})["meters_out"] == neighbours - 1
    assert neighbours > 2


def test_the_boards_source_is_given_time(twin, native):
    place = native.summary["board"]["substation"]
    with pytest.raises(InputError, match=r"t = 0\.9 s: the voltage at the board's meter .* no change before t = 1 s"):
        twin.step(twin.now_ns, {f"substation/{place}/voltage_pu": 0.5})


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("collection_day", [], "of kind collection, expected an outage"),
    ],
)
def test_scenarios_that_cannot_be_co_simulated_are_refused(name, more, said):
    with pytest.raises(InputError, match=said):
        load_outage(name, more, None)


def test_steps_shorter_than_a_millisecond_are_refused(small_cosim, tmp_path):
    with (
        pytest.raises(InputError, match=r"step_s = 1e-06, expected 0\.001 s or more"),
        opened(small_cosim, tmp_path / "run", 1e-6, "a test"),
    ):
        pass


def test_a_run_that_is_given_nothing_stays_lit(changes, tmp_path):
    short = load_outage("feeder_fault", [*changes, "fault.at_s=1", "time.duration_s=2", "policy.kind=last_gasp"], None)
    with opened(short, tmp_path / "lit", 1.0, "a test") as twin:
        assert twin.next_ns == 1_000_000_000
        done = twin.finish()
    assert done.summary["dark"] == {"peak": 0, "at_end": 0}
    assert done.summary["gasps"]["made"] == 0
    assert (done.folder / "report.html").is_file()


def test_a_resumed_run_is_the_run_it_would_have_been(small_cosim, giver, play_on, to_resume, resumed_alike):
    with opened(small_cosim, to_resume, 1.0, "a test", resume=True) as twin:
        play_on(twin, giver.moves)
        done = twin.finish()
    resumed_alike(done)


@pytest.mark.parametrize(
    ("moment", "change", "said"),
    [
        (0, {"stage": "another"}, r"t = 4 s: stage = another, in the interrupted run"),
        (None, {"meter/M0000001/voltage_pu": 0.5}, r"t = 2 s: meter/M0000001/voltage_pu = 0.5, .* run nothing"),
        (1, None, r"t = 4.3 s: .* = nothing, in the interrupted run .*; the other simulator must repeat itself"),
    ],
)
def test_a_simulator_that_does_not_repeat_itself_is_told_where(
    small_cosim, giver, play_on, to_resume, moment, change, said
):
    moves = list(giver.moves)
    if moment is None:
        moves.insert(0, (2_000_000_000, change))
    elif change is None:
        del moves[moment]
    else:
        moves[moment] = (moves[moment][0], moves[moment][1] | change)
    with opened(small_cosim, to_resume, 1.0, "a test", resume=True) as twin, pytest.raises(PartFailed, match=said):
        play_on(twin, moves[:2])


@pytest.mark.slow
def test_a_federation_slower_than_the_wall_clock_is_in_the_book(tmp_path):
    """The board's meter is dark for a second of a run by the wall clock; the other simulator takes half a second."""
    short = "board.adapter=model link.mode=real-time time.duration_s=4 population.meters=1000 fault.at_s=1 "
    short += "fault.isolate_s=1 fault.tie_s=1.5 policy.declare_s=0.2 policy.window_s=0.3"
    scenario = load_outage("feeder_fault", short.split(), None)
    began_s = time.monotonic()
    with opened(scenario, tmp_path / "run", 1.0, "a test") as twin:
        dark = {f"substation/{name}/voltage_pu": 0.0 for name in twin.substations}
        twin.step(1_500_000_000, dark)
        time.sleep(0.5)
        twin.step(2_500_000_000, dict.fromkeys(dark, 1.0))
        done = twin.finish()
    assert time.monotonic() - began_s >= 4.0
    book = done.manifest["link"]["real_time"]
    assert book["twin_behind_ns"] >= 0.45e9  # the sleep less a window
    assert done.manifest["valid"] is False  # link.limit_ms is 100
    assert any(flag.startswith("invalid: overrun: the twin ended") for flag in done.manifest["flags"])
