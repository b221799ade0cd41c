"""Roles that bear this cluster's mark and that are no object's: reported, never removed unasked.

They are left by finalizers that were cut off by force, and by objects deleted with cleanup: false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from irsa_manager.plan.mark import MarkKeys, Whose, judge
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import marks


def orphans(
    roles: Iterable[ObservedRole], keys: MarkKeys, account: str, owned: Callable[[ObservedRole], bool]
) -> list[ObservedRole]:
    """Those of the account's roles. owned: whether the role is some object's own: to name it makes it nobody's."""
    return [
        role
        for role in roles
        if any(judge(keys, account, role.name, "", text) is not Whose.UNMARKED for text in marks(role))
        and not owned(role)
    ]
