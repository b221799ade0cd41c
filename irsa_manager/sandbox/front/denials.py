"""AccessDenied as IAM and STS word it: who, which action, on what, and which kind of policy decided.

Source: IAM User Guide, "Troubleshoot access denied error messages".
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any, Final

from irsa_manager.sandbox.front.answers import IAM, STS, Answer, Refused, failure
from irsa_manager.sandbox.front.emulator import Emulator

_IMPLICIT: Final = "because no identity-based policy allows the {} action"
_tail: Final[contextvars.ContextVar[str]] = contextvars.ContextVar("denial_tail", default=_IMPLICIT)


def install(emulator: Emulator) -> None:
    """Have the emulator's verdicts remembered, and its answers for IAM and STS name the resource and the reason."""
    evaluator: Any = emulator.evaluator
    actions: Any = emulator.actions
    evaluator.evaluate = _remembering(evaluator.evaluate)
    respond: Callable[..., Answer] = actions.access_denied_response

    def access_denied_response(service: str, action: str, principal_arn: str, request_id: str, **more: Any) -> Answer:
        if service not in ("iam", "sts") or more.get("error_code") or more.get("message"):
            return respond(service, action, principal_arn, request_id, **more)
        told = refused(principal_arn, action, more.get("resource_arn", "*"))
        return failure(told, STS if service == "sts" else IAM)

    actions.access_denied_response = access_denied_response


def refused(principal: str, action: str, resource: str) -> Refused:
    """The running request's last verdict in AWS's words."""
    why = _tail.get().format(action)
    return Refused(
        "AccessDenied", f"User: {principal} is not authorized to perform: {action} on resource: {resource} {why}", 403
    )


def _remembering(evaluate: Callable[..., Any]) -> Callable[..., Any]:
    """The evaluator's evaluate, which also notes which layer of policies said no.

    Its layers after the identity policies are the permissions boundary and the session policies; where there is one
    only, it is taken for the boundary.
    """
    kinds = ("an identity-based policy", "a permissions boundary", "a session policy")

    def remembering(context: Any, policies: Any, *limits: Any) -> Any:
        result = evaluate(context, policies, *limits)
        layers = () if result.decision == "Allow" else zip(kinds, (policies, *limits), strict=False)
        for kind, layer in layers:
            verdict = evaluate(context, layer).decision
            if verdict == "Deny":
                _tail.set(f"with an explicit deny in {kind}")
                break
            if verdict == "ImplicitDeny" and result.decision == "ImplicitDeny":
                _tail.set(f"because no {kind.partition(' ')[2]} allows the {{}} action")
                break
        return result

    return remembering
