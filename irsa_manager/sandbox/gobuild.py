"""Build the control plane from Go modules: `go build` on a go.mod that only names the programs.

Versions and checksums are those of the checked-in go.mod and go.sum (controlplane_build/); -mod=readonly and Go's own
verification keep anything else out.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from irsa_manager.api.errors import SandboxError
from irsa_manager.sandbox.binaries import API_SERVER, CONTROLLERS, ETCD, ETCD_VERSION, KUBERNETES_VERSION
from irsa_manager.sandbox.process import end_group, with_parent
from irsa_manager.sandbox.progress import Progress

MODULES = Path(__file__).with_name("controlplane_build")
CACHED = "not installed but available in build cache"
"""go list's StaleReason of a package that needs no compiling."""
ERROR_LINES = 6


@dataclass(frozen=True)
class Recipe:
    """module: directory of the go.mod. package: the main package. flags: of the linker."""

    module: Path
    package: str
    version: str
    flags: str


def _kubernetes(name: str) -> Recipe:
    major, minor, _ = KUBERNETES_VERSION.split(".")
    stamp = "-X k8s.io/component-base/version."
    flags = f"-s -w {stamp}gitVersion=v{KUBERNETES_VERSION} {stamp}gitMajor={major} {stamp}gitMinor={minor}"
    return Recipe(MODULES / "kubernetes", f"k8s.io/kubernetes/cmd/{name}", KUBERNETES_VERSION, flags)


RECIPES: Mapping[str, Recipe] = {
    ETCD: Recipe(MODULES / "etcd", "go.etcd.io/etcd/server/v3", ETCD_VERSION, "-s -w"),
    API_SERVER: _kubernetes(API_SERVER),
    CONTROLLERS: _kubernetes(CONTROLLERS),
}


def build(name: str, recipe: Recipe, target: Path, *, go: Path, environ: Mapping[str, str], progress: Progress) -> None:
    """Build one program into the file `target`, which appears complete or not at all.

    Raises SandboxError with the end of the compiler's output. Ctrl-C ends the compiler.
    """
    settings = {
        "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
        "GOTOOLCHAIN": "auto",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }
    env = {**environ, **settings}
    with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as draft:
        # Go wants to lock the module's directory, and an installed package may be read-only.
        module = Path(draft) / "module"
        shutil.copytree(recipe.module, module)
        flags = ["-ldflags", recipe.flags]
        stale = _stale_packages(
            name, [str(go), "list", "-deps", "-f", "{{.StaleReason}}", *flags, recipe.package], module, env, progress
        )
        output = Path(draft) / name
        with progress.work(f"{name} {recipe.version}") as update:
            compiled = 0

            def count(line: str) -> None:
                nonlocal compiled
                if " " not in line:
                    compiled += 1
                    update(min(compiled, stale), stale)

            _run(name, [str(go), "build", "-v", "-o", str(output), *flags, recipe.package], module, env, count)
        output.chmod(0o700)
        output.replace(target)


def _stale_packages(name: str, argv: list[str], module: Path, env: Mapping[str, str], progress: Progress) -> int:
    """How many packages the build will compile; fetches the modules on the way. At least 1: the linked program."""
    fetched = stale = 0
    with progress.work(f"{name}: source code") as update:

        def count(line: str) -> None:
            nonlocal fetched, stale
            if line.startswith("go: downloading "):
                fetched += 1
                update(fetched, 0)
            elif line and line != CACHED:
                stale += 1

        _run(name, argv, module, env, count)
    return max(stale, 1)


def _run(name: str, argv: list[str], directory: Path, env: Mapping[str, str], on_line: Callable[[str], None]) -> None:
    process = subprocess.Popen(
        with_parent(argv),
        cwd=directory,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    last: list[str] = []
    try:
        assert process.stdout is not None  # noqa: S101  (for the type checker)
        for line in process.stdout:
            text = line.strip()
            on_line(text)
            if " " in text:
                last = [*last, text][-ERROR_LINES:]
        code = process.wait()
    finally:
        end_group(process)
    if code != 0:
        raise SandboxError("SandboxFailed", f"{' '.join(argv[:2])} of {name} failed: {' / '.join(last) or code}")
