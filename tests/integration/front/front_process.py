"""The front as a process of its own, and clients for it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from irsa_manager.sandbox.ports import free_ports

ACCOUNT = "123456789012"
REGION = "us-east-1"
OPERATIONS_ONCE = Config(retries={"total_max_attempts": 1}, parameter_validation=False)


@dataclass
class Front:
    """A running front."""

    url: str
    root: tuple[str, str]
    process: subprocess.Popen[bytes]
    session: Any = field(default_factory=botocore.session.Session)

    def client(self, service: str, key: tuple[str, ...] | None = None, endpoint: str | None = None) -> Any:
        """A client that sends each request once and leaves all checks to the front; default: the root user's."""
        access, secret, *token = key or self.root
        return self.session.create_client(
            service,
            region_name=REGION,
            endpoint_url=endpoint or self.url,
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            aws_session_token=token[0] if token else None,
            config=OPERATIONS_ONCE,
        )

    def sandbox(
        self, method: str, name: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer of a request under /_sandbox."""
        status, text = self.plain(method, f"/_sandbox/{name}", body, headers)
        return status, json.loads(text)

    def plain(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of an unsigned request."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def user(self, name: str, document: dict[str, Any]) -> tuple[str, str]:
        """A new IAM user with an inline policy; his access key."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]


def start(directory: Path) -> Front:
    """Start a front on a free port and wait until it answers."""
    (port,) = free_ports(1)
    root = (f"AKIA{secrets.token_hex(8).upper()}", secrets.token_hex(20))
    config = directory / "front.json"
    config.write_text(
        json.dumps(
            {
                "port": port,
                "account": ACCOUNT,
                "region": REGION,
                "root": {"access_key_id": root[0], "secret_access_key": root[1]},
                "state_dir": str(directory / "state"),
            }
        )
    )
    config.chmod(0o600)
    process = subprocess.Popen([sys.executable, "-m", "irsa_manager.sandbox.front", "--config", str(config)])
    front = Front(f"http://127.0.0.1:{port}", root, process)
    while process.poll() is None:
        try:
            if front.sandbox("GET", "health") == (200, {"ready": True}):
                return front
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"the front ended with {process.returncode}")


def stop(front: Front) -> None:
    """End a front that `start` started."""
    front.process.terminate()
    front.process.wait(timeout=20)


def code_of(call: Callable[..., Any], **arguments: Any) -> tuple[str, str, int]:
    """AWS's code, text and HTTP status with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]
