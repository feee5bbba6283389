#!/usr/bin/env bash
# Set everything up and check the project: style, types, import rules, tests on all cores. Further words go to pytest.
# TEIDEN_SLOW=1 adds the proofs that take minutes, as .ci/run does.
set -eu
cd "$(dirname "$0")"
. ./setup.sh
teiden_setup "test"
export PATH="$PWD/.venv/bin:$PATH"
ruff check .
ruff format --check .
mypy
mypy benches
lint-imports
select=(-m "not slow and not pynq and not synth")
[ "${TEIDEN_SLOW:-0}" = 1 ] && select=(-m "not pynq and not synth")
exec pytest -n "$(nproc)" --dist loadfile "${select[@]}" "$@"
