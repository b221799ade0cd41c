"""Random objects, clusters and accounts."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec import UNSET

from irsa_manager.api import names
from irsa_manager.api.irsa import (
    IRSA,
    IRSASpec,
    IRSAStatus,
    ProviderSpec,
    RoleSpec,
    ServiceAccountSpec,
    TokenSpec,
    TrustCondition,
    TrustSpec,
)
from irsa_manager.api.kube import LabelSelector, Metadata
from irsa_manager.plan.facts import ClusterFacts, NamespaceFact, Situation
from irsa_manager.plan.mark import MarkKeys, make
from irsa_manager.plan.observed import ObservedRole, ObservedServiceAccount

ACCOUNT = "111122223333"
OPERATOR = "irsa-manager-system"
HOST = "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
KEYS = MarkKeys(current=b"k" * 32, older=(b"o" * 32,))
OWNER = f"{OPERATOR}/reports"
FACTS = ClusterFacts(
    partition="aws",
    account=ACCOUNT,
    issuer=f"https://{HOST}",
    host=HOST,
    cluster="prod",
    operator_namespace=OPERATOR,
)
NAMESPACES = ("default", "kube-system", "team-a", "team-b", "web", OPERATOR)
POLICIES = ("AmazonS3FullAccess", "service-role/AmazonEBSCSIDriverPolicy", "customer/p", "arn:aws-cn:iam::aws:policy/X")

optional = lambda strategy: st.one_of(st.just(UNSET), strategy)  # noqa: E731

conditions = st.builds(
    TrustCondition,
    operator=st.sampled_from(["StringEquals", "IpAddress", "StringLike"]),
    key=st.sampled_from(["aws:SourceIp", "aws:SourceVpc"]),
    values=st.tuples(st.sampled_from(["10.0.0.0/8", "vpc-1"])),
)
providers = st.builds(
    ProviderSpec,
    issuer=st.sampled_from(["oidc.example.com/b", "https://oidc.example.com/c"]),
    service_account_names=st.sampled_from([(), ("other",)]),
    namespaces=st.sampled_from([(), ("there",)]),
)
specs = st.builds(
    IRSASpec,
    cleanup=st.booleans(),
    service_account=st.builds(
        ServiceAccountSpec,
        name=st.sampled_from(["web", "job", "default"]),
        additional_names=st.lists(st.sampled_from(["web", "x", "y"]), max_size=2).map(tuple),
        namespaces=st.lists(st.sampled_from([*NAMESPACES, "absent", "team-*", "*", "k?be-system"]), min_size=1).map(
            tuple
        ),
        namespace_selector=optional(st.just(LabelSelector(match_labels={"team": "a"}))),
        token=st.builds(
            TokenSpec,
            audience=optional(st.just("sts.amazonaws.com")),
            expiration_seconds=optional(st.integers(600, 86400)),
        ),
        sts_regional_endpoints=optional(st.booleans()),
        labels=st.sampled_from([{}, {"app": "x"}]),
        annotations=st.sampled_from([{}, {"note": "y"}]),
    ),
    iam_role=st.builds(
        RoleSpec,
        name=st.sampled_from(["reports", "Other-Role", "third"]),
        description=optional(st.sampled_from(["", "for reports"])),
        max_session_duration_seconds=optional(st.integers(3600, 43200)),
        permissions_boundary=optional(st.sampled_from(["customer/base", "PowerUserAccess"])),
        tags=st.dictionaries(st.sampled_from(["team", "cost"]), st.sampled_from(["a", "b"]), max_size=2),
    ),
    iam_policies=st.lists(st.sampled_from(POLICIES), unique=True, max_size=4).map(tuple),
    inline_policies=st.dictionaries(
        st.sampled_from(["read", "Write"]),
        st.sampled_from([{"Version": "2012-10-17", "Statement": []}, {"Statement": [{"Effect": "Deny"}]}]),
        max_size=2,
    ),
    trust=st.builds(
        TrustSpec,
        audiences=st.sampled_from([(), ("sts.amazonaws.com",), ("b", "a")]),
        subject_match=st.sampled_from(["Exact", "Pattern"]),
        additional_providers=st.lists(providers, max_size=2, unique_by=lambda p: p.issuer).map(tuple),
        conditions=st.lists(conditions, max_size=2, unique_by=lambda c: (c.operator, c.key)).map(tuple),
    ),
)
namespace_facts = st.dictionaries(
    st.sampled_from(NAMESPACES),
    st.builds(NamespaceFact, labels=st.sampled_from([{}, {"team": "a"}]), terminating=st.booleans()),
)
documents = st.sampled_from([{"Version": "2012-10-17", "Statement": []}, {"Statement": [{"Effect": "Deny"}]}])


@st.composite
def own_roles(draw, name: str, owner: str = OWNER) -> ObservedRole:
    """A role of ours in whatever state somebody left it, its mark in the trust at least."""
    sid = make(KEYS, ACCOUNT, name, owner)
    role = ObservedRole(
        name=name,
        arn=f"arn:aws:iam::{ACCOUNT}:role/{name}",
        id="AROA" + name.upper(),
        trust=draw(
            st.sampled_from(
                [
                    {"Version": "2012-10-17", "Statement": [{"Sid": sid}]},
                    {"Statement": {"Effect": "Deny", "Sid": sid}},
                ]
            )
        ),
        attached=tuple(
            draw(
                st.lists(
                    st.sampled_from(["arn:aws:iam::aws:policy/AmazonS3FullAccess", "arn:aws:iam::aws:policy/Foreign"]),
                    unique=True,
                )
            )
        ),
        inline=draw(st.dictionaries(st.sampled_from(["read", "AWSRevokeOlderSessions"]), documents)),
        boundary=draw(st.sampled_from(["", "arn:aws:iam::aws:policy/PowerUserAccess"])),
        tags={**draw(st.dictionaries(st.sampled_from(["team", "foreign"]), st.just("z"))), names.TAG_MARK: ""},
        description=draw(st.sampled_from(["", "old"])),
        max_session_seconds=draw(st.sampled_from([3600, 7200])),
        instance_profiles=(),
    )
    role.tags[names.TAG_MARK] = make(KEYS, ACCOUNT, name, owner)
    return role


@st.composite
def service_accounts(draw) -> dict[tuple[str, str], ObservedServiceAccount]:
    found = {}
    for namespace in NAMESPACES:
        for name in draw(st.lists(st.sampled_from(["web", "job", "x", "default"]), unique=True, max_size=2)):
            annotations = draw(
                st.dictionaries(
                    st.sampled_from([*names.BINDING_ANNOTATIONS, "note"]),
                    st.sampled_from(["v", f"arn:aws:iam::{ACCOUNT}:role/reports"]),
                )
            )
            made = draw(st.booleans())
            labels = {names.LABEL_CREATED: "true"} if made else {}
            found[namespace, name] = ObservedServiceAccount(
                namespace, name, "u", "1", labels, annotations, made, draw(st.booleans())
            )
    return found


@st.composite
def situations(draw) -> tuple[IRSA, Situation]:
    """An object, and an account and cluster in any state; the role it names is absent or its own."""
    spec = draw(specs)
    roles = {}
    if draw(st.booleans()):
        roles[spec.iam_role.name.lower()] = draw(own_roles(spec.iam_role.name))
    irsa = IRSA(metadata=Metadata(name="reports", namespace=OPERATOR, generation=1), spec=spec, status=IRSAStatus())
    return irsa, Situation(
        facts=FACTS,
        keys=KEYS,
        namespaces=draw(namespace_facts),
        roles=roles,
        service_accounts=draw(service_accounts()),
    )
