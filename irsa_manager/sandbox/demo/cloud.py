"""The demo's side of AWS: the administrator who prepares bucket and queue, and the pod that comes with a token."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore import UNSIGNED
from botocore.exceptions import BotoCoreError, ClientError

from irsa_manager.api.errors import SandboxError
from irsa_manager.aws.calls import Aws
from irsa_manager.aws.credentials import AwsKeys, AwsSettings
from irsa_manager.aws.session import open_aws
from irsa_manager.sandbox.demo.steps import BUCKET, ISSUER_BUCKET, OBJECT, QUEUE, Answer
from irsa_manager.sandbox.running import Sandbox

SESSION_NAME = "demo"
CONTENT = b"hello from a pod without keys\n"


@dataclass(frozen=True)
class Session:
    """A role session as STS gave it. arn: arn:aws:sts::ACCOUNT:assumed-role/ROLE/NAME."""

    arn: str
    keys: AwsKeys = field(repr=False)


class Cloud:
    """Open clients of the sandbox's AWS; made by open_cloud.

    aws: the administrator's IAM and STS, as the controller has them.
    """

    def __init__(self, sandbox: Sandbox, aws: Aws, clients: Mapping[str, Any], stack: AsyncExitStack) -> None:
        self._sandbox = sandbox
        self._clients = clients
        self._stack = stack
        self.aws = aws

    @property
    def issuer(self) -> str:
        """URL of the issuer that publishes in ISSUER_BUCKET."""
        return f"https://s3-{self._sandbox.region}.amazonaws.com/{ISSUER_BUCKET}"

    async def prepare(self) -> None:
        """Make the bucket and the queue, as their owner. Raises SandboxError."""
        with _told("bucket and queue"):
            await self._clients["s3"].create_bucket(Bucket=BUCKET)
            await self._clients["sqs"].create_queue(QueueName=QUEUE)

    async def publish_issuer(self, documents: Mapping[str, str]) -> None:
        """Put an issuer's documents (by path) where anybody may read them. Raises SandboxError."""
        s3 = self._clients["s3"]
        everybody = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{ISSUER_BUCKET}/*",
        }
        policy = {"Version": "2012-10-17", "Statement": [everybody]}
        with _told("the other issuer's bucket"):
            await s3.create_bucket(Bucket=ISSUER_BUCKET)
            # New buckets let no policy be public (S3 User Guide, "Blocking public access to your Amazon S3 storage").
            await s3.delete_public_access_block(Bucket=ISSUER_BUCKET)
            await s3.put_bucket_policy(Bucket=ISSUER_BUCKET, Policy=json.dumps(policy))
            for path, content in documents.items():
                await s3.put_object(
                    Bucket=ISSUER_BUCKET, Key=path, Body=content.encode(), ContentType="application/json"
                )

    async def exchange(self, role_arn: str, token: str) -> Session | Answer:
        """AssumeRoleWithWebIdentity, as an SDK in a pod does it: unsigned, with nothing but the token."""
        try:
            with _reached("STS"):
                answer = await self._clients["anybody"].assume_role_with_web_identity(
                    RoleArn=role_arn, RoleSessionName=SESSION_NAME, WebIdentityToken=token
                )
        except ClientError as error:
            return refusal(error, "STS")
        given = answer["Credentials"]
        keys = AwsKeys(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return Session(answer["AssumedRoleUser"]["Arn"], keys)

    async def use_bucket(self, session: Session) -> Answer:
        """With the session's credentials: put an object, get it, compare."""
        s3 = await _client(self._stack, self._sandbox, "s3", session.keys)
        try:
            with _reached("S3"):
                await s3.put_object(Bucket=BUCKET, Key=OBJECT, Body=CONTENT)
                async with (await s3.get_object(Bucket=BUCKET, Key=OBJECT))["Body"] as stream:
                    content = await stream.read()
        except ClientError as error:
            return refusal(error, "S3")
        if content != CONTENT:
            return Answer("ContentDiffers", f"s3://{BUCKET}/{OBJECT} isn't what was put there")
        return Answer("", f"{session.arn.rpartition(':')[2]}: put and got s3://{BUCKET}/{OBJECT}")

    async def use_queue(self, session: Session) -> Answer:
        """With the session's credentials: send a message."""
        sqs = await _client(self._stack, self._sandbox, "sqs", session.keys)
        url = f"{self._sandbox.aws_url}/{self._sandbox.account}/{QUEUE}"
        try:
            with _reached("SQS"):
                await sqs.send_message(QueueUrl=url, MessageBody="hello")
        except ClientError as error:
            return refusal(error, "SQS")
        return Answer("", f"sent a message to {QUEUE}")


@contextmanager
def _reached(service: str) -> Iterator[None]:
    """A service that doesn't answer hasn't refused anything."""
    try:
        yield
    except BotoCoreError as error:
        raise SandboxError("SandboxFailed", f"The sandbox's {service} doesn't answer: {error}") from error


@contextmanager
def _told(what: str) -> Iterator[None]:
    """What goes wrong in the preparation is the sandbox's failure, and no answer of a step."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise SandboxError("SandboxFailed", f"The demo can't make {what} in the sandbox's AWS: {error}") from error


def refusal(error: ClientError, service: str) -> Answer:
    """What the service said, in its own words."""
    said = error.response.get("Error", {})
    return Answer(str(said.get("Code", "Unknown")), str(said.get("Message", "")), service)


@asynccontextmanager
async def open_cloud(sandbox: Sandbox) -> AsyncIterator[Cloud]:
    """Clients for the sandbox's AWS, opened once, closed with the context."""
    keys = AwsKeys(sandbox.access_key_id, sandbox.secret_access_key)
    settings = AwsSettings(region=sandbox.region, endpoint_url=sandbox.aws_url, keys=keys)
    async with AsyncExitStack() as stack:
        aws = await stack.enter_async_context(open_aws(settings))
        clients = {
            "s3": await _client(stack, sandbox, "s3", keys),
            "sqs": await _client(stack, sandbox, "sqs", keys),
            "anybody": await _client(stack, sandbox, "sts", None),
        }
        yield Cloud(sandbox, aws, clients, stack)


async def _client(stack: AsyncExitStack, sandbox: Sandbox, service: str, keys: AwsKeys | None) -> Any:
    plain: dict[str, Any] = {
        "connect_timeout": 5,
        "read_timeout": 10,
        "retries": {"total_max_attempts": 1},
        "proxies": {},
        "s3": {"addressing_style": "path"},
    }
    config = AioConfig(**plain) if keys else AioConfig(**plain, signature_version=UNSIGNED)
    return await stack.enter_async_context(
        AioSession().create_client(
            service,
            region_name=sandbox.region,
            endpoint_url=sandbox.aws_url,
            aws_access_key_id=keys.access_key_id if keys else None,
            aws_secret_access_key=keys.secret_access_key if keys else None,
            aws_session_token=keys.session_token if keys else None,
            config=config,
        )
    )
