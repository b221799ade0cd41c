"""Trust documents: built packed, compared in canonical form.

One statement for each provider holds all its subjects, so that a document has room for many (IAM quota "role trust
policy length"). Every Allow demands `aud` and `sub` (EKS User Guide, "Assign IAM roles to Kubernetes service
accounts"). IAM stores what it likes: it reorders keys, unwraps lists of one (seen), so documents are compared and
hashed in canonical form.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from irsa_manager.api.irsa import TrustCondition

Document = dict[str, Any]

_ACTION = "sts:AssumeRoleWithWebIdentity"
_VERSION = "2012-10-17"


class ProviderTrust(Struct, frozen=True):
    """What one provider's tokens must say.

    provider: ARN. host: the provider's host path, prefix of its condition keys. audiences: alternatives.
    subjects: system:serviceaccount:NS:NAME, each listed. patterns: subjects with * and ? (opt-in);
    except_patterns: what the patterns must not reach.
    """

    provider: str
    host: str
    audiences: tuple[str, ...]
    subjects: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    except_patterns: tuple[str, ...] = ()


def subject(namespace: str, name: str) -> str:
    """The `sub` claim of a ServiceAccount's token (Kubernetes, "Authenticating", service account tokens)."""
    return f"system:serviceaccount:{namespace}:{name}"


def short_subject(subject: str) -> str:
    """A subject as people read it: NAMESPACE/NAME for a ServiceAccount, anything else with / for its colons."""
    return subject.removeprefix("system:serviceaccount:").replace(":", "/")


def build(sid: str, trusts: Iterable[ProviderTrust], conditions: Iterable[TrustCondition] = ()) -> Document:
    """The trust document whose first statement bears `sid`.

    Where nobody is to be trusted the document is one Deny: IAM wants a statement, and a Deny lets nobody in.
    """
    trusts = tuple(trusts)
    extra = tuple(conditions)
    statements: list[Document] = []
    for trust in trusts:
        if trust.subjects:
            statements.append(_allow(trust, extra, {"StringEquals": {f"{trust.host}:sub": _pack(trust.subjects)}}))
        if trust.patterns:
            by_pattern: dict[str, dict[str, Any]] = {"StringLike": {f"{trust.host}:sub": _pack(trust.patterns)}}
            if trust.except_patterns:
                by_pattern["StringNotLike"] = {f"{trust.host}:sub": _pack(trust.except_patterns)}
            statements.append(_allow(trust, extra, by_pattern))
    if not statements:
        statements.append({"Effect": "Deny", "Principal": {"Federated": trusts[0].provider}, "Action": _ACTION})
    statements[0] = {"Sid": sid, **statements[0]}
    return {"Version": _VERSION, "Statement": statements}


def _allow(trust: ProviderTrust, extra: tuple[TrustCondition, ...], subjects: dict[str, dict[str, Any]]) -> Document:
    condition: dict[str, dict[str, Any]] = {"StringEquals": {f"{trust.host}:aud": _pack(trust.audiences)}}
    for operator, keys in subjects.items():
        condition.setdefault(operator, {}).update(keys)
    for added in extra:
        # Admission refuses :sub and :aud here and two conditions of one operator and key; a condition only adds.
        condition.setdefault(added.operator, {}).setdefault(added.key, _pack(added.values))
    return {"Effect": "Allow", "Principal": {"Federated": trust.provider}, "Action": _ACTION, "Condition": condition}


def deny_all(sid: str, provider: str) -> Document:
    """The document that lets nobody in and still bears the mark: what a role gets before it is deleted."""
    return build(sid, (ProviderTrust(provider=provider, host="", audiences=()),))


def _pack(values: Iterable[str]) -> str | list[str]:
    ordered = sorted(set(values))
    return ordered[0] if len(ordered) == 1 else ordered


def compact(document: Any) -> str:
    """The document as it is sent: no spaces, keys in order."""
    return json.dumps(document, separators=(",", ":"), sort_keys=True)


def canonical(document: Any) -> Any:
    """The form in which two documents of one meaning are equal.

    Lists are sets; a single value is a list of one; a single statement is a list of one; keys are unordered;
    numbers and booleans are the strings that IAM compares (IAM JSON policy elements reference).
    """
    if not isinstance(document, dict):
        return document
    form = {key: _canonical(value) for key, value in document.items()}
    if "Statement" in form:
        found = form["Statement"]
        form["Statement"] = sorted([found] if isinstance(found, dict) else found, key=compact)
    return form


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _canonical(inner) for key, inner in value.items()}
    values = value if isinstance(value, list) else [value]
    if any(isinstance(item, dict) for item in values):
        return [_canonical(item) for item in values]
    return sorted({str(item).lower() if isinstance(item, bool) else str(item) for item in values})


def same(one: Any, other: Any) -> bool:
    """Whether two documents mean the same, as far as their form tells."""
    return bool(canonical(one) == canonical(other))


def sha256(document: Any) -> str:
    """Hash of the canonical form, hexadecimal: short enough for a status, equal where the meaning is."""
    return hashlib.sha256(compact(canonical(document)).encode()).hexdigest()


def statements(document: Any) -> list[Document]:
    """The statements of a document, also of a malformed one (then none)."""
    if not isinstance(document, dict):
        return []
    found = document.get("Statement", [])
    found = [found] if isinstance(found, dict) else found
    return [s for s in found if isinstance(s, dict)] if isinstance(found, list) else []


def sids(document: Any) -> list[str]:
    """The Sids of a document's statements, in order: where our mark is."""
    return [s["Sid"] for s in statements(document) if isinstance(s.get("Sid"), str)]


def subjects(document: Any) -> set[tuple[str, str]]:
    """(provider ARN, subject or subject pattern) of every Allow: who the document lets in."""
    found: set[tuple[str, str]] = set()
    for statement in statements(document):
        principal = statement.get("Principal")
        provider = principal.get("Federated") if isinstance(principal, dict) else None
        condition = statement.get("Condition")
        if statement.get("Effect") != "Allow" or not isinstance(provider, str) or not isinstance(condition, dict):
            continue
        for operator in ("StringEquals", "StringLike"):
            keys = condition.get(operator)
            for key, value in keys.items() if isinstance(keys, dict) else ():
                if key.lower().endswith(":sub"):
                    # IAM's grammar takes numbers and booleans here as well.
                    values = value if isinstance(value, list) else [value]
                    found.update((provider, v if isinstance(v, str) else compact(v)) for v in values)
    return found


def without(document: Document, leaving: set[tuple[str, str]]) -> Document | None:
    """The document without these (provider ARN, subject) pairs of its Allows, and otherwise as it is.

    None where nothing would be left, or where it isn't in a form that this can be told of.
    """
    kept: list[Document] = []
    for statement in statements(document):
        mine = subjects({"Statement": statement})
        if not mine & leaving:
            kept.append(statement)
        elif mine - leaving:
            kept.append(_narrowed(statement, {subject_ for _, subject_ in mine - leaving}))
    if not kept or not any(s.get("Effect") == "Allow" for s in kept):
        return None
    return {**document, "Statement": kept}


def _narrowed(statement: Document, staying: set[str]) -> Document:
    condition = {}
    for operator, keys in statement["Condition"].items():
        if operator in {"StringEquals", "StringLike"} and isinstance(keys, dict):
            condition[operator] = {k: _pack(staying) if k.lower().endswith(":sub") else v for k, v in keys.items()}
        else:
            condition[operator] = keys
    return {**statement, "Condition": condition}


def too_deep(document: Any, deepest: int = 32) -> bool:
    """Whether it is nested below that many levels; an IAM policy has about six. Without recursion."""
    level: list[Any] = [document]
    for _ in range(deepest):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True


def federated(document: Any) -> list[str]:
    """The OIDC providers' ARNs that a document's statements name as principals."""
    found = (s["Principal"].get("Federated") for s in statements(document) if isinstance(s.get("Principal"), dict))
    return [p for p in found if isinstance(p, str) and ":oidc-provider/" in p]


def principals(document: Any) -> set[str]:
    """Everybody whom a document's Allows name, as it spells them: ARNs, accounts, services, `*`."""
    found: set[str] = set()
    for statement in statements(document):
        principal = statement.get("Principal")
        if statement.get("Effect") != "Allow":
            continue
        for value in principal.values() if isinstance(principal, dict) else [principal]:
            found.update(str(one) for one in (value if isinstance(value, list) else [value]) if one)
    return found


def length(document: Any) -> int:
    """Characters of the document as sent: an estimate of what IAM counts (its own count is the authority)."""
    return len(compact(document))
