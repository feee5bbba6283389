"""Evidence of bench tests: a pytest plugin that records what was asked, answered, measured and judged.

Use it with ``pytest -p hil.evidence.plugin --station station.toml --evidence DIR``; `teiden rig run` does.
"""
