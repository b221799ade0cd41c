"""How many pods use a ServiceAccount, for who may list them; who may not is told so, and nothing else is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from irsa_manager.plan import actions as do

if TYPE_CHECKING:
    from irsa_manager.kube.client import Kube
    from irsa_manager.plan.decision import Decision

Account = tuple[str, str]
"""Namespace and name."""

AT_ONCE: Final = 16
"""Requests under way."""

NAMED: Final = 3
"""Namespaces that the note names."""


class PodCounts(Struct, frozen=True):
    """Living pods by ServiceAccount. unseen: the namespaces whose pods may not be listed."""

    of: Mapping[Account, int] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What to say of the unseen, once; "" where there are none."""
        if not self.unseen:
            return ""
        more = f" and {len(self.unseen) - NAMED} more" if len(self.unseen) > NAMED else ""
        named = ", ".join(self.unseen[:NAMED]) + more
        return f"note: which pods use the ServiceAccounts isn't known: you may not list pods in {named}"


def touched(decisions: Iterable[Decision]) -> set[Account]:
    """The ServiceAccounts that are changed or deleted, whose pods may feel it; those that are made have none yet."""
    return {
        (action.namespace, action.name)
        for decision in decisions
        for action in decision.plan.actions
        if isinstance(action, do.PatchServiceAccount | do.DeleteServiceAccount)
    }


async def count_pods(kube: Kube, accounts: Iterable[Account]) -> PodCounts:
    """Count the pods that aren't over. Raises KubernetesError for all but a missing right."""
    from irsa_manager.kube.errors import KubeForbidden
    from irsa_manager.kube.pods import living_pods

    found: dict[Account, int] = {}
    unseen: set[str] = set()
    turn = asyncio.Semaphore(AT_ONCE)

    async def count(account: Account) -> None:
        async with turn:
            if account[0] in unseen:
                return
            try:
                found[account] = len(await living_pods(kube, *account))
            except KubeForbidden:
                unseen.add(account[0])

    await asyncio.gather(*(count(account) for account in sorted(set(accounts))))
    return PodCounts(found, tuple(sorted(unseen)))
