"""IAM: our handlers where IAM is stricter than the emulator, the emulator's own for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from irsa_manager.sandbox.front import request as requests
from irsa_manager.sandbox.front.account import Account
from irsa_manager.sandbox.front.answers import Answer, Refused, failure
from irsa_manager.sandbox.front.authorization import Authorization
from irsa_manager.sandbox.front.consistency import Consistency
from irsa_manager.sandbox.front.emulator import Emulator
from irsa_manager.sandbox.front.providers import Providers
from irsa_manager.sandbox.front.quotas import Quotas
from irsa_manager.sandbox.front.role_policies import RolePolicies
from irsa_manager.sandbox.front.roles import Roles
from irsa_manager.sandbox.front.simulation import Simulation
from irsa_manager.sandbox.front.store import Operation, Store
from irsa_manager.sandbox.front.users_and_policies import UsersAndPolicies


class IamService:
    """Answers IAM's requests after the emulator authenticated and authorised them."""

    def __init__(
        self, emulator: Emulator, store: Store, quotas: Quotas, authorization: Authorization, consistency: Consistency
    ) -> None:
        self._emulated = emulator.iam._IAM_HANDLERS
        self._consistency = consistency
        self._operations: Mapping[str, Operation] = {
            **Roles(store, quotas, authorization).operations(),
            **RolePolicies(store, quotas).operations(),
            **Providers(store, quotas, authorization).operations(),
            **Account(store, quotas).operations(),
            **UsersAndPolicies(store, authorization).operations(),
            **Simulation(emulator, store).operations(),
        }

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Answer:
        """The emulator's interface of a service."""
        try:
            parameters = requests.parameters(method, headers.get("content-type", ""), body, query)
            operation = parameters.get("Action", "")
            with self._consistency.around(operation, parameters):
                if operation in self._operations:
                    return self._operations[operation](parameters)
                return self._emulate(operation, parameters)
        except Refused as refused:
            return failure(refused)

    def _emulate(self, operation: str, parameters: Mapping[str, str]) -> Answer:
        handler = self._emulated.get(operation)
        if handler is None:
            raise Refused("InvalidAction", f"The action {operation} is not valid for this endpoint.")
        return cast("Answer", handler({name: [value] for name, value in parameters.items()}))
