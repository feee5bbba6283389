"""As in pynq."""
