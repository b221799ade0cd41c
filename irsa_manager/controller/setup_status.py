"""The status of IRSASetups: what was found, which one counts, and why the others don't. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from irsa_manager.api import names, reasons
from irsa_manager.api.errors import AwsDenied, AwsError, AwsThrottled, AwsUnavailable
from irsa_manager.api.irsasetup import IRSASetup, IRSASetupStatus
from irsa_manager.controller.conditions import condition
from irsa_manager.controller.setup import Resolved
from irsa_manager.controller.telling import SOON, Told, denied_told
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.trust import arn


def setup_status(
    setup: IRSASetup, resolved: Resolved, dependents: list[str], swept: float, now: str
) -> IRSASetupStatus:
    """The status of one setup. dependents: IRSAs, as namespace/name. swept: time.time() of the last sweep, or 0."""
    if setup.key in resolved.ignored:
        told = Told("Ignored", reasons.message("Ignored", cause=resolved.ignored[setup.key]))
        return _with(setup, IRSASetupStatus(), told, None, now)
    if not _looked_at(setup, resolved):
        return setup.status
    facts = resolved.facts
    if facts is None or resolved.error is not None:
        status = replace(setup.status, dependents=len(dependents))
        passing = isinstance(resolved.error, AwsThrottled | AwsUnavailable)
        if facts is not None and passing and _stands(setup):
            # What was found before holds, and objects go on by it; who can't be reached is told on those that wait.
            return status
        return _with(setup, status, _why(resolved), None, now)
    provider_arn = arn.provider_arn(facts.partition, facts.account, facts.host)
    status = replace(
        setup.status,
        issuer=facts.issuer,
        provider_arn=provider_arn,
        account_id=facts.account,
        partition=facts.partition,
        last_sweep_time=_time(swept),
        dependents=len(dependents),
    )
    provider = provider_told(resolved, facts)
    ready = provider if provider.code in {"ProviderNotFound", "AudienceMissing"} else None
    if ready is None and setup.metadata.deleting and dependents:
        values: dict[str, Any] = {"count": len(dependents), "names": dependents}
        ready = Told("DependentsExist", reasons.message("DependentsExist", **values))
    return _with(setup, status, ready, provider, now, ready_message=_good(resolved, provider_arn))


def _stands(setup: IRSASetup) -> bool:
    """Whether Ready says of this generation what AWS has no part in any more."""
    ready = setup.status.condition("Ready")
    if ready is None or ready.observed_generation != setup.metadata.generation:
        return False
    return ready.reason in {"EksOIDCSetupReady", "DependentsExist"}


def _looked_at(setup: IRSASetup, resolved: Resolved) -> bool:
    """Whether the facts were found by this setup as it is now. One that came or changed since is looked at next."""
    found = resolved.setup.metadata if resolved.setup is not None else None
    return found is not None and (found.uid, found.generation) == (setup.metadata.uid, setup.metadata.generation)


def _good(resolved: Resolved, provider_arn: str) -> str:
    facts = resolved.facts
    assert facts is not None  # noqa: S101  (the caller has looked)
    values: dict[str, Any] = {"issuer": facts.issuer, "source": facts.issuer_source, "provider": provider_arn}
    return reasons.message("EksOIDCSetupReady", **values)


def _why(resolved: Resolved) -> Told:
    if resolved.problem is not None and resolved.problem.code == "NotImplemented":
        return Told("NotImplemented", reasons.message("NotImplemented", **resolved.problem.facts))
    if resolved.problem is not None:
        return Told("EksOIDCNotReady", _not_ready(str(resolved.problem.facts.get("cause", "no issuer"))))
    if isinstance(resolved.error, AwsDenied):
        return denied_told(resolved.error)
    if isinstance(resolved.error, AwsError) and resolved.error.code == "CredentialsInvalid":
        return Told("CredentialsInvalid", reasons.message("CredentialsInvalid", cause=resolved.error.aws_code))
    text = resolved.error.message if resolved.error is not None else "it wasn't looked for yet"
    return Told("EksOIDCNotReady", _not_ready(text))


def _not_ready(text: str) -> str:
    return reasons.message("EksOIDCNotReady", error=text, next_try=SOON)


def provider_told(resolved: Resolved, facts: ClusterFacts) -> Told:
    """What the account's OIDC provider for the issuer is like: EksOIDCSetupReady, or what is wrong with it."""
    provider_arn = arn.provider_arn(facts.partition, facts.account, facts.host)
    if isinstance(resolved.provider_denied, AwsDenied):
        return denied_told(resolved.provider_denied)
    if not resolved.provider:
        values: dict[str, Any] = {"account": facts.account, "provider": provider_arn, "issuer": facts.issuer}
        return Told("ProviderNotFound", reasons.message("ProviderNotFound", **values))
    if not facts.client_ids:
        audience: dict[str, Any] = {"provider": provider_arn, "audience": names.DEFAULT_AUDIENCE, "audiences": "none"}
        return Told("AudienceMissing", reasons.message("AudienceMissing", **audience))
    return Told("EksOIDCSetupReady", f"{provider_arn} accepts {', '.join(facts.client_ids)}.")


def _with(
    setup: IRSASetup,
    status: IRSASetupStatus,
    ready: Told | None,
    provider: Told | None,
    now: str,
    *,
    ready_message: str = "",
) -> IRSASetupStatus:
    conditions = []
    if ready is None:
        conditions.append(condition(setup, "Ready", "True", "EksOIDCSetupReady", ready_message, now))
    else:
        conditions.append(condition(setup, "Ready", "False", ready.code, ready.message, now))
    if provider is not None:
        state = {"EksOIDCSetupReady": "True", "PermissionMissing": "Unknown"}.get(provider.code, "False")
        conditions.append(condition(setup, "ProviderReady", state, provider.code, provider.message, now))
    if ready is not None and ready.stalled:
        conditions.append(condition(setup, "Stalled", "True", ready.code, ready.message, now))
    return replace(status, observed_generation=setup.metadata.generation, conditions=tuple(conditions))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""
