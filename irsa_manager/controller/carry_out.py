"""Carry a plan out: action by action, in order, and say what came of each.

Rules, each tested:
1. What later actions rest on stops the rest when it fails: the role itself, its trust, its boundary. Everything else
   (a policy that doesn't exist, one ServiceAccount) doesn't stop the others.
2. What may pass by itself (throttling, an outage, credentials) stops everything; the next run goes on from there.
3. After each success the copy of what was observed is brought up to date, so that the next plan starts from it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from msgspec import Struct
from msgspec.structs import replace

from irsa_manager.api import names
from irsa_manager.api.errors import (
    AwsCredentials,
    AwsDenied,
    AwsError,
    AwsMissing,
    AwsRefused,
    AwsThrottled,
    AwsUnavailable,
    IrsaError,
)
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.execute import execute
from irsa_manager.aws.snapshot import read_id, read_role
from irsa_manager.controller.roles import RoleStore
from irsa_manager.kube.client import Kube
from irsa_manager.kube.errors import (
    KubeAlreadyExists,
    KubeConflict,
    KubeForbidden,
    KubeNotFound,
    KubeThrottled,
    KubeUnavailable,
)
from irsa_manager.kube.events import TERMINATING
from irsa_manager.kube.lease import LeadershipLost
from irsa_manager.kube.resources import SERVICE_ACCOUNTS, ServiceAccount
from irsa_manager.plan import actions as do
from irsa_manager.plan.actions import AwsAction, KubeAction, Plan
from irsa_manager.plan.effects import on_role

TRANSIENT = (AwsThrottled, AwsUnavailable, AwsCredentials, KubeThrottled, KubeUnavailable)
OUTRUN = (KubeConflict, KubeAlreadyExists, KubeNotFound)
"""The cluster is ahead of our copy of it: the watch brings the news, and with it another run."""

_FOUNDATION = (do.CreateRole, do.UpdateTrust, do.SetBoundary)
ASK_AGAIN_SECONDS = 600.0
"""How long iam:TagRole isn't tried again after it was denied: an administrator may have granted it meanwhile."""

TAGGING = "iam:TagRole"

Before = Callable[[KubeAction], Awaitable[None]]


class Failure(Struct, frozen=True):
    """An action that failed, and why."""

    action: AwsAction | KubeAction
    error: IrsaError


class Outcome(Struct, frozen=True):
    """What came of a plan. done: what took effect, in order. stopped: actions were left undone.

    outrun: the observation was out of date; another run follows by itself.
    """

    done: tuple[AwsAction | KubeAction, ...] = ()
    failures: tuple[Failure, ...] = ()
    stopped: bool = False
    outrun: bool = False

    @property
    def role_gone(self) -> str:
        """Name of the first role of which IAM said that it isn't there: of the spec or an old one; "" for none."""
        gone = (f.action.role for f in self.failures if isinstance(f.action, AwsAction) and _role_gone(f.error))
        return next(gone, "")

    @property
    def unanswered(self) -> bool:
        """Whether a role may have been made without our being told."""
        return any(isinstance(f.action, do.CreateRole) and isinstance(f.error, AwsUnavailable) for f in self.failures)

    @property
    def transient(self) -> IrsaError | None:
        """The failure that may pass by itself, if there is one."""
        return next((f.error for f in self.failures if isinstance(f.error, TRANSIENT)), None)


class Hands:
    """What acts: on IAM and on ServiceAccounts.

    guard: raises where we may not write any more. wrote: told the ServiceAccounts that were made or changed. clock:
    seconds.
    """

    def __init__(
        self,
        aws: Aws,
        kube: Kube,
        roles: RoleStore,
        guard: Callable[[], None],
        *,
        wrote: Callable[[ServiceAccount], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._aws = aws
        self._kube = kube
        self._roles = roles
        self._guard = guard
        self._wrote = wrote
        self._clock = clock
        self._untagged_until = float("-inf")

    @property
    def tagging(self) -> bool:
        """Whether tags are written: not for a while after iam:TagRole was found missing."""
        return self._clock() >= self._untagged_until

    def _no_tagging(self) -> None:
        self._untagged_until = self._clock() + ASK_AGAIN_SECONDS

    async def carry_out(self, plan: Plan, before: Before | None = None) -> Outcome:
        """Do the plan's actions. Raises only what the guard raises (leadership lost).

        before: called just before each action on the cluster; raises nothing.
        """
        done: list[AwsAction | KubeAction] = []
        failures: list[Failure] = []
        outrun = False
        for deletion in (action for action in plan.actions if isinstance(action, do.DeleteRole)):
            try:
                same = await self._still_the_same(deletion.role)
            except AwsError as error:
                return Outcome(failures=(Failure(deletion, error),), stopped=True)
            if not same:
                return Outcome(outrun=True)
        for action in plan.actions:
            if isinstance(action, do.DeleteRole) and (outrun or any(_about(f.action, action.role) for f in failures)):
                # A ServiceAccount that points to it isn't as it was seen: released first, by the role that tells whose
                # it is. Or what is on it couldn't be taken off: IAM would only say that as well.
                continue
            try:
                if isinstance(action, AwsAction):
                    if not await self._on_aws(action):
                        continue
                else:
                    self._guard()
                    if before is not None:
                        await before(action)
                    await self._on_kube(action)
            except OUTRUN:
                outrun = True
                continue
            except KubeForbidden as error:
                if TERMINATING in error.message:
                    outrun = True
                else:
                    failures.append(Failure(action, error))
                continue
            except AwsDenied as error:
                if error.action == TAGGING and _own_tags(action):
                    # A role without tags is known by the mark in its trust.
                    self._no_tagging()
                failures.append(Failure(action, error))
                if isinstance(action, _FOUNDATION):
                    return Outcome(tuple(done), tuple(failures), stopped=True, outrun=outrun)
                continue
            except LeadershipLost:
                raise
            except AwsUnavailable as error:
                failures.append(Failure(action, error))
                if isinstance(action, AwsAction):
                    self._roles.unanswered(action.role)
                return Outcome(tuple(done), tuple(failures), stopped=True, outrun=outrun)
            except AwsRefused as error:
                failures.append(Failure(action, error))
                done += await self._narrowed(action)
                if isinstance(action, _FOUNDATION):
                    return Outcome(tuple(done), tuple(failures), stopped=True, outrun=outrun)
                continue
            except IrsaError as error:
                failures.append(Failure(action, error))
                if isinstance(error, TRANSIENT) or isinstance(action, _FOUNDATION) or _role_gone(error):
                    return Outcome(tuple(done), tuple(failures), stopped=True, outrun=outrun)
                continue
            done.append(action)
        return Outcome(tuple(done), tuple(failures), outrun=outrun)

    async def _still_the_same(self, name: str) -> bool:
        """Whether a role that is about to go is the one that was judged, and not somebody else's of that name since.

        IAM deletes by name, and the last sweep may be a minute old. Raises AwsError where it is another one, of which
        nothing more can be read.
        """
        known = self._roles.get(name)
        if known is None or not known.id:
            return True
        try:
            found = await read_id(self._aws, name)
        except AwsError:
            # Whether it can be asked or not decides nothing: the deletion itself will tell.
            return True
        if found in {"", known.id}:
            return True
        self._roles.believe(name, await read_role(self._aws, name))
        return False

    async def _narrowed(self, action: AwsAction | KubeAction) -> list[AwsAction | KubeAction]:
        """A trust that is refused as a whole must not keep those who have to leave it: that much always fits."""
        if not isinstance(action, do.UpdateTrust) or action.narrowed is None:
            return []
        narrower = do.UpdateTrust(
            role=action.role, reason="what is gone was taken out; the rest was refused", trust=action.narrowed
        )
        try:
            await self._on_aws(narrower)
        except AwsError:
            # The failure that led here is told, and the next run tries both again.
            return []
        return [narrower]

    async def _on_aws(self, action: AwsAction) -> bool:
        """Do it. Whether anything came of it: what was to be taken off may not have been there."""
        if isinstance(action, do.CreateRole):
            self._roles.attempted(action.role)
        try:
            result = await execute(self._aws, action, tags_allowed=self.tagging)
        except (AwsDenied, AwsRefused):
            if isinstance(action, do.CreateRole):
                self._roles.settled(action.role)
            raise
        if result.tags_denied:
            self._no_tagging()
        if isinstance(action, do.CreateRole):
            action = replace(action, tags=result.tags)
        known = self._roles.get(action.role)
        fresh = known is not None and self._roles.settling(action.role)
        if isinstance(action, do.DeleteRole) and result.absent and fresh:
            raise AwsUnavailable(
                "AWSUnavailable",
                f"Role {action.role} was written a moment ago, and IAM says that there is none: it may show it late.",
                operation="DeleteRole",
            )
        after = on_role(known, action, arn=result.role_arn, role_id=result.role_id)
        if known is not None or after is not None:
            self._roles.wrote(action.role, after)
        return not (result.absent and isinstance(action, do.DeleteInlinePolicy | do.DetachPolicy))

    async def _on_kube(self, action: KubeAction) -> None:
        namespace, name = action.namespace, action.name
        match action:
            case do.CreateServiceAccount():
                made: dict[str, object] = {"name": name, "namespace": namespace}
                made |= {"labels": action.labels, "annotations": action.annotations}
                body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": made}
                self._wrote(await self._kube.create(SERVICE_ACCOUNTS, body))
            case do.PatchServiceAccount():
                metadata: dict[str, object] = {"resourceVersion": action.resource_version}
                if action.labels:
                    metadata["labels"] = action.labels
                if action.annotations:
                    metadata["annotations"] = action.annotations
                patch = {"metadata": metadata}
                self._wrote(await self._kube.merge_patch(SERVICE_ACCOUNTS, namespace, name, patch))
            case do.DeleteServiceAccount():
                await self._kube.delete(
                    SERVICE_ACCOUNTS, namespace, name, uid=action.uid, resource_version=action.resource_version
                )


def _own_tags(action: AwsAction | KubeAction) -> bool:
    """Whether the action sets our own tags: the spec's may be forbidden where ours are allowed (aws:TagKeys)."""
    return isinstance(action, do.TagRole) and all(key.startswith(names.OWN_PREFIX) for key in action.tags)


def _role_gone(error: IrsaError) -> bool:
    return isinstance(error, AwsMissing) and error.code != "PolicyNotFound"


def _about(action: AwsAction | KubeAction, role: str) -> bool:
    return isinstance(action, AwsAction) and action.role.lower() == role.lower()
