"""Our parser of role pages reads what botocore's own parser reads, whatever is in the documents."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

import botocore.session
import pytest
from botocore.handlers import json_decode_policies
from botocore.parsers import create_parser
from hypothesis import given, settings
from hypothesis import strategies as st

from irsa_manager.api.errors import AwsUnavailable
from irsa_manager.aws.documents import rfc3339
from irsa_manager.aws.rolexml import RolePage, parse_details, parse_list
from irsa_manager.plan.observed import ObservedRole

IAM = botocore.session.Session().get_service_model("iam")
NAMESPACE = 'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"'

xml_text = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn"), include_characters="\t\n"), max_size=20)
"""Text that XML 1.0 can carry (section 2.2), odd as it may be. A carriage return would come back as a line feed."""

names = st.text(st.sampled_from("abcXYZ019+=,.@-_"), min_size=1, max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.text(max_size=15),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from(["Version", "Statement", "Id", "Ü\u2028<&>%25+"]), json_values, max_size=3)


@st.composite
def roles(draw: st.DrawFn) -> dict[str, Any]:
    role: dict[str, Any] = {
        "Path": "/" + draw(st.sampled_from(["", "a/", "!%~/"])),
        "RoleName": draw(names),
        "RoleId": "AROA" + draw(st.text("ABC234", min_size=16, max_size=16)),
        "CreateDate": draw(st.sampled_from(["2026-11-24T18:00:00Z", "2019-01-02T03:04:05+00:00"])),
        "AssumeRolePolicyDocument": draw(documents),
        "InstanceProfileList": [
            # A profile names its roles again, with the same elements as the role itself.
            {
                "InstanceProfileName": draw(names),
                "Roles": [{"RoleName": draw(names), "Arn": "arn:other", "Path": "/no/"}],
            }
            for _ in range(draw(st.integers(0, 2)))
        ],
        "RolePolicyList": [
            {"PolicyName": name, "PolicyDocument": draw(documents)}
            for name in draw(st.lists(names, max_size=3, unique=True))
        ],
        "AttachedManagedPolicies": [
            {"PolicyName": draw(names), "PolicyArn": f"arn:aws:iam::aws:policy/{draw(names)}"}
            for _ in range(draw(st.integers(0, 3)))
        ],
        "Tags": [
            {"Key": key, "Value": value} for key, value in draw(st.dictionaries(xml_text, xml_text, max_size=3)).items()
        ],
    }
    role["Arn"] = f"arn:aws:iam::000000000000:role{role['Path']}{role['RoleName']}"
    if draw(st.booleans()):
        role["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": "arn:aws:iam::aws:policy/B",
        }
    if draw(st.booleans()):
        role["RoleLastUsed"] = {"LastUsedDate": "2026-01-01T00:00:00Z", "Region": "us-east-1"}
    order = draw(st.permutations(sorted(role)))
    return {key: role[key] for key in order}


def xml(name: str, value: Any) -> str:
    if name.endswith("Document"):
        return f"<{name}>{escape(quote(json.dumps(value, ensure_ascii=len(value) % 2 == 0)))}</{name}>"
    if isinstance(value, list):
        return f"<{name}>{''.join(xml('member', item) for item in value)}</{name}>"
    if isinstance(value, dict):
        return f"<{name}>{''.join(xml(key, item) for key, item in value.items())}</{name}>"
    return f"<{name}>{escape(str(value))}</{name}>"


def answer(operation: str, key: str, items: list[dict[str, Any]], marker: str = "") -> bytes:
    more = (
        f"<IsTruncated>true</IsTruncated><Marker>{escape(marker)}</Marker>"
        if marker
        else "<IsTruncated>false</IsTruncated>"
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><{operation}Response {NAMESPACE}><{operation}Result>{more}'
        f"{xml(key, items)}"
        f"</{operation}Result><ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></{operation}Response>"
    ).encode()


def of_botocore(operation: str, body: bytes) -> dict[str, Any]:
    shape = IAM.operation_model(operation).output_shape
    parsed = create_parser("query").parse({"body": body, "headers": {}, "status_code": 200}, shape)
    json_decode_policies(parsed, IAM.operation_model(operation))
    return dict(parsed)


def as_observed(detail: dict[str, Any]) -> ObservedRole:
    return ObservedRole(
        name=detail["RoleName"],
        arn=detail["Arn"],
        id=detail["RoleId"],
        path=detail["Path"],
        created=rfc3339(detail["CreateDate"]),
        trust=detail["AssumeRolePolicyDocument"],
        attached=tuple(item["PolicyArn"] for item in detail["AttachedManagedPolicies"]),
        inline={item["PolicyName"]: item["PolicyDocument"] for item in detail["RolePolicyList"]},
        boundary=detail.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        tags={item["Key"]: item["Value"] for item in detail["Tags"]},
        instance_profiles=tuple(item["InstanceProfileName"] for item in detail["InstanceProfileList"]),
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(roles(), max_size=4), st.text("Aa0/+=", max_size=10))
def test_the_same_roles_as_botocores_parser(made: list[dict[str, Any]], marker: str) -> None:
    body = answer("GetAccountAuthorizationDetails", "RoleDetailList", made, marker)
    theirs = of_botocore("GetAccountAuthorizationDetails", body)
    ours = parse_details(body)
    assert ours.roles == [as_observed(detail) for detail in theirs["RoleDetailList"]]
    assert ours.truncated == theirs["IsTruncated"]
    assert ours.marker == theirs.get("Marker", "")
    assert ours.request_id == theirs["ResponseMetadata"]["RequestId"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(names, xml_text, st.none() | st.integers(3600, 43200)), max_size=5))
def test_the_same_descriptions_as_botocores_parser(made: list[tuple[str, str, int | None]]) -> None:
    items: list[dict[str, Any]] = []
    for name, description, seconds in made:
        item: dict[str, Any] = {"RoleName": name, "Arn": "arn:x", "RoleId": "AROAX", "AssumeRolePolicyDocument": {}}
        if description:
            item["Description"] = description
        if seconds is not None:
            item["MaxSessionDuration"] = seconds
        items.append(item)
    body = answer("ListRoles", "Roles", items)
    theirs = of_botocore("ListRoles", body)["Roles"]
    ours = parse_list(body).roles
    assert [(r.name, r.description, r.max_session_seconds) for r in ours] == [
        (r["RoleName"], r.get("Description", ""), r.get("MaxSessionDuration")) for r in theirs
    ]


def test_other_lists_of_the_answer_are_not_roles() -> None:
    body = answer(
        "GetAccountAuthorizationDetails", "UserDetailList", [{"UserName": "u", "Arn": "arn:u", "RoleName": "no"}]
    )
    assert parse_details(body) == RolePage(roles=[], marker="", truncated=False, request_id="r-1")


def test_a_document_that_is_no_json_is_not_known_rather_than_empty() -> None:
    body = (
        "<GetAccountAuthorizationDetailsResponse><GetAccountAuthorizationDetailsResult><IsTruncated>false</IsTruncated>"
        "<RoleDetailList><member><RoleName>r</RoleName><AssumeRolePolicyDocument>%7Boops</AssumeRolePolicyDocument></member>"
        "</RoleDetailList></GetAccountAuthorizationDetailsResult></GetAccountAuthorizationDetailsResponse>"
    )
    assert parse_details(body.encode()).roles[0].trust is None


ENTITIES = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<GetAccountAuthorizationDetailsResponse><GetAccountAuthorizationDetailsResult><IsTruncated>false</IsTruncated>"
    "<RoleDetailList><member><RoleName>&b;</RoleName></member></RoleDetailList>"
    "</GetAccountAuthorizationDetailsResult></GetAccountAuthorizationDetailsResponse>"
)
EXTERNAL = '<!DOCTYPE x SYSTEM "file:///etc/hostname"><x/>'


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (ENTITIES.encode(), "document type"),
        (EXTERNAL.encode(), "document type"),
        (b"<html><body>502 Bad Gateway</body></html>", "no result"),
        (b"", "no element"),
        (b"<GetAccountAuthorizationDetailsResponse><GetAccountAuthorizationDetailsResult>", "no element"),
        (b"\xff\xfe\x00garbage", "can't be read"),
    ],
)
def test_what_iam_would_not_send_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(AwsUnavailable, match="can't be read") as caught:
        parse_details(body)
    assert why in caught.value.message
