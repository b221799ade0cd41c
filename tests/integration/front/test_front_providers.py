"""OpenID Connect providers: URLs, client ids, thumbprints, tags."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from front_process import ACCOUNT, Front, code_of

ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/"


@pytest.fixture
def provider(iam: Any, name: str) -> str:
    answer = iam.create_open_id_connect_provider(Url=f"https://{name}.example.test/x", ClientIDList=["a", "b", "a"])
    return str(answer["OpenIDConnectProviderArn"])


def clients(iam: Any, arn: str) -> list[str]:
    return sorted(iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"])


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://{}.example.test", "{}.example.test"),
        ("https://{}.example.test/Path/x", "{}.example.test/Path/x"),
        ("https://{}.example.test/x/", "{}.example.test/x/"),
        ("https://{}.example.test:443/x", "{}.example.test/x"),
        ("https://{}.example.test:8443", "{}.example.test:8443"),
        ("https://s3.us-east-1.amazonaws.com/{}", "s3.us-east-1.amazonaws.com/{}"),
    ],
)
def test_urls(iam: Any, name: str, url: str, kept: str) -> None:
    arn = iam.create_open_id_connect_provider(Url=url.format(name), ClientIDList=["a"])["OpenIDConnectProviderArn"]
    assert arn == ARN + kept.format(name)
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["Url"] == kept.format(name)
    told = code_of(iam.create_open_id_connect_provider, Url=url.format(name), ClientIDList=["a"])
    assert told[::2] == ("EntityAlreadyExists", 409)


def test_a_trailing_slash_makes_another_provider(iam: Any, name: str) -> None:
    for url in (f"https://{name}.example.test/x", f"https://{name}.example.test/x/"):
        iam.create_open_id_connect_provider(Url=url)
    arns = {one["Arn"] for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]}
    assert {f"{ARN}{name}.example.test/x", f"{ARN}{name}.example.test/x/"} <= arns


@pytest.mark.parametrize(
    "url",
    ["http://{}.test", "https://{}.test?", "https://{}.test/x?y=1", "https://{}.test#", "https://u@{}.test", "{}"],
)
def test_urls_that_are_refused(iam: Any, name: str, url: str) -> None:
    told = code_of(iam.create_open_id_connect_provider, Url=url.format(name), ClientIDList=["a"])
    assert told[::2] == ("InvalidInput", 400)


def test_long_url(iam: Any, name: str) -> None:
    url = f"https://{name}.example.test/"
    iam.create_open_id_connect_provider(Url=url + "x" * (255 - len(url)))
    assert code_of(iam.create_open_id_connect_provider, Url=url + "y" * (256 - len(url)))[0] == "ValidationError"


def test_client_ids_are_folded_and_changes_are_idempotent(iam: Any, provider: str) -> None:
    assert clients(iam, provider) == ["a", "b"]
    for _ in range(2):
        iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=provider, ClientID="c")
    assert clients(iam, provider) == ["a", "b", "c"]
    for _ in range(2):
        iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=provider, ClientID="a")
    assert clients(iam, provider) == ["b", "c"]
    told = code_of(iam.add_client_id_to_open_id_connect_provider, OpenIDConnectProviderArn=provider, ClientID="x" * 256)
    assert told[0] == "ValidationError"


def test_hundred_client_ids(iam: Any, name: str) -> None:
    many = [f"client-{number}" for number in range(100)]
    told = code_of(iam.create_open_id_connect_provider, Url=f"https://{name}.test", ClientIDList=[*many, "more"])
    assert told == ("LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100", 409)
    arn = iam.create_open_id_connect_provider(Url=f"https://{name}.test", ClientIDList=many)["OpenIDConnectProviderArn"]
    assert code_of(iam.add_client_id_to_open_id_connect_provider, OpenIDConnectProviderArn=arn, ClientID="more") == told


def test_thumbprints(iam: Any, name: str, provider: str) -> None:
    five = [f"{number}" * 40 for number in range(5)]
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=provider, ThumbprintList=five)
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)["ThumbprintList"] == five
    for bad, code in (([*five, "5" * 40], "InvalidInput"), ([], "InvalidInput"), (["5" * 39], "ValidationError")):
        told = code_of(
            iam.update_open_id_connect_provider_thumbprint, OpenIDConnectProviderArn=provider, ThumbprintList=bad
        )
        assert told[::2] == (code, 400)
    told = code_of(iam.create_open_id_connect_provider, Url=f"https://{name}-2.test", ThumbprintList=[*five, "5" * 40])
    assert told[0] == "InvalidInput"


def test_tags_tell_cases_apart(iam: Any, provider: str) -> None:
    iam.tag_open_id_connect_provider(
        OpenIDConnectProviderArn=provider, Tags=[{"Key": "k", "Value": "1"}, {"Key": "K", "Value": "2"}]
    )
    listed = iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=provider)["Tags"]
    assert listed == [{"Key": "K", "Value": "2"}, {"Key": "k", "Value": "1"}]
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=provider, TagKeys=["k"])
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)["Tags"] == [{"Key": "K", "Value": "2"}]
    for call, more in (
        (iam.tag_open_id_connect_provider, {"Tags": []}),
        (iam.untag_open_id_connect_provider, {"TagKeys": []}),
        (iam.tag_open_id_connect_provider, {"Tags": [{"Key": "aws:x", "Value": ""}]}),
    ):
        assert code_of(call, OpenIDConnectProviderArn=provider, **more)[::2] == ("InvalidInput", 400)


def test_reading_and_deleting(iam: Any, provider: str) -> None:
    read = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    assert isinstance(read["CreateDate"], datetime.datetime)
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    told = ("NoSuchEntity", f"OpenIDConnect Provider not found for arn {provider}", 404)
    assert code_of(iam.delete_open_id_connect_provider, OpenIDConnectProviderArn=provider) == told
    assert code_of(iam.get_open_id_connect_provider, OpenIDConnectProviderArn=provider) == told


def test_providers_per_account(front: Front, iam: Any, name: str, provider: str) -> None:
    present = len(iam.list_open_id_connect_providers()["OpenIDConnectProviderList"])
    assert front.sandbox("PUT", "quotas", {"OpenIdConnectProvidersPerAccount": present})[0] == 200
    try:
        told = code_of(iam.create_open_id_connect_provider, Url=f"https://{name}-2.test")
        assert told[::2] == ("LimitExceeded", 409)
    finally:
        front.sandbox("PUT", "quotas", {})
