"""What AWS refuses, tried on ministack alone and on ministack behind our front: python bench/stand_in.py.

Each case is an input that AWS's documentation says is refused. Both run with authorisation on, on 127.0.0.1.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError
from joserfc import jws
from joserfc.jwk import RSAKey

ACCOUNT, REGION = "000000000000", "us-east-1"
HOST = "oidc.example.test/id/1"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
SUBJECT = "system:serviceaccount:default:app"
START_SECONDS = 30.0


class Stand:
    """One of the two, with clients of its root user."""

    def __init__(self, url: str, key: tuple[str, str]) -> None:
        self.url = url
        self.key = key
        self.session = botocore.session.Session()

    def client(self, service: str, key: tuple[str, str] | None = None) -> Any:
        """A client that sends a request once, and sends what it is told."""
        access, secret = key or self.key
        return self.session.create_client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )


def trust(**changed: Any) -> str:
    """A trust policy that is right but for what is changed; None takes an element away."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{HOST}:sub": SUBJECT, f"{HOST}:aud": "sts.amazonaws.com"}},
        **changed,
    }
    kept = {name: value for name, value in statement.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [kept]})


def role(**changed: Any) -> Callable[[Stand], None]:
    """CreateRole, right but for what is changed."""

    def send(stand: Stand) -> None:
        request = {"RoleName": f"r-{secrets.token_hex(4)}", "AssumeRolePolicyDocument": trust(), **changed}
        stand.client("iam").create_role(**request)

    return send


def name_in_another_case(stand: Stand) -> None:
    name = f"r-{secrets.token_hex(4)}"
    for spelling in (name, name.upper()):
        stand.client("iam").create_role(RoleName=spelling, AssumeRolePolicyDocument=trust())


def unknown_policy(stand: Stand) -> None:
    role(RoleName="with-policy")(stand)
    stand.client("iam").attach_role_policy(
        RoleName="with-policy", PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAcess"
    )


def long_inline_policies(stand: Stand) -> None:
    role(RoleName="with-inline")(stand)
    names = [f"arn:aws:s3:::{number:060}" for number in range(200)]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": names}]}
    stand.client("iam").put_role_policy(RoleName="with-inline", PolicyName="long", PolicyDocument=json.dumps(document))


def provider_without_tls(stand: Stand) -> None:
    stand.client("iam").create_open_id_connect_provider(Url="http://oidc.example.test", ClientIDList=["a"])


def tags_without_the_right(stand: Stand) -> None:
    iam = stand.client("iam")
    iam.create_user(UserName="maker")
    allowed = {"Effect": "Allow", "Action": "iam:CreateRole", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="maker", PolicyName="make", PolicyDocument=document)
    made = iam.create_access_key(UserName="maker")["AccessKey"]
    maker = stand.client("iam", (made["AccessKeyId"], made["SecretAccessKey"]))
    maker.create_role(RoleName="tagged", AssumeRolePolicyDocument=trust(), Tags=[{"Key": "team", "Value": "a"}])


def foreign_bucket(stand: Stand) -> None:
    s3 = stand.client("s3")
    s3.create_bucket(Bucket="mine")
    s3.put_object(Bucket="mine", Key="key", Body=b"", ExpectedBucketOwner="999999999999")


def forged_token(stand: Stand, **changed: Any) -> None:
    """A token of a key that the issuer never published."""
    stand.client("iam").create_open_id_connect_provider(
        Url=f"https://{HOST}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
    )
    role(RoleName="assumed")(stand)
    now = int(time.time())
    claims = {"iss": f"https://{HOST}", "sub": SUBJECT, "aud": "sts.amazonaws.com", "iat": now, "exp": now + 3600}
    key = RSAKey.generate_key(2048, {"kid": "forged"}, private=True)
    body = json.dumps({**claims, **changed}).encode()
    token = jws.serialize_compact({"alg": "RS256", "kid": "forged"}, body, key)
    stand.client("sts").assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/assumed", RoleSessionName="bench", WebIdentityToken=token
    )


CASES: dict[str, Callable[[Stand], None]] = {
    "token signed by nobody's key": forged_token,
    "trust policy that isn't JSON": role(AssumeRolePolicyDocument="{"),
    "trust policy without Principal": role(AssumeRolePolicyDocument=trust(Principal=None)),
    "trust policy over 2,048 characters": role(
        AssumeRolePolicyDocument=trust(Condition={"StringEquals": {f"{HOST}:sub": [f"{n:060}" for n in range(60)]}})
    ),
    "space in a role's name": role(RoleName="my role"),
    "name that differs in case only": name_in_another_case,
    "path without slashes": role(Path="team"),
    "session of 50,000 s": role(MaxSessionDuration=50_000),
    "51 tags": role(Tags=[{"Key": f"k{number}", "Value": ""} for number in range(51)]),
    "tag aws:owner": role(Tags=[{"Key": "aws:owner", "Value": "me"}]),
    "tags without iam:TagRole": tags_without_the_right,
    "policy of AWS that doesn't exist": unknown_policy,
    "inline policies over 10,240 characters": long_inline_policies,
    "provider with http": provider_without_tls,
    "bucket of another owner (ExpectedBucketOwner)": foreign_bucket,
}


def control(stand: Stand) -> None:
    """What is right is accepted and what isn't allowed is refused, or the table would mean nothing."""
    iam = stand.client("iam")
    iam.create_user(UserName="nobody")
    made = iam.create_access_key(UserName="nobody")["AccessKey"]
    role(RoleName="control")(stand)
    try:
        stand.client("iam", (made["AccessKeyId"], made["SecretAccessKey"])).delete_role(RoleName="control")
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccessDenied":
            return
    raise SystemExit(f"{stand.url} doesn't enforce identity policies")


def verdict(case: Callable[[Stand], None], stand: Stand) -> str:
    try:
        case(stand)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "accepted"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until it answers anything at all."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{url} didn't come up")


def start_alone(directory: Path) -> tuple[subprocess.Popen[bytes], Stand]:
    """ministack as it comes, told to listen on loopback only and to enforce."""
    port = free_port()
    state = {
        "STATE_DIR": str(directory),
        "S3_DATA_DIR": str(directory),
        "TMPDIR": str(directory),
        "HOME": str(directory),
    }
    switches = {
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "IOT_MTLS_PORT": "0",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    environment = {"PATH": os.environ["PATH"], **state, **switches, "GATEWAY_PORT": str(port), "LOG_LEVEL": "ERROR"}
    environment["DOCKER_HOST"] = f"unix://{directory / 'none.sock'}"
    command = [sys.executable, "-m", "ministack"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    wait_ready(f"{url}/_ministack/health", process)
    return process, Stand(url, ("test", "test"))


def start_front(directory: Path) -> tuple[subprocess.Popen[bytes], Stand]:
    """The sandbox's AWS."""
    port, key = free_port(), (f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30))
    root = {"access_key_id": key[0], "secret_access_key": key[1]}
    config = {"port": port, "account": ACCOUNT, "region": REGION, "root": root, "issuers": []}
    file = directory / "front.json"
    file.write_text(json.dumps({**config, "state_dir": str(directory / "state")}))
    file.chmod(0o600)
    command = [sys.executable, "-m", "irsa_manager.sandbox.front", "--config", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    wait_ready(f"{url}/_sandbox/health", process)
    return process, Stand(url, key)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="irsa-manager-bench-") as name:
        processes = []
        try:
            results = []
            for start, place in ((start_alone, "alone"), (start_front, "front")):
                directory = Path(name) / place
                directory.mkdir(mode=0o700)
                process, stand = start(directory)
                processes.append(process)
                control(stand)
                results.append([verdict(case, stand) for case in CASES.values()])
        finally:
            for process in processes:
                process.terminate()
                process.wait()
    print("| input that AWS refuses | ministack alone | behind the front |")
    print("|---|---|---|")
    for case, alone, front in zip(CASES, *results, strict=True):
        print(f"| {case} | {alone} | {front} |")
    counts = [sum(result != "accepted" for result in column) for column in results]
    print(f"| **refused** | **{counts[0]} of {len(CASES)}** | **{counts[1]} of {len(CASES)}** |")


if __name__ == "__main__":
    main()
