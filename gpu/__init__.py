"""The radio engine: arrays in, arrays out. It knows nodes, frames and channels, not meters."""

from gpu.case import run_case
from gpu.case_files import Case, read_case
from gpu.mesh import OUTCOMES, Drained, Mesh
from gpu.radio import PROFILES, Radio, profile

__all__ = ["OUTCOMES", "PROFILES", "Case", "Drained", "Mesh", "Radio", "profile", "read_case", "run_case"]
