"""Where the control plane's programs come from: the places are tried in the order of `find`."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from irsa_manager.api.errors import SandboxError

KUBERNETES_VERSION = "1.37.2"
ETCD_VERSION = "3.7.3"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")


@dataclass(frozen=True)
class Binaries:
    """The three programs, as absolute paths, and where they were found, in words."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    source: str
    version: str = KUBERNETES_VERSION

    @classmethod
    def of(cls, directory: Path, source: str, version: str = KUBERNETES_VERSION) -> Binaries:
        """Those of one directory; whether they are there and run isn't looked at."""
        return cls(*(directory / name for name in PROGRAMS), source=source, version=version)


def find() -> Binaries:
    """The programs from $KUBEBUILDER_ASSETS, else from PATH. Raises SandboxError where they aren't there."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        return Binaries.of(Path(assets).absolute(), "KUBEBUILDER_ASSETS")
    found = {name: shutil.which(name) for name in PROGRAMS}
    if missing := [name for name, path in found.items() if path is None]:
        raise SandboxError("SandboxFailed", f"Not found: {', '.join(missing)}.", hint="set KUBEBUILDER_ASSETS")
    return Binaries(*(Path(str(found[name])).absolute() for name in PROGRAMS), source="PATH")
