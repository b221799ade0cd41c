"""A cluster, an account and a controller, as a test wants them: make objects, wait for what should come of them."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import yaml
from e2e_aws import Account
from e2e_process import DEADLINE_SECONDS, OPERATOR, Controller, eventually
from e2e_rbac import client

from irsa_manager.api import names
from irsa_manager.sandbox.running import Sandbox

Object = dict[str, Any]
IRSAS = f"/apis/{names.API_VERSION}/namespaces/{{}}/irsas"
SETUPS = f"/apis/{names.API_VERSION}/namespaces/{{}}/irsasetups"
MERGE = {"Content-Type": "application/merge-patch+json"}
ROLE_ARN = names.ANNOTATION_ROLE_ARN


class Irsa:
    """One IRSA in the cluster, and what is said of it."""

    def __init__(self, lab: Lab, namespace: str, name: str) -> None:
        self.lab = lab
        self.namespace, self.name = namespace, name
        self.key = f"{namespace}/{name}"
        self.path = f"{IRSAS.format(namespace)}/{name}"

    def get(self) -> Object | None:
        """The object, or None."""
        return self.lab.get(self.path)

    @property
    def status(self) -> Object:
        """Its status, {} where there is none."""
        return (self.get() or {}).get("status", {})

    def condition(self, kind: str) -> Object:
        """The condition of that type, {} where there is none."""
        return next((c for c in self.status.get("conditions", []) if c["type"] == kind), {})

    def patch(self, spec: Object) -> Object:
        """Merge into the spec; None takes a field out."""
        return self.lab.patch(self.path, {"spec": spec})

    def touch(self) -> int:
        """Have it looked at now: an annotation that means nothing changes. Its resourceVersion since then."""
        touched = self.lab.patch(self.path, {"metadata": {"annotations": {"touched": secrets.token_hex(4)}}})
        return int(touched["metadata"]["resourceVersion"])

    def delete(self) -> None:
        """Ask for its deletion."""
        self.lab.delete(self.path)

    def wait_ready(self) -> Object:
        """Wait until its present generation is Ready=True; its status."""
        return self.wait_reason("IRSAReady")

    def wait_reason(self, reason: str, status: str | None = None) -> Object:
        """Wait until Ready says that reason about the present generation; its status."""

        def look() -> Object | None:
            found = self.get()
            assert found is not None, f"IRSA {self.key} is gone"
            # Of the same answer, or the status might be an older one than the condition.
            conditions = found.get("status", {}).get("conditions", [])
            ready = next((c for c in conditions if c["type"] == "Ready"), {})
            said = ready.get("reason") == reason and (status is None or ready["status"] == status)
            current = found["metadata"]["generation"] == ready.get("observedGeneration")
            return found.get("status") if said and current else None

        return self.lab.eventually(look, f"IRSA {self.key} says {reason}")  # type: ignore[no-any-return]

    def wait_gone(self) -> None:
        """Wait until it is deleted."""
        self.lab.eventually(lambda: self.get() is None, f"IRSA {self.key} is gone")

    def events(self) -> list[tuple[str, str]]:
        """(reason, message) of its events, oldest first."""
        return self.lab.events(self.namespace, "IRSA", self.name)

    def wait_event(self, reason: str, part: str = "") -> str:
        """Wait for an event of that reason with that part in its message; the message."""
        look = lambda: [m for r, m in self.events() if r == reason and part in m]  # noqa: E731
        return self.lab.eventually(look, f"IRSA {self.key} has an event {reason} {part}")[0]  # type: ignore[no-any-return]


class Lab:
    """What one test works with."""

    def __init__(self, api: httpx2.Client, aws: Account, controller: Callable[[], Controller | None]) -> None:
        self.api = api
        self.aws = aws
        self._controller = controller
        self.irsas: list[Irsa] = []
        self.made: list[str] = []

    @property
    def controller(self) -> Controller:
        """The controller that runs."""
        found = self._controller()
        assert found is not None, "no controller runs"
        return found

    # Waiting

    def eventually(self, look: Callable[[], Any], what: str, seconds: float = DEADLINE_SECONDS) -> Any:
        """Look until there is something to see; what was seen. A failed assertion inside counts as "not yet"."""
        return eventually(look, what, self.report, seconds)

    def wait_sweeps(self, count: int = 2) -> None:
        """Wait until so many more sweeps have ended: what they could change is changed or in hand."""
        done = self.sweeps()
        # One that costs much puts the next one off, to ten times the interval at most.
        seconds = DEADLINE_SECONDS + 25 * count
        self.eventually(lambda: self.sweeps() >= done + count, f"{count} sweeps more than {done}", seconds)

    def sweeps(self) -> float:
        """Whole sweeps that the controller has ended."""
        return self.controller.metric("irsa_manager_sweep_duration_seconds_count").get("", 0.0)

    def wait_reconciles(self, *irsas: Irsa, count: int = 1) -> None:
        """Have the objects, as they are now or later, looked at so many times from the beginning to the end.

        One object is never looked at twice at once: when a look at what was touched after it begins, the one before it
        has ended.
        """
        for _ in range(count + 1):
            touched = [(irsa, irsa.touch()) for irsa in irsas]
            for irsa, version in touched:
                self.eventually(
                    lambda irsa=irsa, version=version: max(self.controller.looks(irsa.key), default=0) >= version,  # type: ignore[misc]
                    f"IRSA {irsa.key} of version {version} is looked at",
                )

    def assert_written(self, wanted: Mapping[str, int], *roles: str) -> None:
        """See that AWS got exactly these writes, to these roles; one that wasn't answered in time may come again."""
        written = {operation: times for operation, times in self.aws.writes().items() if times}
        again = sum((self.controller.unanswered(role) for role in roles), Counter[str]())
        assert written.keys() == wanted.keys(), written
        for operation, count in wanted.items():
            assert count <= written[operation] <= count + again[operation], (written, again)

    def report(self) -> str:
        """Everything that one wants to know when a test fails."""
        parts = []
        mine = {f"IRSA {irsa.key}" for irsa in self.irsas}
        for irsa in self.irsas:
            found = irsa.get()
            said = [f"  {reason}: {message}" for reason, message in irsa.events()[-12:]]
            about = {k: (found or {}).get(k) for k in ("spec", "status")} if found else "gone"
            parts.append("\n".join([f"IRSA {irsa.key}: {json.dumps(about)}", *said]))
        controller = self._controller()
        parts.append(f"The controller's log:\n{controller.tail(about=mine)}" if controller else "No controller runs.")
        return "\n".join(parts)

    # Kubernetes

    def get(self, path: str) -> Object | None:
        """GET, or None for 404."""
        answer = self.api.get(path)
        if answer.status_code == 404:
            return None
        return _ok(answer)

    def patch(self, path: str, patch: Object) -> Object:
        """Merge patch."""
        return _ok(self.api.patch(path, json=patch, headers=MERGE))

    def replace_spec(self, path: str, spec: Object) -> Object:
        """Put another spec in the place of the one that is there, as a whole."""
        patch = [{"op": "replace", "path": "/spec", "value": spec}]
        headers = {"Content-Type": "application/json-patch+json"}
        return _ok(self.api.patch(path, json=patch, headers=headers))

    def delete(self, path: str) -> None:
        """DELETE; what isn't there is as good as deleted."""
        answer = self.api.delete(path)
        assert answer.status_code in {200, 202, 404}, answer.text

    def create(self, path: str, body: Object) -> Object:
        """POST."""
        return _ok(self.api.post(path, json=body))

    def namespace(self, prefix: str = "t", labels: Mapping[str, str] | None = None, name: str = "") -> str:
        """A new namespace; its name, random unless given. It is deleted at the test's end."""
        name = name or f"{prefix}-{secrets.token_hex(4)}"
        metadata = {"name": name, "labels": dict(labels or {})}
        self.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        self.made.append(f"/api/v1/namespaces/{name}")
        return name

    def irsa(self, spec: Object, *, name: str = "", namespace: str = OPERATOR) -> Irsa:
        """A new IRSA; a random name unless given. It is deleted at the test's end."""
        name = name or f"i-{secrets.token_hex(4)}"
        irsa = Irsa(self, namespace, name)
        body = {
            "apiVersion": names.API_VERSION,
            "kind": "IRSA",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
        self.create(IRSAS.format(namespace), body)
        self.irsas.append(irsa)
        return irsa

    def setup(self, spec: Object, *, name: str = "", namespace: str = OPERATOR) -> str:
        """A new IRSASetup; its path. It is deleted at the test's end."""
        name = name or f"s-{secrets.token_hex(4)}"
        body = {
            "apiVersion": names.API_VERSION,
            "kind": "IRSASetup",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"cleanup": False, "mode": "eks", **spec},
        }
        self.create(SETUPS.format(namespace), body)
        path = f"{SETUPS.format(namespace)}/{name}"
        self.made.append(path)
        return path

    def wait_condition(self, path: str, kind: str, reason: str) -> Object:
        """Wait until the object there says that reason in that condition; the condition."""

        def look() -> Object | None:
            conditions = ((self.get(path) or {}).get("status") or {}).get("conditions", [])
            found = [c for c in conditions if c["type"] == kind]
            assert found and found[0]["reason"] == reason, f"{path} says {conditions}"
            return found[0]  # type: ignore[no-any-return]

        return self.eventually(look, f"{path} says {kind} {reason}")  # type: ignore[no-any-return]

    def account(self, namespace: str, name: str) -> Object | None:
        """A ServiceAccount, or None."""
        return self.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")

    def annotations(self, namespace: str, name: str) -> dict[str, str]:
        """A ServiceAccount's annotations; {} also where there is none."""
        return ((self.account(namespace, name) or {}).get("metadata") or {}).get("annotations", {})

    def labels(self, namespace: str, name: str) -> dict[str, str]:
        """A ServiceAccount's labels; {} also where there is none."""
        return ((self.account(namespace, name) or {}).get("metadata") or {}).get("labels", {})

    def make_account(self, namespace: str, name: str, **metadata: Any) -> Object:
        """A ServiceAccount that somebody else makes."""
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, **metadata}}
        return self.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", body)

    def patch_account(self, namespace: str, name: str, **metadata: Any) -> Object:
        """Somebody's edit of a ServiceAccount's metadata."""
        return self.patch(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}", {"metadata": metadata})

    def delete_account(self, namespace: str, name: str) -> None:
        """Somebody deletes a ServiceAccount."""
        self.delete(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")

    def wait_bound(self, namespace: str, name: str, role: str) -> Object:
        """Wait until the ServiceAccount is bound to the role of that name; the ServiceAccount."""

        def look() -> Object | None:
            arn = self.annotations(namespace, name).get(ROLE_ARN, "")
            return self.account(namespace, name) if arn.endswith(f"/{role}") else None

        return self.eventually(look, f"{namespace}/{name} is bound to {role}")  # type: ignore[no-any-return]

    def wait_annotations(self, namespace: str, name: str, annotations: Mapping[str, str]) -> None:
        """Wait until the ServiceAccount is there with exactly these annotations."""
        self._wait_metadata(namespace, name, "annotations", annotations)

    def wait_labels(self, namespace: str, name: str, labels: Mapping[str, str]) -> None:
        """Wait until the ServiceAccount is there with exactly these labels."""
        self._wait_metadata(namespace, name, "labels", labels)

    def _wait_metadata(self, namespace: str, name: str, field: str, wanted: Mapping[str, str]) -> None:
        def look() -> bool:
            found = self.account(namespace, name)
            assert found is not None, f"there is no ServiceAccount {namespace}/{name}"
            assert found["metadata"].get(field, {}) == wanted, f"{field} of {namespace}/{name}: {found['metadata']}"
            return True

        self.eventually(look, f"{field} of {namespace}/{name} are {wanted}")

    def wait_no_account(self, namespace: str, name: str) -> None:
        """Wait until there is no such ServiceAccount."""
        self.eventually(lambda: self.account(namespace, name) is None, f"ServiceAccount {namespace}/{name} is gone")

    def wait_subjects(self, role: str, *subjects: str) -> None:
        """Wait until the role's trust lists exactly these: NAMESPACE/NAME.

        An object that was Ready before the controller had heard of a namespace, as it may where the object only says
        which namespaces it is for, is made true again when it has.
        """

        def look() -> bool:
            found = self.aws.subjects(role)
            assert found == set(subjects), f"role {role} trusts {sorted(found)}"
            return True

        self.eventually(look, f"role {role} trusts {sorted(subjects)}")

    def token(self, namespace: str, name: str, audience: str = names.DEFAULT_AUDIENCE) -> str:
        """A real token of a ServiceAccount (TokenRequest)."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience], "expirationSeconds": 600},
        }
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        return self.create(path, body)["status"]["token"]  # type: ignore[no-any-return]

    def events(self, namespace: str, kind: str, name: str) -> list[tuple[str, str]]:
        """(reason, message) of an object's events, oldest first."""
        selector = f"involvedObject.kind={kind},involvedObject.name={name}"
        answer = _ok(self.api.get(f"/api/v1/namespaces/{namespace}/events", params={"fieldSelector": selector}))
        items = sorted(answer["items"], key=lambda e: e.get("eventTime") or e.get("firstTimestamp") or "")
        return [(event["reason"], event["message"]) for event in items]


def administrator(sandbox: Sandbox) -> httpx2.Client:
    """An HTTP client of the sandbox's API server that may do everything."""
    config = yaml.safe_load(sandbox.kubeconfig.read_text())
    return client(sandbox.api_server, sandbox.ca_file, config["users"][0]["user"]["token"])


def wait_served(api: httpx2.Client, namespace: str) -> None:
    """Wait until the API server serves both kinds: it takes a new definition up some time after it was stored."""
    for kind in (IRSAS, SETUPS):
        path = kind.format(namespace)
        eventually(lambda path=path: api.get(path).is_success, f"{path} is served", str)  # type: ignore[misc]


def spec(role: str, account: str, *namespaces: str, **more: Any) -> Object:
    """The smallest useful spec. more: further top-level fields; those of iamRole and serviceAccount are merged."""
    base: Object = {
        "cleanup": True,
        "serviceAccount": {"name": account, "namespaces": list(namespaces)},
        "iamRole": {"name": role},
        "iamPolicies": [],
    }
    for key, value in more.items():
        base[key] = {**base[key], **value} if isinstance(base.get(key), dict) and isinstance(value, dict) else value
    return base


def unique(prefix: str) -> str:
    """A name that nobody else uses."""
    return f"{prefix}-{secrets.token_hex(4)}"


def _ok(answer: httpx2.Response) -> Object:
    assert answer.status_code < 300, f"{answer.request.method} {answer.request.url}: {answer.text}"
    return answer.json()  # type: ignore[no-any-return]
