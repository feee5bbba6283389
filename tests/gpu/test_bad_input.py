"""Errors name the place, the value and the remedy."""

import numpy as np
import pytest

import gpu
from teiden.errors import InputError, MissingPart

RADIO = gpu.profile("fsk-100k-920")
XY = [[0.0, 0.0], [30.0, 0.0], [60.0, 0.0]]


def build(**changes):
    given = {"xy_m": XY, "sinks": [0], "radio": RADIO, "seed": 1} | changes
    return gpu.Mesh.build(given.pop("xy_m"), given.pop("sinks"), given.pop("radio"), given.pop("seed"), **given)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"tx_power": 3}, r"tx_power = 3, expected one of .*tx_power_dbm"),
        ({"tx_power_dbm": float("nan")}, "tx_power_dbm = nan, expected a number"),
        ({"min_be": 2.5}, r"min_be = 2.5, expected a whole number"),
        ({"min_be": 6}, "max_be = 5, expected at least min_be = 6"),
        ({"capture": "strong"}, "capture = 'strong', expected one of sinr, hard"),
        ({"ack": 1}, "ack = 1, expected true or false"),
        ({"ack_wait_us": 100}, "ack_wait_us = 100, expected at least"),
        ({"channels": 0}, "channels = 0, expected a whole number from 1"),
    ],
)
def test_wrong_radios_are_refused(overrides, message):
    with pytest.raises(InputError, match=message):
        gpu.profile("fsk-100k-920", **overrides)


def test_unknown_profile_lists_the_known_ones():
    with pytest.raises(InputError, match=r"fsk-99k.*expected one of oqpsk-250k-2450"):
        gpu.profile("fsk-99k")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"xy_m": [[0, 0], [np.nan, 1]]}, r"xy_m\[1, 0\] = nan m, expected"),
        ({"xy_m": [[0, 0, 0]]}, r"xy_m has shape \(1, 3\), expected \(N, 2\)"),
        ({"xy_m": [[0, 2e6]]}, r"xy_m\[0, 1\] = 2000000.0 m, expected"),
        ({"sinks": [3]}, r"sinks\[0\] = 3, expected 0 to 2 \(the mesh has 3 nodes\)"),
        ({"sinks": [1, 1]}, "sinks holds 1 2 times, expected each node once"),
        ({"sinks": []}, "sinks is empty"),
        ({"sinks": [0.5]}, "sinks has type float64, expected whole numbers"),
        ({"extra_loss_db": [0, 1]}, r"extra_loss_db has shape \(2,\)"),
        ({"extra_loss_db": [0, -1, 0]}, r"extra_loss_db\[1\] = -1.0 dB, expected 0 to 300"),
        ({"links": ([0], [3], [50.0])}, r"links dst\[0\] = 3, expected 0 to 2"),
        ({"links": ([0, 0], [1, 1], [50.0, 60.0])}, "links: 0 to 1 is given twice"),
        ({"links": ([0], [1], [np.nan])}, r"links loss_db\[0\] = nan"),
        ({"links": ([0], [1])}, "expected three arrays"),
        ({"links": ([0], [1], [50.0]), "extra_loss_db": [0, 0, 0]}, "expected one of them"),
        ({"parents": [-1, 2, 1]}, "parents: node 1 is on or below a loop"),
        ({"parents": [1, -1, -1]}, r"parents\[0\] = 1, expected -1 \(node 0 is a sink\)"),
        ({"parents": [-1, 0]}, r"parents has shape \(2,\)"),
        ({"backend": "opencl"}, "backend = 'opencl'"),
    ],
)
def test_wrong_meshes_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        build(**changes)


def test_cuda_is_missing_and_says_so():
    with pytest.raises(MissingPart, match="cuda"):
        build(backend="cuda")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((10**9 - 1, 1, -1, 50), {}, r"t_ns\[0\] = 999999999 ns is in the past, expected 1000000000 \(now\) or later"),
        ((10**9, 3, -1, 50), {}, r"src\[0\] = 3, expected 0 to 2"),
        ((10**9, 1, -3, 50), {}, r"dst\[0\] = -3, expected -2 to 2"),
        ((10**9, 1, 1, 50), {}, r"dst\[0\] = 1, expected another node than src"),
        ((10**9, [1, 2], -1, [50, 0]), {}, r"psdu_bytes\[1\] = 0, expected 1 to 2043"),
        ((1e9, 1, -1, 50), {}, "t_ns has type float64, expected whole numbers"),
        ((10**9, 1, -1, 50), {"priority": 256}, r"priority\[0\] = 256"),
        ((10**9, 1, -1, 50), {"max_offers": 0}, r"max_offers\[0\] = 0"),
        ((10**9, 1, -1, 50), {"reoffer_min_ns": 5}, r"reoffer_max_ns\[0\] = 0, expected at least reoffer_min_ns = 5"),
        (([10**9, 10**9], [1, 2, 1], -1, 50), {}, "inject: "),
    ],
)
def test_wrong_frames_are_refused(arguments, options, message):
    mesh = build()
    mesh.run_until(10**9)
    with pytest.raises(InputError, match=message):
        mesh.inject(*arguments, **options)
    assert mesh.frames().size == 0


def test_wrong_times_and_nodes_are_refused():
    mesh = build(route=False)
    mesh.run_until(10**9)
    with pytest.raises(InputError, match="built with route=False"):
        mesh.inject(10**9, 1, -1, 50)
    with pytest.raises(InputError, match=r"power_off nodes\[0\] = 9"):
        mesh.power_off(9, 10**9, 1)
    with pytest.raises(InputError, match=r"power_off t_ns\[0\] = 5 ns is in the past"):
        mesh.power_off(1, 5, 1)
    with pytest.raises(InputError, match=r"energy_nj\[0\] = -1"):
        mesh.power_off(1, 10**9, -1)
    with pytest.raises(InputError, match="run_until: t_ns = 5"):
        mesh.run_until(5)
    with pytest.raises(InputError, match=r"ids\[0\] = 0, expected"):
        mesh.frames([0])
    with pytest.raises(InputError, match="alive_mask has shape"):
        mesh.reroute([True])
