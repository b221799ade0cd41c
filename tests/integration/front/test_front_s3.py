"""S3 as the issuer's host: bucket owners, what is public, issuers in buckets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from front_issuer import AUDIENCE, claims, public, sign, trust
from front_process import ACCOUNT, REGION, Front, code_of

NO_KEY = (
    "InvalidIdentityToken",
    "Couldn't retrieve verification key from your identity provider,  "
    "please reference AssumeRoleWithWebIdentity documentation for requirements",
    400,
)


@pytest.fixture
def s3(front: Front) -> Any:
    return front.client("s3")


@pytest.fixture
def bucket(s3: Any, name: str) -> str:
    s3.create_bucket(Bucket=name)
    return name


def open_to_all(s3: Any, bucket: str, prefix: str = "") -> None:
    """Public by policy and without any ACL: exactly the two documents."""
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": False,
            "RestrictPublicBuckets": False,
        },
    )
    documents = [f"{prefix}.well-known/openid-configuration", f"{prefix}keys.json"]
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": [f"arn:aws:s3:::{bucket}/{key}" for key in documents],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def test_expected_bucket_owner(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ExpectedBucketOwner=ACCOUNT)
    other = "111122223333"
    for call, more in (
        (s3.head_bucket, {}),
        (s3.get_bucket_location, {}),
        (s3.get_object, {"Key": "k"}),
        (s3.put_object, {"Key": "k", "Body": b"y"}),
        (s3.delete_object, {"Key": "k"}),
        (s3.list_objects_v2, {}),
        (s3.delete_bucket, {}),
        (s3.put_bucket_policy, {"Policy": "{}"}),
        (s3.copy_object, {"Key": "k2", "CopySource": f"{bucket}/k"}),
    ):
        call_more: dict[str, Any] = dict(more)
        assert code_of(call, Bucket=bucket, ExpectedBucketOwner=other, **call_more)[2] == 403
    told = code_of(s3.copy_object, Bucket=bucket, Key="k2", CopySource=f"{bucket}/k", ExpectedSourceBucketOwner=other)
    assert told[2] == 403
    assert s3.get_object(Bucket=bucket, Key="k", ExpectedBucketOwner=ACCOUNT)["Body"].read() == b"x"
    assert code_of(s3.head_bucket, Bucket="no-such-bucket-here", ExpectedBucketOwner=other)[2] == 404


def test_only_public_objects_are_read_anonymously(front: Front, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="keys.json", Body=b"public")
    s3.put_object(Bucket=bucket, Key="private", Body=b"private")
    assert front.plain("GET", f"/{bucket}/keys.json")[0] == 403
    open_to_all(s3, bucket)
    assert front.plain("GET", f"/{bucket}/keys.json") == (200, b"public")
    assert front.plain("GET", f"/{bucket}/private")[0] == 403
    assert front.plain("GET", f"/{bucket}")[0] == 403
    for method in ("PUT", "DELETE", "POST"):
        assert front.plain(method, f"/{bucket}/keys.json", b"forged")[0] in (403, 405)
    assert front.plain("GET", f"/{bucket}/keys.json") == (200, b"public")
    host = {"Host": f"{bucket}.s3.{REGION}.localhost"}
    assert front.plain("GET", "/keys.json", headers=host) == (200, b"public")
    assert front.plain("GET", "/private", headers=host)[0] == 403
    assert front.plain("PUT", "/keys.json", b"forged", headers=host)[0] == 403


@pytest.mark.parametrize(
    ("form", "prefix"),
    [
        ("https://s3.{region}.amazonaws.com/{bucket}", ""),
        ("https://s3.{region}.amazonaws.com/{bucket}/a/b", "a/b/"),
        ("https://s3-{region}.amazonaws.com/{bucket}", ""),
        ("https://{bucket}.s3.{region}.amazonaws.com", ""),
        ("https://{bucket}.s3.{region}.amazonaws.com/c1", "c1/"),
    ],
)
def test_issuers_in_buckets(front: Front, iam: Any, s3: Any, bucket: str, signing: Any, form: str, prefix: str) -> None:
    issuer = form.format(bucket=bucket, region=REGION)
    arn = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=[AUDIENCE])["OpenIDConnectProviderArn"]
    document = json.loads(trust(StringEquals={f"{issuer.removeprefix('https://')}:aud": AUDIENCE}))
    document["Statement"][0]["Principal"]["Federated"] = arn
    role = iam.create_role(RoleName=bucket, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]

    def assume() -> Any:
        token = sign(signing, claims(iss=issuer))
        return {"RoleArn": role, "RoleSessionName": "s3", "WebIdentityToken": token}

    call = front.client("sts").assume_role_with_web_identity
    assert code_of(call, **assume()) == NO_KEY
    discovery = {"issuer": issuer, "jwks_uri": f"{issuer}/keys.json"}
    s3.put_object(Bucket=bucket, Key=f"{prefix}.well-known/openid-configuration", Body=json.dumps(discovery))
    s3.put_object(Bucket=bucket, Key=f"{prefix}keys.json", Body=json.dumps({"keys": [public(signing)]}))
    # Published, but not to the public.
    assert code_of(call, **assume()) == NO_KEY
    open_to_all(s3, bucket, prefix)
    assert call(**assume())["Provider"] == arn
    s3.delete_object(Bucket=bucket, Key=f"{prefix}keys.json")
    assert code_of(call, **assume()) == NO_KEY


def test_bucket_of_another_region(front: Front, iam: Any, s3: Any, name: str, signing: Any) -> None:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    issuer = f"https://s3.{REGION}.amazonaws.com/{name}"
    iam.create_open_id_connect_provider(Url=issuer, ClientIDList=[AUDIENCE])
    told = code_of(
        front.client("sts").assume_role_with_web_identity,
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/absent",
        RoleSessionName="s3",
        WebIdentityToken=sign(signing, claims(iss=issuer)),
    )
    assert told == NO_KEY


def allow(principal: Any, bucket: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_principals_of_bucket_policies(front: Front, iam: Any, s3: Any, bucket: str, issuer: Any, signing: Any) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{bucket}"
    told = code_of(s3.put_bucket_policy, Bucket=bucket, Policy=allow({"AWS": arn}, bucket))
    assert told == ("MalformedPolicy", "Invalid principal in policy", 400)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")

    def as_role() -> Any:
        token = sign(signing, claims())
        given = front.client("sts").assume_role_with_web_identity(
            RoleArn=arn, RoleSessionName="s3", WebIdentityToken=token
        )["Credentials"]
        session = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return front.client("s3", session)

    first = iam.create_role(RoleName=bucket, AssumeRolePolicyDocument=trust())["Role"]["RoleId"]
    s3.put_bucket_policy(Bucket=bucket, Policy=allow({"AWS": arn}, bucket))
    assert as_role().get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    iam.delete_role(RoleName=bucket)
    iam.create_role(RoleName=bucket, AssumeRolePolicyDocument=trust())
    # Made again under its ARN, it isn't the principal that the policy allows.
    assert code_of(as_role().get_object, Bucket=bucket, Key="k")[2] == 403
    assert first in s3.get_bucket_policy(Bucket=bucket)["Policy"]


def test_conditional_writes(s3: Any, bucket: str) -> None:
    tag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")[2] == 412
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfMatch='"0"')[2] == 412
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=tag)
