"""What an action does to the observed state. Pure.

The controller keeps its snapshot right with it between two sweeps, and the tests hold the planner against it: a plan
applied to what was observed yields what was desired, after which there is nothing left to do.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

from msgspec.structs import replace

from irsa_manager.api import names
from irsa_manager.plan import actions as do
from irsa_manager.plan.actions import Plan
from irsa_manager.plan.facts import Situation
from irsa_manager.plan.observed import ObservedRole, ObservedServiceAccount

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def afterwards(situation: Situation, plan: Plan) -> Situation:
    """What there is once a plan is carried out that makes no role."""
    roles, accounts = dict(situation.roles), dict(situation.service_accounts)
    for action in plan.actions:
        if isinstance(action, do.AwsAction):
            _put(roles, action.role.lower(), on_role(roles.get(action.role.lower()), action))
        else:
            place = (action.namespace, action.name)
            _put(accounts, place, on_service_account(accounts.get(place), action))
    return replace(situation, roles=roles, service_accounts=accounts)


def _put(known: dict[K, V], key: K, value: V | None) -> None:
    if value is None:
        known.pop(key, None)
    else:
        known[key] = value


def on_role(
    role: ObservedRole | None, action: do.AwsAction, *, arn: str = "", role_id: str = "", created: str = ""
) -> ObservedRole | None:
    """The role after the action. arn, role_id, created: what CreateRole answered."""
    match action:
        case do.CreateRole():
            return ObservedRole(
                name=action.role,
                arn=arn,
                id=role_id,
                path=action.path,
                created=created,
                trust=action.trust,
                attached=(),
                inline={},
                boundary=action.boundary,
                tags=dict(action.tags),
                description=action.description,
                max_session_seconds=action.max_session_seconds or 3600,
                instance_profiles=(),
            )
        case do.DeleteRole():
            return None
    return None if role is None else _changed(role, action)


def _changed(role: ObservedRole, action: do.AwsAction) -> ObservedRole:
    match action:
        case do.UpdateTrust(trust=trust):
            return replace(role, trust=trust)
        case do.AttachPolicy(policy_arn=policy) if role.attached is not None:
            return replace(role, attached=tuple(sorted({*role.attached, policy})))
        case do.DetachPolicy(policy_arn=policy) if role.attached is not None:
            return replace(role, attached=tuple(p for p in role.attached if p != policy))
        case do.PutInlinePolicy(name=name, document=document) if role.inline is not None:
            spelling = next((n for n in role.inline if n.lower() == name.lower()), name)
            return replace(role, inline={**role.inline, spelling: document})
        case do.DeleteInlinePolicy(name=name) if role.inline is not None:
            return replace(role, inline={n: d for n, d in role.inline.items() if n.lower() != name.lower()})
        case do.SetBoundary(boundary=boundary):
            return replace(role, boundary=boundary)
        case do.RemoveBoundary():
            return replace(role, boundary="")
        case do.UpdateRole(description=description, max_session_seconds=seconds):
            return replace(
                role,
                description=role.description if description is None else description,
                max_session_seconds=role.max_session_seconds if seconds is None else seconds,
            )
        case do.TagRole(tags=tags) if role.tags is not None:
            changed = {key.lower() for key in tags}
            return replace(role, tags={**{k: v for k, v in role.tags.items() if k.lower() not in changed}, **tags})
        case do.UntagRole(keys=keys) if role.tags is not None:
            return replace(role, tags={k: v for k, v in role.tags.items() if k not in keys})
    return role


def on_service_account(account: ObservedServiceAccount | None, action: do.KubeAction) -> ObservedServiceAccount | None:
    """The ServiceAccount after the action (its version aside)."""
    match action:
        case do.CreateServiceAccount(namespace=namespace, name=name, labels=labels, annotations=annotations):
            made = labels.get(names.LABEL_CREATED) == "true"
            return ObservedServiceAccount(namespace, name, labels=labels, annotations=annotations, made=made)
        case do.DeleteServiceAccount():
            return None
        case do.PatchServiceAccount(labels=labels, annotations=annotations) if account is not None:
            return replace(
                account,
                labels=_patched(account.labels, labels),
                annotations=_patched(account.annotations, annotations),
            )
    return account


def _patched(found: Mapping[str, str], patch: Mapping[str, str | None]) -> dict[str, str]:
    return {k: v for k, v in {**found, **patch}.items() if v is not None}
