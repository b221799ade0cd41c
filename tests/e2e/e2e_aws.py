"""The sandbox's AWS as an administrator sees it, and as a pod with a token does."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import httpx2
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from irsa_manager.sandbox.running import RunningSandbox

ONCE = Config(retries={"total_max_attempts": 1}, proxies={})
WRITES = (
    "CreateRole",
    "UpdateAssumeRolePolicy",
    "AttachRolePolicy",
    "DetachRolePolicy",
    "PutRolePolicy",
    "DeleteRolePolicy",
    "PutRolePermissionsBoundary",
    "DeleteRolePermissionsBoundary",
    "UpdateRole",
    "UpdateRoleDescription",
    "TagRole",
    "UntagRole",
    "DeleteRole",
)
Document = dict[str, Any]


class Account:
    """The account of one sandbox."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.sandbox = sandbox
        self.iam = self.client("iam", sandbox.access_key_id, sandbox.secret_access_key)
        self._levers = httpx2.Client(base_url=sandbox.aws_url, timeout=30, trust_env=False)

    def client(self, service: str, key_id: str = "", secret: str = "", token: str | None = None) -> Any:
        """A client with these keys, or one that doesn't sign."""
        config = ONCE if key_id else ONCE.merge(Config(signature_version=UNSIGNED))
        return botocore.session.Session().create_client(
            service,
            region_name=self.sandbox.region,
            endpoint_url=self.sandbox.aws_url,
            aws_access_key_id=key_id or None,
            aws_secret_access_key=secret or None,
            aws_session_token=token,
            config=config,
        )

    # Roles

    def role(self, name: str) -> Document | None:
        """GetRole, or None."""
        try:
            return self.iam.get_role(RoleName=name)["Role"]  # type: ignore[no-any-return]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchEntity":
                return None
            raise

    def trust(self, name: str) -> Document:
        """The role's trust policy."""
        role = self.role(name)
        assert role is not None, f"there is no role {name}"
        return role["AssumeRolePolicyDocument"]  # type: ignore[no-any-return]

    def subjects(self, name: str) -> set[str]:
        """NAMESPACE/NAME of every subject that the trust policy lists (StringEquals and StringLike)."""
        found: set[str] = set()
        for statement in self.trust(name)["Statement"]:
            for operator in ("StringEquals", "StringLike"):
                for key, value in statement.get("Condition", {}).get(operator, {}).items():
                    if key.endswith(":sub"):
                        found.update([value] if isinstance(value, str) else value)
        return {subject.removeprefix("system:serviceaccount:").replace(":", "/") for subject in found}

    def attached(self, name: str) -> set[str]:
        """Names of the managed policies attached to a role."""
        answer = self.iam.list_attached_role_policies(RoleName=name)
        return {policy["PolicyName"] for policy in answer["AttachedPolicies"]}

    def inline(self, name: str) -> dict[str, Document]:
        """Inline policies of a role."""
        names = self.iam.list_role_policies(RoleName=name)["PolicyNames"]
        return {n: self.iam.get_role_policy(RoleName=name, PolicyName=n)["PolicyDocument"] for n in names}

    def tags(self, name: str) -> dict[str, str]:
        """Tags of a role."""
        return {tag["Key"]: tag["Value"] for tag in self.iam.list_role_tags(RoleName=name)["Tags"]}

    def foreign_role(self, name: str) -> Document:
        """A role that somebody else made."""
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        role = self.role(name)
        assert role is not None
        return role

    def write_trust(self, name: str, document: Document) -> None:
        """Somebody writes the role's trust policy."""
        self.iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(document))

    def wipe(self, name: str) -> None:
        """Somebody deletes the role with all that is on it; what isn't there is as good as deleted."""
        if self.role(name) is None:
            return
        for policy in self.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            self.iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        for inline in self.iam.list_role_policies(RoleName=name)["PolicyNames"]:
            self.iam.delete_role_policy(RoleName=name, PolicyName=inline)
        self.iam.delete_role(RoleName=name)

    def policy(self, name: str, path: str = "/") -> str:
        """A policy of the account's own; its ARN."""
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
        }
        answer = self.iam.create_policy(PolicyName=name, Path=path, PolicyDocument=json.dumps(document))
        return answer["Policy"]["Arn"]  # type: ignore[no-any-return]

    def user(self, name: str, *statements: Document) -> dict[str, str]:
        """The environment of a new IAM user with these statements as his only policy."""
        self.iam.create_user(UserName=name)
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self.iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=json.dumps(document))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}

    def elsewhere(self, account: str) -> dict[str, str]:
        """The environment of another account's administrator."""
        keys = self._lever("PUT", "accounts", {"account": account})
        return {"AWS_ACCESS_KEY_ID": keys["access_key_id"], "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"]}

    # What a pod does

    def assume(self, role_arn: str, token: str) -> str:
        """AssumeRoleWithWebIdentity: "" if STS gives credentials, else its error: "CODE: text"."""
        try:
            answer = self.client("sts").assume_role_with_web_identity(
                RoleArn=role_arn, RoleSessionName="test", WebIdentityToken=token
            )
        except ClientError as error:
            return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
        assert answer["Credentials"]["SessionToken"]
        return ""

    # The sandbox's levers

    def calls(self) -> dict[str, int]:
        """Calls by operation since the last reset."""
        return self._lever("GET", "calls")["calls"]  # type: ignore[no-any-return]

    def writes(self) -> dict[str, int]:
        """Of these calls those that write to roles."""
        return {name: count for name, count in self.calls().items() if name in WRITES}

    def reset_calls(self) -> None:
        """Count from nothing."""
        self._lever("DELETE", "calls")

    def faults(self, **setting: Any) -> None:
        """Inject these faults; none ends them."""
        self._lever("PUT", "faults", setting)

    def quotas(self, **setting: int) -> None:
        """Have these quotas in force; what isn't named has its default."""
        self._lever("PUT", "quotas", setting)

    def _lever(self, method: str, name: str, body: Any = None) -> Any:
        answer = self._levers.request(method, f"/_sandbox/{name}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()
