"""Lets the tests and their writer process import ``store_readings``, and does not wait for the disk."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def disk_is_not_waited_for(monkeypatch):
    """What is forced to disk, and when, is looked at in test_killed.py; no test here takes the power away."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)
