"""Bad radio cases: one message with file, line and remedy, exit 2, nothing written, nothing simulated."""

import resource
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import gpu
from gpu import case_files, memory
from hil.cli import main
from teiden.errors import InputError

GOOD = {
    "case.toml": 'seed = 1\nduration_s = 10\n[phy]\nprofile = "fsk-100k-920"\n[routing]\nsinks = [10]\n',
    "nodes.csv": "node,x_m,y_m\n10,0,0\n11,30,0\n12,0,40\n",
    "frames.csv": "t_s,src,dst,psdu_bytes\n1,11,-1,147\n2,12,-1,147\n",
}


def write(folder, **changes):
    """Write the good case with files changed: text, bytes, or None to leave one out. ``nodes=`` is nodes.csv."""
    folder.mkdir()
    files = GOOD | {f"{stem}.{'toml' if stem == 'case' else 'csv'}": text for stem, text in changes.items()}
    for name, text in files.items():
        if text is not None:
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def complaint(folder):
    with pytest.raises(InputError) as caught:
        gpu.read_case(folder)
    assert caught.value.exit_code == 2
    return str(caught.value)


def toml(old, new):
    assert old in GOOD["case.toml"]
    return GOOD["case.toml"].replace(old, new)


NODES, FRAMES = GOOD["nodes.csv"], GOOD["frames.csv"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # case.toml
        ({"case": toml("fsk-100k-920", "fsk-75k-920")}, "case.toml: phy.profile = 'fsk-75k-920', expected one of oqps"),
        ({"case": toml('profile = "fsk-100k-920"', "")}, "case.toml: phy.profile is missing, expected one of oqpsk"),
        ({"case": toml("duration_s = 10", "")}, "case.toml: duration_s is missing, expected seconds, above 0"),
        ({"case": toml("duration_s = 10", "duration_s = -1")}, "case.toml: duration_s = -1, expected seconds, above 0"),
        ({"case": toml("duration_s = 10", "duration_s = inf")}, "case.toml: duration_s = inf, expected seconds"),
        ({"case": toml("seed = 1", "seed = 1.5")}, "case.toml: seed = 1.5, expected a whole number"),
        ({"case": toml("seed = 1", "sead = 1")}, "case.toml: sead = 1, expected one of seed, duration_s"),
        ({"case": toml("[phy]", "[phy]\ntx_power = 3")}, "case.toml: phy.tx_power = 3, expected one of profile, tx_po"),
        ({"case": toml("[phy]", "[phy]\ntx_power_dbm = nan")}, "case.toml: phy.tx_power_dbm = nan, expected a number"),
        ({"case": toml("[phy]", "[phy]\nchannels = 0")}, "case.toml: phy.channels = 0, expected a whole number from 1"),
        ({"case": toml("[10]", "[99]")}, "case.toml: routing.sinks has 99, expected nodes of nodes.csv"),
        ({"case": toml("[10]", "[10, 10]")}, "case.toml: routing.sinks has 10 twice, expected each node once"),
        ({"case": toml("[10]", "[]")}, "case.toml: routing.sinks is missing, expected at least one node"),
        ({"case": toml("[10]", "10")}, "case.toml: routing.sinks = 10, expected a list of nodes"),
        ({"case": toml("sinks = [10]", 'sinks = [10]\nmetric = "hops"')}, "routing.metric = 'hops', expected 'etx'"),
        ({"case": toml("[phy]", "[phy")}, "case.toml: not TOML (Expected ']' at the end of a table declaration"),
        ({"case": toml("[routing]\nsinks = [10]\n", "")}, "frames.csv line 2: dst = -1, expected a node of nodes.csv"),
        ({"case": b"\xff\xfe\x00"}, "case.toml: not TOML ('utf-8' codec can't decode byte 0xff"),
        ({"case": None}, "case.toml: no such file"),
        # nodes.csv
        ({"nodes": NODES + "11,1,1\n"}, "nodes.csv line 5: node = 11 is there already (line 3), expected each node on"),
        ({"nodes": NODES + ",1,1\n"}, "nodes.csv line 5: node = '', expected a whole number"),
        ({"nodes": NODES + "13,nan,1\n"}, "nodes.csv line 5: x_m = 'nan', expected a finite number"),
        ({"nodes": NODES + "13,0,-inf\n"}, "nodes.csv line 5: y_m = '-inf', expected a finite number"),
        ({"nodes": NODES + "13,1e400,0\n"}, "nodes.csv line 5: x_m = '1e400', expected a finite number"),
        ({"nodes": NODES + "13,2e6,0\n"}, "nodes.csv line 5: x_m = 2e+06, expected -1e+06 to 1e+06"),
        ({"nodes": NODES + "-3,0,0\n"}, "nodes.csv line 5: node = -3, expected 0 or more"),
        ({"nodes": NODES + "1_3,0,0\n"}, "nodes.csv line 5: node = '1_3', expected a whole number"),
        ({"nodes": NODES + "0x13,0,0\n"}, "nodes.csv line 5: node = '0x13', expected a whole number"),
        ({"nodes": NODES + "13.0,0,0\n"}, "nodes.csv line 5: node = '13.0', expected a whole number"),
        ({"nodes": NODES + "99999999999999999999,0,0\n"}, "nodes.csv line 5: node = '99999999999999999999', expected"),
        ({"nodes": NODES + "13,0\n"}, "nodes.csv line 5: 2 values, expected 3 (node,x_m,y_m)"),
        ({"nodes": NODES + "13,0,0,0\n"}, "nodes.csv line 5: 4 values, expected 3 (node,x_m,y_m)"),
        ({"nodes": NODES + '\n"13",\n'}, "nodes.csv line 6: 2 values, expected 3 (node,x_m,y_m)"),
        ({"nodes": NODES.replace("x_m", "x")}, "nodes.csv: columns x_m missing, expected node,x_m,y_m; line 1 is 'nod"),
        ({"nodes": NODES.replace(",", ";")}, "nodes.csv: columns node, x_m, y_m missing, expected node,x_m,y_m; line"),
        ({"nodes": NODES.replace("y_m", "x_m,y_m")}, "nodes.csv line 1: columns x_m given twice, expected node,x_m,y_"),
        ({"nodes": "node,x_m,y_m\n"}, "nodes.csv: no nodes, expected at least one"),
        ({"nodes": ""}, "nodes.csv: columns node, x_m, y_m missing, expected node,x_m,y_m; the file is empty"),
        ({"nodes": NODES.encode("utf-16")}, "nodes.csv: not a CSV file in UTF-8"),
        ({"nodes": None}, "nodes.csv: no such file"),
        # frames.csv
        ({"frames": FRAMES + "1,99,-1,50\n"}, "frames.csv line 4: src = 99, expected a node of nodes.csv"),
        ({"frames": FRAMES + "1,11,99,50\n"}, "frames.csv line 4: dst = 99, expected a node of nodes.csv or -1"),
        ({"frames": FRAMES + "1,11,11,50\n"}, "frames.csv line 4: dst = 11, expected another node than src"),
        ({"frames": FRAMES + "nan,11,-1,50\n"}, "frames.csv line 4: t_s = 'nan', expected a finite number"),
        ({"frames": FRAMES + "-0.5,11,-1,50\n"}, "frames.csv line 4: t_s = -0.5, expected 0 to below duration_s = 10"),
        ({"frames": FRAMES + "10,11,-1,50\n"}, "frames.csv line 4: t_s = 10, expected 0 to below duration_s = 10"),
        ({"frames": FRAMES + "1,11,-1,2044\n"}, "frames.csv line 4: psdu_bytes = 2044, expected 1 to 2043"),
        ({"frames": FRAMES + "1,11,-1,0\n"}, "frames.csv line 4: psdu_bytes = 0, expected 1 to 2043"),
        ({"frames": None}, "frames.csv: no such file"),
        # links.csv and routes.csv
        ({"links": "src,dst,loss_db\n11,10,80\n11,99,80\n"}, "links.csv line 3: dst = 99, expected a node of nodes.cs"),
        ({"links": "src,dst,loss_db\n11,10,80\n11,10,81\n"}, "links.csv line 3: link 11 to 10 is there already (line"),
        ({"links": "src,dst,loss_db\n11,11,80\n"}, "links.csv line 2: dst = 11, expected another node than src"),
        ({"links": "src,dst,loss_db\n11,10,500\n"}, "links.csv line 2: loss_db = 500, expected -400 to 400"),
        ({"links": "src,dst\n11,10\n"}, "links.csv: columns loss_db missing, expected src,dst,loss_db"),
        ({"routes": "node,parent\n10,-1\n11,12\n12,11\n"}, "routes.csv line 3: node = 11 is on or below a loop"),
        ({"routes": "node,parent\n10,-1\n11,11\n"}, "routes.csv line 3: node = 11 is on or below a loop"),
        ({"routes": "node,parent\n10,-1\n11,99\n"}, "routes.csv line 3: parent = 99, expected a node of nodes.csv or"),
        ({"routes": "node,parent\n10,-1\n11,10\n11,10\n"}, "routes.csv line 4: node = 11 is there already (line 3)"),
        ({"case": toml("[routing]", '[routing]\ntree = "living"'), "routes": "node,parent\n10,-1\n"},
         "routes.csv: given with routing.tree = \"living\", expected none"),
        ({"routes": "node,parent\n11,-1\n"}, "routes.csv: its nodes with parent -1 are not those of routing.sinks"),
    ],
)  # fmt: skip
def test_the_message_names_file_line_value_and_remedy(tmp_path, changes, message):
    assert message in complaint(write(tmp_path / "case", **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"nodes": b"\xef\xbb\xbf" + NODES.encode(), "case": b"\xef\xbb\xbf" + GOOD["case.toml"].encode()},
        {"nodes": NODES.replace("\n", "\r\n")},
        {"nodes": NODES.replace("\n", "\n\n")},
        {"nodes": NODES.replace(",", ", ").rstrip("\n")},
        {"nodes": NODES.replace("node", "name,node").replace("\n1", "\nCafé,1")},
        {"nodes": 'node,x_m,y_m\n"10",0,0\n11,3e1,0\n12,0.,40\n'},
    ],
    ids=["plain", "byte order mark", "crlf", "blank lines", "spaces", "another column", "quotes"],
)
def test_spellings_of_the_same_case_are_the_same(tmp_path, changes):
    case = gpu.read_case(write(tmp_path / "case", **changes))
    assert case.node_ids.tolist() == [10, 11, 12]
    assert case.xy_m.tolist() == [[0, 0], [30, 0], [0, 40]]
    assert case.src.tolist() == [1, 2]
    assert case.sinks.tolist() == [0]


def test_a_folder_in_place_of_a_file_is_named(tmp_path):
    folder = write(tmp_path / "case", nodes=None)
    (folder / "nodes.csv").mkdir()
    assert "nodes.csv: is no file" in complaint(folder)


def test_thousands_of_wrong_lines_are_counted_not_listed(tmp_path):
    frames = FRAMES + "1,99,-1,50\n" * 5000 + "x,11,-1,50\n" * 3000
    problems = complaint(write(tmp_path / "case", frames=frames)).splitlines()
    assert "frames.csv line 4: src = 99, expected a node of nodes.csv" in problems
    assert "frames.csv: 4,990 more lines like line 13" in problems
    assert "frames.csv: 2,990 more values that are no numbers" in problems
    assert len(problems) < 30


def test_a_million_nodes_on_one_point_are_refused_but_not_with_a_table_of_links(tmp_path):
    nodes = "node,x_m,y_m\n" + "".join(f"{i},5,5\n" for i in range(1_000_000))
    toml_text = GOOD["case.toml"].replace("[10]", "[0]")
    frames = "t_s,src,dst,psdu_bytes\n1,1,-1,50\n"
    folder = write(tmp_path / "case", case=toml_text, nodes=nodes, frames=frames)
    text = complaint(folder)
    assert text.startswith("nodes.csv line 2: 1,000,000 nodes at x_m = 5, y_m = 5, expected at most 10,000 on one")
    (folder / "links.csv").write_text("src,dst,loss_db\n1,0,60\n0,1,60\n")
    assert gpu.read_case(folder).node_ids.size == 1_000_000
    with pytest.raises(InputError, match=r"xy_m\[0\]: 20,000 nodes at x_m = 0, y_m = 0"):
        gpu.Mesh.build(np.zeros((20_000, 2)), [0], gpu.profile("fsk-100k-920"), 1)


def test_a_file_larger_than_memory_is_refused_unread(tmp_path):
    folder = write(tmp_path / "case")
    with open(folder / "frames.csv", "ab") as file:
        file.truncate(1 << 43)  # 8.8 TB that take no room on the disk
    text = complaint(folder)
    assert "frames.csv 8,796.1 GB" in text
    assert "GB are free; cut the case in parts" in text


def test_more_rows_than_memory_are_refused_unread(tmp_path, monkeypatch):
    folder = write(tmp_path / "case", frames=FRAMES + "1,11,-1,50\n" * 10_000)
    monkeypatch.setattr(memory, "available_bytes", lambda: memory.mesh_bytes(4, 10_000))
    assert "frames.csv 10,003 lines" in complaint(folder)
    monkeypatch.undo()
    assert gpu.read_case(folder).src.size == 10_002


def test_a_limit_of_the_process_counts_as_memory():
    code = "from gpu import memory; print(memory.available_bytes())"

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))

    done = subprocess.run([sys.executable, "-c", code], preexec_fn=limit, capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 4 << 30


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "nodes.csv line 5: node = 11 is there already"),
        (["--threads", "0"], 2, "--threads"),
        (["--backend", "opencl"], 2, "--backend"),
        (["--seed", "-1"], 2, "--seed"),
    ],
)
def test_the_command_ends_with_two_and_writes_nothing(tmp_path, arguments, code, message):
    folder = write(tmp_path / "case", nodes=NODES + "11,1,1\n")
    done = CliRunner().invoke(main, ["radio", str(folder), "--out", str(tmp_path / "out"), *arguments])
    assert (done.exit_code, done.stdout) == (code, "")
    assert message in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["case"]


def test_a_place_that_cannot_be_written_to_is_refused_before_the_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is no folder that can be written to"):
        gpu.run_case(write(tmp_path / "case"), tmp_path / "file" / "out")


def test_progress_ends_with_one_for_any_duration(tmp_path):
    told = []
    short = toml("duration_s = 10", "duration_s = 0.0000123")
    folder = write(tmp_path / "case", case=short, frames="t_s,src,dst,psdu_bytes\n0,11,-1,50\n")
    assert gpu.run_case(folder, None, progress=told.append)["frames"] == 1
    assert (told[0], told[-1]) == (0.0, 1.0)


@pytest.mark.parametrize("table", ["phy", "mac", "path_loss", "routing"])
def test_no_wrong_value_of_any_key_gets_past(tmp_path, table):
    """Each constant of a case with words, lists, no numbers, too large ones: named by table and key every time."""
    keys = {"phy": case_files._PHY_KEYS, "mac": case_files._MAC_KEYS, "path_loss": case_files._PATH_KEYS,
            "routing": case_files._ROUTING_KEYS}[table]  # fmt: skip
    folder = write(tmp_path / "case")
    for key in keys:
        for value in ('"no such thing"', "[1]", "nan", "1e300"):
            text = GOOD["case.toml"]
            line = f"[{table}]\n" if f"[{table}]" in text else f"\n[{table}]\n"
            text = text.replace(line, f"{line}{key} = {value}\n") if line in text else f"{text}{line}{key} = {value}\n"
            (folder / "case.toml").write_text(text)
            found = complaint(folder)
            assert f"case.toml: {table}.{key} = " in found, (key, value, found)
            assert ", expected " in found, (key, value, found)
