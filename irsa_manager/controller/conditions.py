"""One condition of an object's status. Pure."""

from __future__ import annotations

from irsa_manager.api.irsa import IRSA
from irsa_manager.api.irsasetup import IRSASetup
from irsa_manager.api.kube import Condition


def condition(held: IRSA | IRSASetup, kind: str, status: str, reason: str, message: str, now: str) -> Condition:
    """The condition `kind` that `held` gets; its time moves only with its status (metav1.Condition).

    now: the time as Kubernetes writes it.
    """
    before = held.status.condition(kind)
    since = before.last_transition_time if before is not None and before.status == status else now
    return Condition(kind, status, reason, message, held.metadata.generation, since or now)
