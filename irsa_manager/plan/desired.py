"""The desired state of one object: the role and the bound ServiceAccounts, as its spec and the cluster say."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import replace

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSASpec, ProviderSpec, ServiceAccountSpec
from irsa_manager.plan import mark
from irsa_manager.plan.facts import Situation
from irsa_manager.plan.mark import Whose
from irsa_manager.plan.namespaces import Reach, is_glob, resolve
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.trust import arn
from irsa_manager.trust.document import ProviderTrust, build, deny_all, federated, subject

DEFAULT_SESSION_SECONDS = 3600
"""IAM's own default of MaxSessionDuration (IAM API, CreateRole)."""


class DesiredRole(Struct, frozen=True):
    """The role as it should be. UNSET attributes aren't managed; `managed` names those that the spec sets.

    fresh_*: what the role gets if it has to be made and the spec is silent.
    """

    name: str
    path: str
    arn: str
    mark: str
    trust: dict[str, Any]
    policies: tuple[str, ...]
    inline: dict[str, Any]
    description: str
    max_session_seconds: int | None
    boundary: str | None
    tags: dict[str, str]
    own_tags: dict[str, str]
    fresh_boundary: str
    managed: tuple[str, ...]
    audiences: tuple[str, ...]
    subjects: tuple[str, ...]


class DesiredServiceAccount(Struct, frozen=True):
    """A ServiceAccount as it should be. extra_*: only for one that we make."""

    namespace: str
    name: str
    annotations: dict[str, str]
    extra_labels: dict[str, str]
    extra_annotations: dict[str, str]

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.namespace, self.name


class Desired(Struct, frozen=True):
    """Role, ServiceAccounts and the namespaces that were found or not."""

    role: DesiredRole
    service_accounts: tuple[DesiredServiceAccount, ...]
    reach: Reach


def desire(
    spec: IRSASpec,
    owner: str,
    situation: Situation,
    *,
    current: ObservedRole | None = None,
    kind: Whose = Whose.MINE,
    audiences: tuple[str, ...] = (),
    boundary: str = "",
) -> Desired:
    """What an object of namespace/name `owner` asks for.

    current: the role that exists: its path and spelling stay (IAM can't change them). kind: MINE or ADOPTED, which mark
    it bears. audiences: found in use where a role is taken over; they stay accepted. boundary: ARN that a tenancy rule
    demands.
    """
    facts = situation.facts
    reach = resolve(spec.service_account, situation.namespaces, facts.operator_namespace)
    role = _role(spec, owner, situation, reach, current, kind)
    if boundary:
        managed = tuple(dict.fromkeys((*role.managed, "permissionsBoundary")))
        role = replace(role, boundary=boundary, managed=managed)
    if audiences and not spec.trust.audiences:
        role = _accepting(role, spec, situation, reach, tuple(sorted({*role.audiences, *audiences})))
    return Desired(role=role, service_accounts=_service_accounts(spec, role.arn, reach), reach=reach)


def _accepting(
    role: DesiredRole, spec: IRSASpec, situation: Situation, reach: Reach, audiences: tuple[str, ...]
) -> DesiredRole:
    trusts = [_own_trust(spec, situation, reach, audiences), *_other_trusts(spec, situation, audiences)]
    return replace(role, audiences=audiences, trust=build(role.mark, trusts, spec.trust.conditions))


def _role(
    spec: IRSASpec, owner: str, situation: Situation, reach: Reach, current: ObservedRole | None, kind: Whose
) -> DesiredRole:
    facts, wanted = situation.facts, spec.iam_role
    path = wanted.path if wanted.path is not UNSET else facts.role_defaults.path
    name, role_arn = wanted.name, arn.role_arn(facts.partition, facts.account, path, wanted.name)
    if current is not None:
        name, path, role_arn = current.name, current.path, current.arn
    sid = mark.make(situation.keys, facts.account, wanted.name, owner, kind)
    audiences = _audiences(spec, facts.client_ids)
    subjects = tuple(subject(ns, name) for ns in reach.living for name in spec.service_account.names)
    trusts = [_own_trust(spec, situation, reach, audiences), *_other_trusts(spec, situation, audiences)]
    boundary: str | None = None
    if wanted.permissions_boundary is not UNSET:
        boundary = arn.policy_arn(wanted.permissions_boundary, facts.partition, facts.account)
    fresh = facts.role_defaults.permissions_boundary
    managed = [f"tags/{key}" for key in sorted(wanted.tags)]
    managed += ["description"] if wanted.description is not UNSET else []
    managed += ["maxSessionDurationSeconds"] if wanted.max_session_duration_seconds is not UNSET else []
    managed += ["permissionsBoundary"] if boundary is not None else []
    return DesiredRole(
        name=name,
        path=path,
        arn=role_arn,
        mark=sid,
        trust=build(sid, trusts, spec.trust.conditions),
        policies=tuple(dict.fromkeys(arn.policy_arn(p, facts.partition, facts.account) for p in spec.iam_policies)),
        inline=dict(spec.inline_policies),
        description=_description(spec, owner, facts.cluster),
        max_session_seconds=None
        if wanted.max_session_duration_seconds is UNSET
        else wanted.max_session_duration_seconds,
        boundary=boundary,
        tags=dict(wanted.tags),
        own_tags=_own_tags(sid, owner, facts.cluster),
        fresh_boundary=arn.policy_arn(fresh, facts.partition, facts.account) if fresh else "",
        managed=tuple(managed),
        audiences=audiences,
        subjects=subjects,
    )


def _description(spec: IRSASpec, owner: str, cluster: str) -> str:
    if spec.iam_role.description is not UNSET:
        return spec.iam_role.description
    # For people; cut to what IAM takes (IAM API, CreateRole: 1,000 characters).
    return f"irsa-manager: {cluster}/{owner}"[:1000]


def _own_tags(sid: str, owner: str, cluster: str) -> dict[str, str]:
    # A tag's value has 256 characters at most (IAM quotas); namespace/name can have 317. These two are for people.
    return {names.TAG_MARK: sid, names.TAG_CLUSTER: cluster[:256], names.TAG_OWNER: owner[:256]}


def _audiences(spec: IRSASpec, client_ids: tuple[str, ...] | None) -> tuple[str, ...]:
    if spec.trust.audiences:
        return tuple(sorted(set(spec.trust.audiences)))
    if spec.service_account.token.audience is not UNSET:
        return (spec.service_account.token.audience,)
    return tuple(sorted(client_ids)) if client_ids else (names.DEFAULT_AUDIENCE,)


def _own_trust(spec: IRSASpec, situation: Situation, reach: Reach, audiences: tuple[str, ...]) -> ProviderTrust:
    facts, account = situation.facts, spec.service_account
    globs: list[str] = []
    if spec.trust.subject_match == "Pattern":
        globs = [n for n in account.namespaces if is_glob(n)]
    # A namespace that a pattern covers need not be listed as well, but one that is named or selected must be.
    listed = reach.living
    if globs:
        by_name = resolve(_without_globs(spec), situation.namespaces, facts.operator_namespace)
        listed = by_name.living
    return ProviderTrust(
        provider=arn.provider_arn(facts.partition, facts.account, facts.host),
        host=facts.host,
        audiences=audiences,
        subjects=tuple(subject(ns, name) for ns in listed for name in account.names),
        patterns=tuple(subject(glob, name) for glob in globs for name in account.names),
        except_patterns=(subject("kube-*", "*"), subject(facts.operator_namespace, "*")) if globs else (),
    )


def _without_globs(spec: IRSASpec) -> ServiceAccountSpec:
    account = spec.service_account
    return replace(account, namespaces=tuple(n for n in account.namespaces if not is_glob(n)))


def _other_trusts(spec: IRSASpec, situation: Situation, audiences: tuple[str, ...]) -> list[ProviderTrust]:
    facts = situation.facts
    trusts = []
    for other in spec.trust.additional_providers:
        host = arn.provider_host(other.issuer)
        accounts = other.service_account_names or spec.service_account.names
        names_, globs = other_namespaces(spec, other)
        trusts.append(
            ProviderTrust(
                provider=arn.provider_arn(facts.partition, facts.account, host),
                host=host,
                audiences=audiences,
                subjects=tuple(subject(ns, name) for ns in names_ for name in accounts),
                patterns=tuple(subject(ns, name) for ns in globs for name in accounts),
                except_patterns=(subject("kube-*", "*"),) if globs else (),
            )
        )
    return trusts


def other_namespaces(spec: IRSASpec, other: ProviderSpec) -> tuple[list[str], list[str]]:
    """The namespaces of another cluster that are trusted, by name and by pattern.

    Its own or else this object's, as they are written: another cluster's namespaces can't be looked at. Patterns only
    with subjectMatch: Pattern.
    """
    written = other.namespaces or spec.service_account.namespaces
    globs = [n for n in written if is_glob(n)] if spec.trust.subject_match == "Pattern" else []
    return [n for n in written if not is_glob(n)], globs


def disarmed(
    role: ObservedRole, owner: str, situation: Situation, kind: mark.Whose = mark.Whose.MINE
) -> dict[str, Any]:
    """The trust of a role that lets nobody in any more, and is still marked as made or adopted by `owner`."""
    facts = situation.facts
    sid = mark.make(situation.keys, facts.account, role.name, owner, kind)
    # A Deny has to name some provider: where the cluster's isn't known, the one that the role names.
    own = next(iter(federated(role.trust)), "")
    host = facts.host or arn.provider_host(own)
    return deny_all(sid, arn.provider_arn(facts.partition, facts.account, host))


def _service_accounts(spec: IRSASpec, role: str, reach: Reach) -> tuple[DesiredServiceAccount, ...]:
    account = spec.service_account
    if account.management_policy == "None":
        return ()
    annotations = {names.ANNOTATION_ROLE_ARN: role}
    if account.token.audience is not UNSET:
        annotations[names.ANNOTATION_AUDIENCE] = account.token.audience
    if account.token.expiration_seconds is not UNSET:
        annotations[names.ANNOTATION_TOKEN_EXPIRATION] = str(account.token.expiration_seconds)
    if account.sts_regional_endpoints is not UNSET:
        annotations[names.ANNOTATION_STS_REGIONAL] = str(account.sts_regional_endpoints).lower()
    return tuple(
        DesiredServiceAccount(
            namespace=namespace,
            name=name,
            annotations=annotations,
            extra_labels=account.labels,
            extra_annotations=account.annotations,
        )
        for namespace in reach.living
        for name in account.names
    )
