"""What holds for every test: those that need a CUDA device are skipped, with the reason, where there is none."""

from __future__ import annotations

import pytest

from gpu.device import cupy_with_device
from teiden.errors import MissingPart


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what cannot run here."""
    wanting = [item for item in items if item.get_closest_marker("gpu")]
    if not wanting:
        return
    try:
        cupy_with_device()
    except MissingPart as missing:
        for item in wanting:
            item.add_marker(pytest.mark.skip(reason=str(missing)))
