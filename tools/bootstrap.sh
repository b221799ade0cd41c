#!/usr/bin/env bash
# Makes $VENV with exactly the locked packages. uv where it is there, else venv and pip.
set -euo pipefail
python="${PYTHON:-python3}" venv="${VENV:-.venv}"
if ! command -v "$python" >/dev/null; then
  echo "irsa-manager needs Python 3.11 or newer and found no '$python'. Install it (Debian: apt-get install python3 python3-venv), or: make PYTHON=/path/to/python3" >&2
  exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "irsa-manager needs Python 3.11 or newer; '$python' is $("$python" -V 2>&1). Try: make PYTHON=python3.12" >&2
  exit 1
fi
echo "Preparing $venv (once, about half a minute) ..."
if command -v uv >/dev/null; then
  [ -x "$venv/bin/python" ] || uv venv --quiet --python "$python" "$venv"
  uv pip sync --quiet --require-hashes --python "$venv/bin/python" requirements/dev.txt
  uv pip install --quiet --no-deps --no-build-isolation --python "$venv/bin/python" -e .
else
  if [ ! -x "$venv/bin/pip" ] && ! "$python" -m venv "$venv"; then
    echo "Python's venv module is missing. Install it (Debian: apt-get install python3-venv), or install uv." >&2
    exit 1
  fi
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
fi
touch "$venv/.installed"
