"""One front for the whole suite, with an issuer of the tests' own registered in it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from front_issuer import AUDIENCE, ISSUER, Issuer, key, public, running, trust
from front_process import Front, start, stop


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    running_front = start(tmp_path_factory.mktemp("front"))
    yield running_front
    stop(running_front)


@pytest.fixture(autouse=True)
def no_faults(request: pytest.FixtureRequest) -> Iterator[None]:
    """Faults end with the test that put them."""
    yield
    if "front" in request.fixturenames:
        assert request.getfixturevalue("front").sandbox("PUT", "faults", {}) == (200, {})


@pytest.fixture(scope="session")
def issuer_server(front: Front) -> Iterator[Issuer]:
    with running() as issuer:
        status, answer = front.sandbox("PUT", "issuers", {"issuer": ISSUER, "url": issuer.url, "ca_pem": issuer.ca_pem})
        assert status == 200, answer
        front.client("iam").create_open_id_connect_provider(Url=ISSUER, ClientIDList=[AUDIENCE, "second"])
        yield issuer


@pytest.fixture(scope="session")
def signing() -> Any:
    return key("RS256", "one")


@pytest.fixture
def issuer(issuer_server: Issuer, signing: Any) -> Issuer:
    """The issuer, publishing the suite's one key."""
    issuer_server.publish([public(signing)])
    return issuer_server


@pytest.fixture(scope="session")
def iam(front: Front) -> Any:
    return front.client("iam")


@pytest.fixture
def name() -> str:
    """A name nobody else uses."""
    return f"t-{secrets.token_hex(6)}"


@pytest.fixture(scope="session")
def web_role(iam: Any, issuer_server: Issuer) -> str:
    """The ARN of a role that the tests' issuer's usual subject may assume."""
    role = iam.create_role(RoleName="web", Path="/irsa/c1/", AssumeRolePolicyDocument=trust(), MaxSessionDuration=7200)
    return str(role["Role"]["Arn"])


@pytest.fixture
def assume(front: Front, issuer: Issuer, web_role: str) -> Any:
    """AssumeRoleWithWebIdentity for that role, unless told otherwise."""
    sts = front.client("sts")

    def call(WebIdentityToken: str, **changed: Any) -> Any:  # noqa: N803
        given = {"RoleArn": web_role, "RoleSessionName": "test", **changed}
        return sts.assume_role_with_web_identity(WebIdentityToken=WebIdentityToken, **given)

    return call
