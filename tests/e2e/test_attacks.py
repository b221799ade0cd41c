"""What was thought of against tenancy and ownership, done to the running controller: what was gained, what is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError
from e2e_attackers import Belongings, owner_of, tagger
from e2e_lab import IRSAS, MERGE, ROLE_ARN, SETUPS, Irsa, Lab, spec, unique
from e2e_process import OPERATOR
from test_management import RELEASE

from irsa_manager.api import names
from irsa_manager.plan.tenancy import consent

S3, ADMIN = "AmazonS3ReadOnlyAccess", "AdministratorAccess"
SINCE = "2024-09-20T10:00:00Z"
READY = {"type": "Ready", "status": "True", "reason": "IRSAReady", "message": "", "lastTransitionTime": SINCE}
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Scene(NamedTuple):
    """lab: the administrator's. mallory: the same as the owner of namespace `home` has it.

    victim: an IRSA of the operator's namespace with a role of its own name, bound to `theirs`/app. foreign: a role that
    the manager has nothing to do with, which `theirs`/hand was annotated with by hand. own: mallory's, ready.
    """

    lab: Lab
    mallory: Lab
    home: str
    theirs: str
    victim: Irsa
    foreign: str
    own: Irsa
    belongings: Belongings

    def told(self, irsa: Irsa, reason: str) -> str:
        """Have the object looked at anew; what Ready then says, under that reason."""
        irsa.patch({"iamRole": {"description": unique("again")}})
        irsa.wait_reason(reason, "False")
        return irsa.condition("Ready")["message"]  # type: ignore[no-any-return]

    def forge(self, irsa: Irsa, status: dict[str, Any]) -> None:
        """Write that into an object's status, as its namespace's owner may."""
        self.mallory.patch(f"{irsa.path}/status", {"status": status})


def undoing(patch: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The merge patch that puts back what another one changes."""
    return {
        key: undoing(value, before[key]) if isinstance(value, dict) and key in before else before.get(key)
        for key, value in patch.items()
    }


def role_id(lab: Lab, name: str) -> str:
    role = lab.aws.role(name)
    assert role is not None
    return role["RoleId"]  # type: ignore[no-any-return]


@pytest.fixture
def scene(lab: Lab, request: pytest.FixtureRequest) -> Scene:
    """One namespace is open, with few limits: names of roles are free, adopting is allowed in principle.

    What a test gives as parameter is in the rule besides.
    """
    home, theirs, foreign, role = lab.namespace("home"), lab.namespace("theirs"), unique("foreign"), unique("victim")
    lab.aws.foreign_role(foreign)
    lab.aws.iam.attach_role_policy(RoleName=foreign, PolicyArn=f"arn:aws:iam::aws:policy/{ADMIN}")
    arn = f"arn:aws:iam::{lab.aws.sandbox.account}:role/{foreign}"
    lab.make_account(theirs, "hand", annotations={ROLE_ARN: arn})
    victim = lab.irsa(spec(role, "app", theirs, iamPolicies=[S3]))
    rule = {
        "name": "home",
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": home}},
        "policies": [S3],
        "managementPolicies": ["Create", "Adopt"],
        **getattr(request, "param", {}),
    }
    lab.setup({"tenancy": {"rules": [rule]}})
    victim.wait_ready()
    mallory = owner_of(lab, home)
    own = mallory.irsa(spec(unique("own"), "app", home, iamPolicies=[S3]), namespace=home)
    own.wait_ready()
    belongings = Belongings(lab, [foreign, role], [f"{theirs}/app", f"{theirs}/hand"])
    return Scene(lab, mallory, home, theirs, victim, foreign, own, belongings)


def test_no_status_and_no_annotation_is_evidence(scene: Scene) -> None:
    """B1, B2, B13: another's role, by every part of a status that the manager itself once wrote."""
    lab, mallory, home, foreign = scene.lab, scene.mallory, scene.home, scene.foreign
    genuine, account = scene.own.status, lab.aws.sandbox.account
    arn = f"arn:aws:iam::{account}:role/{foreign}"
    role = {"name": foreign, "arn": arn, "id": role_id(lab, foreign), "accountID": account, "origin": "Created"}
    others = [{"namespace": scene.theirs, "name": n, "origin": "Created"} for n in ("app", "hand")]
    door = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
    adoption = {"trustPolicy": door, "attachedPolicies": [f"arn:aws:iam::aws:policy/{ADMIN}"]}
    intent = {"roleName": foreign, "time": datetime.now(UTC).isoformat(), "mac": genuine["record"]["mac"]}
    forgeries: list[dict[str, Any]] = [
        {"role": role},
        {"role": role, "record": genuine["record"]},
        {"role": role, "record": scene.victim.status["record"]},
        {"role": None, "record": None, "intent": intent},
        {"role": {**role, "origin": "Adopted"}, "record": genuine["record"], "adoption": adoption},
        {"role": None, "record": None, "adoption": None, "conditions": [READY], "serviceAccounts": others},
        {"role": role, "retiredRoles": [role, scene.victim.status["role"]], "keptBindings": [f"{scene.theirs}/app"]},
    ]
    evil = mallory.irsa(spec(foreign, "web", home), namespace=home)
    evil.wait_reason("RoleExists", "False")
    for forgery in forgeries:
        scene.forge(evil, forgery)
        # Who says that he has adopted it is told why he isn't believed.
        reason = "OwnershipUnknown" if forgery.get("adoption") else "RoleExists"
        assert "It was left untouched" in scene.told(evil, reason)
        scene.belongings.untouched()
    # A role of the cluster's own is told of without its owner's name.
    second = mallory.irsa(spec(scene.victim.status["role"]["name"], "web", home), namespace=home)
    second.wait_reason("Conflict", "False")
    scene.forge(second, {"role": scene.victim.status["role"], "record": scene.victim.status["record"]})
    message = scene.told(second, "Conflict")
    assert scene.victim.name not in message
    assert "Nothing was written for this object" in message
    # Labels and annotations: `created` on a ServiceAccount of his own, consent on the object, release of his own.
    lab.make_account(home, "web", labels={names.LABEL_CREATED: "true"}, annotations={ROLE_ARN: arn})
    mallory.patch(evil.path, {"metadata": {"annotations": {names.TAG_ADOPT_BY: "me", names.TAG_MARK: "me"}}})
    scene.told(evil, "RoleExists")
    mallory.patch(second.path, RELEASE)
    lab.eventually(lambda: not (second.get() or {})["metadata"].get("finalizers"), "it is let go")
    # The forged lists again, at the end of the object: nothing of others goes with it.
    scene.forge(evil, {"role": role, "serviceAccounts": others, "retiredRoles": [role]})
    for irsa in (evil, second):
        irsa.delete()
        irsa.wait_gone()
    scene.belongings.untouched()
    assert "AccessDenied" in lab.aws.assume(arn, lab.token(home, "web"))


def test_adoption_needs_the_roles_own_consent_and_tags_prove_nothing_else(scene: Scene) -> None:
    """B3, B13: Adopt, and an AWS user who may tag roles."""
    lab, mallory, home, foreign = scene.lab, scene.mallory, scene.home, scene.foreign
    system = lab.get("/api/v1/namespaces/kube-system")
    assert system is not None
    cluster = system["metadata"]["uid"]
    wanted = spec(foreign, "web", home, iamPolicies=[S3], iamRole={"managementPolicy": "Adopt"})
    evil = mallory.irsa(wanted, namespace=home)
    evil.wait_reason("TenancyDenied", "False")
    right = consent(cluster, home, evil.name)
    assert f"{names.TAG_ADOPT_BY} to {right}" in evil.condition("Ready")["message"]
    iam = tagger(lab)
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.update_assume_role_policy(RoleName=foreign, PolicyDocument=json.dumps(lab.aws.trust(foreign)))
    genuine = lab.aws.tags(scene.own.status["role"]["name"])
    assert genuine[names.TAG_OWNER] == scene.own.key
    copied = [{"Key": k, "Value": genuine[k]} for k in (names.TAG_MARK, names.TAG_CLUSTER)]
    for value in (consent(cluster, home, "other"), consent(cluster, scene.theirs, evil.name)):
        tags = {names.TAG_ADOPT_BY: value, names.TAG_OWNER: evil.key}
        iam.tag_role(RoleName=foreign, Tags=[*copied, *({"Key": k, "Value": v} for k, v in tags.items())])
        lab.wait_sweeps()
        scene.told(evil, "TenancyDenied")
    evil.patch({"iamRole": {"managementPolicy": "Create"}})
    evil.wait_reason("RoleExists", "False")
    iam.untag_role(RoleName=foreign, TagKeys=[*genuine, names.TAG_ADOPT_BY])
    # A role of the manager's without its tags is still its own, and gets them back.
    role = scene.victim.status["role"]["name"]
    iam.untag_role(RoleName=role, TagKeys=list(genuine))
    lab.eventually(lambda: names.TAG_MARK in lab.aws.tags(role), "the tags are put back")
    # The mark that a role of his once bore, put on somebody else's role of the same name.
    once = scene.own.status["role"]["name"]
    scene.own.delete()
    scene.own.wait_gone()
    before = lab.aws.foreign_role(once)["AssumeRolePolicyDocument"]
    iam.tag_role(RoleName=once, Tags=[{"Key": k, "Value": v} for k, v in genuine.items()])
    again = mallory.irsa(spec(once, "app", home, iamPolicies=[S3]), namespace=home, name=scene.own.name)
    again.wait_reason("OwnershipUnknown", "False")
    assert "who may tag roles could copy that" in again.condition("Ready")["message"]
    again.delete()
    again.wait_gone()
    assert (lab.aws.trust(once), lab.aws.attached(once)) == (before, set())
    lab.wait_sweeps()
    scene.belongings.untouched()
    assert not [line for line in lab.controller.lines() if line.get("code") == "OrphanedRole" and foreign in str(line)]
    # What the attacker lacked was exactly this one word of the role's owner.
    lab.aws.iam.tag_role(RoleName=foreign, Tags=[{"Key": names.TAG_ADOPT_BY, "Value": right}])
    evil.patch({"iamRole": {"managementPolicy": "Adopt"}})
    evil.wait_ready()
    evil.delete()
    evil.wait_gone()
    lab.aws.iam.untag_role(RoleName=foreign, TagKeys=[names.TAG_ADOPT_BY])
    scene.belongings.untouched()


@pytest.mark.parametrize("scene", [{"roleNames": ["own-*"], "rolePaths": ["/"]}], indirect=True)
def test_what_is_asked_for_beyond_the_rule_is_denied_whatever_the_status_says(scene: Scene) -> None:
    """B5 to B10: each field that could widen, on an object that was allowed before."""
    lab, mallory, home, own = scene.lab, scene.mallory, scene.home, scene.own
    scene.forge(own, {"keptBindings": [f"{n}/app" for n in (scene.theirs, "kube-system", OPERATOR, "not-born-yet")]})
    provider = {"issuer": "oidc.example.com/ci", "namespaces": [home]}
    condition = {"operator": "StringNotEquals", "key": "aws:SourceVpc", "values": ["vpc-1"]}
    payments, pathed = unique("payments"), unique("own")
    asks: list[tuple[dict[str, Any], str]] = [
        ({"iamRole": {"name": payments}}, f"role name {payments}"),
        ({"iamRole": {"name": pathed, "path": "/payments/"}}, "role path /payments/"),
        ({"iamPolicies": [S3, ADMIN]}, f"policy {ADMIN}"),
        ({"iamPolicies": [f"arn:aws:iam::aws:policy/{ADMIN}"]}, f"policy {ADMIN}"),
        ({"inlinePolicies": {"x": ANYTHING}}, "inline policy x"),
        ({"iamRole": {"managementPolicy": "Reference"}, "iamPolicies": None}, "managementPolicy Reference"),
        ({"iamRole": {"tags": {"team": "payments"}}}, "iamRole.tags"),
        ({"trust": {"audiences": ["https://kubernetes.default.svc"]}}, "audiences"),
        ({"serviceAccount": {"token": {"audience": "vault"}}}, "audiences"),
        ({"trust": {"additionalProviders": [provider]}}, "trust.additionalProviders"),
        ({"trust": {"conditions": [condition]}}, "trust.conditions"),
        ({"trust": {"subjectMatch": "Pattern"}}, "trust.subjectMatch Pattern"),
        ({"serviceAccount": {"namespaces": [home, "*"]}}, "NamespaceGlobs"),
        ({"serviceAccount": {"namespaceSelector": {"matchLabels": {"nobody": "yet"}}}}, "patterns or a selector"),
        ({"serviceAccount": {"namespaces": [home, scene.theirs]}}, f"namespace {scene.theirs}"),
        ({"serviceAccount": {"namespaces": [home, "not-born-yet"]}}, "namespace not-born-yet"),
        ({"serviceAccount": {"namespaces": ["kube-system"]}}, "namespace kube-system"),
        ({"serviceAccount": {"namespaces": [OPERATOR]}}, f"namespace {OPERATOR}"),
    ]
    before = Belongings(lab, [own.status["role"]["name"]], [f"{home}/app"])
    was = (own.get() or {})["spec"]
    for ask, said in asks:
        own.patch(ask)
        own.wait_reason("TenancyDenied", "False")
        message = own.condition("Ready")["message"]
        assert said in message, message
        assert "Existing bindings were kept, nothing new was made." in message
        own.patch(undoing(ask, was))
    own.wait_ready()
    before.untouched()
    scene.belongings.untouched()
    # An object that never was allowed has no way round either, and finds nobody's name free.
    for role, more, said in (
        (payments, {}, f"role name {payments}"),
        (pathed, {"path": "/payments/"}, "role path /payments/"),
    ):
        fresh = mallory.irsa(spec(role, "web", home, iamRole=more), namespace=home)
        fresh.wait_reason("TenancyDenied", "False")
        assert said in fresh.condition("Ready")["message"]
    lab.wait_sweeps()
    assert (lab.aws.role(payments), lab.aws.role(pathed), lab.account(home, "web")) == (None, None, None)
    # These are no matter of rules: nobody may write them.
    host = lab.aws.sandbox.issuer.removeprefix("https://")
    keys = [f"{host}:SUB", f"{host}:sub", f"{host}:Aud"]
    wrong = [{"trust": {"conditions": [{"operator": "StringLike", "key": key, "values": ["*"]}]}} for key in keys]
    wrong += [{"iamRole": {"tags": {t: "x"}}} for t in ("aws:PrincipalTag/team", names.TAG_MARK, names.TAG_ADOPT_BY)]
    for each in wrong:
        assert mallory.api.patch(own.path, json={"spec": each}, headers=MERGE).status_code == 422, each
    # And these only where he is nobody.
    for path in (IRSAS.format(OPERATOR), IRSAS.format(scene.theirs), SETUPS.format(OPERATOR)):
        assert mallory.api.post(path, json={}).status_code == 403


@pytest.mark.parametrize("scene", [{"allow": ["AdditionalProviders"]}], indirect=True)
def test_nobody_passes_this_clusters_issuer_off_as_another_clusters(scene: Scene) -> None:
    """B9: its subjects would be trusted whether their namespaces exist or not; the operator's namespace has no right to
    that either."""
    lab, mallory, home, own, victim = scene.lab, scene.mallory, scene.home, scene.own, scene.victim
    host = lab.aws.sandbox.issuer.removeprefix("https://")
    name, slash, path = host.partition("/")
    before = Belongings(lab, [own.status["role"]["name"]], [f"{home}/app"])
    fresh = unique("fresh")
    first: dict[str, Any] = {"trust": {"additionalProviders": [{"issuer": host, "namespaces": [home]}]}}
    made = mallory.irsa({**spec(fresh, "web", home), **first}, namespace=home)
    for irsa, namespaces in ((made, [home]), (own, [home]), (victim, ["not-born-yet", "kube-system"])):
        was = (irsa.get() or {})["spec"]
        for issuer in (host, f"https://{host}", f"https://{host}/", f"{name.upper()}{slash}{path}"):
            ask = {"trust": {"additionalProviders": [{"issuer": issuer, "namespaces": namespaces}]}}
            irsa.patch(ask)
            irsa.wait_reason("IRSAFailedRoleUpdate", "False")
            message = irsa.condition("Ready")["message"]
            assert f"trust.additionalProviders names {issuer}, this cluster's own issuer" in message
        if irsa is not made:
            irsa.patch(undoing(ask, was))
            irsa.wait_ready()
    lab.wait_sweeps()
    before.untouched()
    scene.belongings.untouched()
    assert (lab.aws.role(fresh), lab.account(home, "web")) == (None, None)


def test_an_irsasetup_of_his_own_and_a_rules_boundary(scene: Scene) -> None:
    """B4, B8: rules and an issuer that he brings along; a boundary that he replaces and removes."""
    lab, home = scene.lab, scene.home
    evil = {"mode": "eks", "iamOIDCProvider": "oidc.example.com/mine", "tenancy": {"default": "Unrestricted"}}
    path = scene.mallory.setup(evil, namespace=home)
    condition = lab.wait_condition(path, "Ready", "Ignored")
    assert condition["status"] == "False"
    scene.own.patch({"iamPolicies": [ADMIN]})
    scene.own.wait_reason("TenancyDenied", "False")
    lab.wait_sweeps()
    scene.belongings.untouched()
    boundary, other, fenced = (lab.aws.policy(unique("b")), lab.aws.policy(unique("b")), lab.namespace("fenced"))
    name = boundary.rpartition("/")[2]
    rule = {
        "name": "fenced",
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": fenced}},
        "policies": ["*"],
        "inlinePolicies": "Allow",
        "permissionsBoundary": f"customer/{name}",
    }
    (setup,) = [made for made in lab.made if made.startswith(SETUPS.format(OPERATOR))]
    lab.patch(setup, {"spec": {"tenancy": {"rules": [rule]}}})
    mallory = owner_of(lab, fenced)
    role = unique("fenced")
    irsa = mallory.irsa(spec(role, "app", fenced, iamPolicies=[ADMIN]), namespace=fenced)

    def bounded() -> None:
        found = lab.aws.role(role)
        assert found is not None
        assert found["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary

    irsa.wait_ready()
    bounded()
    irsa.patch({"iamRole": {"permissionsBoundary": f"customer/{other.rpartition('/')[2]}"}})
    irsa.wait_reason("TenancyDenied", "False")
    assert "the rule's is set on every role by itself" in irsa.condition("Ready")["message"]
    bounded()
    irsa.patch({"iamRole": {"permissionsBoundary": f"customer/{name}"}})
    irsa.wait_ready()
    irsa.patch({"iamRole": {"permissionsBoundary": None}})
    irsa.wait_ready()
    lab.wait_sweeps()
    bounded()


def test_names_are_not_to_be_had_by_being_first(scene: Scene) -> None:
    """B6, B12: another team's future names, and ServiceAccounts that others annotate by hand."""
    lab, mallory, home, theirs = scene.lab, scene.mallory, scene.home, scene.theirs
    future, ghost = unique("future"), unique("ghost")
    squatter = mallory.irsa(spec(unique("squat"), "fresh", theirs), namespace=home)
    squatter.wait_reason("TenancyDenied", "False")
    late = lab.irsa(spec(future, "fresh", theirs))
    late.wait_ready()
    lab.wait_bound(theirs, "fresh", future)
    assert lab.aws.assume(late.status["role"]["arn"], lab.token(theirs, "fresh")) == ""
    # A role that isn't there yet, but that somebody's ServiceAccount is annotated with already.
    arn = f"arn:aws:iam::{lab.aws.sandbox.account}:role/{ghost}"
    lab.make_account(theirs, "early", annotations={ROLE_ARN: arn}, labels={names.LABEL_CREATED: "true"})
    waiting = Belongings(lab, [future], [f"{theirs}/early", f"{theirs}/fresh"])
    forged = [{"namespace": theirs, "name": n} for n in ("early", "fresh", "hand", "app")]
    for wanted in (
        spec(ghost, "early", theirs),
        {**spec(scene.foreign, "hand", theirs), "iamRole": {"name": scene.foreign, "managementPolicy": "Reference"}},
        {**spec(future, "fresh", theirs), "iamRole": {"name": future, "managementPolicy": "Reference"}},
    ):
        wanted.pop("iamPolicies")
        evil = mallory.irsa(wanted, namespace=home)
        evil.wait_reason("TenancyDenied", "False")
        scene.forge(evil, {"serviceAccounts": forged})
        evil.delete()
        evil.wait_gone()
    squatter.delete()
    squatter.wait_gone()
    waiting.untouched()
    scene.belongings.untouched()
