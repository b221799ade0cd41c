"""A plan is what the controller does: for a hundred states, drawn at random, the one is held against the other.

What the controller does is seen where it takes effect: in the calls that IAM counts and answers, and in the
ServiceAccounts before and after.
"""

from __future__ import annotations

import json
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import count as count_from
from pathlib import Path

import pytest
from e2e_cases import DOINGS, FOUND, GOING, TENANCY, Case, cases, rival_of
from e2e_lab import Irsa, Lab, Object, unique
from e2e_process import Controller
from test_commands import manifest, run, upstreams_trust
from test_credentials import READS, TABLE, WRITES, allow

from irsa_manager.api import names

OPERATIONS = {
    "CreateRole": "CreateRole",
    "UpdateTrust": "UpdateAssumeRolePolicy",
    "AttachPolicy": "AttachRolePolicy",
    "DetachPolicy": "DetachRolePolicy",
    "PutInlinePolicy": "PutRolePolicy",
    "DeleteInlinePolicy": "DeleteRolePolicy",
    "SetBoundary": "PutRolePermissionsBoundary",
    "RemoveBoundary": "DeleteRolePermissionsBoundary",
    "UpdateRole": "UpdateRole",
    "TagRole": "TagRole",
    "UntagRole": "UntagRole",
    "DeleteRole": "DeleteRole",
}
SEEDS = [secrets.randbelow(10**6) for _ in range(10)] if os.environ.get("IRSA_SOAK") == "1" else [2]
NOTHING = "nothing"
WITHOUT_SWEEPS = (
    *TABLE,
    *READS,
    *WRITES,
    "iam:PutRolePermissionsBoundary",
    "iam:DeleteRolePermissionsBoundary",
)
BLIND = tuple(action for action in WITHOUT_SWEEPS if action not in READS)
"""No role can be read: what is there is told by its object's status alone, and what can't be seen is written anew."""
REWRITTEN = Counter({"UpdateAssumeRolePolicy": 1, "TagRole": 1})
RELEASE = {"metadata": {"annotations": {names.ANNOTATION_RELEASE: "true"}}}


class Trial:
    """The cases of one lab: built, planned, and watched."""

    def __init__(self, lab: Lab, drawn: Iterable[Case]) -> None:
        self.lab = lab
        self.cases = [each for case in drawn for each in _with_rival(case)]
        self.irsas: dict[str, Irsa] = {}

    # Before

    def build(self) -> None:
        """Namespaces, ServiceAccounts and roles that are there before any controller, and what one is to make true."""
        homes = {case.here: case.home for case in self.cases if case.origin != "the rival"}
        for namespace in homes.keys() | {case.there for case in self.cases if case.origin != "the rival"}:
            self.lab.namespace(name=namespace, labels={"tenancy": homes.get(namespace, "none")})
        for case in self.cases:
            for namespace, how in case.found.items():
                self.lab.make_account(namespace, case.account, **FOUND[how])
            if case.origin in {"adopted", "referenced", "foreign"}:
                self.lab.aws.foreign_role(case.name)
        for case in self.cases:
            if case.before is not None:
                self.irsas[case.key] = self.lab.irsa(case.before, name=case.name, namespace=case.namespace)
            elif case.origin == "upstream":
                self._upstreams(case)

    def _upstreams(self, case: Case) -> None:
        """A role without a mark, as the Go program made it."""
        trust = upstreams_trust(self.lab, (case.here, case.account))
        self.lab.aws.iam.create_role(RoleName=case.name, AssumeRolePolicyDocument=json.dumps(trust))

    def _made_ready_by_upstream(self, case: Case) -> None:
        irsa = self.irsas[case.key] = self.lab.irsa(case.after, name=case.name, namespace=case.namespace)
        self.lab.patch(irsa.path, {"metadata": {"finalizers": [names.FINALIZER]}})
        said = {"type": "Ready", "status": "True", "reason": "IRSAReady", "message": ""}
        condition = {**said, "lastTransitionTime": "2025-01-01T00:00:00Z"}
        bound = [{"namespace": case.here, "name": case.account}]
        self.lab.patch(f"{irsa.path}/status", {"status": {"conditions": [condition], "serviceAccounts": bound}})

    def disturb(self) -> None:
        """What happens while no controller runs, but for the changes of specs."""
        for case in self.cases:
            if case.origin == "upstream":
                self._made_ready_by_upstream(case)
            for doing in case.done:
                on_role = not doing.startswith(("the namespace", "the serviceaccount", "the annotation", "the label"))
                if doing != "the status is lost" and on_role and self.lab.aws.role(case.name) is None:
                    continue
                DOINGS[doing](self.lab, case)
            if case.end == "released":
                self.lab.patch(self.irsas[case.key].path, RELEASE)
            if case.end == "suspended and deleted":
                self.irsas[case.key].patch({"suspend": True})
            if case.end.endswith("deleted"):
                self.irsas[case.key].delete()
        for case in self.cases:
            if GOING in case.done:
                path = f"/api/v1/namespaces/{case.there}"
                self.lab.eventually(lambda path=path: self.lab.get(path) is None, f"{path} is gone")

    def plan(self, directory: Path, environment: Mapping[str, str]) -> dict[str, Object]:
        """What `irsa-manager plan` says of each case that isn't gone, by its key."""
        living = [case for case in self.cases if case.key not in self.irsas or self.irsas[case.key].get()]
        directory.mkdir()
        for number, case in enumerate(living):
            (directory / f"{number:03}.yaml").write_text(manifest(case.name, case.after, case.namespace))
        told = run(self.lab, "plan", "-f", str(directory), "-o", "json", environment=environment)
        assert told.returncode in {0, 2}, told.stderr
        found = json.loads(told.stdout)["objects"]
        return {each["object"]: each for each in found}

    def pending(self, directory: Path, environment: Mapping[str, str]) -> dict[str, Object]:
        """What is still planned, by the object's key."""
        return {key: each["lines"] for key, each in self.plan(directory, environment).items() if each["lines"]}

    def apply(self) -> None:
        """What was planned is asked for."""
        for case in self.cases:
            if case.key not in self.irsas:
                self.irsas[case.key] = self.lab.irsa(case.after, name=case.name, namespace=case.namespace)
            elif case.before and case.after != case.before and not case.end.endswith("deleted"):
                self.lab.replace_spec(self.irsas[case.key].path, case.after)

    # After

    def accounts(self) -> dict[str, tuple[str, Object]]:
        """uid and what was written on every ServiceAccount of the cases' namespaces, by namespace/name."""
        items = self.lab.get("/api/v1/serviceaccounts")["items"]  # type: ignore[index]
        ours = {namespace for case in self.cases for namespace in (case.here, case.there)}
        return {
            f"{m['namespace']}/{m['name']}": (m["uid"], {k: m.get(k, {}) for k in ("labels", "annotations")})
            for m in (item["metadata"] for item in items)
            if m["namespace"] in ours
        }

    def wait_settled(self) -> None:
        """Wait until the controller has judged all objects as they are now; its forerunner's word doesn't count."""
        self.look_at_all()
        for case in self.cases:
            self.lab.eventually(lambda case=case: self._settled(case), f"{case} is settled")

    def look_at_all(self) -> None:
        """Have all objects that stay looked at as they are now, from the beginning to the end."""
        self.lab.wait_reconciles(*(self.irsas[case.key] for case in self.cases if not case.end))

    def _settled(self, case: Case) -> bool:
        found = self.irsas[case.key].get()
        if case.end == "deleted":
            return found is None
        assert found is not None, f"{case} is gone"
        if case.end == "released":
            return names.FINALIZER not in found["metadata"].get("finalizers", [])
        ready = next((c for c in found.get("status", {}).get("conditions", []) if c["type"] == "Ready"), {})
        current = ready.get("observedGeneration") == found["metadata"]["generation"]
        return current and ready["reason"] != "Progressing"

    def done_on_roles(self) -> dict[str, Counter[str]]:
        """The writes that IAM took, by the role's name, as the controller logs each call."""
        done: dict[str, Counter[str]] = {}
        for line in self.lab.controller.said("AWS call"):
            if line["awsOperation"] in OPERATIONS.values() and line["outcome"] in {"ok", "missing"}:
                done.setdefault(line["role"], Counter())[line["awsOperation"]] += 1
        return done

    def differences(
        self, planned: dict[str, Object], before: dict[str, tuple[str, Object]], *, blind: bool
    ) -> list[str]:
        """Where what was done isn't what was planned. blind: a start writes anew what can't be seen, planned or not."""
        done, after = self.done_on_roles(), self.accounts()
        calls = {k: v for k, v in self.lab.aws.writes().items() if v}
        wrong = []
        in_all: Counter[str] = Counter()
        for case in self.cases:
            lines = [line for line in planned.get(case.key, {"lines": []})["lines"] if line["action"]]
            wanted = Counter(OPERATIONS[line["action"]] for line in lines if line["action"] in OPERATIONS)
            # The rival's role is counted with the rival.
            own = case.roles if case.origin != "rival role" else ()
            found: Counter[str] = sum((done.get(role, Counter()) for role in own), Counter())
            if blind and case.after == case.before and not case.end:
                wanted |= found & REWRITTEN
            in_all += wanted
            if found != wanted:
                wrong.append(f"{case}: planned {dict(wanted)}, done {dict(found)}")
        if dict(in_all) != calls:
            wrong.append(f"planned {dict(in_all)}, counted by AWS {calls}")
        lines = [line for each in planned.values() for line in each["lines"]]
        changes = {line["name"]: line["action"] for line in lines if line["kind"] == "sa"}
        for key in sorted(before.keys() | after.keys() | changes.keys()):
            change = _change(before.get(key), after.get(key))
            if changes.get(key, NOTHING) != change:
                wrong.append(f"ServiceAccount {key}: planned {changes.get(key, NOTHING)}, done {change}")
        return wrong

    def wait_judged(self, planned: dict[str, Object]) -> None:
        """Wait until the controller says of all objects what was planned."""

        def look() -> bool:
            wrong = [told for case in self.cases for told in self._misjudged(case, planned.get(case.key, {}))]
            assert not wrong, "\n".join(wrong)
            return True

        self.lab.eventually(look, "what was planned is said of all objects")

    def end(self) -> None:
        """Delete all objects; they go."""
        for irsa in self.irsas.values():
            if (irsa.get() or {"spec": {}})["spec"].get("suspend"):
                irsa.patch({"suspend": False})
            irsa.delete()
        for irsa in self.irsas.values():
            irsa.wait_gone()

    def _misjudged(self, case: Case, planned: Object) -> list[str]:
        """Where the controller says something else than the plan."""
        if case.end:
            return []
        ready = self.irsas[case.key].condition("Ready")
        foretold = planned["problems"][0]["reason"] if planned["problems"] else "IRSAReady"
        if ready["reason"] == foretold:
            return []
        return [f"{case}: planned {foretold}, is {ready['reason']}: {ready['message']}"]


def _with_rival(case: Case) -> list[Case]:
    return [rival_of(case), case] if case.origin.startswith("rival") else [case]


def _change(before: tuple[str, Object] | None, after: tuple[str, Object] | None) -> str:
    if before == after:
        return NOTHING
    if before is None:
        return "CreateServiceAccount"
    return "PatchServiceAccount" if after is not None else "DeleteServiceAccount"


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("count", "seed", "rights"),
    [(80, seed, ()) for seed in SEEDS]
    + [(20, seed, WITHOUT_SWEEPS) for seed in SEEDS]
    + [(20, seed, BLIND) for seed in SEEDS],
)
def test_what_is_planned_is_done_and_nothing_else(
    bare_lab: Lab,
    run_controller: Callable[..., Controller],
    tmp_path: Path,
    count: int,
    seed: int,
    rights: tuple[str, ...],
) -> None:
    lab = bare_lab
    environment: dict[str, str] = lab.aws.user(unique("user"), allow(*rights)) if rights else {}
    lab.setup({"tenancy": TENANCY})
    trial = Trial(lab, cases(unique("c"), count, seed))
    trial.build()
    first = run_controller(environment=environment)
    for case in trial.cases:
        if case.before is not None:
            lab.eventually(lambda case=case: judged(trial.irsas[case.key]), f"{case} is judged")
    first.stop()
    trial.disturb()
    planned = trial.plan(tmp_path / "before", environment)
    before = trial.accounts()
    lab.aws.reset_calls()
    trial.apply()
    run_controller(environment=environment)
    trial.wait_settled()
    looks = (tmp_path / f"after-{number}" for number in count_from(1))

    def nothing_left() -> bool:
        left = trial.pending(next(looks), environment)
        assert not left, left
        return True

    if rights != BLIND:
        lab.eventually(nothing_left, "nothing is planned any more")
    if not rights:
        lab.wait_sweeps(2)
    trial.look_at_all()
    trial.wait_judged(planned)
    differences = trial.differences(planned, before, blind=rights == BLIND)
    assert not differences, "\n".join(differences)
    trial.end()


def judged(irsa: Irsa) -> bool:
    """Whether a controller has said what it thinks of the object."""
    ready = irsa.condition("Ready")
    return bool(ready) and ready["reason"] != "Progressing"
