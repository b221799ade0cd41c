"""Whether an object outside the operator's namespace may have what it asks for: the authority on tenancy.

Who may write IRSAs gets access to AWS, so nothing is open there until IRSASetup.spec.tenancy opens it (security of
multi-tenant clusters: Kubernetes documentation, "Multi-tenancy"). The check at admission (api.tenancy_policy) says the
same earlier, as far as CEL can; what this module denies is never written, whoever let the object pass.

Only the spec counts, the object's namespace and name, the namespace's labels, and for an adoption the role's own tag.
Status, labels and annotations of the object are its author's to write and never read here; bindings that are kept are
those that the signed record vouches for.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping

from msgspec import UNSET, Struct
from msgspec.structs import replace

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA
from irsa_manager.api.irsasetup import Tenancy, TenancyRule
from irsa_manager.api.kube import LabelSelector
from irsa_manager.api.tenancy_fields import ALLOWANCES
from irsa_manager.plan.namespaces import Reach, protected
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.tenancy_limits import Ask, Refusal, asked, refusals
from irsa_manager.plan.tenancy_line import changes, whole
from irsa_manager.trust.arn import policy_arn

MAX_TAG_VALUE = 256
"""Characters of a tag's value (IAM User Guide, "IAM and AWS STS quotas")."""

_ANY_POLICY = ("*", "arn:*")
_OWN_NAMESPACE = TenancyRule(name="", policies=_ANY_POLICY, inline_policies="Allow")
_UNRESTRICTED = TenancyRule(
    name="",
    target_namespaces=("*",),
    policies=_ANY_POLICY,
    inline_policies="Allow",
    management_policies=("Create", "Adopt", "Reference"),
    allow=ALLOWANCES,
)


class Permit(Struct, frozen=True):
    """The object may have what it asks for. boundary: ARN that every role of this tenant must have, None for none."""

    boundary: str | None = None


class Denied(Struct, frozen=True):
    """It may not; what reason TenancyDenied needs for its message. No field is ever empty.

    rule: what forbids it. what: the object asks for. allowed: instead. opens: whom to ask, and the line that opens it.
    """

    rule: str
    what: str
    allowed: str
    opens: str


def consent(cluster_uid: str, namespace: str, name: str) -> str:
    """Value of the tag by which a role's owner consents to its adoption by that object of that cluster.

    cluster_uid: uid of namespace kube-system. What is longer than a tag's value may be is replaced by its SHA-256.
    """
    text = f"{cluster_uid}/{namespace}/{name}"
    return text if len(text) <= MAX_TAG_VALUE else hashlib.sha256(text.encode()).hexdigest()


def judge(
    irsa: IRSA,
    tenancy: Tenancy,
    namespace_labels: Mapping[str, str] | None,
    *,
    reach: Reach,
    default_path: str,
    operator_namespace: str,
    partition: str,
    account: str,
    cluster_uid: str,
    setup: str,
    role: ObservedRole | None,
    role_is_mine: bool,
    role_is_marked: bool = True,
    kept: frozenset[str],
) -> Permit | Denied:
    """Whether the object may have what it asks for. Its spec must be complete.

    namespace_labels: of its namespace, None while that hasn't been seen. reach: namespaces that its spec means, now.
    default_path: of roles that name none. cluster_uid: uid of namespace kube-system, "" where it isn't known. setup:
    namespace/name of the IRSASetup, "" for none. role: the one of that name, if there is one; role_is_mine: it is this
    object's already; role_is_marked: and its trust says so, which its owner can take back. kept: namespace/name of
    ServiceAccounts that stay bound, as the signed record says.
    """
    spec, home = irsa.spec, irsa.metadata.namespace
    assert spec is not UNSET  # noqa: S101  (the planner has asked)
    if home == operator_namespace:
        return Permit()
    policy = spec.iam_role.management_policy
    used = role if role_is_mine or policy != "Create" else None
    ask = asked(
        spec,
        home,
        reach=reach,
        default_path=default_path,
        partition=partition,
        account=account,
        role=used,
        kept=kept,
    )
    reserved = [n for n in ask.named if protected(n, operator_namespace)]
    if reserved:
        return _reserved(reserved[0], operator_namespace)
    if namespace_labels is None and tenancy.rules:
        return _unseen(home)
    rule = _selected(tenancy, namespace_labels or {})
    boundary = policy_arn(rule.permissions_boundary, partition, account) if rule and rule.permissions_boundary else ""
    denied = _by_rule(rule, ask, setup, boundary) if rule else _by_default(tenancy, ask, setup, operator_namespace)
    if denied is None and policy == "Adopt" and role is not None and not (role_is_mine and role_is_marked):
        denied = _without_consent(role, cluster_uid, irsa)
    return denied or Permit(boundary or None)


def targets(
    home: str, tenancy: Tenancy, namespace_labels: Mapping[str, str] | None, operator_namespace: str
) -> tuple[str, ...]:
    """Patterns of the namespaces whose ServiceAccounts an object of namespace `home` may ask for, other limits apart.

    namespace_labels: of home, None while that hasn't been seen.
    """
    if home == operator_namespace:
        return ("*",)
    rule = _selected(tenancy, namespace_labels) if namespace_labels is not None else None
    if rule is None and tenancy.default == "Unrestricted" and namespace_labels is not None:
        rule = _UNRESTRICTED
    return (rule.target_namespaces if rule is not None else ()) or (home,)


def _selected(tenancy: Tenancy, labels: Mapping[str, str]) -> TenancyRule | None:
    """The first rule that selects a namespace with these labels."""
    return next((rule for rule in tenancy.rules if rule.namespace_selector.matches(dict(labels))), None)


def _by_rule(rule: TenancyRule, ask: Ask, setup: str, boundary: str) -> Denied | None:
    exceeded = list(refusals(rule, ask, boundary=boundary))
    if not exceeded:
        return None
    steps = [r.instead for r in exceeded if r.instead]
    opened = _opened(rule, exceeded)
    if opened != rule:
        steps.append(f"Ask who owns IRSASetup {setup} to write into rule {rule.name}: {changes(rule, opened)}")
    return Denied(f"Rule {rule.name}", exceeded[0].what, exceeded[0].allowed, " ".join(steps))


def _by_default(tenancy: Tenancy, ask: Ask, setup: str, operator_namespace: str) -> Denied | None:
    who = f"No rule selects namespace {ask.home}, and tenancy.default {tenancy.default}"
    opens = _new_rule(tenancy, ask, setup, operator_namespace)
    if tenancy.default == "Deny":
        return Denied(who, "IRSAs", "none", opens)
    limits = _UNRESTRICTED if tenancy.default == "Unrestricted" else _OWN_NAMESPACE
    exceeded = next(refusals(limits, ask, boundary=""), None)
    return Denied(who, exceeded.what, exceeded.allowed, opens) if exceeded else None


def _new_rule(tenancy: Tenancy, ask: Ask, setup: str, operator_namespace: str) -> str:
    """Whom to ask for a rule that allows what this object asks for."""
    selector = LabelSelector(match_labels={"kubernetes.io/metadata.name": ask.home})
    rule = TenancyRule(name=_free_name(tenancy, ask.home), namespace_selector=selector, role_names=(ask.role,))
    line = whole(_opened(rule, list(refusals(rule, ask, boundary=""))))
    if setup:
        return f"Ask who owns IRSASetup {setup} to add to its spec.tenancy.rules: {line}"
    return (
        f"Ask an administrator for an IRSASetup in namespace {operator_namespace} with, in spec.tenancy.rules: {line}"
    )


def _free_name(tenancy: Tenancy, home: str) -> str:
    taken = {rule.name for rule in tenancy.rules}
    numbered = (f"{home[:58].rstrip('-')}-{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([home], numbered) if name not in taken)


def _opened(rule: TenancyRule, exceeded: list[Refusal]) -> TenancyRule:
    return replace(rule, **{r.field: r.value for r in exceeded if r.field})


def _reserved(namespace: str, operator_namespace: str) -> Denied:
    return Denied(
        "Tenancy",
        f"ServiceAccounts in namespace {namespace}",
        f"namespaces other than kube-* and {operator_namespace}",
        f"Take the namespace out, or have an administrator make the IRSA in namespace {operator_namespace}.",
    )


def _unseen(home: str) -> Denied:
    return Denied(
        "The controller",
        f"IRSAs of namespace {home} before it has seen the namespace's labels",
        "none",
        "It judges again by itself as soon as it has.",
    )


def _without_consent(role: ObservedRole, cluster_uid: str, irsa: IRSA) -> Denied | None:
    value = consent(cluster_uid, irsa.metadata.namespace, irsa.metadata.name)
    wanted = f"Have the role's owner set its tag {names.TAG_ADOPT_BY} to {value}"
    if not cluster_uid:
        opens = "Let the operator get namespace kube-system, whose uid is part of the tag's value."
    elif role.tags is None:
        opens = f"Grant the operator iam:GetRole, without which tags can't be read. {wanted}"
    elif role.tags.get(names.TAG_ADOPT_BY) == value:
        return None
    else:
        opens = wanted
    allowed = f"with tag {names.TAG_ADOPT_BY} on the role itself"
    return Denied(f"Role {role.name}", f"its adoption from namespace {irsa.metadata.namespace}", allowed, opens)
