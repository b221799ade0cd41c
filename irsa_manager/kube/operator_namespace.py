"""The namespace the manager itself lives in: its Lease, its mark and the IRSASetup that counts are there."""

from __future__ import annotations

from pathlib import Path

from irsa_manager.api import names
from irsa_manager.kube.config import POD_DIRECTORY


def operator_namespace(flag: str = "", *, pod_directory: Path = POD_DIRECTORY) -> str:
    """The flag's value, else the pod's own namespace, else the one that the chart installs into.

    https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api
    """
    if flag:
        return flag
    file = pod_directory / "namespace"
    own = file.read_text().strip() if file.is_file() else ""
    return own or names.DEFAULT_NAMESPACE
