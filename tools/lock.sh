#!/usr/bin/env bash
# Resolves pyproject.toml into requirements/*.txt with hashes. uv, because pip can't write hashes.
set -euo pipefail
python="${PYTHON:-python3}"
if command -v uv >/dev/null; then uv=uv; else
  tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
  "$python" -m venv "$tmp" && "$tmp/bin/pip" install --quiet uv && uv="$tmp/bin/uv"
fi
compile() { "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml "$@"; }
compile --extra sandbox --group test --group lint --group docs --group build -o requirements/dev.txt
compile -c requirements/dev.txt -o requirements/operator.txt
compile --extra sandbox -c requirements/dev.txt -o requirements/sandbox.txt
