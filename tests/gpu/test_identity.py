"""One state whatever the windows, the order of calls, or a save and a load in between."""

import math

import numpy as np
import pytest

import gpu
from teiden.errors import InputError

END_NS = 30 * 10**9


def storm(count=400, channels=1, seed=5, order=None):
    """Return a mesh of dark meters with a Last Gasp each, some re-offered, some nodes returning."""
    draw = np.random.default_rng(seed)
    xy = draw.uniform(0, math.sqrt(count / 1500) * 1000, (count, 2))
    mesh = gpu.Mesh.build(xy, [0, 1], gpu.profile("fsk-100k-920", channels=channels), seed)
    src = np.arange(2, count)
    when = draw.integers(10**9, 6 * 10**9, src.size)
    size, priority, offers = (draw.integers(low, high, src.size) for low, high in ((60, 200), (0, 3), (1, 4)))
    columns = np.array([when, src, np.full(src.size, -1), size, priority, offers])
    columns = columns if order is None else columns[:, order(src.size)]
    t, s, d, size, priority, offers = columns
    half = src.size // 2
    for part in (slice(0, half), slice(half, None)):
        mesh.inject(t[part], s[part], d[part], size[part], priority=priority[part], max_offers=offers[part],
                    reoffer_min_ns=10**8, reoffer_max_ns=4 * 10**9)  # fmt: skip
    mesh.power_off(src, 10**9, draw.integers(5 * 10**7, 3 * 10**9, src.size))
    mesh.power_on(src[::3], 9 * 10**9)
    return mesh


@pytest.fixture(scope="module")
def whole():
    mesh = storm()
    mesh.run_until(END_NS)
    return mesh


def test_the_storm_shows_every_kind_of_end(whole):
    counts = whole.counters()
    for name in ("delivered", "died", "deaths", "no_ack", "channel_access_failure", "duplicates", "cut_by_death"):
        assert counts[name] > 0, name


@pytest.mark.parametrize("window_ns", [10**9, 192_000, 7_777_777])
def test_windows_never_change_the_result(whole, window_ns):
    mesh = storm()
    end_of_cuts = 8 * 10**9 if window_ns >= 10**6 else int(2.5e9)
    for t_ns in range(window_ns, end_of_cuts, window_ns):
        mesh.run_until(t_ns)
        counts = mesh.counters()
        assert counts["injected"] == counts["resolved"] + counts["alive"]
    mesh.run_until(END_NS)
    assert mesh.digest() == whole.digest()
    assert (mesh.drain().ends == whole_ends(whole)).all()


def whole_ends(mesh, kept={}):  # noqa: B006 - drained once, compared with by several tests
    if id(mesh) not in kept:
        kept[id(mesh)] = mesh.drain().ends
    return kept[id(mesh)]


@pytest.mark.parametrize("order", [lambda n: np.arange(n)[::-1], lambda n: np.random.default_rng(9).permutation(n)])
def test_order_of_injection_does_not_matter(whole, order):
    mesh = storm(order=order)
    mesh.run_until(END_NS)
    assert mesh.digest() == whole.digest()


def test_frames_of_the_same_tick_and_node_do_not_depend_on_the_order_of_calls():
    digests = []
    for sizes in ((50, 60, 70), (70, 50, 60)):
        mesh = gpu.Mesh.build([[0, 0], [30, 0]], [0], gpu.profile("fsk-100k-920"), 1)
        for size in sizes:
            mesh.inject(10**9, 1, -1, size)
        mesh.run_until(END_NS)
        digests.append(mesh.digest())
    assert digests[0] == digests[1]


@pytest.mark.parametrize("channels", [1, 14])
def test_a_loaded_mesh_goes_on_as_if_nothing_had_happened(tmp_path, channels):
    straight, stopped = storm(channels=channels), storm(channels=channels)
    straight.run_until(END_NS)
    for k, t_ns in enumerate((500_000_000, 3_100_000_123, 9_500_000_000)):
        stopped.run_until(t_ns)
        stopped.save(tmp_path / f"{k}.mesh")
        before = stopped.digest()
        stopped = gpu.Mesh.load(tmp_path / f"{k}.mesh")
        assert stopped.digest() == before
    stopped.run_until(END_NS)
    assert stopped.digest() == straight.digest()
    assert (stopped.parents == straight.parents).all()
    assert (stopped.drain().deliveries == straight.drain().deliveries).all()


def test_forgetting_what_has_ended_changes_nothing_else(whole):
    mesh = storm()
    for t_s in (3, 6, 8, 20, 30):
        mesh.run_until(t_s * 10**9)
        mesh.forget_ended()
    assert mesh.frames().size == 0
    assert mesh.digest() == whole.digest()
    assert mesh.counters() == whole.counters()
    with pytest.raises(InputError, match="forgotten"):
        mesh.frames([0])
    assert mesh.inject(END_NS, 2, -1, 50).tolist() == [398]


def test_another_seed_gives_another_result(whole):
    other = storm(seed=6)
    other.run_until(END_NS)
    assert other.digest() != whole.digest()


def test_what_is_not_a_saved_mesh_is_refused(tmp_path):
    (tmp_path / "a").write_text("nothing")
    with pytest.raises(InputError, match="not a saved mesh"):
        gpu.Mesh.load(tmp_path / "a")
    with pytest.raises(InputError, match="not a saved mesh"):
        gpu.Mesh.load(tmp_path / "missing")


def test_drained_rows_are_in_order_and_given_once(whole):
    mesh = storm()
    parts = []
    for t_s in (2, 5, 30):
        mesh.run_until(t_s * 10**9)
        parts.append(mesh.drain())
    ends = np.concatenate([part.ends for part in parts])
    assert (np.diff(ends["t_ns"]) >= 0).all()
    assert np.unique(ends["frame"]).size == ends.size == mesh.counters()["resolved"]
    deliveries = np.concatenate([part.deliveries for part in parts])
    assert deliveries.size == mesh.counters()["delivered"]
    assert mesh.drain().ends.size == 0


def test_everybody_at_a_tick_at_which_a_window_ended_while_something_was_due():
    """A queue that sorts them one by one into what was due takes minutes over this, instead of milliseconds."""
    draw = np.random.default_rng(1)
    count = 40_000
    mesh = gpu.Mesh.build(draw.uniform(0, 2000, (count, 2)), [0], gpu.profile("fsk-100k-920"), 1)
    mesh.inject(1_000_000, 1, -1, 100)  # something happens at 1 ms, where the first window ends
    mesh.run_until(1_000_000)
    mesh.power_off(np.arange(1, count), 1_000_000, 10**12)
    mesh.run_until(2_000_000)
    energy = mesh.energy_nj()
    assert energy[0] == -1
    assert (energy[1:] == 10**12 - 1000 * mesh.radio.listen_mw).all()
