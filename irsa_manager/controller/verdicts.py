"""What was judged of each object, kept until something changes that the judgement rests on.

Who may write objects must not be able to keep the controller busy: each object is judged once for each change of what
it is, of the facts, of a namespace or of its role, however many others ask about it and for however many
ServiceAccounts.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, field
from msgspec.structs import replace

from irsa_manager.api.irsa import IRSA, IRSASpec, IRSAStatus
from irsa_manager.api.kube import Metadata
from irsa_manager.controller.roles import RoleStore
from irsa_manager.plan.facts import ClusterFacts, Situation
from irsa_manager.plan.mark import MarkKeys
from irsa_manager.plan.namespaces import Namespaces
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.ownership import verdict
from irsa_manager.plan.planner import incomplete, permitted


class _Judged(Struct):
    """Of one object. parts, stamp: what all of it rests on. permit: with the role as it was. mine: by role name."""

    parts: tuple[Metadata, IRSASpec | object, IRSAStatus]
    stamp: tuple[int, int]
    permit: tuple[ObservedRole | None, bool] | None = None
    mine: dict[str, tuple[ObservedRole, bool]] = field(default_factory=dict)


class Verdicts:
    """Judgements of all objects. judged: how often tenancy was asked, for tests of what others can cost us."""

    def __init__(self, roles: RoleStore, namespaces: Namespaces) -> None:
        self._roles = roles
        self._namespaces = namespaces
        self._kept: dict[str, _Judged] = {}
        self._facts: ClusterFacts | None = None
        self._keys: MarkKeys | None = None
        self._epoch = 0
        self.judged = 0

    def situation(self, facts: ClusterFacts, keys: MarkKeys) -> Situation:
        """What a judgement needs, and no more."""
        if facts is not self._facts or keys is not self._keys:
            # Each sweep finds the facts anew, and they are mostly the same.
            if facts != self._facts or keys != self._keys:
                self._epoch += 1
            self._facts, self._keys = facts, keys
        return Situation(facts=facts, keys=keys, namespaces=self._namespaces, roles=self._roles.roles)

    def forget(self, key: str) -> None:
        """The object is gone."""
        self._kept.pop(key, None)

    def permitted(self, irsa: IRSA, situation: Situation) -> bool:
        """Whether tenancy lets the object have what it asks for; an incomplete one gets nothing."""
        if irsa.spec is UNSET or incomplete(irsa.spec):
            return False
        role = self._roles.get(irsa.spec.iam_role.name)
        kept = self._of(irsa, situation)
        if kept.permit is None or kept.permit[0] is not role:
            self.judged += 1
            kept.permit = (role, permitted(irsa, situation))
        return kept.permit[1]

    def denied_anyhow(self, irsa: IRSA, situation: Situation) -> bool:
        """Whether tenancy denies what is asked for, whatever the role of that name is like.

        What a role is can only be one more reason to deny: its path, or that its owner hasn't consented.
        """
        if self.permitted(irsa, situation):
            return False
        self.judged += 1
        return not permitted(irsa, replace(situation, roles={}))

    def may_bind(self, irsa: IRSA, situation: Situation) -> bool:
        """Whether the object could bind a ServiceAccount now."""
        if irsa.spec is UNSET or incomplete(irsa.spec):
            return False
        wanted = irsa.spec.iam_role
        role = self._roles.get(wanted.name)
        usable = role is None or wanted.management_policy == "Reference" or self.mine(irsa, role, situation)
        return usable and self.permitted(irsa, situation)

    def mine(self, irsa: IRSA, role: ObservedRole, situation: Situation) -> bool:
        """Whether the role is the object's own, by its marks."""
        kept, name = self._of(irsa, situation), role.name.lower()
        known = kept.mine.get(name)
        if known is None or known[0] is not role:
            facts = situation.facts
            known = (role, verdict(irsa, role, facts.account, situation.keys, facts.operator_namespace).mine)
            kept.mine[name] = known
        return known[1]

    def _of(self, irsa: IRSA, situation: Situation) -> _Judged:
        self.situation(situation.facts, situation.keys)
        parts, stamp = (irsa.metadata, irsa.spec, irsa.status), (self._epoch, self._namespaces.version)
        kept = self._kept.get(irsa.key)
        # By identity: an object that changes is another one, and comparing would cost what judging does.
        if kept is None or kept.stamp != stamp or any(a is not b for a, b in zip(kept.parts, parts, strict=True)):
            kept = self._kept[irsa.key] = _Judged(parts, stamp)
        return kept
