"""The radio engine: arrays in, arrays out. It knows nodes, frames and channels, not meters."""

from gpu.mesh import OUTCOMES, Drained, Mesh
from gpu.radio import PROFILES, Radio, profile

__all__ = ["OUTCOMES", "PROFILES", "Drained", "Mesh", "Radio", "profile"]
