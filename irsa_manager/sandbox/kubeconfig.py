"""The kubeconfig file of a sandbox: one cluster, one user, the API server's CA; verification is never off."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from irsa_manager.sandbox.files import write_private

CONTEXT = "irsa-manager-sandbox"


def write_kubeconfig(path: Path, *, server: str, ca_pem: str, user: str, token: str) -> Path:
    """Write path (0600) for `user` with a bearer token. JSON, which is YAML too, so no YAML writer is needed."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [
            {
                "name": CONTEXT,
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(ca_pem.encode()).decode(),
                },
            }
        ],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user}}],
    }
    return write_private(path, json.dumps(document, indent=2) + "\n")
