# Sourced by run.sh and test.sh: makes .venv with everything the project needs. A second call takes a moment.
# Usage: source setup.sh EXTRA   (EXTRA: a pip extra of pyproject.toml, may be empty)

teiden_setup() {
  local extra=$1 missing=() optional=() tool packages
  for tool in g++ make perl; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  command -v python3 >/dev/null || missing+=(python3)
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
  for tool in lz4 zlib; do  # headers that `teiden meter --waves` compiles against
    [ -e "/usr/include/$tool.h" ] || optional+=("$([ $tool = lz4 ] && echo liblz4-dev || echo zlib1g-dev)")
  done
  if [ ${#optional[@]} -gt 0 ] && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; then
    missing+=("${optional[@]}")
  fi
  if [ ${#missing[@]} -gt 0 ]; then
    packages="${missing[*]}"
    if [ "$(id -u)" = 0 ]; then
      apt-get update -q >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -qy $packages >&2 || return 3
    elif sudo -n true 2>/dev/null; then
      sudo apt-get update -q >&2 && sudo DEBIAN_FRONTEND=noninteractive apt-get install -qy $packages >&2 || return 3
    else
      echo "missing: $packages; run: sudo apt-get install -y $packages" >&2
      return 3
    fi
  fi
  python3 - <<'PY' || return 3
import sys
if sys.version_info < (3, 11):
    sys.exit(f"python3 is {sys.version.split()[0]}, expected 3.11 or later (Debian 12, Ubuntu 24.04)")
PY
  local stamp=.venv/teiden-$(printf '%s' "$extra" | tr -c 'a-z' '-').stamp want
  want=$(cat pyproject.toml constraints.txt | sha256sum; pwd)
  if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$want" ]; then
    echo "setting up .venv (a minute or two the first time)" >&2
    [ -x .venv/bin/python ] || python3 -m venv .venv || return 3
    .venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".${extra:+[$extra]}" >&2 || return 3
    printf '%s\n' "$want" >"$stamp"
  fi
}
