"""Which namespaces an object reaches: names, globs and a selector, only among those that live.

A subject of a namespace that doesn't exist is never trusted: whoever makes the namespace would own the role. Globs
and selectors never reach kube-* nor the operator's own namespace.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping

from msgspec import UNSET, Struct

from irsa_manager.api.irsa import ServiceAccountSpec
from irsa_manager.plan.facts import NamespaceFact

_SYSTEM_PREFIX = "kube-"


class Reach(Struct, frozen=True):
    """living: sorted names of namespaces that are there and stay. missing: named but not there. terminating: going."""

    living: tuple[str, ...]
    missing: tuple[str, ...]
    terminating: tuple[str, ...]


def is_glob(text: str) -> bool:
    """Whether it is a pattern and not a name."""
    return "*" in text or "?" in text


def protected(namespace: str, operator_namespace: str) -> bool:
    """Whether globs and selectors pass it over."""
    return namespace.startswith(_SYSTEM_PREFIX) or namespace == operator_namespace


def resolve(spec: ServiceAccountSpec, namespaces: Mapping[str, NamespaceFact], operator_namespace: str) -> Reach:
    """The namespaces that the ServiceAccount part of an object means, now."""
    names = {n for n in spec.namespaces if not is_glob(n)}
    globs = [n for n in spec.namespaces if is_glob(n)]
    selector = spec.namespace_selector
    found = names & namespaces.keys()
    # Most objects write their namespaces out: those need no walk through all that there are.
    for name, fact in namespaces.items() if globs or selector is not UNSET else ():
        if name in found or protected(name, operator_namespace):
            continue
        by_glob = any(fnmatch.fnmatchcase(name, glob) for glob in globs)
        if by_glob or (selector is not UNSET and selector.matches(fact.labels)):
            found.add(name)
    return Reach(
        living=tuple(sorted(n for n in found if not namespaces[n].terminating)),
        missing=tuple(sorted(names - namespaces.keys())),
        terminating=tuple(sorted(n for n in found if namespaces[n].terminating)),
    )


def may_concern(spec: ServiceAccountSpec, namespace: str) -> bool:
    """Whether a change of that namespace can change what the object reaches."""
    if spec.namespace_selector is not UNSET:
        return True
    return any(n == namespace or (is_glob(n) and fnmatch.fnmatchcase(namespace, n)) for n in spec.namespaces)
