#!/usr/bin/env bash
# Set everything up and run the main scenario. Further words go to `teiden run`, e.g.
#   ./run.sh --set population.meters=100000 --out runs/big
set -eu
cd "$(dirname "$0")"
. ./setup.sh
teiden_setup ""
exec .venv/bin/teiden run scenarios/feeder_fault.toml "$@"
