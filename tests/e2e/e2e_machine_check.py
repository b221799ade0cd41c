"""What must be true of a World once AWS works, the controller runs and nobody does anything any more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError
from e2e_aws import Document
from e2e_lab import ROLE_ARN, Object
from e2e_machine_wish import READ, Place, Wish
from e2e_machine_world import World, account_portrait
from e2e_process import DEADLINE_SECONDS

from irsa_manager.api import names

OWN = {"Create", "Adopt"}
QUIET_TRIES = 5


class Settled:
    """One look at a world: read once, then judged."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.there = world.there()
        self.accounts = world.accounts_there()
        self.roles = world.roles_there()
        self.objects = {w: w.irsa.get() for w in world.wishes if not w.gone}
        self.strange = {n: s for n, s in world.strangers.items() if self.roles.get(n) == s.id}

    # What an object may say

    def ready(self, wish: Wish) -> Document:
        return self._condition(wish, "Ready")

    def _condition(self, wish: Wish, kind: str) -> Document:
        body = self.objects[wish]
        assert body is not None, f"{wish.irsa.key} is gone"
        found = [c for c in (body.get("status") or {}).get("conditions", []) if c["type"] == kind]
        assert found, f"{wish.irsa.key} has no condition {kind}"
        assert found[0]["observedGeneration"] == body["metadata"]["generation"] or kind != "Ready", wish.irsa.key
        return found[0]  # type: ignore[no-any-return]

    def allowed(self, wish: Wish) -> set[str]:
        """The reasons that Ready may have."""
        world, name, policy = self.world, wish.role, wish.asked["role_policy"]
        if wish.tenant and not world.targets(wish) & self._named_or_there(wish) <= set(world.namespaces[:2]):
            return {"TenancyDenied"}
        role = self.roles.get(name)
        accounts = self._account_reasons(wish)
        denied = {"TenancyDenied"} if wish.tenant and policy == "Adopt" and role is not None else set()
        if policy == "Reference":
            return {"RoleNotFound"} if role is None else {"IRSAReady", "TrustRefuses"} | accounts
        unclear = name in world.spared_roles or role in world.unowned or role in world.tainted
        if name in self.strange and not unclear and not self._adopters(name):
            return {"RoleExists"} if policy == "Create" else denied
        reasons = {"IRSAReady"} | accounts | denied
        if unclear or self._rivals(wish):
            reasons |= {"Conflict"}
        if unclear or (name in self.strange and policy == "Create"):
            reasons |= {"RoleExists"}
        return reasons

    def _named_or_there(self, wish: Wish) -> set[str]:
        globs = any("?" in name for name in wish.asked["namespaces"])
        return self.there if globs else set(self.world.namespaces)

    def _account_reasons(self, wish: Wish) -> set[str]:
        asked, reasons = wish.asked, set()
        wanted = self.world.reach(wish)
        others = [w for w in self.objects if w is not wish]
        if any(wanted & other.held_accounts for other in others):
            reasons |= {"Conflict"}
        if asked["accounts_policy"] == "Annotate" and wanted - self.accounts.keys():
            reasons |= {"ServiceAccountMissing"}
        if self.world.targets(wish) & set(asked["namespaces"]) - self.there:
            reasons |= {"NamespaceNotFound"}
        return reasons

    def _rivals(self, wish: Wish) -> list[Wish]:
        return [w for w in self.objects if w is not wish and wish.role in w.held_roles]

    def _adopters(self, name: str) -> list[Wish]:
        return [w for w in self.objects if w.adopted_ever and not w.released and name in w.held_roles]

    # What must be so

    def check(self) -> None:
        """Everything, cheapest first. Raises AssertionError."""
        try:
            self._check()
        except ClientError as error:
            raise AssertionError(f"a role went while it was looked at: {error}") from error

    def _check(self) -> None:
        for wish in self.world.wishes:
            assert wish in self.objects or wish.irsa.get() is None, f"{wish.irsa.key} is still there"
        for wish in self.objects:
            if wish.released:
                body = self.objects[wish]
                assert body is not None and not body["metadata"].get("finalizers"), f"{wish.irsa.key} is held"
                continue
            reason, allowed = self.ready(wish)["reason"], self.allowed(wish)
            assert reason in allowed, f"{wish.irsa.key} says {reason}, not one of {sorted(allowed)}"
        self._one_holder_each()
        for wish in self.objects:
            if not wish.released and wish.asked["role_policy"] in OWN and self._role_ready(wish):
                self._role_right(wish)
            if not wish.released and self.ready(wish)["reason"] == "IRSAReady":
                self._accounts_right(wish)
        self._no_role_left()
        self._strangers_untouched()
        self._accounts_left()

    def _role_ready(self, wish: Wish) -> bool:
        if self.ready(wish)["reason"] not in {"IRSAReady", "Conflict", "ServiceAccountMissing", "NamespaceNotFound"}:
            return False
        return bool(self._condition(wish, "RoleReady")["status"] == "True")

    def _waits_for_all(self, wish: Wish) -> bool:
        """Whether others hold all of its ServiceAccounts: then it makes no role."""
        if self.ready(wish)["reason"] != "Conflict" or wish.asked["accounts_policy"] == "None":
            return False
        found = [self.accounts.get(place, {}).get("metadata", {}) for place in self.world.reach(wish)]
        roles = [account.get("annotations", {}).get(ROLE_ARN, "") for account in found]
        return bool(roles) and all(role and not role.endswith(f"/{wish.role}") for role in roles)

    def _one_holder_each(self) -> None:
        """Of several that want one role exactly one has it, unless it can't be said whose it is."""
        world = self.world
        for name in {w.role for w in self.objects}:
            wanting = [w for w in self.objects if w.role == name and w.asked["role_policy"] in OWN and not w.released]
            judged = [w for w in wanting if self.ready(w)["reason"] != "TenancyDenied"]
            former = [w for w in self.objects if name in w.held_roles and w not in judged]
            role = self.roles.get(name)
            unclear = name in world.spared_roles or role in world.unowned or role in world.tainted
            if unclear or former or not judged or name in self.strange:
                continue
            judged = [w for w in judged if name in self.roles or not self._waits_for_all(w)]
            if not judged:
                continue
            holders = [w.irsa.key for w in judged if self._role_ready(w)]
            assert len(holders) == 1, f"role {name} is held by {holders} of {[w.irsa.key for w in judged]}"

    def _role_right(self, wish: Wish) -> None:
        aws, asked, name = self.world.lab.aws, wish.asked, wish.asked["role"]
        role = aws.role(name)
        assert role is not None, f"role {name} isn't there"
        status = (self.objects[wish] or {})["status"]
        assert role["RoleId"] == status["role"]["id"], wish.irsa.key
        wanted = {f"{namespace}/{account}" for namespace, account in self.world.reach(wish) if namespace in self.there}
        assert aws.subjects(name) == wanted, f"{name} trusts {aws.subjects(name)}, not {wanted}"
        assert aws.attached(name) == set(asked["policies"]), f"{name} has {aws.attached(name)}"
        inline, tags = aws.inline(name), aws.tags(name)
        foreign = {"theirs"} if name.lower() in self.strange else set()
        ours = set(asked["inline"]) if wish.forgotten else inline.keys() - foreign
        found = {k: v for k, v in inline.items() if k in ours}
        assert found == dict.fromkeys(asked["inline"], READ), f"{name} has inline policies {sorted(inline)}"
        keys = set(asked["tags"]) if wish.forgotten else {"team", "tier"}
        assert {k: v for k, v in tags.items() if k in keys} == asked["tags"], f"{name} has tags {tags}"
        assert tags.get(names.TAG_MARK) in {s.get("Sid") for s in aws.trust(name)["Statement"]}, name
        boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "").rpartition("/")[2]
        silent = not asked["boundary"] and (wish.forgotten or role["RoleId"] in self.world.bounded)
        assert silent or boundary == asked["boundary"], f"{name} has boundary {boundary!r}"

    def _accounts_right(self, wish: Wish) -> None:
        if wish.asked["accounts_policy"] == "None":
            return
        arn = (self.objects[wish] or {})["status"]["role"]["arn"]
        for place in self.world.reach(wish):
            assert place in self.accounts, f"{place} isn't there"
            found = self.accounts[place]["metadata"].get("annotations", {}).get(ROLE_ARN)
            assert found == arn, f"{place} is bound to {found}, not {arn}"

    def _no_role_left(self) -> None:
        world = self.world
        kept = {w.role for w in self.objects} | world.spared_roles
        # One that can't go on keeps what it had; one that was released likewise.
        kept |= {r for w in self.objects if w.released or not self._well(w) for r in w.held_roles}
        left = {
            n for n, id in self.roles.items() if n not in kept and n not in self.strange and id not in world.unowned
        }
        assert not left, f"roles were left behind: {sorted(left)}"

    def _well(self, wish: Wish) -> bool:
        return self.ready(wish)["reason"] in {"IRSAReady", "TrustRefuses"}

    def _strangers_untouched(self) -> None:
        world = self.world
        for name, stranger in world.strangers.items():
            assert self.roles.get(name) == stranger.id, f"somebody's role {name} is gone"
            if stranger.id in world.tainted or any(w.role == name or not self._well(w) for w in self._adopters(name)):
                continue
            now = world.portrait(name)
            assert now == stranger.portrait, f"somebody's role {name} was {stranger.portrait}, is {now}"

    def _accounts_left(self) -> None:
        world = self.world
        wanted = set[Place]()
        for wish in self.objects:
            keeps = wish.released or not self._well(wish) or wish.asked["accounts_policy"] == "None"
            wanted |= wish.held_accounts if keeps else world.reach(wish)
        spared = world.spared_accounts | world.spared_found
        for place, stranger in world.strange_accounts.items():
            assert place in self.accounts, f"somebody's ServiceAccount {place} is gone"
            account = self.accounts[place]
            assert account["metadata"]["uid"] == stranger.id, f"somebody's ServiceAccount {place} is another one"
            now = account_portrait(account)
            assert now == stranger.portrait, f"somebody's ServiceAccount {place} was {stranger.portrait}, is {now}"
            if place not in wanted | spared:
                assert ROLE_ARN not in account["metadata"].get("annotations", {}), f"{place} is still bound"
        left = self.accounts.keys() - wanted - world.spared_accounts - world.strange_accounts.keys()
        assert not left, f"ServiceAccounts were left behind: {sorted(left)}"


def versions(world: World) -> dict[Any, Any]:
    """What changes whenever a ServiceAccount, a role's record or an object's bindings are written."""
    accounts = {place: item["metadata"]["resourceVersion"] for place, item in world.accounts_there().items()}
    statuses = {w.irsa.key: _lasting(w.irsa.get()) for w in world.living}
    return {**accounts, **statuses}


def _lasting(body: Object | None) -> Object:
    status = (body or {}).get("status") or {}
    return {key: value for key, value in status.items() if key not in {"conditions"}}


def settle(world: World) -> None:
    """End the faults and suspensions, start the controller anew, and wait until everything is right and stays so."""
    world.set_weather({})
    for wish in world.wishes:
        if wish.asked["suspend"]:
            wish.asked["suspend"] = False
            if wish.irsa.get() is not None:
                wish.irsa.patch({"suspend": False})
    lab = world.lab
    gone = lambda: all(_phase(world, n) != "Terminating" for n in world.namespaces)  # noqa: E731
    lab.eventually(gone, "terminating namespaces are gone")
    # One that has written nothing itself believes what it reads.
    lab.controller.stop()
    world.start()
    lab.wait_sweeps(1)
    lab.eventually(lambda: Settled(world).check() is None, "everything is right", 2 * DEADLINE_SECONDS)
    for _ in range(QUIET_TRIES):
        before = versions(world)
        lab.aws.reset_calls()
        lab.wait_sweeps(2)
        writes, changed = lab.aws.writes(), _changed(before, versions(world))
        if not writes and not changed:
            break
    else:
        raise AssertionError(f"the controller finds something to do again and again: {writes} {changed}")
    Settled(world).check()
    assert lab.controller.said("Traceback") == []
    _tokens(world)
    world.marked_again()


def _changed(before: dict[Any, Any], after: dict[Any, Any]) -> dict[Any, Any]:
    return {k: (before.get(k), after.get(k)) for k in before.keys() | after.keys() if before.get(k) != after.get(k)}


def _phase(world: World, name: str) -> str:
    return str((world.lab.get(f"/api/v1/namespaces/{name}") or {"status": {"phase": ""}})["status"]["phase"])


def _tokens(world: World) -> None:
    """Those that are bound get credentials; tokens of those that were bound and left get none any more."""
    lab, here = world.lab, Settled(world)
    bound, meant = dict[tuple[str, str, str], bool](), set[tuple[str, str, str]]()
    for wish in here.objects:
        if wish.released or wish.asked["role_policy"] not in OWN or not here._role_ready(wish):
            continue
        arn = (here.objects[wish] or {})["status"]["role"]["arn"]
        bound.update(dict.fromkeys([(arn, *place) for place in world.reach(wish) & here.accounts.keys()], True))
        # One that somebody deleted, and that nobody makes again, hasn't left.
        meant |= {(arn, *place) for place in world.reach(wish)}
    for key in _some(bound):
        world.tokens[key] = lab.token(key[1], key[2])
        assert lab.aws.assume(key[0], world.tokens[key]) == "", key
    for key in list(world.tokens.keys() - meant):
        name = key[0].rpartition("/")[2].lower()
        if name in world.spared_roles or any(
            name in w.held_roles for w in here.objects if w.released or not here._well(w)
        ):
            continue
        refused = lab.aws.assume(key[0], world.tokens.pop(key))
        assert refused.startswith("AccessDenied"), f"{key} is let in though it left: {refused or 'credentials'}"


def _some(keys: Iterable[Any]) -> list[Any]:
    return sorted(keys)[:3]


def finish(world: World) -> None:
    """Everything is deleted: nothing of ours is left, and what was there before is as it was."""
    lab = world.lab
    for wish in world.living:
        if wish.released:
            world.release(wish, False)
        if not wish.asked["cleanup"]:
            world.ask(wish, cleanup=True)
    settle(world)
    for wish in world.living:
        world.delete(wish)
    lab.eventually(lambda: Settled(world).check() is None, "nothing is left", 2 * DEADLINE_SECONDS)
    for name in world.roles_there():
        world.role_goes(name)
    for name in world.namespaces:
        lab.delete(f"/api/v1/namespaces/{name}")
    lab.irsas.clear()
    lab.made = [path for path in lab.made if path.rpartition("/")[2] not in world.namespaces]
