"""A running sandbox: a cluster and an AWS that trusts it, for the command line, the demo and the tests."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path

from irsa_manager.api.errors import SandboxError
from irsa_manager.sandbox import account as aws_account
from irsa_manager.sandbox import sweep
from irsa_manager.sandbox.account import Account
from irsa_manager.sandbox.binaries import Binaries
from irsa_manager.sandbox.controlplane import ControlPlane
from irsa_manager.sandbox.directory import SandboxDirectory
from irsa_manager.sandbox.files import private_directory
from irsa_manager.sandbox.finder import find
from irsa_manager.sandbox.process import Child


@dataclass(frozen=True)
class Step:
    """A part that became ready: what, where, a detail, and the seconds that it took."""

    what: str
    where: str
    detail: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """What runs, and how to reach it.

    dir: its files (0700). kubeconfig: an administrator's. api_server, aws_url: addresses on 127.0.0.1. issuer: of the
    cluster's tokens, registered as OIDC provider `provider_arn` in `account`. signing_key_file: the RSA key (PEM) of
    ServiceAccount tokens. processes: pid by component, those that were started for it. shared_aws: whether the AWS is
    another sandbox's.
    """

    dir: Path
    kubeconfig: Path
    api_server: str
    ca_file: Path
    issuer: str
    signing_key_file: Path
    aws_url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str
    account: str
    provider_arn: str
    kubernetes_version: str
    started_at: float
    processes: Mapping[str, int]
    shared_aws: bool = False

    def environment(self) -> dict[str, str]:
        """The variables with which kubectl, the AWS CLI and any SDK reach it."""
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def to_json(self) -> str:
        """All of it, secrets included: for a private file only."""
        return json.dumps({item.name: getattr(self, item.name) for item in fields(Sandbox)}, default=str)

    @classmethod
    def read(cls, directory: SandboxDirectory) -> Sandbox | None:
        """The one that is ready in `directory`; None where none runs, or one is only starting."""
        if not directory.is_running() or not directory.state_file.exists():
            return None
        return cls.from_json(directory.state_file.read_text())

    @classmethod
    def from_json(cls, text: str) -> Sandbox:
        """The inverse of to_json."""
        raw = json.loads(text)
        paths = {name: Path(raw[name]) for name in ("dir", "kubeconfig", "ca_file", "signing_key_file")}
        return Sandbox(**{**raw, **paths})


@dataclass(frozen=True, kw_only=True)
class RunningSandbox(Sandbox):
    """A sandbox of this process.

    control_plane: with kill, launch and wait_ready for tests that lose a component. front: its AWS's process.
    """

    control_plane: ControlPlane
    front: Child | None

    def children(self) -> list[Child]:
        """The processes that it needs."""
        return [*self.control_plane.children.values(), *([self.front] if self.front else [])]


@asynccontextmanager
async def running_sandbox(
    dir: Path | None = None,
    aws: str | None = None,
    *,
    binaries: Binaries | None = None,
    environ: Mapping[str, str] | None = None,
    on_step: Callable[[Step], None] = lambda _step: None,
) -> AsyncIterator[RunningSandbox]:
    """A sandbox that lives as long as the context; everything dies with this process, however that ends.

    dir: its directory, by default a temporary one. aws: the URL of another sandbox's AWS to share, whose keys are
    taken from environ (by default the process's). binaries: of the control plane; by default they are looked for and,
    if need be, built before anything starts (minutes, without giving way to the event loop). Enter it from the main
    thread (process.Child). on_step is told each part that is ready.

    Raises SandboxError, UsageError and OSError (a full disk) as the parts do; then nothing is left running, and of a
    directory that was given only the logs stay. Where a component dies later, the body isn't told
    (supervisor.supervise looks for that).
    """
    environment = os.environ if environ is None else environ
    shared = aws_account.shared_account(aws, environment) if aws else None
    binaries = find() if binaries is None else binaries
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(_claimed(dir))
        plane = ControlPlane(directory.path, binaries)
        stack.push_async_callback(plane.stop)
        mapping = aws_account.issuer_mapping(plane.issuer, plane.url, plane.ca_pem)
        front, account = None, shared
        if account is None:
            front, account = aws_account.start_front(directory.path / "aws", directory.logs, mapping)
            stack.push_async_callback(front.stop, 2.0)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_start_cluster(plane, binaries, on_step))
                provider = tasks.create_task(_start_aws(account, front, mapping, on_step))
        except* (SandboxError, OSError) as group:
            raise group.exceptions[0] from None
        arn, number = provider.result()
        if shared is not None:
            stack.push_async_callback(_forget_provider, shared, arn)
        sandbox = RunningSandbox(
            dir=directory.path,
            kubeconfig=plane.kubeconfig,
            api_server=plane.url,
            ca_file=plane.ca_file,
            issuer=plane.issuer,
            signing_key_file=plane.signing_key_file,
            aws_url=account.url,
            access_key_id=account.access_key_id,
            secret_access_key=account.secret_access_key,
            region=account.region,
            account=number,
            provider_arn=arn,
            kubernetes_version=binaries.version,
            started_at=time.time(),
            processes={child.name: child.pid for child in [*plane.children.values(), *([front] if front else [])]},
            shared_aws=shared is not None,
            control_plane=plane,
            front=front,
        )
        directory.write_state(sandbox.to_json())
        yield sandbox


@contextmanager
def _claimed(path: Path | None) -> Iterator[SandboxDirectory]:
    """A directory of ours until the end of the context, and beyond our death in the care of sweep.py."""
    directory = SandboxDirectory(path or Path(tempfile.mkdtemp(prefix="irsa-manager-sandbox-")))
    directory.claim()
    sweeper = sweep.start(directory)
    failure = ""
    try:
        private_directory(directory.logs)
        yield directory
    except SandboxError as exc:
        failure = exc.message if path else ""
        raise
    finally:
        directory.release(failure)
        sweeper.communicate()


async def _start_cluster(plane: ControlPlane, binaries: Binaries, on_step: Callable[[Step], None]) -> None:
    started = time.monotonic()
    await plane.start()
    how = "built" if binaries.built else "cached" if binaries.source == "the cache" else "found"
    on_step(Step(f"control plane {binaries.version}", plane.url, f"binaries {how}", time.monotonic() - started))


async def _start_aws(
    account: Account, front: Child | None, mapping: Mapping[str, str], on_step: Callable[[Step], None]
) -> tuple[str, str]:
    """Returns the provider's ARN and the account's number."""
    started = time.monotonic()
    await aws_account.wait_ready(account, front)
    if front is None:
        await aws_account.add_issuer(account, mapping)
    detail = f"account {account.account}" if front else "shared"
    on_step(Step("AWS (enforcing)", account.url, detail, time.monotonic() - started))
    started = time.monotonic()
    provider = await aws_account.register_provider(account, mapping["issuer"])
    on_step(Step("OIDC provider", "registered for this cluster's issuer", "", time.monotonic() - started))
    return provider


async def _forget_provider(account: Account, arn: str) -> None:
    """Leave a shared account as it was found; it may be gone before us."""
    with suppress(SandboxError):
        await aws_account.remove_provider(account, arn)
