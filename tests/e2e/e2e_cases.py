"""States in which an object may be met, drawn at random: what is asked for, what is there, what somebody did."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from e2e_lab import ROLE_ARN, Lab, Object, spec
from e2e_process import OPERATOR

from irsa_manager.api import names

GOING = "the namespace goes"
POLICIES = ("AmazonS3ReadOnlyAccess", "AmazonSQSReadOnlyAccess", "PowerUserAccess", "ReadOnlyAccess")
TENANCY = {
    "rules": [
        {
            "name": "open",
            "namespaceSelector": {"matchLabels": {"tenancy": "open"}},
            "roleNames": ["*"],
            "policies": ["Amazon*"],
            "inlinePolicies": "Allow",
            "managementPolicies": ["Create", "Reference"],
            "allow": ["Tags", "Audiences"],
        }
    ]
}
ORIGINS = (
    "new",
    "new",
    "ours",
    "ours",
    "ours",
    "ours",
    "adopted",
    "referenced",
    "foreign",
    "upstream",
    "rival role",
    "rival account",
)
"""How the role came to be there, or not."""
ENDS = ("", "", "", "", "", "", "deleted", "released", "suspended", "suspended and deleted")


@dataclass
class Case:
    """One object on its way. home: its namespace's tenancy. before: the spec that a controller made true; None: none.

    after: the spec that is asked for now. here, there: its namespaces, the second may go. found: ServiceAccounts that
    somebody else made, and how. done: what somebody did while no controller ran.
    """

    number: int
    prefix: str
    home: str
    origin: str
    end: str
    before: Object | None = None
    after: Object = field(default_factory=dict)
    found: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the object, and of its role as long as that isn't renamed."""
        return f"{self.prefix}-{self.number}"

    @property
    def roles(self) -> set[str]:
        """The names of the roles that it asks or asked for."""
        return {wanted["iamRole"]["name"] for wanted in (self.before, self.after) if wanted}

    @property
    def account(self) -> str:
        """Its first ServiceAccount."""
        return f"web-{self.number}"

    @property
    def here(self) -> str:
        """A namespace that stays, shared with others of its tenancy."""
        return f"{self.prefix}-{self.home}"

    @property
    def there(self) -> str:
        """Another one; its own where it is to go."""
        return f"{self.name}-goes" if GOING in self.done else f"{self.prefix}-there"

    @property
    def namespace(self) -> str:
        """Of the object."""
        return OPERATOR if self.home == "operator" else self.here

    @property
    def key(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"

    def __str__(self) -> str:
        done = ", ".join(self.done) or "nothing"
        return f"{self.key} ({self.origin}, {self.home}; {done} done; {self.end or 'lives'})"


def cases(prefix: str, count: int, seed: int) -> list[Case]:
    """The same ones for the same seed, but for the prefix of all their names."""
    random = Random(seed)
    return [_case(random, prefix, number) for number in range(count)]


def _case(random: Random, prefix: str, number: int) -> Case:
    origin = random.choice(ORIGINS)
    home = random.choice(("operator", "operator", "open", "closed"))
    if origin in {"adopted", "upstream"} or origin.startswith("rival"):
        home = "operator"
    case = Case(number, prefix, home, origin, random.choice(ENDS))
    policy = {"adopted": "Adopt", "referenced": "Reference"}.get(origin, "Create")
    seen = origin in {"ours", "adopted", "referenced"}
    case.done = _done(random, seen)
    if seen:
        case.before = _spec(random, case, policy)
    else:
        # What no controller has seen yet isn't held by it.
        case.end = "" if case.end != "suspended" else "suspended"
    if origin == "foreign":
        policy = random.choice(("Create", "Create", "Adopt", "Reference"))
    case.after = case.before if case.before and random.random() < 0.4 else _spec(random, case, policy)
    if case.before and policy != "Reference" and random.random() < 0.15:
        case.after = {**case.after, "iamRole": {**case.after["iamRole"], "name": f"{case.name}-new"}}
    if case.before and case.end.endswith("deleted"):
        case.after = case.before
    if case.end.startswith("suspended"):
        case.after = {**case.after, "suspend": True}
    for namespace in (case.here, case.there):
        if random.random() < 0.4:
            case.found[namespace] = random.choice(("plain", "bound elsewhere", "with an audience", "labelled as ours"))
    return case


def _done(random: Random, seen: bool) -> list[str]:
    """What somebody does. seen: a controller has seen the object before."""
    if not seen:
        return [GOING] if random.random() < 0.15 else []
    done = random.sample(sorted(DOINGS), random.choice((0, 1, 1, 2, 3)))
    # What else would be done to the role would be done to one that isn't there, or to a stranger's.
    alone = [doing for doing in done if doing in {"the role goes", "a stranger's role comes"}]
    return alone[:1] or done


def _spec(random: Random, case: Case, policy: str) -> Object:
    """What an object asks for."""
    namespaces = [case.here]
    if case.home == "operator" or random.random() < 0.2:
        namespaces += [case.there] if random.random() < 0.6 else []
        namespaces += [f"{case.name}-none"] if random.random() < 0.15 else []
    account: Object = {"managementPolicy": random.choice(("Create", "Create", "Create", "Annotate", "None"))}
    if random.random() < 0.2:
        account["additionalNames"] = [f"second-{case.number}"]
    writes = account["managementPolicy"] != "None"
    if writes and random.random() < 0.2:
        account["token"] = {"audience": "sts.amazonaws.com", "expirationSeconds": 3600}
    if writes and random.random() < 0.2:
        account["stsRegionalEndpoints"] = True
    if writes and random.random() < 0.2:
        account["labels"], account["annotations"] = {"tier": random.choice("ab")}, {"note": random.choice("ab")}
    wanted = spec(case.name, case.account, *namespaces, serviceAccount=account, iamRole={"managementPolicy": policy})
    wanted["cleanup"] = random.random() < 0.8
    if policy == "Reference":
        del wanted["iamPolicies"]
        return wanted
    role = wanted["iamRole"]
    wanted["iamPolicies"] = random.sample(POLICIES, random.choice((0, 1, 1, 2, 3)))
    if random.random() < 0.3:
        wanted["inlinePolicies"] = {"read": document(random.choice(("s3:GetObject", "s3:ListBucket")))}
    if random.random() < 0.2:
        role["description"] = random.choice(("one", "two"))
    if random.random() < 0.2:
        role["maxSessionDurationSeconds"] = random.choice((3600, 7200))
    if random.random() < 0.2:
        role["permissionsBoundary"] = random.choice(POLICIES)
    if random.random() < 0.3:
        role["tags"] = {"team": random.choice("ab")}
    if random.random() < 0.2:
        wanted["trust"] = {"audiences": random.sample(["sts.amazonaws.com", "other"], random.choice((1, 2)))}
        if "token" in account:
            wanted["trust"]["audiences"] = ["sts.amazonaws.com"]
    return wanted


def document(action: str) -> Object:
    """An inline policy."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


# What somebody does while no controller runs


def _account(lab: Lab, case: Case, **metadata: Any) -> None:
    if lab.account(case.here, case.account) is not None:
        lab.patch_account(case.here, case.account, **metadata)


def _trust(lab: Lab, case: Case) -> None:
    trust = lab.aws.trust(case.name)
    lab.aws.write_trust(case.name, {**trust, "Statement": [{**trust["Statement"][0], "Effect": "Deny"}]})


def _unmarked(lab: Lab, case: Case) -> None:
    _strip_sid(lab, case)
    lab.aws.iam.untag_role(RoleName=case.name, TagKeys=[names.TAG_MARK])


def _strip_sid(lab: Lab, case: Case) -> None:
    trust = lab.aws.trust(case.name)
    statements = [{k: v for k, v in each.items() if k != "Sid"} for each in trust["Statement"]]
    lab.aws.write_trust(case.name, {**trust, "Statement": statements})


def _role_goes(lab: Lab, case: Case) -> None:
    lab.aws.wipe(case.name)


def _stranger(lab: Lab, case: Case) -> None:
    lab.aws.wipe(case.name)
    lab.aws.foreign_role(case.name)


def _namespace_goes(lab: Lab, case: Case) -> None:
    lab.delete(f"/api/v1/namespaces/{case.there}")


DOINGS: dict[str, Callable[[Lab, Case], Any]] = {
    "the trust is turned round": _trust,
    "the trust loses its mark": _strip_sid,
    "all marks are taken away": _unmarked,
    "the mark's tag is forged": lambda lab, case: lab.aws.iam.tag_role(
        RoleName=case.name, Tags=[{"Key": names.TAG_MARK, "Value": "irsa" + "0" * 40}, {"Key": "team", "Value": "x"}]
    ),
    "a policy is attached": lambda lab, case: lab.aws.iam.attach_role_policy(
        RoleName=case.name, PolicyArn="arn:aws:iam::aws:policy/SecurityAudit"
    ),
    "incident response denies all": lambda lab, case: lab.aws.iam.attach_role_policy(
        RoleName=case.name, PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll"
    ),
    "policies are detached": lambda lab, case: [
        lab.aws.iam.detach_role_policy(RoleName=case.name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
        for policy in lab.aws.attached(case.name)
    ],
    "an inline policy is changed": lambda lab, case: lab.aws.iam.put_role_policy(
        RoleName=case.name, PolicyName="read", PolicyDocument=json.dumps(document("s3:*"))
    ),
    "a foreign inline policy is put": lambda lab, case: lab.aws.iam.put_role_policy(
        RoleName=case.name, PolicyName="revoked", PolicyDocument=json.dumps(document("s3:*"))
    ),
    "the attributes are changed": lambda lab, case: lab.aws.iam.update_role(
        RoleName=case.name, Description="edited", MaxSessionDuration=4000
    ),
    "the boundary is changed": lambda lab, case: lab.aws.iam.put_role_permissions_boundary(
        RoleName=case.name, PermissionsBoundary="arn:aws:iam::aws:policy/SecurityAudit"
    ),
    "the role goes": _role_goes,
    "a stranger's role comes": _stranger,
    GOING: _namespace_goes,
    "the serviceaccount goes": lambda lab, case: lab.delete_account(case.here, case.account),
    "the annotation goes": lambda lab, case: _account(lab, case, annotations={ROLE_ARN: None}),
    "the annotation points elsewhere": lambda lab, case: _account(
        lab, case, annotations={ROLE_ARN: "arn:aws:iam::000000000000:role/elsewhere"}
    ),
    "the label goes": lambda lab, case: _account(lab, case, labels={names.LABEL_CREATED: None}),
    "the status is lost": lambda lab, case: lab.patch(
        f"/apis/{names.API_VERSION}/namespaces/{case.namespace}/irsas/{case.name}/status",
        {"status": {"record": None, "role": None, "adoption": None}},
    ),
}
FOUND: dict[str, Object] = {
    "plain": {},
    "bound elsewhere": {"annotations": {ROLE_ARN: "arn:aws:iam::000000000000:role/elsewhere"}},
    "with an audience": {"annotations": {names.ANNOTATION_AUDIENCE: "other"}},
    "labelled as ours": {"labels": {names.LABEL_CREATED: "true"}},
}


def rival_of(case: Case) -> Case:
    """The other object that holds what this one asks for: its role, or its ServiceAccount."""
    rival = Case(case.number, f"{case.prefix}-r", "operator", "the rival", "")
    role, account = (case.name, f"rival-{case.number}") if case.origin == "rival role" else (rival.name, case.account)
    rival.before = rival.after = spec(role, account, case.here)
    return rival
