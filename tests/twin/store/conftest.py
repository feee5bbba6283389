"""Lets the tests and their writer process import ``readings``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
