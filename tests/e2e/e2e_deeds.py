"""What may be asked of an object: that it be made, changed, renamed, given away; and the specs that say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from e2e_lab import Object

GONE, RELEASED = "gone", "released"


def allowing(action: str) -> Object:
    """An inline policy."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


READ, WRITE, SEND = (allowing(action) for action in ("s3:GetObject", "s3:PutObject", "sqs:SendMessage"))


@dataclass(frozen=True)
class Names:
    """What one subject may use. here, there: namespaces that all subjects share. boundary: name of a policy."""

    role: str
    account: str
    here: str
    there: str
    boundary: str


def one(names_: Names, **role: Any) -> Object:
    """Two policies, an inline one, a tag, a ServiceAccount in each namespace."""
    return {
        "cleanup": True,
        "serviceAccount": {"name": names_.account, "namespaces": [names_.here, names_.there]},
        "iamRole": {"name": names_.role, "tags": {"team": "a"}, **role},
        "iamPolicies": ["AmazonS3ReadOnlyAccess", "AmazonSQSFullAccess"],
        "inlinePolicies": {"own": READ},
    }


def here(names_: Names, **role: Any) -> Object:
    """The same for one namespace only."""
    spec = one(names_, **role)
    spec["serviceAccount"]["namespaces"] = [names_.here]
    return spec


def other(names_: Names, **role: Any) -> Object:
    """Everything else than `here`: the trust grows and shrinks, policies are swapped, what wasn't managed is."""
    spec = one(names_, tags={"team": "b", "cost": "1"}, description="changed", maxSessionDurationSeconds=7200, **role)
    spec["serviceAccount"]["namespaces"] = [names_.there]
    spec["iamRole"]["permissionsBoundary"] = f"customer/{names_.boundary}"
    spec["iamPolicies"] = ["AmazonS3ReadOnlyAccess", "CloudWatchReadOnlyAccess"]
    spec["inlinePolicies"] = {"own": WRITE, "more": SEND}
    return spec


def renamed(names_: Names, **role: Any) -> Object:
    """The same as `here` with another role."""
    return here(names_, **{"name": f"{names_.role}-new", **role})


def moved(names_: Names, **role: Any) -> Object:
    """The same as `here` with another ServiceAccount."""
    spec = here(names_, **role)
    spec["serviceAccount"]["name"] = f"{names_.account}-new"
    return spec


def adopting(names_: Names) -> Object:
    """Take a foreign role over, and manage all of it."""
    return other(names_, managementPolicy="Adopt")


def bare(make: Callable[[Names], Object]) -> Callable[[Names], Object]:
    """The same for a manager that has only the rights of the old table."""

    def stripped(names_: Names) -> Object:
        spec = make(names_)
        del spec["inlinePolicies"]
        spec["iamRole"] = {"name": spec["iamRole"]["name"]}
        return spec

    return stripped


@dataclass(frozen=True)
class Deed:
    """writes, calls: at least as many writes as it takes, and of all its calls as many as are walked. first: the spec
    before it, None: there is no object yet.

    then: the spec that it sets; None for a deletion or a release. end: what comes of it: "ready", "released" or "gone".
    later: what is asked for then, while nobody is at work and something else may be half done: another spec, or GONE or
    RELEASED. upstream: all that it sets is there before, as the Go program has made it, and is to be taken over.
    """

    name: str
    writes: int
    calls: int
    first: Callable[[Names], Object] | None
    then: Callable[[Names], Object] | None
    end: str = "ready"
    adopted: bool = False
    later: Callable[[Names], Object] | str | None = None
    upstream: bool = False

    @property
    def comes_to(self) -> str:
        """What comes of it in the end."""
        if self.later is None:
            return self.end
        return self.later if isinstance(self.later, str) else "ready"


DEEDS = (
    Deed("create", 11, 13, None, one),
    Deed("update", 14, 16, here, other),
    Deed("rename", 15, 17, here, renamed),
    Deed("adopt", 16, 32, None, adopting, adopted=True),
    Deed("move", 7, 7, here, moved),
    Deed("leave", 22, 34, adopting, renamed, adopted=True),
    Deed("release", 14, 23, adopting, None, RELEASED, adopted=True),
    Deed("letgo", 3, 3, one, None, RELEASED),
    Deed("takeover", 7, 7, None, bare(one), upstream=True),
    Deed("return", 14, 16, adopting, None, GONE, adopted=True),
    Deed("delete", 9, 11, one, None, GONE),
    Deed("abandon", 11, 13, None, one, later=GONE),
    Deed("reconsider", 10, 13, None, here, later=renamed),
    Deed("unset", 13, 16, here, other, later=here),
    Deed("relinquish", 16, 32, None, adopting, adopted=True, later=GONE),
    Deed("drop", 16, 32, None, adopting, adopted=True, later=RELEASED),
)
BARE = (
    Deed("create", 13, 13, None, bare(one)),
    Deed("update", 14, 14, bare(here), bare(other)),
    Deed("rename", 18, 18, bare(here), bare(renamed)),
    Deed("delete", 11, 11, bare(one), None, GONE),
    Deed("abandon", 13, 13, None, bare(one), later=GONE),
)
