"""Which namespaces an object reaches: names, globs and a selector, only among those that live.

A subject of a namespace that doesn't exist is never trusted: whoever makes the namespace would own the role. Globs
and selectors never reach kube-* nor the operator's own namespace.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec
from msgspec import UNSET, Struct

from irsa_manager.api.irsa import ServiceAccountSpec
from irsa_manager.plan.facts import NamespaceFact

_SYSTEM_PREFIX = "kube-"

_MOST_REACHES = 4096


class Reach(Struct, frozen=True):
    """living: sorted names of namespaces that are there and stay. missing: named but not there. terminating: going."""

    living: tuple[str, ...]
    missing: tuple[str, ...]
    terminating: tuple[str, ...]


NOWHERE = Reach((), (), ())


class Namespaces(dict[str, NamespaceFact]):
    """Those of a cluster, with what was resolved against them: an object that means them all is no work to ask twice.

    version: grows with each change. walks: how often all of them were walked through.
    """

    def __init__(self) -> None:
        super().__init__()
        self.version = 0
        self.walks = 0
        self._reached: dict[tuple[tuple[str, ...], bytes, str], Reach] = {}

    def see(self, name: str, fact: NamespaceFact | None) -> None:
        """It is so now; None: it is gone."""
        if fact is None:
            self.pop(name, None)
        else:
            self[name] = fact
        self.version += 1
        self._reached.clear()

    def reach(self, spec: ServiceAccountSpec, operator_namespace: str) -> Reach:
        """What resolve() says. Kept by what the spec says, as each version of an object brings its own copy of it."""
        selector = spec.namespace_selector
        chosen = msgspec.json.encode(selector) if selector is not UNSET else b""
        key = (spec.namespaces, chosen, operator_namespace)
        found = self._reached.pop(key, None)
        if found is None:
            self.walks += 1
            found = _walk(spec, self, operator_namespace)
        # The one that was asked for longest ago goes: who changes a spec all the time must not fill the memory.
        self._reached[key] = found
        if len(self._reached) > _MOST_REACHES:
            del self._reached[next(iter(self._reached))]
        return found


def is_glob(text: str) -> bool:
    """Whether it is a pattern and not a name."""
    return "*" in text or "?" in text


def protected(namespace: str, operator_namespace: str) -> bool:
    """Whether globs and selectors pass it over."""
    return namespace.startswith(_SYSTEM_PREFIX) or namespace == operator_namespace


def resolve(spec: ServiceAccountSpec, namespaces: Mapping[str, NamespaceFact], operator_namespace: str) -> Reach:
    """The namespaces that the ServiceAccount part of an object means, now."""
    if isinstance(namespaces, Namespaces) and _reaches_further(spec):
        return namespaces.reach(spec, operator_namespace)
    return _walk(spec, namespaces, operator_namespace)


def _walk(spec: ServiceAccountSpec, namespaces: Mapping[str, NamespaceFact], operator_namespace: str) -> Reach:
    names = {n for n in spec.namespaces if not is_glob(n)}
    globs = tuple(n for n in spec.namespaces if is_glob(n))
    selector = spec.namespace_selector
    found = names & namespaces.keys()
    # Most objects write their namespaces out: those need no walk through all that there are.
    for name, fact in namespaces.items() if globs or selector is not UNSET else ():
        if name in found or protected(name, operator_namespace):
            continue
        if (globs and _matches(globs, name)) or (selector is not UNSET and selector.matches(fact.labels)):
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
    if namespace in spec.namespaces:
        return True
    globs = tuple(n for n in spec.namespaces if is_glob(n))
    return bool(globs) and _matches(globs, namespace)


def _reaches_further(spec: ServiceAccountSpec) -> bool:
    return spec.namespace_selector is not UNSET or any(is_glob(n) for n in spec.namespaces)


def _matches(globs: tuple[str, ...], namespace: str) -> bool:
    return "*" in globs or _pattern(globs).match(namespace) is not None


@lru_cache(maxsize=1024)
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for all: three hundred globs are then one question for each namespace.

    fnmatch's patterns never go back over a star that has matched, so that no glob takes long.
    """
    return re.compile("|".join(fnmatch.translate(glob) for glob in globs))
