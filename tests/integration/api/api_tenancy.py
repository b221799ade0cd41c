"""The tenancy policy on the real API server, for namespaces of one test module only."""

from __future__ import annotations

import copy
import itertools
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from api_objects import SETUP, Object, collection, manifest, until

from irsa_manager.api import tenancy_policy

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
POLICIES = f"{ADMISSION}/validatingadmissionpolicies"
BINDINGS = f"{ADMISSION}/validatingadmissionpolicybindings"
PATCH = {"Content-Type": "application/merge-patch+json"}
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "EksOIDCSetupReady",
    "message": "The issuer is known.",
    "lastTransitionTime": "2026-11-24T18:00:00Z",
}
IGNORED = {**READY, "status": "False", "reason": "Ignored", "message": "Another one is in use."}


class Tenants:
    """A cluster with the policy, an operator's namespace, an IRSASetup in it, and namespaces of tenants.

    operator: the operator's namespace. allow(): what the IRSASetup opens, from now on. attempt(): an IRSA, not stored.
    """

    def __init__(self, api: httpx2.Client, mark: str) -> None:
        self.api = api
        self.mark = mark
        self.operator = f"{mark}-op"
        self._canary = f"{mark}-canary"
        self._generations = itertools.count()

    def namespace(self, name: str, **labels: str) -> str:
        """A namespace under the policy; its name gets the module's mark in front."""
        full = f"{self.mark}-{name}"
        metadata = {"name": full, "labels": {"irsa-manager.test/tenants": self.mark, **labels}}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        self.api.post("/api/v1/namespaces", json=body).raise_for_status()
        return full

    def setup(self, name: str, tenancy: Object, condition: Object | None = READY) -> None:
        """Make or change an IRSASetup in the operator's namespace; condition None: no controller has looked at it."""
        at = collection("IRSASetup", self.operator)
        body = manifest("IRSASetup", self.operator, name, {**SETUP, "tenancy": tenancy})
        found = self.api.get(f"{at}/{name}")
        if found.status_code == 200:
            body["metadata"]["resourceVersion"] = found.json()["metadata"]["resourceVersion"]
            stored = self.api.put(f"{at}/{name}", json=body)
        else:
            stored = self.api.post(at, json=body)
        assert stored.is_success, stored.text
        status = {**stored.json(), "status": {"conditions": [condition] if condition else []}}
        self.api.put(f"{at}/{name}/status", json=status).raise_for_status()

    def allow(self, *rules: Object, default: str = "Deny") -> None:
        """What the IRSASetup `main` opens; returns when the API server goes by it."""
        generation = next(self._generations)
        selector = {"matchLabels": {"kubernetes.io/metadata.name": self._canary}}
        canary = {"name": "canary", "namespaceSelector": selector, "roleNames": [f"g{generation}"]}
        self.setup("main", {"default": default, "rules": [canary, *rules]})
        # The API server learns of a changed IRSASetup by its own watch; only the new one refuses and allows as this.
        spec = {"cleanup": True, "serviceAccount": {"name": "sa", "namespaces": [self._canary]}}
        right = {**spec, "iamRole": {"name": f"g{generation}"}}
        wrong = {**spec, "iamRole": {"name": "other"}}
        until(lambda: self.attempt(self._canary, wrong), lambda answer: answer.status_code == 403)
        until(lambda: self.attempt(self._canary, right), lambda answer: answer.status_code == 201)

    def attempt(self, namespace: str, spec: Object) -> httpx2.Response:
        """Create that IRSA without storing it."""
        body = manifest("IRSA", namespace, spec=spec)
        return self.api.post(collection("IRSA", namespace), params={"dryRun": "All"}, json=body)

    def replaced(self, namespace: str, name: str, spec: Object) -> httpx2.Response:
        """Replace that IRSA's spec without storing it."""
        at = f"{collection('IRSA', namespace)}/{name}"
        body = {**self.api.get(at).raise_for_status().json(), "spec": spec}
        return self.api.put(at, params={"dryRun": "All"}, json=body)

    def stored(self, namespace: str, name: str, spec: Object) -> Object:
        """Create that IRSA."""
        answer = self.api.post(collection("IRSA", namespace), json=manifest("IRSA", namespace, name, spec))
        assert answer.is_success, answer.text
        found: Object = answer.json()
        return found

    def patch(self, namespace: str, name: str, change: Object, where: str = "") -> httpx2.Response:
        """Change an IRSA by a merge patch; where: /status for the subresource."""
        return self.api.patch(f"{collection('IRSA', namespace)}/{name}{where}", headers=PATCH, json=change)


@contextmanager
def tenants(api: httpx2.Client, *, failure_policy: str = "Ignore") -> Iterator[Tenants]:
    """The policy, under a name of its own, for namespaces with the module's label only.

    failure_policy: Fail shows what costs too much or isn't there, which Ignore lets pass.
    """
    found = Tenants(api, f"t{secrets.token_hex(4)}")
    policy, binding = copy.deepcopy(tenancy_policy.documents(found.operator))
    policy["metadata"]["name"] = binding["metadata"]["name"] = binding["spec"]["policyName"] = found.mark
    policy["spec"]["failurePolicy"] = failure_policy
    binding["spec"]["matchResources"] = {
        "namespaceSelector": {"matchLabels": {"irsa-manager.test/tenants": found.mark}}
    }
    created = [found.namespace("op"), found.namespace("canary")]
    for path, document in ((POLICIES, policy), (BINDINGS, binding)):
        answer = api.post(path, json=document)
        assert answer.is_success, answer.text
    try:
        yield found
    finally:
        for path in (BINDINGS, POLICIES):
            api.delete(f"{path}/{found.mark}").raise_for_status()
        for name in created:
            api.delete(f"/api/v1/namespaces/{name}").raise_for_status()


def refusal(answer: httpx2.Response) -> str:
    """The policy's message."""
    assert answer.status_code == 403, f"{answer.status_code}: {answer.text}"
    message: str = answer.json()["message"]
    assert "denied request: " in message, message
    return message.partition("denied request: ")[2]
