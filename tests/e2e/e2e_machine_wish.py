"""One object of the state machine as it was asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from e2e_lab import Irsa, Object
from e2e_process import OPERATOR

Place = tuple[str, str]
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}


@dataclass(eq=False)
class Wish:
    """One IRSA as it was last asked for, and all that it ever asked for.

    role, accounts_policy and so on: see spec(). gone: its deletion was asked for. held_*: roles by lower-case name and
    ServiceAccounts that it may hold, since it asked for them once. forgotten: the status, or what vouches for it, was
    gone for a while, so that what had been set before on a role may count as somebody else's. let_go: it was without a
    finalizer although it had a role.
    """

    irsa: Irsa
    asked: dict[str, Any]
    gone: bool = False
    released: bool = False
    held_roles: set[str] = field(default_factory=set)
    held_accounts: set[Place] = field(default_factory=set)
    adopted_ever: bool = False
    unmanaged_ever: bool = False
    forgotten: bool = False
    let_go: bool = False

    @property
    def tenant(self) -> bool:
        """Whether a tenancy rule limits it."""
        return self.irsa.namespace != OPERATOR

    @property
    def role(self) -> str:
        """The role's name, in lower case."""
        return str(self.asked["role"]).lower()

    def spec(self) -> Object:
        """The object's spec: with Reference without all that would write the role."""
        asked = self.asked
        accounts = {
            "name": asked["accounts"][0],
            "additionalNames": asked["accounts"][1:],
            "namespaces": asked["namespaces"],
            "managementPolicy": asked["accounts_policy"],
        }
        if asked["expires"] and asked["accounts_policy"] != "None":
            accounts["token"] = {"expirationSeconds": asked["expires"]}
        role = {"name": asked["role"], "managementPolicy": asked["role_policy"]}
        spec = {"cleanup": asked["cleanup"], "suspend": asked["suspend"], "serviceAccount": accounts, "iamRole": role}
        if asked["role_policy"] == "Reference":
            return spec
        role["tags"] = asked["tags"]
        if asked["boundary"]:
            role["permissionsBoundary"] = asked["boundary"]
        return {**spec, "iamPolicies": asked["policies"], "inlinePolicies": dict.fromkeys(asked["inline"], READ)}


def merged(spec: Object) -> Object:
    """A merge patch that leaves nothing of another spec of the machine's."""
    absent = {"iamPolicies": None, "inlinePolicies": None}
    role = {"permissionsBoundary": None, "tags": None, **spec["iamRole"]}
    if role["tags"] is not None:
        role["tags"] = {"team": None, "tier": None, **role["tags"]}
    inline = spec.get("inlinePolicies")
    if inline is not None:
        spec = {**spec, "inlinePolicies": {"read": None, "more": None, **inline}}
    return {**absent, **spec, "iamRole": role, "serviceAccount": {"token": None, **spec["serviceAccount"]}}
