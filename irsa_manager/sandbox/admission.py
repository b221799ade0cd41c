"""The admission policies in a sandbox's cluster, put there by its administrator: the manager only reads such things."""

from __future__ import annotations

from typing import Final

from irsa_manager.api import names, tenancy_policy
from irsa_manager.kube.client import Kube

FIELD_MANAGER: Final = "irsa-manager-sandbox"
PLURALS: Final = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}


async def install(kube: Kube, namespace: str = names.DEFAULT_NAMESPACE) -> None:
    """Put in place what `irsa-manager policies` prints for an operator of that namespace. Raises KubernetesError.

    The definitions of our kinds must be there: without them the API server complains once a second. It goes by the
    policies some seconds later.
    """
    for document in tenancy_policy.documents(namespace):
        await kube.raw(
            "PATCH",
            f"/apis/{document['apiVersion']}/{PLURALS[document['kind']]}/{document['metadata']['name']}",
            query={"fieldManager": FIELD_MANAGER, "force": "true"},
            body=document,
            content_type="application/apply-patch+yaml",
        )
