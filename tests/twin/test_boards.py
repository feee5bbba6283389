"""Which meters the boards of a run stand for."""

import numpy as np
import pytest

from teiden.errors import InputError, ScenarioError
from twin import scenario as scenarios
from twin import wire
from twin.field.boards import choose_meters, dark_times_ns
from twin.field.population import Population
from twin.field.stages import Stage, Supply
from twin.study.boards import confirmed_loss

S = 1_000_000_000
FEEDER = np.array([True, True, True, False])


@pytest.fixture(scope="module")
def population():
    """Four substations of three meters each, twelve in all: meter m at substation m // 3."""
    station = np.repeat(np.arange(4), 3)
    return Population(
        seed=1, origin_deg=None, meter_substation=station, meter_x_m=np.zeros(12), meter_y_m=np.zeros(12),
        meter_concentrator=station, concentrator_substation=np.arange(4), concentrator_x_m=np.zeros(4),
        concentrator_y_m=np.zeros(4), extra_loss_db=np.zeros(12),
    )  # fmt: skip


def choose(population, *rules, routed=None, dark_s=(10, 30, 20, 0)):
    routed = np.ones(12, dtype=bool) if routed is None else routed
    return choose_meters(rules, population, FEEDER, np.array(dark_s) * S, routed)


def test_no_two_boards_are_one_meter_and_all_stand_at_the_dark_feeder(population):
    chosen = choose(population, *["auto"] * 9)
    assert sorted(chosen) == list(range(9))


def test_a_further_board_does_not_move_the_first(population):
    assert choose(population, "auto", "auto", "longest_dark")[:1] == choose(population, "auto")


def test_the_longest_and_the_shortest_dark_are_taken_first(population):
    chosen = choose(population, "longest_dark", "shortest_dark", "longest_dark", "longest_dark", "longest_dark")
    stations = [meter // 3 for meter in chosen]
    assert stations == [1, 0, 1, 1, 2]  # three meters at substation 1; then the next longest dark


def test_a_named_meter_is_kept_for_the_board_that_names_it(population):
    first = choose(population, "auto")[0]
    chosen = choose(population, "auto", population.meter_name(first))
    assert chosen[1] == first
    assert chosen[0] != first


def test_a_meter_without_a_route_is_not_taken(population):
    routed = np.arange(12) % 3 == 0
    assert sorted(choose(population, "auto", "auto", "auto", routed=routed)) == [0, 3, 6]
    with pytest.raises(InputError, match="expected a meter with a radio route"):
        choose(population, population.meter_name(1), routed=routed)
    with pytest.raises(InputError, match="no usable meter at the 3 chosen substations"):
        choose(population, *["longest_dark"] * 4, routed=routed)


def test_dark_times_are_those_of_the_stages_up_to_the_end():
    dark = [np.array(row, dtype=bool) for row in ([1, 1, 0], [1, 0, 0])]
    none = np.zeros(3, dtype=bool)
    stages = tuple(Stage(t * S, "trip", one, np.zeros(3), none) for t, one in zip((2, 5), dark, strict=True))
    assert dark_times_ns(Supply(none, stages), 9 * S).tolist() == [7 * S, 3 * S, 0]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (['boards=[{id="a"},{id="a"}]'], r"boards: id = 'a' 2 times, expected once"),
        (['boards=[{id="a",meter="M1"},{id="b",meter="M1"}]'], r"boards: meter = 'M1' 2 times, expected once"),
        (['boards=[{id="a"},{id="b"}]', "link.port=65535"], "link.port = 65535, expected so that 2 ports"),
        (['boards=[{id="a"}]', "board.adapter=model"], r"board: beside \[\[boards\]\], expected one of the two"),
        (['boards=[{adapter="fpga"}]'], "boards.0.adapter = 'fpga', expected 'compiled', 'model' or 'pynq-simulated'"),
        (['boards=[{adaptor="model"}]'], "boards.0.adaptor = 'model', .*did you mean adapter"),
        (["boards=[3]"], "boards.0 = 3, expected a table"),
        (['boards=[{id="a/b"}]'], "boards.0.id = 'a/b', expected letters and digits"),
        (['boards=[{id="a"}]', "boards.b.adapter=model"], "no table with id = 'b'"),
        (['boards=[{id="a"}]', "boards.a=3"], "expected an id in between"),
    ],
)
def test_boards_that_cannot_be_are_refused(changes, named):
    with pytest.raises(ScenarioError, match=named):
        scenarios.load("feeder_fault", changes)


def test_a_setting_of_one_of_several_boards_is_changed_by_its_id():
    loaded = scenarios.load("feeder_fault", ['boards=[{id="a"},{id="b"}]', "boards.b.adapter=model"])
    assert [board.adapter for board in loaded.all_boards] == ["compiled", "model"]


def told(*kinds):
    """Events of a board, one a second."""
    return [wire.BoardEvent(k + 1, k * S, kind, 8000 * k, "trigger", 20) for k, kind in enumerate(kinds)]


@pytest.mark.parametrize(
    ("kinds", "loss"),
    [
        (("t0", "power_fail", "power_fail_confirmed"), (0, 1)),
        (("t0", "power_fail", "power_fail_withdrawn", "t0", "power_fail", "power_fail_confirmed"), (3, 4)),
        (("power_fail", "power_fail_confirmed"), None),
        (("t0", "power_fail_confirmed"), None),  # suspected before the run began
        (("t0", "power_fail"), None),
    ],
)
def test_a_loss_is_a_trigger_and_the_suspicion_that_was_confirmed(kinds, loss):
    events = told(*kinds)
    assert confirmed_loss(events) == (None if loss is None else tuple(events[place] for place in loss))
