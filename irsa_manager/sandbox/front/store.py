"""IAM's records as the handlers see them: the emulator's own stores, for the account of the request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from irsa_manager.sandbox.front import names, trust_document
from irsa_manager.sandbox.front.answers import Answer, Refused
from irsa_manager.sandbox.front.emulator import Emulator

Parameters = Mapping[str, str]
Operation = Callable[[Parameters], Answer]
Record = dict[str, Any]

_PROTECTED: Final = ("/aws-service-role/", "/aws-reserved/")


class Store:
    """Roles, policies, providers of the account that the running request is for."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.iam = emulator.iam

    @property
    def account(self) -> str:
        """The account of the request."""
        return str(self._emulator.responses.get_account_id())

    def roles(self) -> list[Record]:
        """All roles, sorted by name."""
        return sorted(self.iam._roles.values(), key=lambda role: str(role["RoleName"]))

    def role(self, parameters: Parameters) -> Record:
        """The role that the RoleName parameter names.

        Raises:
            Refused: an ill-formed name (ValidationError) or no such role (NoSuchEntity).

        """
        name = names.required(parameters, "RoleName", names.ROLE_NAME)
        role = self.iam._roles.get(name)
        if role is None:
            raise Refused("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
        return cast("Record", role)

    def role_to_change(self, parameters: Parameters) -> Record:
        """The same, for a write.

        Raises:
            Refused: also UnmodifiableEntity for roles that only AWS changes.

        """
        role = self.role(parameters)
        if role["Path"].startswith(_PROTECTED):
            raise Refused(
                "UnmodifiableEntity",
                f"Cannot perform the operation on the protected role '{role['RoleName']}' - "
                "this role is only modifiable by AWS",
            )
        return role

    def check_path(self, path: str) -> None:
        """Refuse a new role in a path that AWS keeps for its own.

        Raises:
            Refused: InvalidInput.

        """
        if path.startswith(_PROTECTED):
            raise Refused("InvalidInput", f"The path {path} is reserved for roles that AWS makes.")

    def attachable(self, parameters: Parameters) -> str:
        """The ARN of the policy that PolicyArn names.

        Raises:
            Refused: NoSuchEntity where there is no such policy, AWS's or the account's own.

        """
        arn = names.required(parameters, "PolicyArn", names.POLICY_ARN)
        if not arn.startswith("arn:"):
            raise Refused("ValidationError", f"ARN {arn} is not valid.")
        if self.iam._lookup_policy(arn) is None:
            raise Refused("NoSuchEntity", "Policy ARN does not exist or is not attachable.", 404)
        return arn

    def boundary(self, parameters: Parameters) -> str:
        """The ARN of the policy that PermissionsBoundary names.

        Raises:
            Refused: NoSuchEntity where there is no such policy.

        """
        arn = names.required(parameters, "PermissionsBoundary", names.BOUNDARY)
        if not arn.startswith("arn:"):
            raise Refused("ValidationError", "Invalid ARN:  Could not be parsed!")
        if self.iam._lookup_policy(arn) is None:
            raise Refused("NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.", 404)
        return arn

    def policy_name(self, arn: str) -> str:
        """A managed policy's name."""
        record = self.iam._lookup_policy(arn)
        return str(record["PolicyName"]) if record else arn.rpartition("/")[2]

    def principal_exists(self, arn: str) -> bool:
        """Whether an ARN in a Principal is a user, role or account root of an account that the sandbox has."""
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or parts[3] or parts[4] not in self._emulator.keyring.accounts():
            return False
        if parts[2] == "iam" and parts[5] == "root":
            return True
        kind, _, rest = parts[5].partition("/")
        if parts[2] == "sts" and kind == "assumed-role" and rest.count("/") == 1:
            return self._emulator.role(parts[4], rest.partition("/")[0]) is not None
        stores = {"role": self.iam._roles, "user": self.iam._users}
        if parts[2] != "iam" or kind not in stores:
            return False
        record = stores[kind].get_scoped(parts[4], None, rest.rpartition("/")[2])
        return record is not None and record["Arn"] == arn

    def bury(self, record: Record, unique_id: str) -> None:
        """Put a deleted principal's unique id where trust and bucket policies name its ARN, in every account.

        IAM keeps the id of the principal, so a principal made again under the ARN isn't trusted (IAM User Guide,
        "AWS JSON policy elements: Principal").
        """
        arn = str(record["Arn"])
        for role in self.iam._roles.to_dict().values():
            document = role["AssumeRolePolicyDocument"]
            if arn in document:
                role["AssumeRolePolicyDocument"] = trust_document.with_dead_principal(document, arn, unique_id)
        policies = self._emulator.s3._bucket_policies._data
        for key, document in policies.items():
            if arn in document:
                policies[key] = trust_document.with_dead_principal(document, arn, unique_id)
