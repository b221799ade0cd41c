"""AssumeRoleWithWebIdentity: each rule refuses the wrong token with STS's words and takes the right one."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from front_issuer import AUDIENCE, ISSUER, PROVIDER, SUBJECT, Issuer, claims, key, sign, trust, unsigned
from front_process import ACCOUNT, Front, code_of
from front_sts import DENIED, NOT_A_JWT, NOT_VALIDATED, invalid


def test_answer_names_provider_audience_subject_and_role_id(assume: Any, iam: Any, signing: Any) -> None:
    answer = assume(sign(signing, claims()))
    role_id = iam.get_role(RoleName="web")["Role"]["RoleId"]
    assert answer["Provider"] == PROVIDER
    assert answer["Audience"] == AUDIENCE
    assert answer["SubjectFromWebIdentityToken"] == SUBJECT
    assert answer["AssumedRoleUser"] == {
        "AssumedRoleId": f"{role_id}:test",
        "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/web/test",
    }
    assert answer["PackedPolicySize"] > 0
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")


def test_session_may_do_what_the_role_may(front: Front, assume: Any, iam: Any, signing: Any, name: str) -> None:
    front.client("s3").create_bucket(Bucket=name)
    allowed = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}/own/*"}
    iam.put_role_policy(
        RoleName="web", PolicyName="s3", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    )
    given = assume(sign(signing, claims()))["Credentials"]
    session = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    arn = front.client("sts", session).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/web/test"
    s3 = front.client("s3", session)
    s3.put_object(Bucket=name, Key="own/a", Body=b"x")
    assert code_of(s3.put_object, Bucket=name, Key="other", Body=b"x")[::2] == ("AccessDenied", 403)
    assert code_of(s3.get_object, Bucket=name, Key="own/a")[::2] == ("AccessDenied", 403)
    assert code_of(front.client("iam", session).list_roles)[0] == "AccessDenied"
    stolen = front.client("sts", (given["AccessKeyId"], given["SecretAccessKey"]))
    assert code_of(stolen.get_caller_identity)[::2] == ("InvalidClientTokenId", 403)


@pytest.mark.parametrize("algorithm", ["PS256", "HS256", "none", "EdDSA", "ES256K", "rs256"])
def test_other_algorithms_are_no_jwt(assume: Any, algorithm: str) -> None:
    token = unsigned({"alg": algorithm, "kid": "one"}, claims())
    assert code_of(assume, WebIdentityToken=token) == invalid(NOT_A_JWT)


@pytest.mark.parametrize("token", ["aa.b", "a.b.c.d", "....", "a.!.c", "abcd", "e30.W10.eA"])
def test_shape(assume: Any, token: str) -> None:
    assert code_of(assume, WebIdentityToken=token) == invalid(NOT_A_JWT)


def test_critical_header(assume: Any, signing: Any) -> None:
    token = unsigned({"alg": "RS256", "kid": "one", "crit": ["b64"], "b64": True}, claims())
    assert code_of(assume, WebIdentityToken=token) == invalid(NOT_A_JWT)
    assert assume(sign(signing, claims(), typ="JWT", extra="ignored"))


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "iat", "exp"])
def test_required_claims(assume: Any, signing: Any, claim: str) -> None:
    token = sign(signing, claims(**{claim: None}))
    assert code_of(assume, WebIdentityToken=token) == invalid(f"Missing a required claim: {claim}")


@pytest.mark.parametrize("claim", ["iat", "nbf", "exp"])
@pytest.mark.parametrize("value", [1790000000.5, "soon", True, [1]])
def test_timestamps_are_integers(assume: Any, signing: Any, claim: str, value: Any) -> None:
    token = sign(signing, claims(**{claim: value}))
    assert code_of(assume, WebIdentityToken=token) == invalid("Invalid timestamp in token claims.")


def test_integer_strings_are_timestamps(assume: Any, signing: Any) -> None:
    now = int(time.time())
    assert assume(sign(signing, claims(iat=str(now), exp=str(now + 600), nbf=str(now))))


@pytest.mark.parametrize(
    "iss", [f"{ISSUER}/", ISSUER.upper(), "https://other.example.test", ISSUER.replace("https", "http"), "x", ""]
)
def test_issuer_must_be_a_provider_of_the_account(assume: Any, signing: Any, iss: str) -> None:
    told = code_of(assume, WebIdentityToken=sign(signing, claims(iss=iss)))
    assert told == invalid(f"No OpenIDConnect provider found in your account for {iss}")


def test_provider_of_another_account_does_not_count(assume: Any, signing: Any) -> None:
    told = code_of(assume, WebIdentityToken=sign(signing, claims()), RoleArn="arn:aws:iam::999999999999:role/web")
    assert told == invalid(f"No OpenIDConnect provider found in your account for {ISSUER}")


def test_signature(assume: Any, signing: Any) -> None:
    header, _, signature = sign(signing, claims()).split(".")
    forged = base64.urlsafe_b64encode(json.dumps(claims(sub="system:serviceaccount:kube-system:admin")).encode())
    token = f"{header}.{forged.rstrip(b'=').decode()}.{signature}"
    assert code_of(assume, WebIdentityToken=token) == invalid(NOT_VALIDATED)
    other = key("RS256", "one")
    assert code_of(assume, WebIdentityToken=sign(other, claims())) == invalid(NOT_VALIDATED)


@pytest.mark.parametrize("aud", ["unknown", ["unknown"], "STS.amazonaws.com", "sts.amazonaws.com ", ""])
def test_audience_must_be_a_client_id(assume: Any, signing: Any, aud: Any) -> None:
    assert code_of(assume, WebIdentityToken=sign(signing, claims(aud=aud))) == invalid(NOT_VALIDATED)


def test_several_audiences(assume: Any, signing: Any) -> None:
    told = code_of(assume, WebIdentityToken=sign(signing, claims(aud=[AUDIENCE, "second"])))
    assert told == invalid("Token audience contains more than one audience while authorized party is not present")
    # azp replaces aud, in the check of client ids and in the trust policy's :aud.
    assert assume(sign(signing, claims(aud=["x", "y"], azp=AUDIENCE)))["Audience"] == AUDIENCE
    assert code_of(assume, WebIdentityToken=sign(signing, claims(azp="second"))) == DENIED
    assert code_of(assume, WebIdentityToken=sign(signing, claims(azp=""))) == invalid(NOT_VALIDATED)


def test_plain_audience(assume: Any, signing: Any) -> None:
    assert assume(sign(signing, claims(aud=AUDIENCE)))["Audience"] == AUDIENCE


def test_expiry_has_five_minutes_of_tolerance(assume: Any, signing: Any) -> None:
    now = int(time.time())
    assert assume(sign(signing, claims(iat=now - 900, nbf=now - 900, exp=now - 1)))
    assert assume(sign(signing, claims(iat=now - 900, nbf=now - 900, exp=now - 270)))
    expired = now - 301
    code, text, status = code_of(assume, WebIdentityToken=sign(signing, claims(iat=now - 900, exp=expired)))
    assert (code, status) == ("ExpiredTokenException", 400)
    told, expiry = (int(word) for word in text.split() if word.isdigit())
    assert text == f"Token expired: current date/time {told} must be before the expiration date/time {expiry}"
    assert expiry == expired
    assert now - 300 <= told <= int(time.time()) - 300


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_future_tokens(assume: Any, signing: Any, claim: str) -> None:
    now = int(time.time())
    assert assume(sign(signing, claims(**{claim: now + 270})))
    assert code_of(assume, WebIdentityToken=sign(signing, claims(**{claim: now + 400}))) == invalid(NOT_VALIDATED)


def test_old_token(assume: Any, signing: Any) -> None:
    now = int(time.time())
    assert assume(sign(signing, claims(iat=now - 86400, nbf=None)))
    code, text, _ = code_of(assume, WebIdentityToken=sign(signing, claims(iat=now - 6 * 86400)))
    assert code == "ExpiredTokenException"
    assert text.startswith("Token too old: ")


def test_provider_id(assume: Any, signing: Any) -> None:
    told = code_of(assume, WebIdentityToken=sign(signing, claims()), ProviderId="www.amazon.com")
    assert told == invalid("Provided Token is not a Login With Amazon token")


@pytest.mark.parametrize(
    "arn", ["role/absent", "role/web", "role/irsa/other/web", "role/irsa/c1/WEB", "role/irsa/c1/web/x"]
)
def test_absent_role_and_wrong_path(assume: Any, signing: Any, arn: str) -> None:
    told = code_of(assume, WebIdentityToken=sign(signing, claims()), RoleArn=f"arn:aws:iam::{ACCOUNT}:{arn}")
    assert told == DENIED


@pytest.mark.parametrize("sub", ["system:serviceaccount:default:other", SUBJECT.upper(), "", "x" * 300])
def test_subject_is_tested_by_the_trust_policy(assume: Any, signing: Any, sub: str) -> None:
    assert code_of(assume, WebIdentityToken=sign(signing, claims(sub=sub))) == DENIED


def test_trust_without_condition_lets_any_subject_in(assume: Any, iam: Any, signing: Any, name: str) -> None:
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(Null={"aws:PrincipalArn": "true"}))
    token = sign(signing, claims(sub=""))
    assert assume(token, RoleArn=arn["Role"]["Arn"])["SubjectFromWebIdentityToken"] == ""


@pytest.mark.parametrize("claim", ["kubernetes.io", "namespace", "email_verified"])
def test_other_claims_are_no_condition_keys(assume: Any, iam: Any, signing: Any, name: str, claim: str) -> None:
    host = ISSUER.removeprefix("https://")
    document = trust(StringEquals={f"{host}:{claim}": "yes"})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    assert code_of(assume, WebIdentityToken=sign(signing, claims(**{claim: "yes"})), RoleArn=arn) == DENIED


def test_multi_valued_keys_need_set_operators(assume: Any, iam: Any, signing: Any, name: str) -> None:
    host = ISSUER.removeprefix("https://")
    token = sign(signing, claims(aud=["a", "b"], azp=AUDIENCE))
    plain = trust(StringNotEquals={f"{host}:oaud": "c"})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=plain)["Role"]["Arn"]
    assert code_of(assume, WebIdentityToken=token, RoleArn=arn) == DENIED
    proper = trust(**{"ForAnyValue:StringEquals": {f"{host}:oaud": "b"}})
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=proper)
    assert assume(token, RoleArn=arn)


@pytest.mark.parametrize(
    ("changed", "member"),
    [
        ({"DurationSeconds": 899}, "durationSeconds"),
        ({"DurationSeconds": 43201}, "durationSeconds"),
        ({"RoleSessionName": "x"}, "roleSessionName"),
        ({"RoleSessionName": "a b"}, "roleSessionName"),
        ({"RoleSessionName": "x" * 65}, "roleSessionName"),
        ({"RoleArn": "arn:aws:iam::1"}, "roleArn"),
        ({"WebIdentityToken": "abc"}, "webIdentityToken"),
        ({"WebIdentityToken": "a" * 20001}, "webIdentityToken"),
    ],
)
def test_parameters(assume: Any, signing: Any, changed: dict[str, Any], member: str) -> None:
    code, text, status = code_of(assume, **{"WebIdentityToken": sign(signing, claims()), **changed})
    assert (code, status) == ("ValidationError", 400)
    assert text.startswith("1 validation error detected: Value ")
    assert f"at '{member}' failed to satisfy constraint: Member must " in text


def test_duration_is_limited_by_the_role(assume: Any, signing: Any) -> None:
    now = int(time.time())
    # The session may outlive the token.
    token = sign(signing, claims(exp=now + 60))
    expires = assume(token, DurationSeconds=7200)["Credentials"]["Expiration"].timestamp()
    assert now + 7190 < expires < now + 7260
    told = code_of(assume, WebIdentityToken=token, DurationSeconds=7201)
    assert told == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        400,
    )


def test_no_credentials_are_needed(front: Front, issuer: Issuer, signing: Any, web_role: str) -> None:
    from urllib.parse import urlencode

    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": web_role,
        "RoleSessionName": "plain",
        "WebIdentityToken": sign(signing, claims()),
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert front.plain("POST", "/", urlencode(form).encode(), headers)[0] == 200
    assert front.plain("GET", "/?" + urlencode(form))[0] == 200


def test_provider_deleted_and_made_again(front: Front, iam: Any, assume: Any, signing: Any) -> None:
    token = sign(signing, claims())
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER)
    try:
        told = code_of(assume, WebIdentityToken=token)
    finally:
        iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=[AUDIENCE, "second"])
    assert told == invalid(f"No OpenIDConnect provider found in your account for {ISSUER}")
    assert assume(token)


def test_session_policy_narrows(front: Front, assume: Any, iam: Any, signing: Any, name: str) -> None:
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust())["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    narrow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}]}
    token = sign(signing, claims())
    given = assume(token, RoleArn=role, Policy=json.dumps(narrow))["Credentials"]
    session = front.client("iam", (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]))
    assert session.list_roles(MaxItems=1)["Roles"]
    assert code_of(session.list_users)[0] == "AccessDenied"
    assert code_of(assume, WebIdentityToken=token, Policy="{")[0] == "MalformedPolicyDocument"
    assert code_of(assume, WebIdentityToken=token, Policy=" " * 2049)[0] == "PackedPolicyTooLarge"


def test_chained_sessions_last_an_hour_at_most(front: Front, assume: Any, iam: Any, signing: Any, name: str) -> None:
    first = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust())["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    statement = {"Effect": "Allow", "Principal": {"AWS": first}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    target = iam.create_role(RoleName=f"{name}-2", AssumeRolePolicyDocument=document, MaxSessionDuration=43200)
    given = assume(sign(signing, claims()), RoleArn=first)["Credentials"]
    sts = front.client("sts", (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]))
    chain = {"RoleArn": target["Role"]["Arn"], "RoleSessionName": "chain"}
    code, text, _ = code_of(sts.assume_role, **chain, DurationSeconds=3601)
    assert code == "ValidationError"
    assert "role chaining" in text
    assert sts.assume_role(**chain, DurationSeconds=3600)["AssumedRoleUser"]["Arn"].endswith(f"{name}-2/chain")
