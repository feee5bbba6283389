"""Synthesis figures of the front-end."""
