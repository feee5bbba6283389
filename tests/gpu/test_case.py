"""Radio cases: read with every problem at once, run, written whole."""

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest

import gpu
from teiden.errors import InputError, MissingPart, ScenarioError

STAR = """
seed = 4
duration_s = 20.0
[phy]
profile = "oqpsk-250k-2450"
tx_power_dbm = 1
[mac]
max_frame_retries = 2
[path_loss]
model = "log-distance"
exponent = 3.0
"""

TREE = """
seed = 4
duration_s = 60
[phy]
profile = "fsk-100k-920"
[routing]
sinks = [100]
metric = "etx"
"""


def write_case(folder, toml, nodes, frames, **more):
    folder.mkdir(exist_ok=True)
    (folder / "case.toml").write_text(toml)
    (folder / "nodes.csv").write_text("node,x_m,y_m\n" + "".join(f"{n},{x},{y}\n" for n, x, y in nodes))
    (folder / "frames.csv").write_text(
        "t_s,src,dst,psdu_bytes\n" + "".join(f"{t},{a},{b},{n}\n" for t, a, b, n in frames)
    )
    for name, text in more.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def ring(count, radius_m=20.0):
    """Return a centre 100 and nodes around it."""
    angles = [2 * math.pi * k / count for k in range(count)]
    around = [
        (101 + k, round(radius_m * math.cos(a), 3), round(radius_m * math.sin(a), 3)) for k, a in enumerate(angles)
    ]
    return [(100, 0, 0), *around]


def star_case(tmp_path):
    draw = np.random.default_rng(1)
    frames = [(round(t, 6), 101 + k % 30, 100, 100) for k, t in enumerate(draw.uniform(0, 15, 600))]
    return write_case(tmp_path / "star", STAR, ring(30), frames)


def test_summary_holds_exactly_the_promised_keys_and_adds_up(tmp_path):
    out = tmp_path / "result"
    told = []
    summary = gpu.run_case(star_case(tmp_path), out, None, "cpu", 1, told.append)
    assert list(summary) == [
        "frames",
        "delivery",
        "tx_per_frame",
        "latency_mean_s",
        "latency_p95_s",
        "caf_share",
        "no_ack_share",
        "on_air_frames",
        "sim_s",
        "wall_s",
        "cpu_s",
        "events",
        "digest",
    ]
    assert json.loads((out / "summary.json").read_text()) == summary
    assert sorted(p.name for p in out.iterdir()) == ["frames.parquet", "run.json", "summary.json"]
    assert told[-1] == 1.0
    rows = pq.read_table(out / "frames.parquet").to_pydict()
    assert list(rows) == ["frame", "src", "dst", "outcome", "attempts", "first_rx_s", "latency_s", "hops"]
    arrived = [o in ("acked", "unacked_delivered") for o in rows["outcome"]]
    assert sum(arrived) / 600 == summary["delivery"]
    assert [x is not None for x in rows["latency_s"]] == arrived
    assert np.mean([x for x in rows["latency_s"] if x is not None]) == pytest.approx(summary["latency_mean_s"])
    assert sum(rows["attempts"]) / 600 == summary["tx_per_frame"]
    run = json.loads((out / "run.json").read_text())
    assert (run["seed"], run["digest"], run["backend"]) == (4, summary["digest"], "cpu")
    assert run["radio"]["tx_power_dbm"] == 1.0
    counts = run["counters"]
    assert counts["injected"] == counts["resolved"] + counts["alive"] == 600


def test_result_depends_on_seed_and_not_on_the_order_of_rows(tmp_path):
    folder = star_case(tmp_path)
    first = gpu.run_case(folder, None, None, "cpu", 1)
    assert gpu.run_case(folder, None, 4, "cpu", 2)["digest"] == first["digest"]
    assert gpu.run_case(folder, None, 5, "cpu", 1)["digest"] != first["digest"]
    for name in ("nodes.csv", "frames.csv"):
        head, *rows = (folder / name).read_text().splitlines()
        (folder / name).write_text("\n".join([head, *reversed(rows)]) + "\n")
    assert gpu.run_case(folder, None, None, "cpu", 1)["digest"] == first["digest"]


def test_multihop_by_etx_and_by_routes(tmp_path):
    line = [(100 + k, 60 * k, 0) for k in range(5)]
    frames = [(0.5 * k, 104, -1, 147) for k in range(1, 21)]
    folder = write_case(tmp_path / "line", TREE, line, frames)
    out = tmp_path / "a"
    gpu.run_case(folder, out, None, "cpu", 1)
    assert set(pq.read_table(out / "frames.parquet")["dst"].to_pylist()) == {-1}
    (folder / "routes.csv").write_text("node,parent\n100,-1\n101,100\n102,101\n103,102\n104,103\n")
    gpu.run_case(folder, tmp_path / "b", None, "cpu", 1)
    rows = pq.read_table(tmp_path / "b" / "frames.parquet").to_pydict()
    assert {h for h in rows["hops"] if h is not None} == {4}


def test_links_replace_the_path_loss(tmp_path):
    folder = write_case(tmp_path / "l", STAR, ring(2), [(0, 101, 100, 50), (1, 102, 100, 50)],
                        links="src,dst,loss_db\n101,100,60\n100,101,60\n")  # fmt: skip
    out = tmp_path / "r"
    gpu.run_case(folder, out, None, "cpu", 1)
    assert pq.read_table(out / "frames.parquet")["outcome"].to_pylist() == ["acked", "no_ack"]


def test_every_problem_is_reported_at_once_with_its_place(tmp_path):
    toml = STAR.replace("seed = 4", 'seed = "x"').replace("max_frame_retries = 2", "max_frame_retry = 2\nmin_be = 9")
    toml = toml.replace("exponent = 3.0", "exponent = nan") + "[extra]\n"
    nodes = [(100, 0, 0), (101, 1, "nan"), (102, 2, 2), (102, 3, 3)]
    frames = [(0, 100, 102, 50), ("x", 100, 102, 50), (1, 100, 7, 50), (2, 102, 102, 50), (99, 102, 100, 500)]
    folder = write_case(tmp_path / "bad", toml, nodes, frames,
                        links="src,dst,loss_db\n100,102,50\n100,102,60\n5,102,\n")  # fmt: skip
    with pytest.raises(ScenarioError) as caught:
        gpu.run_case(folder, tmp_path / "out", None, "cpu", 1)
    text = "\n".join(caught.value.problems)
    for expected in (
        "case.toml: seed = 'x', expected a whole number, 0 or more",
        "case.toml: extra = {}, expected one of seed, duration_s",
        "case.toml: mac.max_frame_retry = 2, expected one of min_be",
        "case.toml: path_loss.exponent = nan, expected a number from 0.5 to 10",
        "nodes.csv line 3: y_m = 'nan', expected a finite number",
        "nodes.csv line 5: node = 102 is there already (line 4), expected each node once",
        "frames.csv line 3: t_s = 'x', expected a finite number",
        "frames.csv line 4: dst = 7, expected a node of nodes.csv",
        "frames.csv line 5: dst = 102, expected another node than src",
        "frames.csv line 6: t_s = 99, expected 0 to below duration_s = 20",
        "frames.csv line 6: psdu_bytes = 500, expected 1 to 127",
        "links.csv line 3: link 100 to 102 is there already (line 2)",
        "links.csv line 4: loss_db = '', expected a finite number",
    ):
        assert expected in text, text
    assert not (tmp_path / "out").exists()


def test_wrong_routing_is_reported(tmp_path):
    toml = TREE.replace("[100]", "[100, 9]").replace('"etx"', '"hops"')
    folder = write_case(tmp_path / "t", toml, ring(3), [(0, 101, -1, 50)],
                        routes="node,parent\n100,-1\n101,102\n102,101\n103,8\n")  # fmt: skip
    with pytest.raises(ScenarioError) as caught:
        gpu.read_case(folder)
    text = "\n".join(caught.value.problems)
    for expected in (
        "case.toml: routing.metric = 'hops', expected 'etx'",
        "case.toml: routing.sinks has 9, expected nodes of nodes.csv",
        "routes.csv line 3: node = 101 is on or below a loop, expected a tree",
        "routes.csv line 5: parent = 8, expected a node of nodes.csv or -1",
    ):
        assert expected in text, text


def test_missing_files_columns_and_folders_are_named(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        gpu.read_case(tmp_path / "nowhere")
    (tmp_path / "nodes.csv").write_text("node,x\n1,2\n")
    with pytest.raises(ScenarioError) as caught:
        gpu.read_case(tmp_path)
    text = "\n".join(caught.value.problems)
    assert "case.toml: no such file" in text
    assert "frames.csv: no such file" in text
    assert "nodes.csv: columns x_m, y_m missing, expected node,x_m,y_m" in text


def test_a_folder_that_is_no_result_is_left_alone_and_a_result_is_replaced(tmp_path):
    folder = star_case(tmp_path)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not a radio result"):
        gpu.run_case(folder, precious, None, "cpu", 1)
    assert (precious / "thesis.txt").read_text() == "mine"
    out = tmp_path / "out"
    for seed in (1, 2):
        summary = gpu.run_case(folder, out, seed, "cpu", 1)
        assert json.loads((out / "summary.json").read_text())["digest"] == summary["digest"]
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".out")]
    with pytest.raises(MissingPart):
        gpu.run_case(folder, None, None, "cuda", 1)


def test_a_case_may_broadcast_and_its_tree_may_live(tmp_path):
    toml = TREE.replace('metric = "etx"', 'tree = "living"\nnetwork = "small"\nformed = true').replace("= 60", "= 600")
    frames = [(1, 101, -2, 60), (2, 102, -1, 60), (300, 103, -1, 60)]
    case = write_case(tmp_path / "case", toml, ring(6), frames)
    summary = gpu.run_case(case, tmp_path / "out")
    assert summary["delivery"] == 1.0
    table = pq.read_table(tmp_path / "out" / "frames.parquet").to_pydict()
    assert table["dst"] == [-2, -1, -1]
    assert table["outcome"] == ["unacked_delivered", "acked", "acked"]
    counters = json.loads((tmp_path / "out" / "run.json").read_text())["counters"]
    assert counters["broadcast_received"] == 6
    assert counters["control_sent"] > 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('tree = "dead"', "case.toml: routing.tree = 'dead', expected one of static, living"),
        ("formed = false", 'case.toml: routing.formed = false, expected routing.tree = "living" with it'),
        ('tree = "living"\nformed = 1', "case.toml: routing.formed = 1, expected true or false"),
        ("auth_limit = 0", "case.toml: routing.auth_limit = 0, expected a whole number from 1 to 10000"),
    ],
)
def test_wrong_trees_are_named(tmp_path, line, message):
    case = write_case(tmp_path / "case", TREE.replace('metric = "etx"', line), ring(3), [(1, 101, -1, 60)])
    with pytest.raises(ScenarioError, match=message):
        gpu.read_case(case)
