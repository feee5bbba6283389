"""Real time: events on the twin's clock within their bound, and everything that went wrong in the book."""

import threading
import time

import msgspec
import pytest

from hil.link import RigEnd
from hil.realtime import RealTime, WallClock
from hil.run import run_scenario
from teiden.errors import PartFailed
from twin import wire
from twin.field.meters import SAMPLE_NS
from twin.link.states import State
from twin.link.twin_end import TwinEnd

WINDOW_NS = 20_000_000


class Board(threading.Thread):
    """A rig whose counter runs by the host's clock, ``ppm`` too fast, and that says what it is told to."""

    def __init__(self, endpoint, ppm=0.0, behind_ns=0, jump_at=None):
        super().__init__(daemon=True)
        self._link = RigEnd(endpoint, patience_s=20.0)
        self._rate = 8e-6 * (1 + ppm * 1e-6)  # samples per ns
        self._behind_ns = behind_ns
        self._jump_at = jump_at
        self._reads = 0
        self.vanishes = False
        self.slow_s = []  # how late the next answers are
        self.last = None  # to be said after `Stop`
        self.say = []  # functions of (now in samples, sequence) that give an event
        self.said = []  # (host time at its sample, event)

    def run(self):
        link = self._link
        link.send(wire.Hello(wire.PROTO))
        link.state = State.INITIALISED
        link.receive()
        self.start_ns = time.monotonic_ns()
        while not self.vanishes and not isinstance(message := link.take(0.002), wire.Stop):
            if isinstance(message, wire.ReadCounter):
                self._reads += 1
                jump = 4000 if self._jump_at is not None and self._reads > self._jump_at else 0
                counter = wire.Counter(message.number, int(self.now()) + jump, self._behind_ns)
                time.sleep(self.slow_s.pop() if self.slow_s else 0.0)
                link.send(counter)
            while self.say:
                self._speak(self.say.pop(0))
        if self.last is not None:
            self._speak(self.last)
        if not self.vanishes:
            self._leave()
        link.close()

    def _leave(self):
        link = self._link
        link.send(wire.Stopped(0, [], [], [], [], 0, []))
        link.flush()

    def now(self):
        return (time.monotonic_ns() - self.start_ns) * self._rate

    def _speak(self, make):
        sample = int(self.now())
        event = make(sample, self._link.next_sequence())
        self.said.append((self.start_ns + sample / self._rate, event))
        self._link.send_event(event)


def failure(sample, sequence):
    return wire.BoardEvent(sequence, sample * SAMPLE_NS, "power_fail", sample, "trigger", 40)


def gasp(sample, sequence):
    return wire.Notice(sequence, sample * SAMPLE_NS - 500_000_000, "last_gasp", 1, sample * SAMPLE_NS, 0, 0, b"")


@pytest.fixture
def bench():
    """Start a twin and a board; give both, and end them."""
    made = []

    def start(limit_ms=1000.0, wall=None, **options):
        end = TwinEnd()
        board = Board(end.endpoint, **options)
        board.start()
        assert end.take(20.0) == wire.Hello(wire.PROTO)
        end.state = State.INITIALISED
        end.allow(64)
        made.append((end, board))
        return RealTime(end, 20.0, limit_ms, wall), board

    yield start
    for end, board in made:
        board.join(0.0 if end.state != State.STOPPED else 20.0)
        end.close()


def run(driver, windows, act=lambda window: None):
    """Run so many windows and return (window's end, event) of all that came."""
    got = []
    for window in range(1, windows + 1):
        driver.grant(window * WINDOW_NS, [], [])
        act(window)
        got += [(window * WINDOW_NS, event) for event in driver.collect()]
    return got


@pytest.mark.parametrize("ppm", [0.0, 80.0, -80.0])
def test_events_come_on_the_twins_clock_within_the_bound(bench, ppm):
    driver, board = bench(ppm=ppm)
    got = run(driver, 80, lambda window: window in (5, 25, 45) and board.say.append(failure))
    driver.stop()
    assert len(got) == len(board.said) == 3
    bound_ns = driver.book.clock_bound_ns
    for (_, seen), (truth_ns, said) in zip(got, board.said, strict=True):
        assert abs(driver._wall._origin_ns + seen.t_ns - truth_ns) <= bound_ns + 1  # rounding
        assert (seen.sample, seen.t0_source, seen.t0_bound_ns) == (said.sample, "trigger", 40)
    assert not any(flag.startswith("invalid") for flag in driver.flags()), driver.flags()


def test_a_reading_counts_from_before_it_was_asked_for(bench, monkeypatch):
    """The board may be read while the twin's process, having sent the question, waits for a core."""
    driver, _ = bench()
    send = driver.end.send

    def send_and_wait(message):
        send(message)
        if isinstance(message, wire.ReadCounter) and message.number in (3, 11):  # once in a burst
            time.sleep(0.05)

    monkeypatch.setattr(driver.end, "send", send_and_wait)
    run(driver, 80)
    driver.stop()
    assert driver.book.clock_fault == ""


def test_a_notice_that_is_late_goes_out_now_and_is_counted(bench):
    driver, board = bench(limit_ms=400.0)
    got = run(driver, 60, lambda window: window == 40 and board.say.append(gasp))
    driver.stop()
    ((end_ns, notice),) = got
    assert notice.t_ns == end_ns
    assert driver.book.late == 1
    assert driver.book.late_ns > 490_000_000  # its moment was 500 ms before it was said
    assert any(flag.startswith("invalid: late: 1 notices") for flag in driver.flags())


def test_a_board_that_falls_behind_makes_the_run_invalid(bench):
    driver, _ = bench(limit_ms=200.0, behind_ns=300_000_000)
    run(driver, 10)
    driver.stop()
    (flag,) = [flag for flag in driver.flags() if "board fell behind" in flag]
    assert flag == "invalid: overrun: the board fell behind the clock, at worst 300.0 ms, limit 200 ms"


def test_a_twin_that_falls_behind_makes_the_run_invalid(bench):
    driver, _ = bench(limit_ms=200.0)
    run(driver, 20, lambda window: window == 10 and time.sleep(0.3))
    driver.stop()
    assert any(flag.startswith("invalid: overrun: the twin ended") for flag in driver.flags())
    assert driver.book.twin_behind_ns > 260_000_000  # 300 ms of sleep less one window


def test_a_counter_that_jumps_makes_the_run_invalid(bench):
    """Half a second of counts too many within a second is no oscillator."""
    driver, _ = bench(jump_at=8)
    run(driver, 70)
    driver.stop()
    assert any(flag.startswith("invalid: clock: the counter's period is") for flag in driver.flags())


def test_a_counter_that_jumps_just_before_the_end_makes_the_run_invalid(bench):
    """The first burst is over, the second is not due yet: the last reading shows it."""
    driver, _ = bench(jump_at=8)
    run(driver, 40)
    assert driver._bursts == 1
    driver.stop()
    assert any(flag.startswith("invalid: clock: the counter's period is") for flag in driver.flags())


def test_a_counter_that_is_never_read_makes_the_run_invalid():
    assert "invalid: clock bound: the board's counter was never read" in RealTime(None, 1.0, 100.0).flags()


def test_a_rig_that_freezes_ends_the_run(bench):
    driver, board = bench()
    run(driver, 5)
    board.vanishes = True
    with pytest.raises(PartFailed, match="connection lost or frozen"):
        run(driver, 10_000)


def test_a_delay_from_a_trigger_is_a_difference_of_counts(bench):
    """Whatever the two clocks learn of each other between the events: here a whole burst lies between them."""
    driver, board = bench(ppm=80.0)

    def act(window):
        if window in (45, 60):  # bursts begin with windows 1 and 51
            kind = "t0" if window == 45 else "power_fail"
            board.say.append(lambda sample, sequence: msgspec.structs.replace(failure(sample, sequence), kind=kind))

    got = [event for _, event in run(driver, 90, act)]
    driver.stop()
    said = [event for _, event in board.said]
    assert got[1].t_ns - got[0].t_ns == (said[1].sample - said[0].sample) * SAMPLE_NS


@pytest.mark.parametrize(("sample", "late"), [(300, True), (None, False)])
def test_events_of_the_run_that_come_after_its_end_make_it_invalid(bench, sample, late):
    """The board runs on until it is told to stop: what it sees by then, behind the run's end, is none of its events."""
    driver, board = bench()
    run(driver, 5)
    board.last = lambda now, sequence: failure(now if sample is None else sample, sequence)
    driver.stop()
    assert len(board.said) == 1
    assert ("invalid: late: 1 events came when the run was over" in driver.flags()) == late


def test_a_wrong_oscillator_is_seen_in_a_short_run_with_slow_answers(bench):
    """Half a second at 5 % is 25 ms: an answer 40 ms late does not show it, the soonest of a last burst does."""
    driver, board = bench(ppm=5e4)
    run(driver, 25)
    assert driver._bursts == 1
    board.slow_s = [0.04] * 6
    driver.stop()
    assert any(flag.startswith("invalid: clock: the counter's period is") for flag in driver.flags())


def run_all(drivers, windows, act=lambda window: None):
    """Run several boards so many windows and return what came of each."""
    got = [[] for _ in drivers]
    for window in range(1, windows + 1):
        for driver in drivers:
            driver.grant(window * WINDOW_NS, [], [])
        act(window)
        for place, driver in enumerate(drivers):
            got[place] += driver.collect()
    return got


def test_boards_with_oscillators_of_their_own_share_the_twins_clock(bench):
    wall = WallClock()
    pairs = [bench(wall=wall, ppm=ppm) for ppm in (90.0, -90.0, 0.0)]
    drivers, boards = zip(*pairs, strict=True)

    def act(window):
        if window in (20, 60):
            for board in boards:
                board.say.append(failure)

    got = run_all(drivers, 80, act)
    for driver in drivers:
        driver.stop()
    for driver, board, seen in zip(drivers, boards, got, strict=True):
        assert len(seen) == len(board.said) == 2
        assert driver._bursts >= 2  # its counter is read whichever board is waited for
        for event, (truth_ns, _) in zip(seen, board.said, strict=True):
            assert abs(wall._origin_ns + event.t_ns - truth_ns) <= driver.book.clock_bound_ns + 1
        assert not any(flag.startswith("invalid") for flag in driver.flags()), driver.flags()


def test_a_board_that_freezes_is_told_from_the_others(bench):
    wall = WallClock()
    (sound, _), (lost, board) = bench(wall=wall), bench(wall=wall)
    run_all([sound, lost], 5)
    board.vanishes = True
    failed = None
    for window in range(6, 10_000):
        for driver in (sound, lost):
            driver.grant(window * WINDOW_NS, [], [])
        sound.collect()
        try:
            lost.collect()
        except PartFailed as error:
            failed = str(error)
            break
    assert "connection lost or frozen" in failed
    sound.stop()


@pytest.mark.slow
def test_a_run_of_two_boards_in_real_time_says_of_which_each_flag_is(make_small, tmp_path):
    short = ("time.duration_s=3", "fault.at_s=1", "fault.isolate_s=1", "fault.tie_s=1.5", "policy.declare_s=0.2")
    boards = 'boards=[{id="near",adapter="model"},{id="far",adapter="model"}]'
    limit = "link.limit_ms=0.001"  # nothing keeps to it: what is told of each board must name it and be counted
    done = run_scenario(make_small(*short, boards, limit, "link.mode=real-time", "policy.window_s=0.3"), tmp_path / "r")
    assert done.manifest["valid"] is False
    for one in done.manifest["boards"]:
        assert one["link"]["real_time"]["clock_readings"] >= 1
        assert any(flag.startswith(f"invalid: board {one['id']}: ") for flag in done.manifest["flags"])
    for one, board in zip(done.manifest["boards"], done.summary["boards"], strict=True):
        if board["detection_latency_ms"] is None:  # the loss is 2 s before the end: this machine was too busy
            assert one["link"]["real_time"]["board_behind_ns"] > 1e9
            continue
        # a difference of counts, whatever the clocks did; 1.5 to 1.88 ms (HDL.md section 7), at most a sample more
        assert 1.5 <= board["detection_latency_ms"] <= 1.88 + 0.125


@pytest.mark.slow
def test_a_whole_run_in_real_time_says_so(make_small, tmp_path):
    short = ("time.duration_s=3", "fault.at_s=1", "fault.isolate_s=1", "fault.tie_s=1.5", "policy.declare_s=0.2")
    done = run_scenario(make_small(*short, "link.mode=real-time", "policy.window_s=0.3"), tmp_path / "run")
    link = done.manifest["link"]
    assert link["mode"] == "real-time"
    assert link["state"] == "stopped"
    assert link["real_time"]["clock_readings"] >= 1
    assert done.manifest["valid"] == (not any(flag.startswith("invalid") for flag in done.manifest["flags"]))
    assert done.manifest["wall_s"] >= 3.0
    if not done.manifest["valid"]:  # this machine was too busy for the board to keep up; the run says so
        return
    assert done.summary["board"]["t0_source"] == "trigger"
    # detection of a full loss takes 1.5 to 1.88 ms (HDL.md section 7) and at most a sample more; a difference of counts
    assert 1.5 <= done.summary["board"]["detection_latency_ms"] <= 1.88 + 0.125
