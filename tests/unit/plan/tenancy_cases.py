"""One tenant's IRSA and the cluster around it, for the tests of tenancy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from irsa_manager.api import reasons
from irsa_manager.api.irsa import IRSA, IRSASpec
from irsa_manager.api.irsasetup import Tenancy, TenancyRule
from irsa_manager.api.kube import Metadata
from irsa_manager.plan.facts import NamespaceFact
from irsa_manager.plan.namespaces import resolve
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.tenancy import Denied, Permit, judge

OPERATOR, HOME, ACCOUNT, UID = "irsa-manager-system", "team-a", "111122223333", "6ad1c7a2-9c0e-4a5b-8a52-7c7a1a9d9b2f"
HOME_LABELS = {"kubernetes.io/metadata.name": HOME, "team": "a"}
PROVIDER = {"issuer": "oidc.example.com/b"}
CLUSTER = {
    "default": NamespaceFact(),
    "kube-system": NamespaceFact(),
    OPERATOR: NamespaceFact(),
    HOME: NamespaceFact(labels=HOME_LABELS),
    "team-a-jobs": NamespaceFact(labels={"team": "a", "shared": "yes"}),
    "team-b": NamespaceFact(labels={"team": "b", "shared": "yes"}),
}


def spec(**parts: Any) -> IRSASpec:
    """A spec as users write it; by default role team-a-web for ServiceAccount web of the own namespace.

    Parts of serviceAccount and iamRole are merged with those defaults.
    """
    account = {"name": "web", "namespaces": [HOME]} | parts.pop("serviceAccount", {})
    role = {"name": "team-a-web"} | parts.pop("iamRole", {})
    return msgspec.convert({"cleanup": True, "serviceAccount": account, "iamRole": role, **parts}, IRSASpec)


def names_asked(*namespaces: str, **of: Any) -> dict[str, Any]:
    """The part of a spec that asks for these namespaces."""
    return {"serviceAccount": {"namespaces": list(namespaces), **of}}


def irsa(of: IRSASpec, namespace: str = HOME, name: str = "web") -> IRSA:
    """An object with that spec."""
    return IRSA(metadata=Metadata(namespace=namespace, name=name), spec=of)


def rule(**limits: Any) -> TenancyRule:
    """A rule for namespaces of team a, as administrators write it."""
    selector = {"matchLabels": {"team": "a"}}
    return msgspec.convert({"name": "team-a", "namespaceSelector": selector, **limits}, TenancyRule)


def ask(
    of: IRSASpec | IRSA,
    tenancy: Tenancy | TenancyRule,
    *,
    labels: Mapping[str, str] | None = HOME_LABELS,
    role: ObservedRole | None = None,
    mine: bool = False,
    kept: frozenset[str] = frozenset(),
    default_path: str = "/",
    setup: str = f"{OPERATOR}/main",
    uid: str = UID,
    cluster: Mapping[str, NamespaceFact] = CLUSTER,
) -> Permit | Denied:
    """The verdict, which is checked to be one that people can read if it is a refusal."""
    asked = of if isinstance(of, IRSA) else irsa(of)
    assert isinstance(asked.spec, IRSASpec)
    verdict = judge(
        asked,
        Tenancy(rules=(tenancy,)) if isinstance(tenancy, TenancyRule) else tenancy,
        labels,
        reach=resolve(asked.spec.service_account, cluster, OPERATOR),
        default_path=default_path,
        operator_namespace=OPERATOR,
        partition="aws",
        account=ACCOUNT,
        cluster_uid=uid,
        setup=setup,
        role=role,
        role_is_mine=mine,
        kept=kept,
    )
    if isinstance(verdict, Denied):
        assert all((verdict.rule, verdict.what, verdict.allowed, verdict.opens))
        assert verdict.what in message(verdict)
    return verdict


def message(verdict: Denied) -> str:
    """What the IRSA's condition says."""
    facts = {field: getattr(verdict, field) for field in ("rule", "what", "allowed", "opens")}
    return reasons.message("TenancyDenied", **facts)
