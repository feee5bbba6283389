"""Pictures of completeness are drawn, the same bytes for the same table."""

import numpy as np
import pytest

from twin.store.completeness import NEVER, completeness, missing_map
from twin.store.pictures import draw_completeness, draw_missing_map
from twin.store.schema import DAY_NS, MINUTE_NS, Series


@pytest.fixture(scope="module")
def ages():
    """A day of 800 meters: most within minutes, one concentrator dark for six hours, some stragglers."""
    draw = np.random.default_rng(1)
    found = (draw.gamma(2, 6, (800, 48)) * MINUTE_NS).astype(np.int64)
    found[draw.random(found.shape) < 0.01] = NEVER
    found[200:300, 20:32] = NEVER
    found[700:, 40:] += 80 * MINUTE_NS
    return found


def test_pictures_are_drawn_and_repeat(ages, tmp_path):
    group = np.arange(800) // 100
    curve = completeness(ages, group, np.arange(0, 121, 2) * 60.0)
    where = missing_map(ages, group, Series.HALF_HOUR, 0, DAY_NS)
    for number in range(2):
        draw_completeness(curve, tmp_path / f"curve{number}.png")
        draw_missing_map(where, tmp_path / f"map{number}.png")
    for name in ("curve", "map"):
        first, second = (tmp_path / f"{name}{number}.png" for number in range(2))
        assert first.read_bytes() == second.read_bytes()
        assert first.stat().st_size > 10_000


def test_more_groups_than_rows_share_rows(ages, tmp_path):
    draw_missing_map(missing_map(ages, np.arange(800), Series.HALF_HOUR, 0, DAY_NS), tmp_path / "map.png", "meters")
    assert (tmp_path / "map.png").exists()
