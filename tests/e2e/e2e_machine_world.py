"""What the state machine has asked for and put there: the model that everything is compared with."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from e2e_aws import Document
from e2e_controllers import Controllers
from e2e_lab import IRSAS, MERGE, Irsa, Lab, Object, unique
from e2e_machine_wish import READ, Place, Wish, merged
from e2e_process import OPERATOR

from irsa_manager.api import names

FLAGS = {"--sweep-interval": "1s"}
TENANT = {"machine": "tenant"}
TENANCY = {
    "name": "machine",
    "namespaceSelector": {"matchLabels": TENANT},
    "targetNamespaces": ["m-*-a", "m-*-b"],
    "roleNames": ["m-*"],
    "policies": ["*"],
    "inlinePolicies": "Allow",
    "managementPolicies": ["Create", "Adopt", "Reference"],
    "allow": ["NamespaceGlobs", "Tags"],
}
POLICIES = ("AmazonS3ReadOnlyAccess", "AmazonSQSFullAccess", "CloudWatchReadOnlyAccess")
EC2 = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass
class Stranger:
    """A role or a ServiceAccount that somebody else made: what tells it from others, and what it is like."""

    id: str
    portrait: Document


class World:
    """The objects, roles and ServiceAccounts of one example, under names that no other example uses."""

    def __init__(self, lab: Lab, controllers: Controllers, cluster_uid: str) -> None:
        # Whatever became of the last example.
        lab.aws.faults()
        if controllers.current is None:
            controllers.start(FLAGS, {}).wait_ready()
        self.lab = lab
        self.controllers = controllers
        self.cluster_uid = cluster_uid
        self.prefix = unique("m")
        self.roles = [f"{self.prefix}-r{number}" for number in range(5)]
        self.namespaces = [f"{self.prefix}-{letter}" for letter in "abc"]
        self.home = self.namespaces[0]
        for name in self.namespaces:
            lab.namespace(name=name, labels=TENANT if name == self.home else {})
        self.wishes: list[Wish] = []
        self.numbers = itertools.count(1)
        self.strangers: dict[str, Stranger] = {}
        self.strange_accounts: dict[Place, Stranger] = {}
        self.weather: dict[str, Any] = {}
        self.told: list[str] = []
        # What may be left behind, and whose owner can't be told any more.
        self.spared_roles: set[str] = set()
        self.spared_accounts: set[Place] = set()
        self.spared_found: set[Place] = set()
        self.tainted: set[str] = set()
        self.unowned: set[str] = set()
        self.stripped: set[str] = set()
        self.bounded: set[str] = set()
        self.tokens: dict[tuple[str, str, str], str] = {}

    # Objects

    @property
    def living(self) -> list[Wish]:
        """The objects that nobody has deleted."""
        return [wish for wish in self.wishes if not wish.gone]

    def make(self, asked: dict[str, Any], *, tenant: bool) -> None:
        """A new object."""
        name = f"{self.prefix}-{next(self.numbers)}"
        wish = Wish(Irsa(self.lab, self.home if tenant else OPERATOR, name), asked)
        self.wishes.append(wish)
        self._create(wish)

    def _create(self, wish: Wish) -> None:
        self._note(wish)
        irsa = wish.irsa
        self.lab.create(
            IRSAS.format(irsa.namespace),
            {
                "apiVersion": names.API_VERSION,
                "kind": "IRSA",
                "metadata": {"name": irsa.name, "namespace": irsa.namespace},
                "spec": wish.spec(),
            },
        )
        if irsa not in self.lab.irsas:
            self.lab.irsas.append(irsa)

    def ask(self, wish: Wish, **change: Any) -> None:
        """Edit the spec."""
        if "role" in change:
            self._unmarked(wish)
            self._unnamed(wish)
        wish.asked.update(change)
        self._note(wish)
        self.lab.patch(wish.irsa.path, {"spec": merged(wish.spec())})

    def _note(self, wish: Wish) -> None:
        wish.held_roles.add(wish.role)
        wish.held_accounts |= self.reach(wish, living=False)
        wish.adopted_ever |= wish.asked["role_policy"] == "Adopt"
        wish.unmanaged_ever |= wish.asked["accounts_policy"] == "None"

    def reach(self, wish: Wish, *, living: bool = True) -> set[Place]:
        """The ServiceAccounts that it means; living: only in namespaces that are there."""
        there = self.there() if living else set(self.namespaces)
        return {(n, a) for n in self.targets(wish) & there for a in wish.asked["accounts"]}

    def targets(self, wish: Wish) -> set[str]:
        """The namespaces that it names, or that its pattern matches."""
        named = set(wish.asked["namespaces"])
        return set(self.namespaces) if any("?" in name for name in named) else named

    def there(self) -> set[str]:
        """The namespaces of this example that are there and stay."""
        found = {n: self.lab.get(f"/api/v1/namespaces/{n}") for n in self.namespaces}
        return {name for name, body in found.items() if body and body["status"]["phase"] == "Active"}

    def delete(self, wish: Wish) -> None:
        """Somebody deletes it."""
        wish.gone = True
        asked = wish.asked
        if not asked["cleanup"] or wish.released:
            self._left_behind(wish)
        if asked["role_policy"] == "Reference":
            self.spared_roles.add(wish.role)
        if wish.unmanaged_ever:
            self.spared_found |= wish.held_accounts
        answer = self.lab.api.delete(wish.irsa.path)
        assert answer.status_code == 200, answer.text
        if answer.json()["kind"] == "Status" and wish.let_go:
            # It went at once: nobody has held it since it was let go, so that what it had made is an orphan, which is
            # told and left as it is.
            self._left_behind(wish)

    def _left_behind(self, wish: Wish) -> None:
        self.spared_roles |= wish.held_roles
        self.spared_accounts |= wish.held_accounts
        self._taint(wish)

    def _taint(self, wish: Wish) -> None:
        """What an adopted role had may be forgotten."""
        if wish.adopted_ever:
            self.tainted |= {s.id for name, s in self.strangers.items() if name in wish.held_roles}

    def _unmarked(self, wish: Wish) -> None:
        """The evidence beside the marks goes: a role whose marks were taken off is nobody's then."""
        for name in wish.held_roles:
            role = self.lab.aws.role(name) if self.stripped else None
            if role is not None and role["RoleId"] in self.stripped:
                self.unowned.add(role["RoleId"])
                self.spared_accounts |= wish.held_accounts

    def _unnamed(self, wish: Wish) -> None:
        """The name of a role whose status was lost, and that nobody has looked at since, is known by the spec alone."""
        status = (self.lab.get(wish.irsa.path) or {}).get("status") or {}
        roles = [status.get("role") or {}, *(status.get("retiredRoles") or ())]
        if wish.forgotten and wish.role not in {role.get("name") for role in roles}:
            self.spared_roles.add(wish.role)
            self.spared_accounts |= wish.held_accounts

    def release(self, wish: Wish, wanted: bool) -> None:
        """Somebody releases it, or takes it back."""
        with self.clear():
            self._unmarked(wish)
        wish.released = wanted
        wish.forgotten = wish.let_go = True
        annotation = {names.ANNOTATION_RELEASE: "true" if wanted else None}
        self.lab.patch(wish.irsa.path, {"metadata": {"annotations": annotation}})

    def lose_status(self, wish: Wish) -> None:
        """Somebody clears the status."""
        self._forget(wish)
        self.lab.patch(f"{wish.irsa.path}/status", {"status": None})

    def _forget(self, wish: Wish) -> None:
        with self.clear():
            self._unmarked(wish)
        self._taint(wish)
        wish.forgotten = True
        self.spared_found |= wish.held_accounts
        # Roles and ServiceAccounts of former names are known by the status alone.
        self.spared_roles |= wish.held_roles - {wish.role}
        self.spared_accounts |= wish.held_accounts - self.reach(wish, living=False)

    def restore(self, wish: Wish, *, with_status: bool) -> None:
        """The cluster is rebuilt from what was in it, with the key: other objects of the same names."""
        self.controller().kill()
        saved = self.lab.get(wish.irsa.path)
        assert saved is not None, f"{wish.irsa.key} is gone"
        if not (with_status and saved.get("status")):
            self._forget(wish)
        self.lab.patch(wish.irsa.path, {"metadata": {"finalizers": None}})
        wish.irsa.delete()
        wish.released, wish.let_go = False, True
        self._create(wish)
        if with_status and saved.get("status"):
            self.lab.patch(f"{wish.irsa.path}/status", {"status": saved["status"]})
        self.start()

    # The controller and AWS

    def controller(self) -> Any:
        """The controller that runs."""
        return self.lab.controller

    def start(self) -> None:
        """A new controller."""
        self.controllers.start(FLAGS, {}).wait_ready()

    def set_weather(self, weather: dict[str, Any]) -> None:
        """AWS fails like this from now on."""
        self.weather = weather
        self.lab.aws.faults(**weather)

    @contextlib.contextmanager
    def clear(self) -> Iterator[None]:
        """Good weather for what the test itself does, so that it is known to be done."""
        if not self.weather:
            yield
            return
        self.lab.aws.faults()
        yield
        self.lab.aws.faults(**self.weather)

    # Strangers

    def stranger_comes(self, name: str, consent: str) -> None:
        """Somebody makes a role of that name, if it is free. consent: to its adoption by that object; or ""."""
        with self.clear(), contextlib.suppress(self.lab.aws.iam.exceptions.EntityAlreadyExistsException):
            role = self.lab.aws.foreign_role(name)
            iam = self.lab.aws.iam
            iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess")
            iam.put_role_policy(RoleName=name, PolicyName="theirs", PolicyDocument=json.dumps(READ))
            tags = {"made-by": "somebody", **({names.TAG_ADOPT_BY: consent} if consent else {})}
            iam.tag_role(RoleName=name, Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
            # Who adopts may have been quicker than these calls: what it had then is one of several portraits.
            wanted = any(w.adopted_ever and name.lower() in w.held_roles for w in self.wishes)
            if wanted:
                self.tainted.add(role["RoleId"])
            self.strangers[name.lower()] = Stranger(role["RoleId"], self.portrait(name))

    def stranger_changes(self, name: str) -> None:
        """Whose role it is edits it."""
        stranger = self.strangers.get(name.lower())
        wanted = any(w.adopted_ever and name.lower() in w.held_roles for w in self.wishes)
        if stranger is None or wanted:
            return
        with self.clear():
            iam, role = self.lab.aws.iam, self.lab.aws.role(name)
            if role is None or role["RoleId"] != stranger.id:
                return
            iam.tag_role(RoleName=name, Tags=[{"Key": "revision", "Value": str(next(self.numbers))}])
            stranger.portrait = self.portrait(name)

    def role_goes(self, name: str) -> None:
        """Somebody deletes the role, whosever it is."""
        with self.clear():
            iam = self.lab.aws.iam
            if self.lab.aws.role(name) is None:
                return
            try:
                for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
                    iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
                for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
                    iam.delete_role_policy(RoleName=name, PolicyName=policy)
                iam.delete_role(RoleName=name)
            except ClientError as error:
                # The controller works on it at the same moment.
                assert error.response["Error"]["Code"] in {"NoSuchEntity", "DeleteConflict"}, error
                if self.lab.aws.role(name) is not None and name.lower() in self.strangers:
                    self.tainted.add(self.strangers[name.lower()].id)
                return
            self.strangers.pop(name.lower(), None)

    def portrait(self, name: str) -> Document:
        """Everything about a role that somebody could have changed."""
        role = self.lab.aws.role(name)
        assert role is not None, f"there is no role {name}"
        role = {k: v for k, v in role.items() if k not in {"RoleLastUsed", "Tags"}}
        aws = self.lab.aws
        return {**role, "attached": aws.attached(name), "inline": aws.inline(name), "tags": aws.tags(name)}

    def roles_there(self) -> dict[str, str]:
        """Ids of the example's roles that are there, by lower-case name."""
        pages = self.lab.aws.iam.get_paginator("list_roles").paginate()
        found = {role["RoleName"].lower(): role["RoleId"] for page in pages for role in page["Roles"]}
        return {name: id for name, id in found.items() if name.startswith(self.prefix)}

    def meddle(self, wish: Wish, kind: str, one: int) -> None:
        """Somebody edits the object's role, if it isn't a stranger's."""
        name, iam = wish.asked["role"], self.lab.aws.iam
        with self.clear():
            role = self.lab.aws.role(name)
            if role is None or name.lower() in self.strangers:
                return
            arn = f"arn:aws:iam::aws:policy/{POLICIES[one % len(POLICIES)]}"
            recorded = wish.irsa.status.get("role", {}).get("id") == role["RoleId"] and not wish.released
            with contextlib.suppress(iam.exceptions.NoSuchEntityException):
                if kind == "attach":
                    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
                if kind == "detach":
                    iam.detach_role_policy(RoleName=name, PolicyArn=arn)
                if kind == "boundary":
                    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=arn)
                    # Where the spec is silent about it, it stays.
                    self.bounded.add(role["RoleId"])
                # The mark in the tag alone is no evidence, so that without a record the one in the trust stays.
                if kind in {"trust", "unmark"} and recorded:
                    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(EC2))
                if kind in {"untag", "unmark"} and (recorded or kind == "untag"):
                    iam.untag_role(RoleName=name, TagKeys=[names.TAG_MARK, "team"])
            if kind in {"trust", "untag", "unmark"}:
                # One of the two marks may have been off already.
                if role["RoleId"] in self.stripped and not recorded:
                    self.unowned.add(role["RoleId"])
                    self.spared_accounts |= wish.held_accounts
                self.stripped.add(role["RoleId"])

    def marked_again(self) -> None:
        """Forget that marks were taken off where they are back."""
        for name, id in self.roles_there().items():
            if id in self.stripped:
                sids = {statement.get("Sid") for statement in self.lab.aws.trust(name)["Statement"]}
                if self.lab.aws.tags(name).get(names.TAG_MARK) in sids:
                    self.stripped.discard(id)

    def strip(self, place: Place, annotation: str) -> None:
        """Somebody takes an annotation off a ServiceAccount."""
        path = f"/api/v1/namespaces/{place[0]}/serviceaccounts/{place[1]}"
        answer = self.lab.api.patch(path, json={"metadata": {"annotations": {annotation: None}}}, headers=MERGE)
        assert answer.status_code in {200, 404}, answer.text
        # If it leaves its object just now, nothing says any more whose it was.
        self.spared_accounts.add(place)

    def breathe(self) -> None:
        """Until the controller has got somewhere, wherever that is."""
        done = lambda: sum(self.lab.controller.metric("controller_runtime_reconcile_total").values())  # noqa: E731
        depth = lambda: self.lab.controller.metric("workqueue_depth").get("", 0)  # noqa: E731
        before = done()
        self.lab.eventually(lambda: done() > before or depth() == 0, "something is reconciled")

    def account_comes(self, place: Place, annotations: dict[str, str]) -> None:
        """Somebody makes a ServiceAccount, if the name is free."""
        body = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": place[1], "annotations": annotations, "labels": {"theirs": "yes"}},
        }
        answer = self.lab.api.post(f"/api/v1/namespaces/{place[0]}/serviceaccounts", json=body)
        # It may be there, or its namespace not (any more).
        assert answer.status_code in {201, 403, 404, 409}, answer.text
        if answer.status_code == 201:
            made = answer.json()
            self.strange_accounts[place] = Stranger(made["metadata"]["uid"], account_portrait(made))

    def account_goes(self, place: Place) -> None:
        """Somebody deletes a ServiceAccount, whosever it is."""
        self.strange_accounts.pop(place, None)
        self.lab.delete_account(*place)

    def accounts_there(self) -> dict[Place, Object]:
        """The ServiceAccounts of the example's namespaces, but for default."""
        found = {}
        for namespace in self.namespaces:
            for item in (self.lab.get(f"/api/v1/namespaces/{namespace}/serviceaccounts") or {"items": []})["items"]:
                if item["metadata"]["name"] != "default":
                    found[namespace, item["metadata"]["name"]] = item
        return found

    def namespace_goes(self, name: str) -> None:
        """Somebody deletes a namespace and with it what is in it."""
        for place in [p for p in self.strange_accounts if p[0] == name]:
            del self.strange_accounts[place]
        self.lab.delete(f"/api/v1/namespaces/{name}")

    def namespace_comes(self, name: str) -> None:
        """Somebody makes it again, if it is gone."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        answer = self.lab.api.post("/api/v1/namespaces", json=body)
        assert answer.status_code in {201, 409}, answer.text


def account_portrait(account: Object) -> Document:
    """Everything about a ServiceAccount but what may be ours on one that was found."""
    metadata = account["metadata"]
    ours = set(names.BINDING_ANNOTATIONS) - {names.ANNOTATION_STS_REGIONAL}
    annotations = {k: v for k, v in metadata.get("annotations", {}).items() if k not in ours}
    rest = {k: v for k, v in account.items() if k not in {"metadata", "apiVersion", "kind"}}
    kept = {k: v for k, v in metadata.items() if k not in {"annotations", "resourceVersion", "managedFields"}}
    return {**rest, **kept, "annotations": annotations}
