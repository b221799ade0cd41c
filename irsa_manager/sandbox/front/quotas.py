"""IAM's quotas, as they can be raised for an account; PUT /_sandbox/quotas sets them.

Source: IAM User Guide, "IAM and AWS STS quotas". An error's text carries the quota in force.
"""

from __future__ import annotations

from typing import Any, Final

from irsa_manager.sandbox.front.admin import Wrong, only_keys
from irsa_manager.sandbox.front.answers import Refused

_LIMITS: Final = {
    "ACLSizePerRole": (2048, 8192),
    "PoliciesPerRole": (10, 25),
    "RolesPerAccount": (1000, 10000),
    "OpenIdConnectProvidersPerAccount": (100, 700),
}
"""By the name in the error's text: the default, and the most that Service Quotas is known to grant."""

FIXED: Final = {
    "RolePolicySizeQuota": 10240,
    "PolicySizeQuota": 6144,
    "VersionsPerPolicyQuota": 5,
    "ClientIdsPerOpenIdConnectProvider": 100,
    "ThumbprintsPerOpenIdConnectProvider": 5,
}


class Quotas:
    """The quotas in force; one set for all accounts."""

    def __init__(self) -> None:
        self._values = {name: default for name, (default, _) in _LIMITS.items()}

    def __getitem__(self, name: str) -> int:
        return self._values[name]

    def put(self, body: object) -> dict[str, Any]:
        """Set quotas; what isn't named goes back to its default.

        Raises:
            Wrong: an unknown name, or a number that isn't between 1 and what AWS grants.

        """
        given = only_keys(body, _LIMITS)
        for name, value in given.items():
            most = _LIMITS[name][1]
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise Wrong(f"{name} must be an integer from 1 to {most}")
        self._values = {name: given.get(name, default) for name, (default, _) in _LIMITS.items()}
        return self.get(None)

    def get(self, body: object) -> dict[str, Any]:
        """All settable quotas."""
        return dict(self._values)

    def check(self, name: str, wanted: int) -> None:
        """Refuse what exceeds a quota.

        Raises:
            Refused: LimitExceeded with the quota in its text.

        """
        if wanted > self._values[name]:
            raise exceeded(name, self._values[name])


def exceeded(name: str, quota: int) -> Refused:
    """IAM's LimitExceeded."""
    return Refused("LimitExceeded", f"Cannot exceed quota for {name}: {quota}", 409)
