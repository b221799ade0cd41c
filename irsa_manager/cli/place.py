"""Where a command works: cluster and account, opened together, named before anything is written, and confirmed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from irsa_manager.api.errors import UsageError
from irsa_manager.cli.options import Where

if TYPE_CHECKING:
    from irsa_manager.aws.calls import Aws, Identity
    from irsa_manager.aws.credentials import AwsSettings
    from irsa_manager.controller.setup import Resolved
    from irsa_manager.kube.client import Kube


@dataclass(frozen=True)
class Place:
    """An open cluster and account."""

    kube: Kube
    aws: Aws
    region: str
    sandbox: bool

    async def head(self, resolved: Resolved) -> str:
        """The line that says where. Raises AwsError."""
        from irsa_manager.cli.plan_lines import place_line

        identity = await self.aws.identity()
        cluster = resolved.facts.cluster if resolved.facts is not None else self.kube.server
        return place_line(
            identity.account, identity.partition, self.region, identity.arn, cluster, sandbox=self.sandbox
        )

    async def told(self, resolved: Resolved) -> dict[str, Any]:
        """The same for programs. Raises AwsError."""
        identity: Identity = await self.aws.identity()
        return {
            "account": identity.account,
            "partition": identity.partition,
            "region": self.region,
            "identity": identity.arn,
            "cluster": resolved.facts.cluster if resolved.facts else "",
            "apiServer": self.kube.server,
            "sandbox": self.sandbox,
        }


@asynccontextmanager
async def open_place(where: Where) -> AsyncIterator[Place]:
    """The cluster and account of these options, and of the environment where they say nothing.

    Raises UsageError, also where the credentials are of another account than the one that was named, and AwsError.
    """
    from irsa_manager.aws.credentials import AwsSettings, region
    from irsa_manager.aws.session import open_aws
    from irsa_manager.kube.client import Kube

    settings = aws_settings(where, AwsSettings.from_environment(os.environ))
    async with Kube.connect(where.kubeconfig or None, where.context or None) as kube, open_aws(settings) as aws:
        await check_account(aws, where)
        yield Place(kube, aws, region(settings), sandbox=settings.endpoint_url is not None)


async def check_account(aws: Aws, where: Where) -> None:
    """Raises UsageError where the credentials are of another account than --account names; AwsError."""
    if where.account and (found := (await aws.identity()).account) != where.account:
        raise UsageError(
            "Usage",
            f"These AWS credentials are of account {found}, not of {where.account}, which --account names.",
            left="Nothing was tried.",
            hint="Choose others (--profile, AWS_PROFILE), or leave --account out.",
        )


def aws_settings(where: Where, found: AwsSettings) -> AwsSettings:
    """The environment's settings with what the options say instead. A profile brings credentials of its own."""
    if where.profile:
        found = replace(found, profile=where.profile, keys=None, role_arn=None)
    return replace(found, region=where.region or found.region, endpoint_url=where.endpoint_url or found.endpoint_url)


def confirm(what: str, question: str, *, yes: bool) -> None:
    """Ask, where there is a terminal. what: the beginning of the refusal's sentence. Raises UsageError."""
    if yes:
        return
    if sys.stdin.isatty():
        with _interruptible():
            sys.stderr.write(f"{question} [y/N] ")
            sys.stderr.flush()
            answer = sys.stdin.readline()
        if answer.strip().lower() in {"y", "yes"}:
            return
        if not answer.endswith("\n"):  # Ctrl-D
            sys.stderr.write("\n")
        raise UsageError("ConfirmationRequired", "You didn't say yes.", left="Nothing was changed.")
    from irsa_manager.api import reasons

    message, left, hint = reasons.parts("ConfirmationRequired", what=what)
    raise UsageError("ConfirmationRequired", message, left=left, hint=hint)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a wait for the user at once: an event loop would only note it, and go on once he has answered."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def one_key(target: str, namespace: str) -> tuple[str, str]:
    """Namespace and name of `NS/NAME`, or of `NAME` with -n. Raises UsageError."""
    before, slash, name = target.partition("/")
    if not slash:
        before, name = namespace, target
    if not before or not name or "/" in name or (slash and namespace and namespace != before):
        why = "says another namespace than -n" if slash and namespace and before and name else "names no object"
        raise UsageError(
            "Usage", f"{target} {why}.", left="Nothing was tried.", hint="Write NAMESPACE/NAME, or NAME with -n."
        )
    return before, name


def print_data(kind: str, content: dict[str, Any], output: str) -> None:
    """A result for programs: json or yaml, beginning with its kind and the version of its form."""
    from irsa_manager.cli.output import print_json

    if output == "json":
        print_json(kind, content)
        return
    import yaml

    print(yaml.safe_dump({"kind": kind, "version": 1, **content}, sort_keys=False, width=110), end="")
