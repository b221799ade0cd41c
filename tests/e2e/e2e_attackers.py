"""Who attacks: a namespace's owner with his own token, and an AWS user who may only tag; and what must not change."""

from __future__ import annotations

from typing import Any

from e2e_lab import Lab, Object, unique
from e2e_rbac import client, wait_granted

RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"
EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}


def owner_of(lab: Lab, namespace: str) -> Lab:
    """The lab as the namespace's owner has it: */* there, irsas/status included, and nothing anywhere else."""
    lab.make_account(namespace, "owner")
    lab.create(f"{RBAC}/{namespace}/roles", {"metadata": {"name": "owner"}, "rules": [EVERYTHING]})
    binding = {
        "metadata": {"name": "owner"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "owner"},
        "subjects": [{"kind": "ServiceAccount", "name": "owner", "namespace": namespace}],
    }
    lab.create(f"{RBAC}/{namespace}/rolebindings", binding)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/owner/token"
    token = lab.create(path, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    sandbox = lab.aws.sandbox
    api = client(sandbox.api_server, sandbox.ca_file, token)
    wait_granted(api, [EVERYTHING], namespace)
    own = Lab(api, lab.aws, lambda: lab.controller)
    # What he makes is cleared away with everything else.
    own.irsas, own.made = lab.irsas, lab.made
    return own


def tagger(lab: Lab) -> Any:
    """An IAM client that may set and take away tags of roles, and nothing else."""
    allowed = {"Effect": "Allow", "Action": ["iam:TagRole", "iam:UntagRole"], "Resource": "*"}
    keys = lab.aws.user(unique("tagger"), allowed)
    return lab.aws.client("iam", keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])


class Belongings:
    """Roles and ServiceAccounts (NAMESPACE/NAME) of others, as they were when this was made."""

    def __init__(self, lab: Lab, roles: list[str], accounts: list[str]) -> None:
        self._lab = lab
        self._names = (roles, accounts)
        self._before = self._look()

    def untouched(self) -> None:
        """See that all of it is as it was."""
        assert self._look() == self._before

    def _look(self) -> Object:
        aws = self._lab.aws
        roles, accounts = self._names
        found: Object = {}
        for name in roles:
            role = aws.role(name) or {}
            parts = [role.get(k) for k in ("RoleId", "AssumeRolePolicyDocument", "PermissionsBoundary", "Description")]
            found[name] = [*parts, aws.attached(name), aws.inline(name), aws.tags(name)]
        for key in accounts:
            account = self._lab.account(*key.split("/")) or {}
            found[key] = {k: v for k, v in account.get("metadata", {}).items() if k != "managedFields"}
        return found
