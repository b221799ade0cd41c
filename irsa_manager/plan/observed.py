"""What was seen, as data: a role of the account, a ServiceAccount of the cluster.

None means "not known" (not permitted, or not in the source), which is never the same as empty.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field


class ObservedRole(Struct, frozen=True):
    """An IAM role as IAM reports it.

    trust: the decoded trust policy. attached: ARNs of attached managed policies. inline: decoded inline policies by
    name. boundary: ARN, "" for none. instance_profiles: names. created: RFC 3339.
    Source: IAM API, RoleDetail (GetAccountAuthorizationDetails), which has neither description nor
    max_session_seconds, and Role (GetRole, ListRoles).
    """

    name: str
    arn: str
    id: str
    path: str = "/"
    created: str = ""
    trust: dict[str, Any] | None = None
    attached: tuple[str, ...] | None = None
    inline: dict[str, Any] | None = None
    boundary: str | None = None
    tags: dict[str, str] | None = None
    description: str | None = None
    max_session_seconds: int | None = None
    instance_profiles: tuple[str, ...] | None = None


class ObservedServiceAccount(Struct, frozen=True):
    """A ServiceAccount as the API server reports it. made: this manager created it (its label, or upstream's trace)."""

    namespace: str
    name: str
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    made: bool = False
    deleting: bool = False
