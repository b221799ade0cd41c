"""The parts of Kubernetes' own objects that the API types need, slim."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field


class OwnedFields(Struct, rename="camel", gc=False):
    """One entry of metadata.managedFields: who wrote fields of the object."""

    manager: str = ""
    operation: str = ""
    subresource: str = ""


class Metadata(Struct, rename="camel", omit_defaults=True):
    """metav1.ObjectMeta, without what isn't read here."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | UnsetType = UNSET
    finalizers: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    managed_fields: list[OwnedFields] = field(default_factory=list)

    @property
    def deleting(self) -> bool:
        """Whether deletion was asked for."""
        return self.deletion_timestamp is not UNSET


class Condition(Struct, rename="camel", omit_defaults=True, frozen=True):
    """metav1.Condition. status is "True", "False" or "Unknown"; last_transition_time RFC 3339 in UTC."""

    type: str
    status: str
    reason: str
    message: str = ""
    observed_generation: int = 0
    last_transition_time: str = ""


class LabelSelectorRequirement(Struct, rename="camel", omit_defaults=True, frozen=True):
    """metav1.LabelSelectorRequirement."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class LabelSelector(Struct, rename="camel", omit_defaults=True, frozen=True):
    """metav1.LabelSelector: both parts must hold."""

    match_labels: dict[str, str] = field(default_factory=dict)
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()

    def matches(self, labels: dict[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        if any(labels.get(key) != value for key, value in self.match_labels.items()):
            return False
        for wanted in self.match_expressions:
            value = labels.get(wanted.key)
            ok = {
                "In": value is not None and value in wanted.values,
                "NotIn": value is None or value not in wanted.values,
                "Exists": value is not None,
                "DoesNotExist": value is None,
            }.get(wanted.operator, False)
            if not ok:
                return False
        return True
