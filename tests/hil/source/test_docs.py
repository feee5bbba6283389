"""The example on the documentation page runs and does what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[3] / "docs" / "source.md"


def test_the_example_on_the_page():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict = {}
    exec(compile(code, str(PAGE), "exec"), names)
    assert names["trip_ns"] - names["dip_ns"] == 80_000_000
    assert np.all(names["outage"].volts == 0)
    assert names["return_ns"] > names["trip_ns"] + 60 * 10**9
    last = names["back"].volts[-1600:]
    assert np.sqrt(np.mean(last**2)) == pytest.approx(100, rel=1e-6)
    assert not names["sim"].output_on
