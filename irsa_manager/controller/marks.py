"""The key that marks are signed with: Secret irsa-manager-mark of the operator's namespace, filled once.

`key` is the current key; every entry whose name begins with `old` is an older one that is still accepted.
"""

from __future__ import annotations

import base64
import binascii
import secrets

import structlog

from irsa_manager.api import names
from irsa_manager.api.errors import KubernetesError
from irsa_manager.kube.client import Kube
from irsa_manager.kube.errors import KubeAlreadyExists, KubeConflict, KubeForbidden, KubeNotFound
from irsa_manager.kube.resources import SECRETS, Secret
from irsa_manager.plan.mark import MarkKeys

_KEY = "key"
_OLD = "old"
_BYTES = 32
_SHORTEST = 16

log = structlog.get_logger(__name__)


async def load_mark_keys(kube: Kube, namespace: str) -> MarkKeys:
    """Read the keys; fill the Secret where it is empty, make it where it is absent and that is allowed.

    Raises KubernetesError: it may not be read or written (with the command that makes it), the namespace isn't there
    (likewise), or what the Secret holds is no key.
    """
    while True:
        try:
            secret = await kube.get(SECRETS, namespace, names.MARK_SECRET)
            if secret is not None and secret.data.get(_KEY):
                return _keys(secret, namespace)
            await _fill(kube, namespace, secret)
        except KubeForbidden as error:
            raise _not_allowed(namespace, error) from error
        except (KubeAlreadyExists, KubeConflict, KubeNotFound):
            # Somebody was faster: another replica's key counts, a Secret that was deleted is made anew.
            continue


async def read_mark_keys(kube: Kube, namespace: str) -> MarkKeys | None:
    """Read the keys and write nothing; None where the Secret isn't there or is empty still.

    Raises KubernetesError: it may not be read, or what it holds is no key.
    """
    secret = await kube.get(SECRETS, namespace, names.MARK_SECRET)
    return _keys(secret, namespace) if secret is not None and secret.data.get(_KEY) else None


async def _fill(kube: Kube, namespace: str, secret: Secret | None) -> None:
    data = {_KEY: base64.b64encode(secrets.token_bytes(_BYTES)).decode()}
    if secret is None:
        metadata = {"name": names.MARK_SECRET, "namespace": namespace}
        try:
            await kube.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
        except KubeNotFound as error:
            raise _no_namespace(namespace) from error
    else:
        version = secret.metadata.resource_version
        patch = {"metadata": {"resourceVersion": version}, "data": data}
        await kube.merge_patch(SECRETS, namespace, names.MARK_SECRET, patch)
    log.info("filled the Secret that marks are signed with; back it up", secret=f"{namespace}/{names.MARK_SECRET}")


def _keys(secret: Secret, namespace: str) -> MarkKeys:
    current = _decode(secret, _KEY, namespace)
    older = [_decode(secret, name, namespace) for name in sorted(secret.data) if name.startswith(_OLD)]
    return MarkKeys(current, tuple(older))


def _decode(secret: Secret, name: str, namespace: str) -> bytes:
    try:
        key = base64.b64decode(secret.data[name], validate=True)
    except binascii.Error:
        key = b""
    if len(key) < _SHORTEST:
        raise KubernetesError(
            "OwnershipUnknown",
            f"Entry {name} of Secret {namespace}/{names.MARK_SECRET} is no key: it has under {_SHORTEST} bytes.",
            left="Nothing was written to AWS.",
            hint="Restore the Secret from your backup: without its key no role is known as ours.",
        )
    return key


def _no_namespace(namespace: str) -> KubernetesError:
    return KubernetesError(
        "KubernetesRefused",
        f"Namespace {namespace}, the operator's own, isn't there.",
        left="Nothing was written to AWS.",
        hint=f"Make it: kubectl create namespace {namespace}; or name the operator's own with --namespace.",
        object=f"Namespace {namespace}",
    )


def _not_allowed(namespace: str, error: KubeForbidden) -> KubernetesError:
    secret = f"{namespace}/{names.MARK_SECRET}"
    return KubernetesError(
        "PermissionMissing",
        f"Secret {secret}, whose key signs the marks on roles, can't be read or filled: {error.message}",
        left="Nothing was written to AWS.",
        hint=f"Make it: kubectl create secret generic {names.MARK_SECRET} -n {namespace} "
        '--from-literal=key="$(openssl rand -base64 32)", and let the manager get and update that one Secret.',
    )
