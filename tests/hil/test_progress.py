"""Progress on standard error: simulated time, speed factor and memory, whatever the speed."""

import re
import time

import pytest

from hil.progress import Watch


@pytest.mark.parametrize(("wall_s", "factor"), [(1000.0, "0.005"), (2.0, "2.5"), (0.01, "500")])
def test_a_line_shows_time_speed_and_memory(capsys, monkeypatch, wall_s, factor):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    with Watch() as watch:
        watch.start(17.0)
        assert not watch.due()
        clock[0] += wall_s
        watch.show(5.0, 17.0, "12 dark")
    line = capsys.readouterr().err
    assert re.search(rf" 5\.0/17 s +{re.escape(factor)}x real time [0-9,]+ MB  12 dark", line)


def test_a_quiet_watch_is_never_due(capsys):
    with Watch(quiet=True) as watch:
        watch.stage("grid")
        watch.start(1.0)
        assert not watch.due()
    assert capsys.readouterr().err == ""
