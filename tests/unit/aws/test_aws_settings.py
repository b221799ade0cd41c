"""Settings from an environment, and the endpoints that follow from a region."""

from __future__ import annotations

from dataclasses import replace

import pytest

from irsa_manager.aws.calls import Aws
from irsa_manager.aws.credentials import AwsKeys, AwsSettings
from irsa_manager.aws.session import open_aws

ROLE = "arn:aws:iam::123456789012:role/manager"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": "shh"}


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, AwsSettings()),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, AwsSettings(region="eu-west-1")),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, AwsSettings(region="eu-west-2")),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, AwsSettings(endpoint_url="http://127.0.0.1:1")),
        ({"AWS_ROLE_ARN": ROLE}, AwsSettings(role_arn=ROLE)),
        ({"AWS_ROLE_ARN": ""}, AwsSettings()),
        ({"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}, AwsSettings()),
        ({"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": ""}, AwsSettings(role_arn=ROLE)),
        (
            {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "/token", **KEYS},
            AwsSettings(role_arn=ROLE, keys=AwsKeys("AKIAX", "shh")),
        ),
        ({"AWS_ROLE_ARN": ROLE, "AWS_ROLE_SESSION_NAME": "me"}, AwsSettings(role_arn=ROLE, session_name="me")),
        ({**KEYS, "AWS_SESSION_TOKEN": "t"}, AwsSettings(keys=AwsKeys("AKIAX", "shh", "t"))),
        ({"AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": ""}, AwsSettings()),
    ],
)
def test_what_an_environment_means(env: dict[str, str], expected: AwsSettings) -> None:
    assert AwsSettings.from_environment(env) == expected


def test_secrets_are_not_printed() -> None:
    settings = AwsSettings.from_environment({**KEYS, "AWS_SESSION_TOKEN": "tok"})
    assert "shh" not in repr(settings)
    assert "tok" not in repr(settings)


@pytest.mark.parametrize(
    ("region", "host", "signed_for"),
    [
        ("eu-west-1", "https://iam.amazonaws.com", "us-east-1"),
        ("us-east-1", "https://iam.amazonaws.com", "us-east-1"),
        ("cn-northwest-1", "https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("us-gov-east-1", "https://iam.us-gov.amazonaws.com", "us-gov-west-1"),
    ],
)
@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:9"])
async def test_iam_has_one_endpoint_and_signing_region_a_partition(
    region: str, host: str, signed_for: str, endpoint: str | None
) -> None:
    settings = AwsSettings(region=region, endpoint_url=endpoint, keys=AwsKeys("AKIAX", "shh"))
    sent: list[tuple[str, str]] = []

    async def look(request: object, **_: object) -> None:
        sent.append((str(getattr(request, "url", "")), str(getattr(request, "headers", {}).get("Authorization", ""))))
        raise StopAsyncIteration("seen enough: nothing goes out")

    async with open_aws(settings) as aws:
        await _without_sending(aws, look)
    url, authorization = sent[0]
    assert url.rstrip("/") == (endpoint or host)
    assert f"/{signed_for}/iam/aws4_request" in authorization


async def _without_sending(aws: Aws, look: object) -> None:
    client = aws.client("iam")
    client.meta.events.register_last("before-send.iam.GetAccountSummary", look)
    with pytest.raises(Exception, match="seen enough"):
        await client.get_account_summary()


def test_settings_can_be_changed_without_touching_others() -> None:
    settings = AwsSettings.from_environment(KEYS)
    assert replace(settings, region="eu-central-1").keys == settings.keys
