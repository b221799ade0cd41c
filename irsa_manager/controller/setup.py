"""Which IRSASetup counts, which issuer the cluster has, and whose account it is: the facts that every plan needs.

Rules, each tested:
1. Only an IRSASetup of the operator's namespace counts, or the one that --setup names; a tenant's could otherwise
   redirect every trust to an issuer of his own.
2. Of two that could count, the one whose issuer most roles of this cluster trust, else one that is usable, else the
   one that counted before, else one that isn't being deleted, else the older one. A restore that flips their ages must
   not rewrite the trusts.
3. None, or one without iamOIDCProvider: the issuer of the cluster's own discovery document.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import structlog
from msgspec import UNSET, Struct, field

from irsa_manager.api.errors import AwsDenied, AwsError, IrsaError, KubernetesError
from irsa_manager.api.irsasetup import IRSASetup, IRSASetupSpec, RoleDefaults, Tenancy
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.snapshot import account_summary, read_provider
from irsa_manager.kube.client import Kube
from irsa_manager.kube.errors import KubeThrottled, KubeUnavailable
from irsa_manager.kube.resources import NAMESPACES
from irsa_manager.plan.decision import Problem
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.plan.mark import MarkKeys, Whose, judge
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.trust import arn
from irsa_manager.trust.document import federated, statements

QUOTAS_SECONDS = 600.0

log = structlog.get_logger(__name__)


class Resolved(Struct, frozen=True):
    """What was found out. facts: None with a problem that stops everything. setup: the one that counts.

    error: what failed in the last attempt; with facts, these are of an earlier one and still good to work by.

    provider: True there, False not there, None: may not be read (then provider_denied names the permission).
    """

    facts: ClusterFacts | None = None
    problem: Problem | None = None
    error: IrsaError | None = None
    setup: IRSASetup | None = None
    ignored: Mapping[str, str] = field(default_factory=dict)
    provider: bool | None = None
    provider_denied: AwsError | None = None


class SetupResolver:
    """Finds the facts. operator_namespace, named (NS/NAME or ""): as the flags say."""

    def __init__(self, kube: Kube, aws: Aws, operator_namespace: str, named: str) -> None:
        self._kube = kube
        self._aws = aws
        self._namespace = operator_namespace
        self._named = named
        self._cluster_id = ""
        self._client_ids: dict[str, tuple[str, ...]] = {}
        self._summary: dict[str, int] | None = None
        self._summary_read = float("-inf")

    def choose(
        self, setups: Iterable[IRSASetup], trusted_hosts: Mapping[str, int], own_host: str = ""
    ) -> tuple[IRSASetup | None, dict[str, str]]:
        """The setup that counts, and why each other one doesn't.

        trusted_hosts: how many roles of ours trust each issuer's host path. own_host: the host path that a setup means
        which names none: the cluster's own issuer.
        """
        everybody = sorted(setups, key=lambda s: (s.metadata.creation_timestamp, s.key))
        ignored = {s.key: why for s in everybody if (why := ineligible(s, self._namespace, self._named))}
        eligible = [s for s in everybody if s.key not in ignored]

        def rank(setup: IRSASetup) -> tuple[int, bool, bool, bool]:
            usable = setup.spec is not UNSET and setup.spec.mode == "eks"
            trusted = trusted_hosts.get(_host(setup) or own_host, 0) if usable else 0
            # The status of one that doesn't count is empty; in this namespace only administrators could forge it.
            return trusted, usable, bool(setup.status.issuer), not setup.metadata.deleting

        # max() takes the first of equals, which is the older one.
        chosen = max(eligible, key=rank, default=None)
        if chosen is not None:
            ignored |= {s.key: f"IRSASetup {chosen.key} is in use" for s in eligible if s is not chosen}
        return chosen, ignored

    async def resolve(
        self, setups: Iterable[IRSASetup], roles: Iterable[ObservedRole] = (), keys: MarkKeys | None = None
    ) -> Resolved:
        """Find the facts anew. Never raises for AWS or Kubernetes: what failed is in the result.

        roles: the account's, of which those that bear a mark of these keys tell which issuer is in use.
        """
        setups = list(setups)
        chosen, ignored = self.choose(setups, {})
        try:
            identity = await self._aws.identity()
            if len(setups) > 1 and keys is not None:
                trusted = hosts_trusted(roles, keys, identity.account)
                chosen, ignored = self.choose(setups, trusted, await self._own_host())
            issuer, source, problem = await self._issuer(chosen)
            if problem is not None:
                return Resolved(problem=problem, setup=chosen, ignored=ignored)
            host = arn.provider_host(issuer)
            provider, client_ids, denied = await self._provider(
                arn.provider_arn(identity.partition, identity.account, host)
            )
            summary = await self._quotas()
            cluster = await self._cluster_name(chosen)
        except (AwsError, KubernetesError) as error:
            return Resolved(error=error, setup=chosen, ignored=ignored)
        spec = chosen.spec if chosen is not None and chosen.spec is not UNSET else None
        facts = ClusterFacts(
            partition=identity.partition,
            account=identity.account,
            issuer=issuer,
            host=host,
            cluster=cluster,
            operator_namespace=self._namespace,
            client_ids=client_ids or None,
            issuer_source=source,
            role_defaults=spec.role_defaults if spec else RoleDefaults(),
            policy_quota=(summary or {}).get("AttachedPoliciesPerRoleQuota", 10),
            tenancy=spec.tenancy if spec else Tenancy(),
            setup=chosen.key if chosen is not None else "",
            cluster_uid=self._cluster_id,
            own_role=arn.caller_role(identity.arn),
        )
        return Resolved(facts=facts, setup=chosen, ignored=ignored, provider=provider, provider_denied=denied)

    async def _own_host(self) -> str:
        try:
            return arn.provider_host(str((await self._kube.discovery_document()).get("issuer", "")))
        except (KubeUnavailable, KubeThrottled):
            raise
        except KubernetesError as error:
            log.debug("the cluster's own issuer can't be read", error=str(error))
            return ""

    async def _quotas(self) -> dict[str, int] | None:
        # Quotas change by a request to AWS, not by the minute.
        if time.monotonic() - self._summary_read > QUOTAS_SECONDS:
            self._summary = await account_summary(self._aws)
            self._summary_read = time.monotonic()
        return self._summary

    async def _provider(self, provider_arn: str) -> tuple[bool | None, tuple[str, ...], AwsError | None]:
        try:
            client_ids = await read_provider(self._aws, provider_arn)
        except AwsDenied as denied:
            return None, self._client_ids.get(provider_arn, ()), denied
        if client_ids:
            self._client_ids[provider_arn] = client_ids
        # Unknown isn't empty: roles keep the audiences that were last known.
        return client_ids is not None, client_ids or self._client_ids.get(provider_arn, ()), None

    async def _issuer(self, setup: IRSASetup | None) -> tuple[str, str, Problem | None]:
        if setup is not None and setup.spec is not UNSET:
            spec = setup.spec
            if spec.mode != "eks":
                return "", "", Problem("NotImplemented", {"mode": spec.mode, "setup": setup.key})
            if spec.iam_oidc_provider:
                return f"https://{_host(setup)}", f"IRSASetup {setup.key}", None
        try:
            issuer = str((await self._kube.discovery_document()).get("issuer", ""))
        except (KubeUnavailable, KubeThrottled):
            raise
        except KubernetesError as error:
            return "", "", self._no_issuer(f"its discovery document can't be read: {error.message}")
        if not reachable(issuer):
            return "", "", self._no_issuer(f"its issuer is {issuer or 'not named'}, which AWS can't reach")
        return issuer, "the cluster's discovery document", None

    def _no_issuer(self, cause: str) -> Problem:
        return Problem("SetupMissing", {"cause": cause, "namespace": self._namespace})

    async def _cluster_name(self, setup: IRSASetup | None) -> str:
        if not self._cluster_id:
            system = await self._kube.get(NAMESPACES, None, "kube-system")
            self._cluster_id = system.metadata.uid if system is not None else "unknown"
        if setup is not None and setup.spec is not UNSET and setup.spec.cluster_name:
            return setup.spec.cluster_name
        return self._cluster_id


def ineligible(setup: IRSASetup, operator_namespace: str, named: str) -> str:
    """Why the setup can't count whatever is in it, "" where it can. named: NS/NAME as --setup says, or ""."""
    if named:
        return "" if setup.key == named else f"--setup names {named}"
    if setup.metadata.namespace == operator_namespace:
        return ""
    return f"Only an IRSASetup in namespace {operator_namespace} counts"


def _host(setup: IRSASetup) -> str:
    spec = setup.spec
    return host_of(spec) if isinstance(spec, IRSASetupSpec) else ""


def host_of(spec: IRSASetupSpec) -> str:
    """The issuer's host path that a setup names, however it is written."""
    return arn.provider_host(spec.iam_oidc_provider).rstrip("/")


def reachable(issuer: str) -> bool:
    """Whether AWS could fetch that issuer's keys: https, and a name that isn't only the cluster's own."""
    url = urlsplit(issuer)
    host = (url.hostname or "").lower()
    if url.scheme != "https" or "." not in host or host.endswith((".svc", ".local", ".internal", ".localhost")):
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return True


def hosts_trusted(roles: Iterable[ObservedRole], keys: MarkKeys, account: str) -> dict[str, int]:
    """How many of this cluster's roles trust each issuer's host path.

    Only the statement that bears the mark counts: what else a role trusts is its author's choice (additionalProviders).
    """
    counts: dict[str, int] = {}
    for role in roles:
        for statement in statements(role.trust):
            sid = statement.get("Sid")
            if isinstance(sid, str) and judge(keys, account, role.name, "", sid) is not Whose.UNMARKED:
                for provider in federated({"Statement": statement}):
                    host = arn.provider_host(provider)
                    counts[host] = counts.get(host, 0) + 1
    return counts
