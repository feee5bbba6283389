"""The twin as a part of somebody else's simulation: one core that steps, and thin adapters for HELICS and mosaik."""
