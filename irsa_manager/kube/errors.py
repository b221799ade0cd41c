"""What the API server's refusals mean, as errors that a person can act on.

Rules: https://kubernetes.io/docs/reference/using-api/api-concepts/ and metav1.Status (reason, details, causes).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Struct, field

from irsa_manager.api.errors import KubernetesError

CODE_UNAVAILABLE: Final = "KubernetesUnavailable"
CODE_FORBIDDEN: Final = "PermissionMissing"
CODE_REFUSED: Final = "KubernetesRefused"

_LONGEST: Final = 1000
_NO_NAMESPACE: Final = re.compile(r'namespaces "([^"]*)" not found')
_ADMISSION: Final = re.compile(
    r"(?:ValidatingAdmissionPolicy '(?P<policy>[^']*)' with binding '[^']*' denied request"
    r'|admission webhook "(?P<webhook>[^"]*)" denied the request)(?:: (?P<said>.*))?',
    re.DOTALL,
)
"""As the API server words it (k8s.io/apiserver, plugin/policy/validating and plugin/webhook/errors)."""

_WHOLE_VALUE: Final = re.compile(r'^Invalid value: (?:"object"|\{.*\}|\[.*\]|null): ', re.DOTALL)


class KubeNotFound(KubernetesError):  # noqa: N818
    """404: the object, its namespace or its kind isn't there."""


class KubeConflict(KubernetesError):  # noqa: N818
    """409: the object changed since it was read, or another field manager owns what was applied."""


class KubeAlreadyExists(KubernetesError):  # noqa: N818
    """409 on a create: the name is taken."""


class KubeExpired(KubernetesError):  # noqa: N818
    """410: that resourceVersion or continue token is too old; list again."""


class KubeInvalid(KubernetesError):  # noqa: N818
    """400 or 422: the object or request breaks a rule. causes: one text a rule broken."""

    causes: tuple[str, ...] = ()


class KubeForbidden(KubernetesError):  # noqa: N818
    """401 or 403: these credentials may not do this. verb and resource as RBAC spells them."""

    verb: str = ""
    resource: str = ""


class KubeDenied(KubernetesError):  # noqa: N818
    """An admission policy or webhook refused the write; rights have nothing to do with it.

    policy: name of the ValidatingAdmissionPolicy, "" for a webhook. said: what it says of it.
    """

    policy: str = ""
    said: str = ""


class KubeThrottled(KubernetesError):  # noqa: N818
    """429: asked to slow down. retry_after: seconds that the server asks to wait."""

    retry_after: float = 1.0


class KubeUnavailable(KubernetesError):  # noqa: N818
    """No connection, a time-out, or 5xx: whether a write took effect isn't known."""


class StatusCause(Struct, frozen=True):
    """metav1.StatusCause."""

    reason: str = ""
    message: str = ""
    field: str = ""


class StatusDetails(Struct, rename={"retry_after": "retryAfterSeconds"}, frozen=True):
    """metav1.StatusDetails."""

    name: str = ""
    kind: str = ""
    causes: list[StatusCause] | None = None
    retry_after: int = 0


class Status(Struct, frozen=True):
    """metav1.Status: what the API server answers in place of an object."""

    message: str = ""
    reason: str = ""
    code: int = 0
    details: StatusDetails | None = field(default=None)


def parse_status(body: bytes, code: int) -> Status:
    """The Status in an answer, or one made of the first line of a text that isn't a Status (a proxy's page)."""
    try:
        status = msgspec.json.decode(body, type=Status)
    except msgspec.MsgspecError:
        text = body.decode(errors="replace").strip().splitlines()
        return Status(message=text[0][:200] if text else f"HTTP {code}", code=code)
    return Status(status.message, status.reason, code, status.details)


def refused(
    status: Status, *, verb: str, resource: str, target: str, server: str, retry_after: float | None = None
) -> KubernetesError:
    """The error for an answer that isn't a success.

    verb, resource: as RBAC spells them. target: kind and name of the object, for people. server: the API server's URL.
    retry_after: the Retry-After header in seconds, if there was one.
    """
    code, said = status.code, (status.message[:_LONGEST] or f"HTTP {status.code}").rstrip(". ")
    if code == 404 and verb == "list":
        # Of a kind that is known an empty list comes, also for a namespace that isn't there.
        return KubeNotFound(
            CODE_REFUSED,
            f"{server} doesn't know {resource}: {said}.",
            left="Nothing was changed.",
            hint="Install the definitions: irsa-manager crds apply. Or is it another cluster (--context)?",
            object=target,
        )
    absent = _NO_NAMESPACE.match(said) if code == 404 else None
    if absent is not None:
        return KubeNotFound(
            CODE_REFUSED,
            f"{target} can't be there: there is no namespace {absent[1]}.",
            left="Nothing was changed.",
            hint=f"Make it: kubectl create namespace {absent[1]}",
            object=target,
        )
    if code == 404:
        return KubeNotFound(CODE_REFUSED, f"{target} isn't there: {said}.", object=target)
    if code == 409 and status.reason == "AlreadyExists":
        return KubeAlreadyExists(CODE_REFUSED, f"{target} exists already.", object=target)
    if code == 409:
        return KubeConflict(CODE_REFUSED, f"{target} wasn't written, it has changed meanwhile: {said}.", object=target)
    if code == 410:
        return KubeExpired(CODE_REFUSED, f"The list of {resource} has moved on: {said}.", object=target)
    if code == 401:
        forbidden = KubeForbidden(
            CODE_FORBIDDEN,
            f"{server} doesn't accept these credentials ({verb} {resource}).",
            hint="They may have expired: sign in again, or check the kubeconfig.",
            object=target,
        )
        forbidden.verb, forbidden.resource = verb, resource
        return forbidden
    denied = _ADMISSION.search(status.message) if code in {400, 403, 422} else None
    if denied is not None:
        return _denied(denied, target)
    if code == 403:
        forbidden = KubeForbidden(
            CODE_FORBIDDEN,
            f"Not allowed to {verb} {resource} ({target}): {said}.",
            left="Nothing was changed.",
            hint=f"Grant the verb {verb} on {resource} by a Role or ClusterRole.",
            object=target,
        )
        forbidden.verb, forbidden.resource = verb, resource
        return forbidden
    if code == 429:
        throttled = KubeThrottled(CODE_UNAVAILABLE, f"{server} asks to slow down ({verb} {resource}).", object=target)
        asked = retry_after if retry_after is not None else (status.details.retry_after if status.details else 0)
        throttled.retry_after = max(0.1, float(asked or 1))
        return throttled
    if code >= 500:
        return unavailable(server, f"it answers {code}: {said}", verb=verb, resource=resource, target=target)
    causes = clean_causes(status)
    invalid = KubeInvalid(
        CODE_REFUSED,
        f"{target} was refused: {'; '.join(causes).rstrip('. ')}.",
        left="Nothing was changed.",
        object=target,
    )
    invalid.causes = causes
    return invalid


def _denied(found: re.Match[str], target: str) -> KubeDenied:
    policy, said = found["policy"] or "", (found["said"] or "it doesn't say why").strip()[:_LONGEST]
    who = f"ValidatingAdmissionPolicy {policy}" if policy else f"admission webhook {found['webhook']}"
    error = KubeDenied(
        CODE_REFUSED,
        f"{target} was refused by {who}: {said.rstrip('.')}.",
        left="Nothing was changed.",
        hint=f"Ask who owns {who}, or change what it objects to.",
        object=target,
    )
    error.policy, error.said = policy, said
    return error


def unavailable(server: str, why: str, *, verb: str, resource: str, target: str = "") -> KubeUnavailable:
    """The error for an API server that can't be reached or doesn't answer properly."""
    return KubeUnavailable(
        CODE_UNAVAILABLE,
        f"The API server {server} can't be used ({verb} {resource}): {why}.",
        hint="Is it running, and is this the right kubeconfig?",
        object=target,
    )


def clean_causes(status: Status) -> tuple[str, ...]:
    """One text a broken rule, without the dump of the object that the server puts into its message, each once."""
    causes = status.details.causes if status.details else None
    if not causes:
        return (status.message[:_LONGEST],)
    texts = []
    for cause in causes:
        text = _WHOLE_VALUE.sub("", cause.message)[:_LONGEST]
        where = cause.field if cause.field not in ("", "<nil>") else ""
        texts.append(f"{where}: {text}" if where and not text.startswith(where) else text)
    return tuple(dict.fromkeys(texts))
