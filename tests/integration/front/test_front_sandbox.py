"""/_sandbox, the gate, the calls' counter and the faults."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from front_issuer import claims, sign, trust
from front_process import ACCOUNT, Front, code_of, start, stop
from kernel_facts import listening, open_to_others

AWS = "arn:aws:iam::aws:policy/"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1"},
        {"Origin": "null"},
        {"Host": "attacker.example"},
        {"Host": "127.0.0.1.attacker.example"},
        {"Host": "localhost.attacker.example:80"},
        {"Host": "10.0.0.1"},
    ],
)
@pytest.mark.parametrize(("method", "lever"), [("GET", "health"), ("PUT", "faults"), ("DELETE", "calls")])
def test_pages_and_foreign_hosts_are_refused(front: Front, headers: dict[str, str], method: str, lever: str) -> None:
    status, answer = front.sandbox(method, lever, {"error": 1.0} if method == "PUT" else None, headers)
    assert status == 403
    assert "error" in answer
    assert front.sandbox("GET", "faults") == (200, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST:8080", "127.0.0.1:1"])
def test_loopback_hosts_are_served(front: Front, host: str) -> None:
    assert front.sandbox("GET", "health", headers={"Host": host}) == (200, {"ready": True})


def test_unknown_levers(front: Front) -> None:
    status, answer = front.sandbox("GET", "nothing")
    assert status == 404
    assert "GET /_sandbox/health" in answer["known"]
    assert front.sandbox("POST", "health")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/_ministack/health",
        "/_ministack/reset",
        "/_ministack/config",
        "/_ministack/rds/iam-auth",
        "/_ministack/eks-auth/x",
        "/_localstack/health",
        "/_localstack/init",
        "/_aws/sqs/messages",
        "/_aws/execute-api/abcdef01/prod",
        "/_alb/x",
        "/%5Fministack/reset",
        "/health",
        "/oauth2/userInfo",
        "/v2/email/identities",
        "/iceberg/v1/config",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_emulators_own_endpoints_are_not_there(front: Front, path: str, method: str) -> None:
    status, answer = front.plain(method, path, b"" if method == "POST" else None)
    assert status in (403, 404)
    assert not any(word in answer.lower() for word in (b"ministack", b"localstack", b'"services"'))


@pytest.mark.parametrize("host", ["x.execute-api.localhost", "abc.lambda-url.us-east-1.on.aws", "evil.example"])
def test_other_hosts_are_misdirected(front: Front, host: str) -> None:
    assert front.plain("GET", "/", headers={"Host": host})[0] == 421


@pytest.mark.parametrize(
    "key",
    [("test", "test"), (ACCOUNT, "test"), ("999999999999", "x"), ("AKIAIOSFODNN7EXAMPLE", "x")],
    ids=lambda key: key[0],
)
def test_well_known_keys_are_nobody(front: Front, key: tuple[str, str]) -> None:
    assert code_of(front.client("sts", key).get_caller_identity)[::2] == ("InvalidClientTokenId", 403)
    assert code_of(front.client("iam", key).list_roles)[0] == "InvalidClientTokenId"
    assert code_of(front.client("s3", key).list_buckets)[0] == "InvalidAccessKeyId"
    assert code_of(front.client("sqs", key).list_queues)[2] in (400, 403)


def test_roots_signature_is_checked(front: Front) -> None:
    assert front.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    forged = (front.root[0], "not-the-secret-of-the-root-user")
    assert code_of(front.client("sts", forged).get_caller_identity)[0] == "SignatureDoesNotMatch"
    assert code_of(front.client("s3", forged).list_buckets)[0] == "SignatureDoesNotMatch"


@pytest.mark.parametrize("authorization", [None, "Bearer x", "AWS4-HMAC-SHA256 Credential=", "Basic dGVzdDp0ZXN0"])
def test_unsigned_calls(front: Front, authorization: str | None) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if authorization:
        headers["Authorization"] = authorization
    status, answer = front.plain("POST", "/", b"Action=ListRoles&Version=2010-05-08", headers)
    assert status in (400, 403)
    assert b"<Roles>" not in answer
    assert front.plain("PUT", "/made-by-nobody", b"", {**headers})[0] in (400, 403)
    assert code_of(front.client("s3").head_bucket, Bucket="made-by-nobody")[2] == 404


def test_calls_are_counted_by_operation(front: Front, iam: Any, name: str) -> None:
    s3, sqs = front.client("s3"), front.client("sqs")
    assert front.sandbox("DELETE", "calls") == (200, {"calls": {}})
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust())
    code_of(iam.create_role, RoleName=name, AssumeRolePolicyDocument=trust())
    iam.get_role(RoleName=name)
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    s3.get_object(Bucket=name, Key="k")
    s3.head_object(Bucket=name, Key="k")
    s3.list_objects_v2(Bucket=name)
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "k"}]})
    sqs.list_queues()
    assert front.sandbox("GET", "calls")[1]["calls"] == {
        "CreateBucket": 1,
        "CreateRole": 2,
        "DeleteObjects": 1,
        "GetObject": 1,
        "GetRole": 1,
        "HeadObject": 1,
        "ListObjectsV2": 1,
        "ListQueues": 1,
        "PutObject": 1,
        "PutPublicAccessBlock": 1,
    }


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"latencies": 1}, "latencies"),
        ({"throttle": 1.5}, "throttle"),
        ({"error": -0.1}, "error"),
        ({"drop": "much"}, "drop"),
        ({"latency": True}, "latency"),
        ({"consistency": -1}, "consistency"),
        ({"operations": "CreateRole"}, "operations"),
        ({"operations": [1]}, "operations"),
        ({"seed": 1.5}, "seed"),
        ([], "object"),
        (b"{", "Expecting"),
    ],
)
def test_faults_are_checked(front: Front, body: Any, named: str) -> None:
    status, answer = front.sandbox("PUT", "faults", body)
    assert status == 400
    assert named in answer["error"]
    assert front.sandbox("GET", "faults") == (200, {})


@pytest.mark.parametrize(
    ("lever", "body"),
    [
        ("quotas", {"ACLSizePerRole": 0}),
        ("quotas", {"PoliciesPerRole": 26}),
        ("quotas", {"RolesPerAccount": "many"}),
        ("quotas", {"Unknown": 1}),
        ("accounts", {"account": "12"}),
        ("issuers", {"issuer": "http://x", "url": "https://x"}),
        ("issuers", {"issuer": "https://x"}),
        ("issuers", {"issuer": "https://x", "url": "https://x", "ca_pem": "none"}),
    ],
)
def test_other_levers_are_checked(front: Front, lever: str, body: Any) -> None:
    before = front.sandbox("GET", lever)
    status, answer = front.sandbox("PUT", lever, body)
    assert status == 400
    assert answer["error"]
    assert front.sandbox("GET", lever) == before


def test_throttling(front: Front, iam: Any, name: str) -> None:
    setting = {"throttle": 1.0, "operations": ["CreateRole", "PutObject", "ListQueues"]}
    assert front.sandbox("PUT", "faults", setting) == (200, setting)
    told = code_of(iam.create_role, RoleName=name, AssumeRolePolicyDocument=trust())
    assert told == ("Throttling", "Rate exceeded", 400)
    assert code_of(iam.get_role, RoleName=name)[0] == "NoSuchEntity"
    assert code_of(front.client("s3").put_object, Bucket="b", Key="k")[::2] == ("SlowDown", 503)
    assert code_of(front.client("sqs").list_queues)[::2] == ("ThrottlingException", 400)


def test_errors(front: Front, iam: Any) -> None:
    assert front.sandbox("PUT", "faults", {"error": 1.0})[0] == 200
    assert code_of(iam.list_roles)[::2] == ("ServiceFailure", 500)
    assert code_of(front.client("sts").get_caller_identity)[::2] == ("ServiceUnavailable", 503)
    assert code_of(front.client("s3").list_buckets)[::2] == ("ServiceUnavailable", 503)
    assert code_of(front.client("sqs").list_queues)[2] == 503
    # The levers themselves never fail.
    assert front.sandbox("PUT", "faults", {}) == (200, {})
    assert iam.list_roles()


def test_lost_answers_took_effect(front: Front, iam: Any, name: str) -> None:
    assert front.sandbox("PUT", "faults", {"drop": 1.0, "operations": ["CreateRole"]})[0] == 200
    with pytest.raises(ConnectionClosedError):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust())
    assert iam.get_role(RoleName=name)["Role"]["RoleName"] == name
    assert front.sandbox("PUT", "faults", {}) == (200, {})
    assert code_of(iam.create_role, RoleName=name, AssumeRolePolicyDocument=trust())[0] == "EntityAlreadyExists"


def test_latency(front: Front, iam: Any) -> None:
    assert front.sandbox("PUT", "faults", {"latency": 0.2, "operations": ["ListRoles"]})[0] == 200
    begin = time.monotonic()
    iam.list_roles()
    assert time.monotonic() - begin >= 0.2


def outcomes(call: Callable[..., Any], times: int) -> list[str]:
    found = []
    for _ in range(times):
        try:
            call()
            found.append("ok")
        except ClientError as error:
            found.append(error.response["Error"]["Code"])
    return found


def test_a_seed_gives_a_sequence(front: Front, iam: Any) -> None:
    setting = {"throttle": 0.3, "error": 0.3, "seed": 7}
    sequences = []
    for seed in (7, 7, 8):
        assert front.sandbox("PUT", "faults", {**setting, "seed": seed})[0] == 200
        sequences.append(outcomes(iam.get_account_summary, 30))
    assert sequences[0] == sequences[1]
    assert sequences[0] != sequences[2]
    assert set(sequences[0]) == {"ok", "Throttling", "ServiceFailure"}


def test_writes_are_unseen_for_a_while(front: Front, iam: Any, issuer: Any, signing: Any, name: str) -> None:
    policy = f"{AWS}AmazonS3FullAccess"
    iam.create_role(RoleName=f"{name}-old", AssumeRolePolicyDocument=trust())
    assert front.sandbox("PUT", "faults", {"consistency": 3600})[0] == 200
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust())["Role"]["Arn"]
    assert code_of(iam.get_role, RoleName=name)[::2] == ("NoSuchEntity", 404)
    assert name not in {role["RoleName"] for role in iam.list_roles(MaxItems=1000)["Roles"]}
    # A write acts on what is there.
    assert code_of(iam.create_role, RoleName=name, AssumeRolePolicyDocument=trust())[0] == "EntityAlreadyExists"
    assume = front.client("sts").assume_role_with_web_identity
    given = {"RoleArn": arn, "RoleSessionName": "early", "WebIdentityToken": sign(signing, claims())}
    assert code_of(assume, **given)[::2] == ("AccessDenied", 403)
    # Old state of what was changed and deleted.
    iam.attach_role_policy(RoleName=f"{name}-old", PolicyArn=policy)
    assert iam.list_attached_role_policies(RoleName=f"{name}-old")["AttachedPolicies"] == []
    iam.detach_role_policy(RoleName=f"{name}-old", PolicyArn=policy)
    iam.delete_role(RoleName=f"{name}-old")
    assert iam.get_role(RoleName=f"{name}-old")
    assert code_of(iam.delete_role, RoleName=f"{name}-old")[0] == "NoSuchEntity"
    assert front.sandbox("PUT", "faults", {}) == (200, {})
    assert iam.get_role(RoleName=name)
    assert code_of(iam.get_role, RoleName=f"{name}-old")[0] == "NoSuchEntity"
    assert assume(**given)["Provider"]


def test_writes_become_visible(front: Front, iam: Any, name: str) -> None:
    assert front.sandbox("PUT", "faults", {"consistency": 5})[0] == 200
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust())
    seen = outcomes(lambda: iam.get_role(RoleName=name), 1)
    while seen[-1] != "ok":
        time.sleep(0.05)
        seen += outcomes(lambda: iam.get_role(RoleName=name), 1)
    assert seen[0] == "NoSuchEntity"


def test_own_process(tmp_path: Path) -> None:
    """Private files only, one listener on loopback only, and an end when the parent is another one."""
    front = start(tmp_path)
    try:
        front.client("s3").create_bucket(Bucket="state")
        port = int(front.url.rpartition(":")[2])
        assert listening([front.process.pid]) == [f"0100007F:{port:04X}"]
        assert set(open_to_others(tmp_path)) <= {tmp_path}
    finally:
        stop(front)
    assert front.process.returncode == 0


def test_wrong_configuration_is_told_in_one_line(tmp_path: Path) -> None:
    import subprocess
    import sys

    config = tmp_path / "front.json"
    for body, named in (({"port": 1}, "root"), ({"port": "x"}, "port"), ({"unknown": 1}, "unknown")):
        config.write_text(json.dumps(body))
        command = [sys.executable, "-m", "irsa_manager.sandbox.front", "--config", str(config)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode == 1
        assert named in ended.stderr
        assert "Traceback" not in ended.stderr


def test_answers_invite_no_web_page(front: Front, name: str) -> None:
    request = urllib.request.Request(f"{front.url}/{name}")
    try:
        urllib.request.urlopen(request, timeout=20)
    except urllib.error.HTTPError as error:
        assert "Access-Control-Allow-Origin" not in error.headers
    else:
        raise AssertionError("a bucket that doesn't exist was read")
