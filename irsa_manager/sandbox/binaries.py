"""The control plane's programs: which ones, which versions, and whether a file is one of them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from irsa_manager.api.errors import SandboxError

KUBERNETES_VERSION = "1.37.2"
ETCD_VERSION = "3.7.3"
ETCD, API_SERVER, CONTROLLERS = "etcd", "kube-apiserver", "kube-controller-manager"
PROGRAMS = (ETCD, API_SERVER, CONTROLLERS)

_SERIES = ".".join(KUBERNETES_VERSION.split(".")[:2])
_LOWEST_ETCD = (3, 5)
_VERSION = re.compile(r"(?:etcd Version: |Kubernetes v)(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Binaries:
    """The three programs, as absolute paths.

    version: of kube-apiserver. source: where they come from, in words. built: whether this run built or downloaded any.
    """

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    version: str
    source: str
    built: bool = False

    @classmethod
    def of(cls, paths: Mapping[str, Path], source: str, *, built: bool = False) -> Binaries:
        """Those of `paths`, by the names of PROGRAMS."""
        return cls(
            etcd=paths[ETCD],
            kube_apiserver=paths[API_SERVER],
            kube_controller_manager=paths[CONTROLLERS],
            version=version_of(paths[API_SERVER]),
            source=source,
            built=built,
        )


def version_of(program: Path) -> str:
    """What `PROGRAM --version` says, as 1.37.2. Raises SandboxError where it can't be run or says something else."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise SandboxError("SandboxFailed", f"{program} can't be run: {exc}.") from exc
    found = _VERSION.search(answer.stdout)
    if answer.returncode != 0 or found is None:
        raise SandboxError("SandboxFailed", f"{program} --version doesn't tell a version.")
    return ".".join(found.groups())


def unfit(name: str, program: Path) -> str:
    """Why the file `program` can't serve as `name` of PROGRAMS; empty where it can.

    Kubernetes' programs must be of the series of KUBERNETES_VERSION (fields and rules of the API differ between
    series, and a test that passes on one says nothing about another); etcd may be any from 3.5 on.
    """
    if not program.is_file():
        return f"no {name}"
    try:
        version = version_of(program)
    except SandboxError as exc:
        return exc.message.rstrip(".")
    if name == ETCD:
        fits, wanted = tuple(int(part) for part in version.split(".")[:2]) >= _LOWEST_ETCD, "3.5 or newer"
    else:
        fits, wanted = version.startswith(_SERIES + "."), _SERIES
    return "" if fits else f"{name} there is {version}, wanted {wanted}"
