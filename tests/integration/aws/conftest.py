"""The sandbox's enforcing AWS as a process, and connections of ours to it."""

from __future__ import annotations

import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

# The front's own tests know how to start it and how to be an issuer.
sys.path.append(str(Path(__file__).parents[1] / "front"))

from aws_access import settings_for
from front_process import Front, start, stop

from irsa_manager.aws.calls import Aws
from irsa_manager.aws.credentials import AwsSettings
from irsa_manager.aws.pacing import Pacer
from irsa_manager.aws.session import open_aws


@pytest.fixture(scope="session")
def aws_front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    front = start(tmp_path_factory.mktemp("aws-front"))
    yield front
    stop(front)


@pytest.fixture(autouse=True)
def as_it_was(aws_front: Front) -> Iterator[None]:
    """Faults, quotas and counts end with the test."""
    aws_front.sandbox("DELETE", "calls")
    yield
    assert aws_front.sandbox("PUT", "faults", {})[0] == 200
    assert aws_front.sandbox("PUT", "quotas", {})[0] == 200


@pytest.fixture
def root(aws_front: Front) -> AwsSettings:
    return settings_for(aws_front, aws_front.root)


@pytest_asyncio.fixture
async def aws(root: AwsSettings) -> AsyncIterator[Aws]:
    """The root user's connection, faster than the default pace."""
    async with open_aws(root, pacer=Pacer(500)) as connection:
        yield connection


@pytest.fixture(scope="session")
def iam(aws_front: Front) -> Any:
    """botocore's own IAM client of the root user, for what our code doesn't do."""
    return aws_front.client("iam")


@pytest.fixture
def limited(aws_front: Front) -> Callable[..., AbstractAsyncContextManager[Aws]]:
    """A connection of a new IAM user who may do the given actions on everything: `limited("iam:GetRole")`.

    deny: an action that is denied; tagging: a condition under which iam:TagRole is allowed.
    """

    def connect(
        *actions: str, deny: str = "", tagging: dict[str, Any] | None = None
    ) -> AbstractAsyncContextManager[Aws]:
        statements: list[dict[str, Any]] = [
            {"Effect": "Allow", "Action": list(actions) or ["sqs:ListQueues"], "Resource": "*"}
        ]
        if deny:
            statements.append({"Effect": "Deny", "Action": [deny], "Resource": "*"})
        if tagging:
            statements.append({"Effect": "Allow", "Action": ["iam:TagRole"], "Resource": "*", "Condition": tagging})
        key = aws_front.user(f"u-{secrets.token_hex(4)}", {"Version": "2012-10-17", "Statement": statements})
        return open_aws(settings_for(aws_front, key), pacer=Pacer(500))

    return connect


@pytest.fixture
def role() -> str:
    """A role name nobody else uses."""
    return f"r-{secrets.token_hex(5)}"
