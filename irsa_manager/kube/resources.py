"""The kinds of objects that are read and written, and the slim types they are decoded into.

Only what is read is declared: an undeclared field costs neither time nor memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from msgspec import Struct, field

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSA
from irsa_manager.api.irsasetup import IRSASetup
from irsa_manager.api.kube import Condition, Metadata


class KubeObject(Protocol):
    """What every decoded object has."""

    metadata: Metadata


T = TypeVar("T", bound=KubeObject)


def key_of(metadata: Metadata) -> str:
    """namespace/name, or the name alone where there is no namespace."""
    return f"{metadata.namespace}/{metadata.name}" if metadata.namespace else metadata.name


def split_key(key: str) -> tuple[str, str]:
    """The namespace ("" where there is none) and the name of a key."""
    namespace, slash, name = key.rpartition("/")
    return (namespace, name) if slash else ("", key)


class ServiceAccount(Struct, rename="camel", omit_defaults=True, gc=False):
    """v1 ServiceAccount: its metadata is all that binds it to a role."""

    metadata: Metadata


class NamespaceStatus(Struct, omit_defaults=True, gc=False):
    """phase: Active or Terminating."""

    phase: str = "Active"


class Namespace(Struct, omit_defaults=True, gc=False):
    """v1 Namespace."""

    metadata: Metadata
    status: NamespaceStatus = field(default_factory=NamespaceStatus)

    @property
    def terminating(self) -> bool:
        """Whether nothing new can be created in it."""
        return self.status.phase == "Terminating" or self.metadata.deleting


class PodSpec(Struct, rename="camel", omit_defaults=True, gc=False):
    """service_account_name: never empty, admission fills it in."""

    service_account_name: str = "default"


class PodStatus(Struct, omit_defaults=True, gc=False):
    """phase: Pending, Running, Succeeded, Failed or Unknown."""

    phase: str = "Pending"


class Pod(Struct, omit_defaults=True, gc=False):
    """v1 Pod: who it is, and whether it is over."""

    metadata: Metadata
    spec: PodSpec = field(default_factory=PodSpec)
    status: PodStatus = field(default_factory=PodStatus)


class Secret(Struct, omit_defaults=True):
    """v1 Secret. data: base64 text, as the API gives it."""

    metadata: Metadata
    data: dict[str, str] = field(default_factory=dict)
    type: str = "Opaque"

    def __repr__(self) -> str:
        return f"Secret({key_of(self.metadata)!r}, keys={sorted(self.data)})"


class ObjectReference(Struct, rename="camel", omit_defaults=True, frozen=True):
    """v1 ObjectReference: what an event is about."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""


class Event(Struct, rename="camel", omit_defaults=True):
    """v1 Event."""

    metadata: Metadata
    involved_object: ObjectReference = ObjectReference()
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int = 1


class LeaseSpec(Struct, rename="camel", omit_defaults=True, frozen=True):
    """coordination.k8s.io/v1 LeaseSpec. Times are RFC 3339 with microseconds, in UTC."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(Struct, omit_defaults=True):
    """coordination.k8s.io/v1 Lease."""

    metadata: Metadata
    spec: LeaseSpec = LeaseSpec()


class CRDStatus(Struct, rename="camel", omit_defaults=True):
    """conditions: Established is True once the kind is served."""

    conditions: list[Condition] | None = None


class CustomResourceDefinition(Struct, omit_defaults=True):
    """apiextensions.k8s.io/v1 CustomResourceDefinition."""

    metadata: Metadata
    status: CRDStatus = field(default_factory=CRDStatus)

    @property
    def established(self) -> bool:
        """Whether objects of the kind can be read and written."""
        return any(c.type == "Established" and c.status == "True" for c in self.status.conditions or ())


@dataclass(frozen=True)
class Resource(Generic[T]):
    """One kind of object: where the API server has it, and the Struct it is decoded into. group: "" for core."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    type: type[T]

    @property
    def api_version(self) -> str:
        """As written in manifests: v1, or group/version."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """URL path of the collection, of one object, or of its subresource.

        https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris
        """
        parts = [f"/apis/{self.group}" if self.group else "/api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/".join(parts)


IRSAS: Final = Resource(names.GROUP, names.VERSION, "irsas", "IRSA", True, IRSA)
IRSASETUPS: Final = Resource(names.GROUP, names.VERSION, "irsasetups", "IRSASetup", True, IRSASetup)
SERVICE_ACCOUNTS: Final = Resource("", "v1", "serviceaccounts", "ServiceAccount", True, ServiceAccount)
NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", False, Namespace)
PODS: Final = Resource("", "v1", "pods", "Pod", True, Pod)
SECRETS: Final = Resource("", "v1", "secrets", "Secret", True, Secret)
EVENTS: Final = Resource("", "v1", "events", "Event", True, Event)
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease", True, Lease)
CRDS: Final = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    False,
    CustomResourceDefinition,
)
