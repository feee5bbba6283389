"""The radio engine: arrays in, arrays out. It knows nodes, frames and channels, not meters."""

from gpu.case import run_case
from gpu.case_files import Case, read_case
from gpu.energy import capacitor_nj
from gpu.mesh import OUTCOMES, STATES, Drained, Mesh
from gpu.radio import CHANNELS_IN_JAPAN, NETWORK_SIZES, PROFILES, REGULATIONS, RETRY_RULES, Radio, profile

__all__ = [
    "CHANNELS_IN_JAPAN", "NETWORK_SIZES", "OUTCOMES", "PROFILES", "REGULATIONS", "RETRY_RULES", "STATES", "Case",
    "Drained", "Mesh", "Radio", "capacitor_nj", "profile", "read_case", "run_case",
]  # fmt: skip
