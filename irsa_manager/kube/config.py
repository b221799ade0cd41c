"""Which cluster, and as whom: the kubeconfig that applies.

The order is controller-runtime's, which upstream's users know: the file that was named, $KUBECONFIG (a list of files
is merged as kubectl does), the pod's own ServiceAccount, ~/.kube/config.
https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.config.models import User
from lightkube.core.exceptions import ConfigError

from irsa_manager.api.errors import UsageError

POD_DIRECTORY: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_CODE: Final = "Usage"
_FILES: Final = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def find_config(
    kubeconfig: str | Path | None = None,
    context: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    pod_directory: Path = POD_DIRECTORY,
) -> SingleConfig:
    """The cluster and user to talk to and as.

    kubeconfig: a file that was named explicitly. context: one of its contexts, else the current one. Raises UsageError
    where there is none, or what there is can't be read.
    """
    env = os.environ if environment is None else environment
    listed = [Path(part).expanduser() for part in env.get("KUBECONFIG", "").split(os.pathsep) if part]
    home = Path(env.get("HOME", "~")).expanduser() / ".kube" / "config"
    try:
        if kubeconfig:
            return _from_files([Path(kubeconfig).expanduser()], context)
        if listed:
            return _from_files(listed, context)
        if env.get("KUBERNETES_SERVICE_HOST") and (pod_directory / "token").is_file():
            return _checked(KubeConfig.from_service_account(str(pod_directory)).get())
        if home.is_file():
            return _from_files([home], context)
    except (ConfigError, msgspec.MsgspecError, yaml.YAMLError, OSError, KeyError, TypeError, AttributeError) as error:
        where = kubeconfig or env.get("KUBECONFIG") or home
        raise UsageError(
            _CODE,
            f"The kubeconfig {where} can't be used: {_short(error)}.",
            hint="`kubectl config view` shows what is in it.",
        ) from error
    raise UsageError(
        _CODE,
        "There is no kubeconfig: none was named, $KUBECONFIG and ~/.kube/config don't exist, and this is no pod.",
        hint="Name one with --kubeconfig, or export KUBECONFIG.",
    )


def _from_files(files: list[Path], context: str | None) -> SingleConfig:
    present = [file for file in files if file.is_file()]
    if not present:
        raise ConfigError(f"no such file: {', '.join(str(file) for file in files)}")
    return _checked(KubeConfig.from_dict(_merge(present), fname=present[0]).get(context))


def _merge(files: list[Path]) -> dict[str, Any]:
    """The files as one: of several entries of one name, and of several current contexts, the first counts."""
    merged: dict[str, Any] = {"clusters": {}, "contexts": {}, "users": {}}
    for file in files:
        content = yaml.safe_load(file.read_text()) or {}
        if content.get("current-context"):
            merged.setdefault("current-context", content["current-context"])
        for section in ("clusters", "contexts", "users"):
            for entry in content.get(section) or ():
                body = entry.get(section[:-1]) or {}
                for name in _FILES:
                    if body.get(name):
                        body[name] = str(file.parent.resolve() / body[name])
                merged[section].setdefault(entry["name"], {**entry, section[:-1]: body})
    return {key: list(value.values()) if isinstance(value, dict) else value for key, value in merged.items()}


def _checked(config: SingleConfig | None) -> SingleConfig:
    if config is None:
        raise ConfigError("it names no current context")
    # lightkube insists on a user; a cluster without authentication has none.
    return config if config.user else config._replace(user=User())


def _short(error: Exception) -> str:
    text = f"there is no entry {error}" if isinstance(error, KeyError) else str(error)
    return (text.splitlines() or [type(error).__name__])[0].rstrip(".")
