"""Puts the front together from a configuration."""

from __future__ import annotations

from irsa_manager.sandbox.front import admin as levers
from irsa_manager.sandbox.front import denials, managed_policies
from irsa_manager.sandbox.front.accounts import Accounts
from irsa_manager.sandbox.front.admin import Admin, Wrong
from irsa_manager.sandbox.front.authorization import Authorization
from irsa_manager.sandbox.front.bucket_owner import BucketOwner
from irsa_manager.sandbox.front.bucket_policies import BucketPolicies
from irsa_manager.sandbox.front.calls import Calls
from irsa_manager.sandbox.front.config import FrontConfig
from irsa_manager.sandbox.front.consistency import Consistency
from irsa_manager.sandbox.front.emulator import Emulator
from irsa_manager.sandbox.front.faults import Faults
from irsa_manager.sandbox.front.iam_service import IamService
from irsa_manager.sandbox.front.issuers import Issuers
from irsa_manager.sandbox.front.quotas import Quotas
from irsa_manager.sandbox.front.server import Server
from irsa_manager.sandbox.front.store import Store
from irsa_manager.sandbox.front.sts_service import StsService


def build(config: FrontConfig) -> Server:
    """A server ready to be listened with.

    Raises:
        SandboxError: the emulator isn't the one that this was written for, or an issuer's mapping is wrong.

    """
    emulator = Emulator(config)
    calls, faults, admin = Calls(), Faults(), Admin()

    async def read_bucket(region: str, bucket: str, path: str) -> bytes | None:
        return await server.read_bucket(region, bucket, path)

    issuers = Issuers(config.issuers, read_bucket)
    consistency, quotas = Consistency(emulator, faults), Quotas()
    managed_policies.install(emulator)
    denials.install(emulator)
    authorization = Authorization(emulator)
    store = Store(emulator)
    BucketPolicies(emulator, store)
    emulator.handle("iam", IamService(emulator, store, quotas, authorization, consistency).handle)
    emulator.handle("sts", StsService(emulator, consistency).handle)
    server = Server(emulator, issuers, admin, calls, faults, consistency)
    server.guards.append(BucketOwner(emulator))
    accounts = Accounts(emulator.keyring)
    for name, lever in (("faults", faults), ("quotas", quotas), ("accounts", accounts)):
        admin.add("PUT", name, lever.put)
        admin.add("GET", name, lever.get)
    _add_levers(admin, issuers, calls)
    return server


def _add_levers(admin: Admin, issuers: Issuers, calls: Calls) -> None:
    def put_issuer(body: object) -> dict[str, object]:
        try:
            issuers.register(levers.issuer(body))
        except ValueError as error:
            raise Wrong(str(error)) from error
        return {"issuers": issuers.names()}

    def reset_calls(_: object) -> dict[str, object]:
        calls.reset()
        return {"calls": {}}

    admin.add("GET", "health", lambda _: {"ready": True})
    admin.add("PUT", "issuers", put_issuer)
    admin.add("GET", "issuers", lambda _: {"issuers": issuers.names()})
    admin.add("GET", "calls", lambda _: {"calls": calls.counts()})
    admin.add("DELETE", "calls", reset_calls)
