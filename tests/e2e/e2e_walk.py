"""What happens to many objects at once, each cut off at another call, and what must be there in the end.

A deed is something that is asked of an object (e2e_deeds.py). A subject is one object to which it is done. Everything
that a subject may have in AWS is judged from one reading of the whole account.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import e2e_upstream as upstream
from e2e_deeds import GONE, READ, RELEASED, SEND, Deed, Names
from e2e_gate import Arm, Moment
from e2e_lab import IRSAS, ROLE_ARN, Irsa, Lab, Object
from e2e_process import DEADLINE_SECONDS, OPERATOR, eventually

from irsa_manager.api import names
from irsa_manager.controller.intents import INTENT_SECONDS

POLICY = "arn:aws:iam::aws:policy/"
PATIENCE_SECONDS = 5 * DEADLINE_SECONDS
"""For all objects of a walk together."""
RELEASE = {"metadata": {"annotations": {names.ANNOTATION_RELEASE: "true"}}}


class Subject:
    """One object. key: of its arm at the gate.

    whole: the deed was done without its call being reached. turned: something else has been asked for in the midst.
    late: what it made can't be read, and what was meant was so long ago when somebody came to look at it again that it
    may count no more: then it may stay as it is.
    """

    def __init__(self, walk: Walk, deed: Deed, arm: Arm, key: str) -> None:
        self.walk, self.deed, self.arm, self.key = walk, deed, arm, key
        name = f"{walk.prefix}-{key}"
        self.names = Names(name, name, walk.here, walk.there, walk.boundary)
        self.irsa = Irsa(walk.lab, OPERATOR, name)
        self.turned = False
        self.whole = False
        self.late = False

    def __str__(self) -> str:
        arm = self.arm
        where = f"call {arm.at}, {arm.struck}: {arm.moment.value}" if arm.struck else f"call {arm.at} wasn't reached"
        return f"{self.deed.name} ({where}) {self.key}"

    def prepare(self) -> None:
        """Make what is there before."""
        if self.deed.first is not None:
            self._make(self.deed.first(self.names))

    def act(self) -> None:
        """Do it."""
        deed = self.deed
        if deed.upstream:
            return
        if deed.then is None:
            self._end(deed.end)
        elif deed.first is None:
            self._make(deed.then(self.names))
        else:
            self._change(deed.then(self.names))

    def turn(self) -> None:
        """Ask for something else in the midst, if that is the deed."""
        later = self.deed.later
        if later is None:
            return
        self.turned = True
        if isinstance(later, str):
            self._end(later)
        else:
            self._change(later(self.names))

    def _make(self, spec: Object) -> None:
        self.irsa = self.walk.lab.irsa(spec, name=self.irsa.name)

    def _change(self, spec: Object) -> None:
        self.walk.lab.replace_spec(self.irsa.path, spec)

    def _end(self, how: str) -> None:
        if how == GONE:
            self.irsa.delete()
        else:
            self.walk.lab.patch(self.irsa.path, RELEASE)

    def done(self, found: Object | None) -> bool:
        """Whether the object says that it is done. found: the object."""
        end = self.deed.comes_to if self.turned else self.deed.end
        if end == GONE:
            return found is None
        assert found is not None, f"{self} is gone"
        if end == RELEASED:
            return not found["metadata"].get("finalizers")
        return ready(found) or (self.late and ready(found, "OwnershipUnknown"))

    def cut_off_or_done(self, found: Object | None) -> bool:
        """Whether nothing more comes of its deed. What is looked at later, as by sweeps, is no part of it."""
        if self.arm.shut:
            return True
        done = self.done(found)
        if done and not self.arm.struck:
            self.arm.at, self.whole = 0, True
        return done

    def wrong(self, roles: dict[str, Object]) -> list[str]:
        """What isn't as it should be in AWS and with the ServiceAccounts. roles: the account's."""
        problems: list[str] = []
        if self.late:
            return problems
        asked = self.deed.later if self.turned else self.deed.then
        wanted = asked(self.names) if asked is not None and not isinstance(asked, str) else None
        name = wanted["iamRole"]["name"] if wanted else ""
        if self.deed.adopted and name != self.names.role:
            found, had = roles.get(self.names.role, {}), self.walk.planted[self.names.role]
            changed = {key: found.get(key) for key in had if found.get(key) != had[key]}
            if changed:
                problems.append(f"what the role had isn't back: {changed}")
        elif self.deed.comes_to == RELEASED:
            assert self.deed.first is not None
            return self._unlike(self.deed.first(self.names), roles)
        elif name != self.names.role and self.names.role in roles:
            problems.append("the old role is still there")
        if wanted is not None:
            return [*problems, *self._unlike(wanted, roles)]
        kept = {self.walk.here, self.walk.there} if self.deed.comes_to == RELEASED else set()
        return [*problems, *(f"left behind: {p}" for p in self.walk.accounts(self.names.account) if p not in kept)]

    def _unlike(self, wanted: Object, roles: dict[str, Object]) -> list[str]:
        """Where the role and the ServiceAccounts that it is for aren't as that spec wants them."""
        name, account = wanted["iamRole"]["name"], wanted["serviceAccount"]["name"]
        role = roles.get(name)
        if role is None:
            return [f"there is no role {name}"]
        places = set(wanted["serviceAccount"]["namespaces"])
        problems = _differences(role, wanted, {f"{place}/{account}" for place in places})
        tags = {tag["Key"] for tag in role["Tags"] if not tag["Key"].startswith(names.OWN_PREFIX)}
        if not self.deed.adopted and tags != wanted["iamRole"].get("tags", {}).keys():
            problems.append(f"tags: {tags}")
        accounts = self.walk.accounts(account)
        if accounts != dict.fromkeys(places, role["Arn"]):
            problems.append(f"ServiceAccounts: {accounts}")
        if account != self.names.account and (old := self.walk.accounts(self.names.account)):
            problems.append(f"the old ServiceAccounts are still there: {old}")
        return problems


def ready(found: Object | None, reason: str = "IRSAReady") -> bool:
    """Whether an object is there and says that reason of its present generation."""
    if found is None:
        return False
    conditions = (found.get("status") or {}).get("conditions", [])
    condition = next((c for c in conditions if c["type"] == "Ready"), {})
    current = condition.get("observedGeneration") == found["metadata"]["generation"]
    return current and condition["reason"] == reason


def held(found: Object | None) -> bool:
    """Whether an object is ready and ours to clean up after."""
    return ready(found) and bool(found and found["metadata"].get("finalizers"))


def _differences(role: Object, wanted: Object, subjects: set[str]) -> list[str]:
    spec = wanted["iamRole"]
    inline = {policy["PolicyName"]: policy["PolicyDocument"] for policy in role["RolePolicyList"]}
    tags = {tag["Key"]: tag["Value"] for tag in role["Tags"]}
    pairs = {
        "policies": (set(role["AttachedManagedPolicies"]), {POLICY + policy for policy in wanted["iamPolicies"]}),
        "subjects": (_subjects(role["AssumeRolePolicyDocument"]), subjects),
        "inline": (
            {k: v for k, v in inline.items() if k != "theirs"},
            wanted.get("inlinePolicies", {}),
        ),
        "tags": ({k: v for k, v in tags.items() if k in spec.get("tags", {})}, spec.get("tags", {})),
        "boundary": (bool(role.get("PermissionsBoundary")), "permissionsBoundary" in spec),
        "description": ("description" not in spec or role["Description"] == spec["description"], True),
        "duration": (role["MaxSessionDuration"], spec.get("maxSessionDurationSeconds", 3600)),
    }
    return [f"{what}: {found}, not {right}" for what, (found, right) in pairs.items() if found != right]


def _subjects(trust: Object) -> set[str]:
    found: set[str] = set()
    for statement in trust["Statement"]:
        for key, value in statement.get("Condition", {}).get("StringEquals", {}).items():
            if key.endswith(":sub"):
                found.update([value] if isinstance(value, str) else value)
    return {subject.removeprefix("system:serviceaccount:").replace(":", "/") for subject in found}


class Walk:
    """Subjects of all deeds, one for each call and each moment."""

    def __init__(self, lab: Lab, prefix: str) -> None:
        self.lab, self.prefix = lab, prefix
        self.here, self.there = lab.namespace(), lab.namespace()
        self.boundary = f"{prefix}-boundary"
        lab.aws.policy(self.boundary)
        self.planted: dict[str, Object] = {}
        self.foreign: Object = {}
        self.subjects: list[Subject] = []

    def add(self, deeds: Iterable[Deed], moments: Mapping[Moment, Callable[[int], bool]]) -> None:
        """A subject for each deed, each moment and each of its calls that is walked, as moments' function says."""
        for deed in deeds:
            for moment, counts in moments.items():
                walked = deed.calls if moment is Moment.UNANSWERED else deed.writes
                for at in filter(counts, range(1, walked + 1)):
                    key = f"{deed.name}{at}{moment.name.lower()}"
                    self.subjects.append(Subject(self, deed, Arm(at, moment), key))

    # What is there besides

    def inherit(self, arms: dict[str, Arm]) -> None:
        """While nobody is at work: plant what is foreign, and what the Go program has left, which whoever starts next
        takes over. That is armed already.
        """
        for subject in self.subjects:
            if subject.deed.adopted:
                self.plant(subject.names.role)
        foreign = f"{self.prefix}-foreign"
        self.plant(foreign)
        annotations = {ROLE_ARN: "arn:aws:iam::111122223333:role/theirs"}
        self.foreign = self.lab.make_account(self.here, foreign, annotations=annotations)
        roles = self.roles()
        self.planted = {name: roles[name] for name in self.planted}
        for subject in self.subjects:
            if subject.deed.upstream:
                assert subject.deed.then is not None
                arms[subject.key] = subject.arm
                upstream.irsa(self.lab, subject.deed.then(subject.names), namespace=OPERATOR, name=subject.irsa.name)

    def prepare(self) -> None:
        """Make the objects that are there before their deeds, and wait for them."""
        for subject in self.subjects:
            subject.prepare()
        self.wait("all is as it was before", lambda s, found: s.deed.first is None or ready(found))

    def act(self, arms: dict[str, Arm]) -> None:
        """Do the deeds of all subjects, and wait until each is cut off or done.

        Each is armed right before its own: what is still written of what came before it is no part of it.
        """
        for subject in self.subjects:
            arms[subject.key] = subject.arm
            subject.act()
        self.wait("all are cut off or done", lambda s, found: s.cut_off_or_done(found))

    def plant(self, role: str) -> None:
        """A role that somebody else has made, with something of everything."""
        iam = self.lab.aws.iam
        self.lab.aws.foreign_role(role)
        iam.attach_role_policy(RoleName=role, PolicyArn=f"{POLICY}AmazonSQSFullAccess")
        for name, document in (("own", SEND), ("theirs", READ)):
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
        iam.tag_role(RoleName=role, Tags=[{"Key": "team", "Value": "z"}, {"Key": "theirs", "Value": "x"}])
        iam.update_role(RoleName=role, Description="theirs", MaxSessionDuration=10800)
        self.planted[role] = {}

    def roles(self) -> dict[str, Object]:
        """All there is to know of the account's roles whose names begin with the prefix."""
        iam, found = self.lab.aws.iam, {}
        for page in iam.get_paginator("get_account_authorization_details").paginate(Filter=["Role"]):
            found.update({role["RoleName"]: role for role in page["RoleDetailList"]})
        for page in iam.get_paginator("list_roles").paginate():
            for role in page["Roles"]:
                about = {key: role.get(key, "") for key in ("Description", "MaxSessionDuration")}
                found[role["RoleName"]] = {**found[role["RoleName"]], **about}
        return {name: _ordered(role) for name, role in found.items() if name.startswith(self.prefix)}

    def accounts(self, name: str) -> dict[str, str]:
        """The role's ARN, by namespace, of the ServiceAccounts of that name."""
        found = {place: self.lab.account(place, name) for place in (self.here, self.there)}
        return {p: a["metadata"].get("annotations", {}).get(ROLE_ARN, "") for p, a in found.items() if a}

    def objects(self) -> dict[str, Object]:
        """The IRSAs by name."""
        found = self.lab.get(IRSAS.format(OPERATOR))
        assert found is not None
        return {item["metadata"]["name"]: item for item in found["items"]}

    # Waiting and judging

    def _eventually(self, look: Callable[[], Any], what: str) -> None:
        eventually(look, what, self.lab.controller.tail, PATIENCE_SECONDS)

    def wait(self, what: str, good: Callable[[Subject, Object | None], bool]) -> None:
        """Wait until that is so of all subjects. good: told the subject, and its object."""

        def look() -> bool:
            objects = self.objects()
            late = [s for s in self.subjects if not good(s, objects.get(s.irsa.name))]
            about = [f"{s}: {(objects.get(s.irsa.name) or {}).get('status')}" for s in late[:3]]
            assert not late, "\n".join(
                [f"{len(late)} of {len(self.subjects)} not yet: {', '.join(map(str, late))}", *about]
            )
            return True

        self._eventually(look, what)

    def longer(self) -> set[str]:
        """The deeds that never came to their end without the last call walked being reached: they have more."""
        killed = [subject for subject in self.subjects if subject.arm.moment is not Moment.UNANSWERED]
        ended = {subject.deed.name for subject in killed if subject.whole}
        return {subject.deed.name for subject in killed} - ended

    def turn(self) -> None:
        """Ask in the midst for what is to be asked for there."""
        for subject in self.subjects:
            subject.turn()

    def settle(self, *, blind: bool = False) -> None:
        """Wait until all is done. blind: roles can't be read."""
        for subject in self.subjects:
            subject.late = blind and bool(subject.arm.struck) and subject.arm.age() > INTENT_SECONDS / 4
        self.wait("all are done", lambda s, found: s.done(found))

    def check(self) -> None:
        """See that all is right, or soon is."""
        self._eventually(self._right, "all is right")

    def _right(self) -> bool:
        roles = self.roles()
        wrong = [f"{subject}: {problem}" for subject in self.subjects for problem in subject.wrong(roles)]
        assert not wrong, "\n".join(wrong)
        return True

    def end(self) -> None:
        """Delete the objects that are left: nothing of ours stays, and nothing that isn't ours has changed."""
        lab, released = self.lab, [s for s in self.subjects if s.deed.comes_to == RELEASED]
        for subject in released:
            lab.patch(subject.irsa.path, {"metadata": {"annotations": {names.ANNOTATION_RELEASE: None}}})
        # One that is deleted before the finalizer is back leaves all that it had: it was let go.
        self.wait("what was released is taken up again", lambda s, found: s not in released or held(found))
        for subject in self.subjects:
            subject.irsa.delete()
        mine = {subject.irsa.name for subject in self.subjects}
        self._eventually(lambda: not mine & self.objects().keys(), "all objects are gone")
        late = {name for s in self.subjects if s.late for name in (s.names.role, f"{s.names.role}-new")}
        assert _changes(self.planted, {name: role for name, role in self.roles().items() if name not in late}) == []
        for place, kept in ((self.here, [self.foreign]), (self.there, [])):
            accounts = lab.get(f"/api/v1/namespaces/{place}/serviceaccounts")
            assert accounts is not None
            left = [a for a in accounts["items"] if a["metadata"]["name"] not in {"default", *late}]
            names_, metadata = [a["metadata"]["name"] for a in left], [a["metadata"] for a in left]
            assert metadata == [account["metadata"] for account in kept], f"{place}: {names_}"


def _changes(before: dict[str, Object], after: dict[str, Object]) -> list[str]:
    """What differs, in so few words that it is read."""
    told = [f"{name} is gone" for name in before.keys() - after.keys()]
    told += [f"{name} stays" for name in after.keys() - before.keys()]
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        fields = sorted({*old, *new})
        told += [f"{name}: {f} is {new.get(f)}, was {old.get(f)}" for f in fields if old.get(f) != new.get(f)]
    return sorted(told)


def _ordered(role: Object) -> Object:
    """A role's details, without what depends on when they are read or on an order that means nothing."""
    role = {key: value for key, value in role.items() if key not in {"RoleLastUsed", "InstanceProfileList"}}
    role["AttachedManagedPolicies"] = sorted(policy["PolicyArn"] for policy in role["AttachedManagedPolicies"])
    role["RolePolicyList"] = sorted(role["RolePolicyList"], key=lambda policy: policy["PolicyName"])
    role["Tags"] = sorted(role.get("Tags", []), key=lambda tag: tag["Key"])
    return role
