"""SimulatePrincipalPolicy: identity policies and boundary, one result per action, context only as given.

Source: IAM API Reference, SimulatePrincipalPolicy and data type EvaluationResult: the decision of an action is the
strictest over all resources, each resource's own is in ResourceSpecificResults; keys of conditions that weren't given
are listed in MissingContextValues; an assumed role's ARN is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from irsa_manager.sandbox.front import names
from irsa_manager.sandbox.front.answers import Answer, Refused, success
from irsa_manager.sandbox.front.emulator import Emulator
from irsa_manager.sandbox.front.store import Operation, Parameters, Store

_SOURCE: Final = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):(?P<kind>user|role)/(?:.*/)?(?P<name>[^/]+)")
_DECISIONS: Final = {"Deny": "explicitDeny", "ImplicitDeny": "implicitDeny", "Allow": "allowed"}
"""The evaluator's verdicts and the API's, the strictest first."""


class Simulation:
    """The operation, on the emulator's evaluator."""

    def __init__(self, emulator: Emulator, store: Store) -> None:
        self._evaluator: Any = emulator.evaluator
        self._region = emulator.region
        self._store = store

    def operations(self) -> Mapping[str, Operation]:
        """By the operation's name."""
        return {"SimulatePrincipalPolicy": self.simulate}

    def simulate(self, parameters: Parameters) -> Answer:
        """SimulatePrincipalPolicy for a user or a role of the account."""
        arn = names.required(parameters, "PolicySourceArn", names.Rule("policySourceArn", 20, 2048))
        policies, limits = self._policies(arn)
        actions = names.listed(parameters, "ActionNames")
        if not actions:
            raise Refused("InvalidInput", "At least one action must be given.")
        resources = names.listed(parameters, "ResourceArns") or ["*"]
        given = _context(parameters)
        results = [self._result(arn, action, resources, given, policies, limits) for action in actions]
        return success("SimulatePrincipalPolicy", {"EvaluationResults": results, "IsTruncated": False})

    def _policies(self, arn: str) -> tuple[Any, Any]:
        """The principal's identity policies, and its boundary as the evaluator wants limits."""
        match = _SOURCE.fullmatch(arn)
        if not match or match["account"] != self._store.account:
            raise Refused("InvalidInput", f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
        evaluator, iam = self._evaluator, self._store.iam
        # A role is found by its name; the path in the ARN isn't compared.
        kind, name, account = match["kind"], match["name"], match["account"]
        records = iam._roles if kind == "role" else iam._users
        if records.get(name) is None:
            raise Refused("NoSuchEntity", f"The {kind} with name {name} cannot be found.", 404)
        gather = evaluator._gather_role_policies if kind == "role" else evaluator._gather_user_policies
        return gather(name, account), evaluator._permissions_boundary(records, name, account)

    def _result(
        self, arn: str, action: str, resources: list[str], given: dict[str, Any], policies: Any, limits: Any
    ) -> dict[str, Any]:
        verdicts, missing = [], set()
        specific = []
        for resource in resources:
            context = self._evaluator.EvalContext(
                principal_arn=arn,
                principal_type="User" if ":user/" in arn else "AssumedRole",
                principal_account=self._store.account,
                action=action,
                resource_arn=resource,
                region=self._region,
                service_context={"aws:tagkeys": None, **given},
            )
            verdict = self._evaluator.evaluate(context, policies, *limits).decision
            lacking = sorted(self._missing([policies, *limits], context))
            verdicts.append(verdict)
            missing |= set(lacking)
            specific.append(
                {
                    "EvalResourceName": resource,
                    "EvalResourceDecision": _DECISIONS[verdict],
                    "MatchedStatements": [],
                    "MissingContextValues": lacking,
                }
            )
        strictest = next(verdict for verdict in _DECISIONS if verdict in verdicts)
        result: dict[str, Any] = {
            "EvalActionName": action,
            "EvalResourceName": resources[0] if len(resources) == 1 else "*",
            "EvalDecision": _DECISIONS[strictest],
            "MatchedStatements": [],
            "MissingContextValues": sorted(missing),
            "ResourceSpecificResults": specific,
        }
        if limits:
            allowed = all(self._evaluator.evaluate(context, limit).decision == "Allow" for limit in limits)
            result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
        return result

    def _missing(self, layers: Iterable[Any], context: Any) -> set[str]:
        """Condition keys that the statements for this action name and nobody supplied."""
        evaluator = self._evaluator
        return {
            key
            for layer in layers
            for policy in layer
            for statement in policy
            if evaluator._action_matches(context.action, statement.actions, statement.not_actions)
            for tests in statement.conditions.values()
            for key in tests
            if evaluator._resolve_condition_key(key, context) is None
        }


def _context(parameters: Parameters) -> dict[str, Any]:
    """ContextEntries by key in lower case; list types stay lists, as set operators want them."""
    found: dict[str, Any] = {}
    for name, key in parameters.items():
        match = re.fullmatch(r"(ContextEntries\.member\.\d{1,5})\.ContextKeyName", name, re.ASCII)
        if match:
            values = names.listed(parameters, f"{match[1]}.ContextKeyValues")
            listed = parameters.get(f"{match[1]}.ContextKeyType", "string").endswith("List")
            found[key.lower()] = values if listed else values[0] if values else ""
    return found
