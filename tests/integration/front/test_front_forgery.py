"""Requests that name the root user's key without its signature, in every place where a key may stand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from front_process import REGION, Front

FORM = "application/x-www-form-urlencoded"
QUERIES = [
    "X-Amz-Credential={credential}",
    "X-Amz-Credential={credential}&X-Amz-Signature=00",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={time}&X-Amz-Expires=600"
    "&X-Amz-SignedHeaders=host&X-Amz-Signature=00",
    "X-Amz-Algorithm=none&X-Amz-Credential={credential}&X-Amz-Date={time}&X-Amz-Expires=600"
    "&X-Amz-SignedHeaders=host&X-Amz-Signature=00",
    "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Credential={key}/{day}/s3/aws4_request&X-Amz-Date={time}"
    "&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=00&X-Amz-Region-Set=*",
    "AWSAccessKeyId={key}",
    "AWSAccessKeyId={key}&Signature=x&Expires=9999999999",
    "AWSAccessKeyId={key}&SignatureVersion=2&Signature=x",
]
HEADERS = [
    "AWS {key}:signature",
    "AWS3 Credential={credential}",
    "AWS4-HMAC-SHA256 Credential={credential}",
    "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00",
    "AWS4-HMAC-SHA512 Credential={credential}, SignedHeaders=host, Signature=00",
    "aws4-hmac-sha256 Credential={credential}, SignedHeaders=host, Signature=00",
    "AWS4-ECDSA-P256-SHA256 Credential={key}/{day}/s3/aws4_request, SignedHeaders=host, Signature=00",
    "Credential={credential}",
    "Bearer {key}",
]


@pytest.fixture(scope="module")
def secret(front: Front) -> str:
    s3 = front.client("s3")
    s3.create_bucket(Bucket="kept-secret")
    s3.put_object(Bucket="kept-secret", Key="k", Body=b"SECRET")
    return "/kept-secret/k"


def filled(form: str, front: Front) -> str:
    now = datetime.now(UTC)
    key, day = front.root[0], f"{now:%Y%m%d}"
    credential = f"{key}/{day}/{REGION}/s3/aws4_request"
    return form.format(key=key, day=day, time=f"{now:%Y%m%dT%H%M%SZ}", credential=credential)


def refused(front: Front, secret: str, *calls: tuple[str, str, Any, dict[str, str]]) -> None:
    for method, path, body, headers in calls:
        status, answer = front.plain(method, path, body, headers)
        assert 400 <= status < 500, (method, path)
        assert not any(word in answer for word in (b"SECRET", b"<Roles>", b"<Arn>"))
    assert front.client("s3").get_object(Bucket="kept-secret", Key="k")["Body"].read() == b"SECRET"


@pytest.mark.parametrize("query", QUERIES)
def test_in_the_query(front: Front, secret: str, query: str) -> None:
    signed = filled(query, front)
    refused(
        front,
        secret,
        ("GET", f"{secret}?{signed}", None, {}),
        ("PUT", f"{secret}?{signed}", b"forged", {}),
        ("DELETE", f"{secret}?{signed}", None, {}),
        ("GET", f"/?Action=ListRoles&Version=2010-05-08&{signed}", None, {}),
        ("GET", f"/?Action=GetCallerIdentity&Version=2011-06-15&{signed}", None, {}),
        ("POST", f"/?{signed}", b"Action=ListRoles&Version=2010-05-08", {"Content-Type": FORM}),
    )


@pytest.mark.parametrize("header", HEADERS)
def test_in_the_header(front: Front, secret: str, header: str) -> None:
    given = {"Authorization": filled(header, front), "X-Amz-Date": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"}
    form = {**given, "Content-Type": FORM}
    target = {**given, "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.ListQueues"}
    refused(
        front,
        secret,
        ("GET", secret, None, given),
        ("PUT", secret, b"forged", given),
        ("DELETE", secret, None, given),
        ("POST", "/", b"Action=ListRoles&Version=2010-05-08", form),
        ("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", form),
        ("POST", "/", b"{}", target),
    )


def test_in_a_browsers_form(front: Front, secret: str) -> None:
    fields = {"key": "k", "AWSAccessKeyId": front.root[0], "policy": "e30=", "signature": "x", "file": "forged"}
    body = "".join(
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    refused(front, secret, ("POST", "/kept-secret", f"{body}--B--\r\n".encode(), headers))
