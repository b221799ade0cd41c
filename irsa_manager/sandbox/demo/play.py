"""The demo from the empty machine to the empty machine: stage, plan, steps, and what went otherwise."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from joserfc.jwk import RSAKey

from irsa_manager.api import names, reasons
from irsa_manager.api.errors import AwsError, IrsaError, KubernetesError
from irsa_manager.aws.snapshot import read_provider, read_role, sweep
from irsa_manager.kube.client import Kube
from irsa_manager.kube.resources import IRSAS
from irsa_manager.plan.decision import Decision
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.sandbox import admission, running
from irsa_manager.sandbox.binaries import Binaries
from irsa_manager.sandbox.demo import cluster, operator, planning, tokens
from irsa_manager.sandbox.demo import steps as do
from irsa_manager.sandbox.demo.cloud import Cloud, Session, open_cloud
from irsa_manager.sandbox.demo.steps import Answer, Result, Step
from irsa_manager.sandbox.directory import default_directory
from irsa_manager.sandbox.files import private_directory
from irsa_manager.sandbox.process import Child
from irsa_manager.sandbox.running import Sandbox, running_sandbox
from irsa_manager.trust.document import subject

WAIT_SECONDS: Final = 60.0
"""How long the controller may take to make the object true, or to take it away."""

LAST_LINES: Final = 8
TOKEN_SECONDS: Final = 600
"""The shortest that the TokenRequest API gives."""


class Watching(Protocol):
    """Who shows it. Called in this order, from one task."""

    def part(self, part: running.Step) -> None:
        """A part of the sandbox is ready."""

    def staged(self, sandbox: Sandbox, seconds: float) -> None:
        """Cluster, AWS and controller run, after that many seconds."""

    def planned(self, facts: ClusterFacts, owner: str, decision: Decision) -> None:
        """What the controller is going to do for the object `owner` (namespace/name)."""

    def began(self, step: Step) -> None:
        """A step has begun."""

    def ended(self, result: Result) -> None:
        """A step has ended."""


@dataclass(frozen=True)
class Played:
    """How it went. log: the controller's last lines, logs: where all logs are; both only where it went otherwise."""

    results: tuple[Result, ...]
    log: tuple[str, ...] = ()
    logs: Path | None = None

    @property
    def as_expected(self) -> bool:
        """Whether everything was as it should be."""
        return not do.unexpected(self.results)


async def play(
    binaries: Binaries,
    install: Callable[[Kube], Awaitable[object]],
    watching: Watching,
    steps: Sequence[Step] = do.STEPS,
) -> Played:
    """Run it in a sandbox of its own, of which nothing is left in the end.

    install: puts the CRDs into a cluster and returns when they are served. Raises IrsaError where the stage can't be
    set or a part of it ends; its hint says where the logs are.
    """
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(running_sandbox(binaries=binaries, on_step=watching.part))
        try:
            kube = await stack.enter_async_context(Kube.connect(sandbox.kubeconfig))
            await cluster.make_namespace(kube, names.DEFAULT_NAMESPACE)
            await install(kube)
            await admission.install(kube)
            controller = operator.start(sandbox)
            stack.push_async_callback(controller.stop, operator.STOP_SECONDS)
            cloud = await stack.enter_async_context(open_cloud(sandbox))
            stage = Stage(sandbox, kube, cloud)
            await stage.set()
            watching.staged(sandbox, time.monotonic() - started)
            results = await operator.while_running(controller, stage.perform(steps, watching))
        except IrsaError as error:
            error.hint = " ".join(part for part in (error.hint, f"The logs are in {keep_logs(sandbox)}") if part)
            raise
        if do.unexpected(results):
            return Played(results, tuple(_last_lines(controller)), keep_logs(sandbox))
    return Played(results)


def _last_lines(controller: Child) -> list[str]:
    return operator.last_lines(controller.last_lines(LAST_LINES), LAST_LINES)


def keep_logs(sandbox: Sandbox) -> Path:
    """Copy the components' logs (0600, in a directory 0700) over those of the last run that failed."""
    kept = default_directory(os.environ).with_name("demo-logs")
    if kept.exists():
        shutil.rmtree(kept)
    private_directory(kept.parent)
    shutil.copytree(sandbox.dir / "logs", kept)
    return kept


class Stage:
    """A cluster with the sample's bystanders, and an account with a bucket, a queue and a stranger's issuer."""

    def __init__(self, sandbox: Sandbox, kube: Kube, cloud: Cloud) -> None:
        self._sandbox = sandbox
        self._kube = kube
        self._cloud = cloud
        self._manifest = cluster.sample()
        self._irsa = cluster.as_irsa(self._manifest)
        self._role_arn = ""
        self._key: RSAKey | None = None

    async def set(self) -> None:
        """Make what the steps need. Raises KubernetesError, SandboxError."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._cloud.prepare())
                tasks.create_task(self._publish_issuer())
                tasks.create_task(self._make_bystanders())
        except* IrsaError as group:
            raise group.exceptions[0] from None

    async def _publish_issuer(self) -> None:
        self._key = await asyncio.to_thread(tokens.new_key, "demo")
        await self._cloud.publish_issuer(tokens.issuer_documents(self._cloud.issuer, self._key))

    async def _make_bystanders(self) -> None:
        await cluster.make_namespace(self._kube, do.OTHER_NAMESPACE)
        await cluster.make_account(self._kube, do.OTHER_NAMESPACE, self._manifest["spec"]["serviceAccount"]["name"])
        await cluster.make_account(self._kube, "default", do.OTHER_ACCOUNT)

    async def perform(self, steps: Sequence[Step], watching: Watching) -> tuple[Result, ...]:
        """Plan, then take the steps in order."""
        situation, decision = await planning.plan(self._kube, self._cloud.aws, self._irsa)
        if decision.desired is not None:
            self._role_arn = decision.desired.role.arn
        watching.planned(situation.facts, self._irsa.key, decision)
        results = []
        for step in steps:
            watching.began(step)
            started = time.monotonic()
            answer = await self._take(step.act)
            results.append(Result(step, answer, time.monotonic() - started))
            watching.ended(results[-1])
        return tuple(results)

    async def _take(self, act: do.Act) -> Answer:
        try:
            match act:
                case do.Apply():
                    return await self._apply()
                case do.Delete():
                    return await self._delete()
                case do.Exchange(token):
                    came = await self._session(token)
                    return came if isinstance(came, Answer) else Answer("", f"credentials of {came.arn}")
                case do.UseBucket(token):
                    came = await self._session(token)
                    return came if isinstance(came, Answer) else await self._cloud.use_bucket(came)
                case do.UseQueue(token):
                    came = await self._session(token)
                    return came if isinstance(came, Answer) else await self._cloud.use_queue(came)
        except TimeoutError:
            return Answer("TimedOut", f"nothing came of it in {WAIT_SECONDS:.0f} s")
        except (AwsError, KubernetesError) as error:
            return Answer(error.code, error.message)

    async def _session(self, token: do.Token) -> Session | Answer:
        return await self._cloud.exchange(self._role_arn, await self._token(token))

    async def _token(self, wanted: do.Token) -> str:
        if isinstance(wanted, do.Requested):
            return await self._kube.token(wanted.namespace, wanted.account, [wanted.audience], TOKEN_SECONDS)
        if self._key is None:
            raise RuntimeError("the stage isn't set")
        now = int(time.time())
        account = self._irsa_account()
        if isinstance(wanted, do.Foreign):
            who = subject(*account)
            return tokens.foreign(self._cloud.issuer, who, names.DEFAULT_AUDIENCE, self._key, now=now)
        real = await self._kube.token(*account, [names.DEFAULT_AUDIENCE], TOKEN_SECONDS)
        if isinstance(wanted, do.Forged):
            return tokens.forged(real, self._key)
        pem = self._sandbox.signing_key_file.read_text()
        return tokens.expired(real, pem, now=now, seconds=wanted.seconds)

    def _irsa_account(self) -> tuple[str, str]:
        return "default", str(self._manifest["spec"]["serviceAccount"]["name"])

    async def _apply(self) -> Answer:
        """The object; then what is there is looked at, and planned once more."""
        metadata: dict[str, Any] = self._manifest["metadata"]
        async with asyncio.timeout(WAIT_SECONDS):
            await cluster.make(self._kube, IRSAS, self._manifest)
            irsa = await cluster.until(self._kube, IRSAS, metadata["namespace"], metadata["name"], cluster.judged)
        ready = irsa.status.condition("Ready") if irsa is not None else None
        if irsa is None or ready is None or ready.status != "True":
            return Answer(ready.reason if ready else "Gone", ready.message if ready else "the object is gone")
        role = await read_role(self._cloud.aws, str(self._manifest["spec"]["iamRole"]["name"]))
        accounts = await cluster.bound_accounts(self._kube, self._manifest, role.arn if role else "")
        _, again = await planning.plan(self._kube, self._cloud.aws, irsa)
        made = f"role {role.name}, {reasons.counted(len(role.attached or ()), 'policy')}" if role else "no role"
        left = reasons.counted(len(again.plan.actions), "action") if again.plan.actions else "nothing"
        return Answer("", f"{made}, {reasons.counted(len(accounts), 'ServiceAccount')}; planned anew: {left} to do")

    async def _delete(self) -> Answer:
        """All of the account's roles and the sample's ServiceAccounts are counted; the provider isn't ours to take."""
        async with asyncio.timeout(WAIT_SECONDS):
            await cluster.delete_sample(self._kube, self._manifest)
        roles = (await sweep(self._cloud.aws, descriptions=False)).roles
        accounts = await cluster.bound_accounts(self._kube, self._manifest, "")
        kept = await read_provider(self._cloud.aws, self._sandbox.provider_arn) is not None
        provider = "kept" if kept else "gone"
        return Answer("", f"roles {len(roles)}, ServiceAccounts {len(accounts)}, provider {provider}")
