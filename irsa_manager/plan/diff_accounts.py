"""The actions that bind ServiceAccounts to a role and release them. Pure.

Rules, each tested:
1. One that isn't there is created, with the label that says so; one that is there gets our annotations only.
2. What another object holds isn't touched. What is being deleted isn't touched.
3. Taken away is only what points to a role of ours: made by us -> deleted; found -> our annotations go.
4. `default` is never deleted: Kubernetes would make it again, without what others have put on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from irsa_manager.api import names
from irsa_manager.api.irsa import BoundServiceAccount
from irsa_manager.plan.actions import CreateServiceAccount, DeleteServiceAccount, KubeAction, PatchServiceAccount
from irsa_manager.plan.desired import DesiredServiceAccount
from irsa_manager.plan.observed import ObservedServiceAccount

Key = tuple[str, str]
_OPTIONAL = tuple(a for a in names.BINDING_ANNOTATIONS if a != names.ANNOTATION_ROLE_ARN)


def bind(
    desired: Iterable[DesiredServiceAccount],
    observed: Mapping[Key, ObservedServiceAccount],
    before: Mapping[Key, BoundServiceAccount],
    held: Collection[Key],
    *,
    making: bool = True,
) -> list[KubeAction]:
    """Create or annotate what is desired.

    before: the status' list. held: keys that other objects hold. making: whether one that isn't there is created.
    """
    actions: list[KubeAction] = []
    for wanted in desired:
        if wanted.key in held:
            continue
        there = observed.get(wanted.key)
        if there is None:
            if not making:
                continue
            actions.append(
                CreateServiceAccount(
                    namespace=wanted.namespace,
                    name=wanted.name,
                    reason="not there yet",
                    labels={**wanted.extra_labels, names.LABEL_CREATED: "true"},
                    annotations={**wanted.extra_annotations, **wanted.annotations},
                )
            )
        elif not there.deleting:
            actions += _correct(wanted, there, before.get(wanted.key))
    return actions


def _correct(
    wanted: DesiredServiceAccount, there: ObservedServiceAccount, before: BoundServiceAccount | None
) -> list[KubeAction]:
    target, labels = dict(wanted.annotations), dict[str, str | None]()
    set_before = set(before.annotations) if before else set()
    if there.made:
        target = {**wanted.extra_annotations, **target}
        labels.update({k: v for k, v in wanted.extra_labels.items() if there.labels.get(k) != v})
        ours = set(before.labels) if before else set()
        labels.update({k: None for k in sorted(ours - wanted.extra_labels.keys()) if k in there.labels})
    # An annotation of the same name that a found ServiceAccount had before stays: it isn't ours.
    removable = set_before | set(_OPTIONAL) if there.made else set_before & set(_OPTIONAL)
    annotations: dict[str, str | None] = {k: v for k, v in target.items() if there.annotations.get(k) != v}
    annotations.update({k: None for k in sorted(removable) if k in there.annotations and k not in target})
    if not annotations and not labels:
        return []
    parts = [_difference(k, v, there.annotations.get(k)) for k, v in annotations.items()]
    parts += [f"label {_difference(k, v, there.labels.get(k))}" for k, v in labels.items()]
    return [
        PatchServiceAccount(
            namespace=there.namespace,
            name=there.name,
            reason=", ".join(parts),
            resource_version=there.resource_version,
            labels=labels,
            annotations=annotations,
        )
    ]


def _difference(key: str, wanted: str | None, found: str | None) -> str:
    if wanted is None:
        return f"{key} not in the spec"
    return f"{key} missing" if found is None else f"{key} differed (was {found}, should be {wanted})"


def release(
    keys: Iterable[Key],
    observed: Mapping[Key, ObservedServiceAccount],
    before: Mapping[Key, BoundServiceAccount],
    role_arns: Collection[str],
    reason: str,
) -> list[KubeAction]:
    """Take our part away from these ServiceAccounts. role_arns: of roles that are verified as this object's."""
    actions: list[KubeAction] = []
    for key in sorted(set(keys)):
        there = observed.get(key)
        if there is None or there.deleting or there.annotations.get(names.ANNOTATION_ROLE_ARN) not in role_arns:
            continue
        if there.made and there.name != "default":
            actions.append(
                DeleteServiceAccount(
                    namespace=there.namespace,
                    name=there.name,
                    reason=reason,
                    uid=there.uid,
                    resource_version=there.resource_version,
                )
            )
            continue
        set_before = set(before[key].annotations) if key in before else set()
        ours = {names.ANNOTATION_ROLE_ARN} | (set_before & set(_OPTIONAL))
        actions.append(
            PatchServiceAccount(
                namespace=there.namespace,
                name=there.name,
                reason=reason,
                resource_version=there.resource_version,
                annotations={a: None for a in names.BINDING_ANNOTATIONS if a in ours and a in there.annotations},
            )
        )
    return actions


def remembered(desired: DesiredServiceAccount, *, made: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys of annotations and labels that we set on it beside the role's ARN: what the status remembers."""
    annotations = [a for a in _OPTIONAL if a in desired.annotations]
    if not made:
        return tuple(annotations), ()
    return (*annotations, *sorted(desired.extra_annotations)), tuple(sorted(desired.extra_labels))
