"""Signed marks: the only evidence that a role is ours.

A mark is two HMAC-SHA-256 (RFC 2104) values, cut to 128 bits (RFC 2104 section 5 allows half), in letters and digits
because a Sid allows no others (IAM JSON policy elements: Sid):
  cluster  over account and role name           this cluster made the role: finds orphans
  owner    over account, role name, namespace/name of the IRSA    whose it is, made by it or adopted by it
Nobody without the key can make one; a mark copied to another role, account or object doesn't verify. A record is the
same for a status: it makes the role's unique id there evidence, though anybody may be able to write status.

Rules, each tested: no I/O, no clock; comparison in constant time; older keys verify, only the current one signs.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import Enum

from msgspec import Struct

_PREFIX = "im1"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_WIDTH = 22
"""Base-62 digits that hold 128 bits."""


class MarkKeys(Struct, frozen=True):
    """The current key (32 random bytes) and older ones that are still accepted. Never printed."""

    current: bytes
    older: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return "MarkKeys(...)"

    @property
    def all(self) -> tuple[bytes, ...]:
        """Every key that verifies, the current one first."""
        return (self.current, *self.older)


class Whose(Enum):
    """What a mark says about a role."""

    MINE = "this object's, which made it"
    ADOPTED = "this object's, which took it over"
    CLUSTER = "another object's of this cluster"
    UNMARKED = "no valid mark"

    @property
    def mine(self) -> bool:
        """Whether this object may write the role."""
        return self in {Whose.MINE, Whose.ADOPTED}


def _digest(key: bytes, *parts: str) -> str:
    message = b"\0".join(part.encode() for part in parts)
    number = int.from_bytes(hmac.digest(key, message, hashlib.sha256)[:16], "big")
    digits = []
    for _ in range(_WIDTH):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _cluster_half(key: bytes, account: str, role: str) -> str:
    # Role names are unique in an account ignoring case (IAM API, CreateRole).
    return _digest(key, "cluster", account, role.lower())


def _owner_half(key: bytes, account: str, role: str, owner: str, kind: Whose) -> str:
    # An adopted role must never be deleted, also where the status that says so is lost: the mark tells.
    return _digest(key, "owner" if kind is Whose.MINE else "adopter", account, role.lower(), owner)


def make(keys: MarkKeys, account: str, role: str, owner: str, kind: Whose = Whose.MINE) -> str:
    """The mark of a role. account: 12 digits; owner: namespace/name of the IRSA; kind: MINE or ADOPTED.

    Fit for a Sid and for a tag.
    """
    cluster = _cluster_half(keys.current, account, role)
    return _PREFIX + cluster + _owner_half(keys.current, account, role, owner, kind)


def looks_like_one(text: str) -> bool:
    """Whether it has a mark's form, made with whatever key."""
    return len(text) == len(_PREFIX) + 2 * _WIDTH and text.startswith(_PREFIX) and text.isascii() and text.isalnum()


def judge(keys: MarkKeys, account: str, role: str, owner: str, mark: str) -> Whose:
    """Whose the role is that bears this mark."""
    if not looks_like_one(mark):
        return Whose.UNMARKED
    cluster, of_owner = mark[len(_PREFIX) : -_WIDTH], mark[-_WIDTH:]
    verdict = Whose.UNMARKED
    for key in keys.all:
        if hmac.compare_digest(cluster, _cluster_half(key, account, role)):
            for kind in (Whose.MINE, Whose.ADOPTED):
                if hmac.compare_digest(of_owner, _owner_half(key, account, role, owner, kind)):
                    return kind
            verdict = Whose.CLUSTER
    return verdict


class RecordedRole(Struct, frozen=True):
    """What a record vouches for.

    role_id: the role's unique id, "" where it may not be read. uid: of the object. serial: of the signature. managed:
    the attributes that were set from the spec. extra: canonical text of what else the status must not lie about: an
    adoption, bindings kept at a takeover.
    """

    account: str
    role: str
    role_id: str
    owner: str
    managed: tuple[str, ...] = ()
    extra: str = ""
    uid: str = ""
    serial: int = 0

    def digest(self, key: bytes) -> str:
        """The record's signature with that key."""
        told = [str(len(self.managed)), *self.managed, self.extra, self.uid]
        if self.serial:
            told.append(str(self.serial))
        return _digest(key, "record", self.account, self.role.lower(), self.role_id, self.owner, *told)


def sign_record(keys: MarkKeys, recorded: RecordedRole) -> str:
    """The signature to put beside a role in a status."""
    return recorded.digest(keys.current)


def record_valid(keys: MarkKeys, mac: str, recorded: RecordedRole) -> bool:
    """Whether that signature is ours."""
    return bool(mac) and mac.isascii() and any(hmac.compare_digest(mac, recorded.digest(key)) for key in keys.all)


def sign_intent(keys: MarkKeys, account: str, role: str, owner: str, time: str) -> str:
    """Signature of the intent to create a role, with its time."""
    return _digest(keys.current, "intent", account, role.lower(), owner, time)


def intent_valid(keys: MarkKeys, mac: str, account: str, role: str, owner: str, time: str) -> bool:
    """Whether that intent is ours."""
    digests = (_digest(key, "intent", account, role.lower(), owner, time) for key in keys.all)
    return bool(mac) and mac.isascii() and any(hmac.compare_digest(mac, digest) for digest in digests)
