"""Roles: what IAM refuses is refused with its code, what it accepts is accepted and comes back as IAM gives it."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

import pytest
from front_issuer import ROOT_TRUST, create
from front_process import ACCOUNT, Front, code_of


@pytest.mark.parametrize("good", ["a", "x" * 64, "A_b+c=d,e.f@g-h"])
def test_names_that_are_taken(iam: Any, good: str) -> None:
    assert create(iam, good)["RoleName"] == good


@pytest.mark.parametrize("bad", ["", "x" * 65, "a b", "a/b", "é", "a*"])
def test_names_that_are_refused(iam: Any, bad: str) -> None:
    code, text, status = code_of(create, iam=iam, name=bad)
    assert (code, status) == ("ValidationError", 400)
    assert "at 'roleName' failed to satisfy constraint" in text


@pytest.mark.parametrize(
    ("changed", "member"),
    [
        ({"Path": "x"}, "path"),
        ({"Path": "/x"}, "path"),
        ({"Path": "/a//b/"}, "path"),
        ({"Path": "/a b/"}, "path"),
        ({"Path": "/é/"}, "path"),
        ({"Path": "/" + "a" * 511 + "/"}, "path"),
        ({"Description": "x" * 1001}, "description"),
        ({"Description": "snowman \u2603"}, "description"),
        ({"MaxSessionDuration": 3599}, "maxSessionDuration"),
        ({"MaxSessionDuration": 43201}, "maxSessionDuration"),
        ({"AssumeRolePolicyDocument": "\u2603"}, "policyDocument"),
        ({"PermissionsBoundary": "short"}, "permissionsBoundary"),
    ],
)
def test_parameters_that_are_refused(iam: Any, name: str, changed: dict[str, Any], member: str) -> None:
    code, text, status = code_of(create, iam=iam, name=name, **changed)
    assert (code, status) == ("ValidationError", 400)
    assert f"at '{member}' failed to satisfy constraint: Member must " in text
    assert code_of(iam.get_role, RoleName=name)[0] == "NoSuchEntity"


def test_create_echoes_what_aws_echoes(iam: Any, name: str) -> None:
    made = create(
        iam,
        name,
        Path="/irsa/c1/",
        Description="d <&> \u00e9",
        MaxSessionDuration=7200,
        Tags=[{"Key": "k", "Value": ""}],
    )
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/irsa/c1/{name}"
    assert made["RoleId"].startswith("AROA")
    assert not {"Description", "MaxSessionDuration"} & set(made)
    read = iam.get_role(RoleName=name)["Role"]
    assert (read["Description"], read["MaxSessionDuration"]) == ("d <&> \u00e9", 7200)
    assert read["Tags"] == [{"Key": "k", "Value": ""}]
    # IAM re-serialises: the order of the elements is its own, and differs between the two answers.
    assert list(made["AssumeRolePolicyDocument"]["Statement"][0]) == ["Effect", "Action", "Principal"]
    assert list(read["AssumeRolePolicyDocument"]["Statement"][0]) == ["Effect", "Principal", "Action"]


def test_documents_are_percent_encoded_on_the_wire(iam: Any, name: str) -> None:
    wire: list[bytes] = []
    iam.meta.events.register_first(
        "before-parse.iam.GetRole", lambda response_dict, **_: wire.append(response_dict["body"])
    )
    create(iam, name)
    iam.get_role(RoleName=name)
    encoded = wire[-1].split(b"<AssumeRolePolicyDocument>")[1].split(b"<")[0].decode()
    assert encoded.startswith("%7B%22Version%22")
    assert json.loads(urllib.parse.unquote(encoded)) == ROOT_TRUST


def test_a_name_is_taken_whatever_its_case_and_path(iam: Any, name: str) -> None:
    create(iam, name)
    for other in ({"name": name}, {"name": name.upper()}, {"name": name, "Path": "/other/"}):
        told = code_of(create, iam=iam, **other)
        assert told == ("EntityAlreadyExists", f"Role with name {other['name']} already exists.", 409)


def test_recreated_role_has_a_new_id_and_old_sessions_die(front: Front, iam: Any, name: str) -> None:
    user = front.user(
        f"u-{name}", {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]}
    )
    first = create(iam, name)
    given = front.client("sts", user).assume_role(RoleArn=first["Arn"], RoleSessionName="old")["Credentials"]
    session = front.client("sts", (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]))
    assert session.get_caller_identity()["UserId"] == f"{first['RoleId']}:old"
    iam.delete_role(RoleName=name)
    assert create(iam, name)["RoleId"] != first["RoleId"]
    assert code_of(session.get_caller_identity)[0] == "InvalidClientTokenId"


def test_roles_per_account(front: Front, iam: Any, name: str) -> None:
    create(iam, name)
    present = iam.get_account_summary()["SummaryMap"]["Roles"]
    assert front.sandbox("PUT", "quotas", {"RolesPerAccount": present})[0] == 200
    try:
        assert iam.get_account_summary()["SummaryMap"]["RolesQuota"] == present
        told = code_of(create, iam=iam, name=f"{name}-2")
        assert told == ("LimitExceeded", f"Cannot exceed quota for RolesPerAccount: {present}", 409)
    finally:
        front.sandbox("PUT", "quotas", {})


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([{"Key": f"k{number}", "Value": "v"} for number in range(51)], "ValidationError"),
        ([{"Key": "k" * 129, "Value": "v"}], "ValidationError"),
        ([{"Key": "", "Value": "v"}], "ValidationError"),
        ([{"Key": "k", "Value": "v" * 257}], "ValidationError"),
        ([{"Key": "k*", "Value": "v"}], "ValidationError"),
        ([{"Key": "k", "Value": 'a,"b'}], "ValidationError"),
        ([{"Key": "aws:k", "Value": "v"}], "InvalidInput"),
        ([{"Key": "AWS:k", "Value": "v"}], "InvalidInput"),
        ([{"Key": "k", "Value": "a"}, {"Key": "K", "Value": "b"}], "InvalidInput"),
    ],
)
def test_bad_tags(iam: Any, name: str, tags: Any, code: str) -> None:
    assert code_of(create, iam=iam, name=name, Tags=tags)[::2] == (code, 400)
    assert code_of(iam.get_role, RoleName=name)[0] == "NoSuchEntity"
    create(iam, name)
    assert code_of(iam.tag_role, RoleName=name, Tags=tags)[0] in (code, "LimitExceeded")
    assert iam.list_role_tags(RoleName=name)["Tags"] == []


def test_tags(iam: Any, name: str) -> None:
    many = [{"Key": f"k{number:02}", "Value": "\u00fc 1_.:/=+-@"} for number in range(50)]
    create(iam, name, Tags=many)
    assert sorted(iam.get_role(RoleName=name)["Role"]["Tags"], key=lambda tag: tag["Key"]) == many
    full = code_of(iam.tag_role, RoleName=name, Tags=[{"Key": "another", "Value": ""}])
    assert full[::2] == ("LimitExceeded", 409)
    iam.tag_role(RoleName=name, Tags=[{"Key": "K00", "Value": "new"}])
    iam.untag_role(RoleName=name, TagKeys=[f"K{number:02}" for number in range(1, 50)] + ["absent"])
    assert iam.list_role_tags(RoleName=name)["Tags"] == [{"Key": "K00", "Value": "new"}]


def test_update_role(iam: Any, name: str) -> None:
    create(iam, name, MaxSessionDuration=7200, Description="before")
    iam.update_role(RoleName=name, Description="after")
    role = iam.get_role(RoleName=name)["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("after", 7200)
    assert code_of(iam.update_role, RoleName=name, MaxSessionDuration=50000)[0] == "ValidationError"
    iam.update_role(RoleName=name, Description="", MaxSessionDuration=43200)
    role = iam.get_role(RoleName=name)["Role"]
    assert (role.get("Description"), role["MaxSessionDuration"]) == (None, 43200)


def test_absent_role(iam: Any, name: str) -> None:
    told = ("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
    for call, more in (
        (iam.get_role, {}),
        (iam.delete_role, {}),
        (iam.update_role, {}),
        (iam.list_attached_role_policies, {}),
        (iam.list_role_policies, {}),
        (iam.tag_role, {"Tags": [{"Key": "k", "Value": "v"}]}),
        (iam.attach_role_policy, {"PolicyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}),
        (iam.update_assume_role_policy, {"PolicyDocument": json.dumps(ROOT_TRUST)}),
    ):
        assert code_of(call, RoleName=name, **more) == told


def test_delete_conflicts(iam: Any, name: str) -> None:
    create(iam, name)
    arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    allow = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(allow))
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    for what, remedy in (
        ("detach all policies", lambda: iam.detach_role_policy(RoleName=name, PolicyArn=arn)),
        ("delete policies", lambda: iam.delete_role_policy(RoleName=name, PolicyName="p")),
        (
            "remove roles from instance profile",
            lambda: iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name),
        ),
    ):
        text = f"Cannot delete entity, must {what} first."
        assert code_of(iam.delete_role, RoleName=name) == ("DeleteConflict", text, 409)
        remedy()
    iam.delete_role(RoleName=name)
    assert code_of(iam.delete_role, RoleName=name)[0] == "NoSuchEntity"


def test_roles_of_aws_are_not_changed(iam: Any, name: str) -> None:
    iam.create_service_linked_role(AWSServiceName="eks.amazonaws.com")
    linked = next(role for role in iam.list_roles(PathPrefix="/aws-service-role/")["Roles"])
    assert code_of(iam.delete_role, RoleName=linked["RoleName"])[::2] == ("UnmodifiableEntity", 400)
    assert code_of(iam.tag_role, RoleName=linked["RoleName"], Tags=[])[0] == "UnmodifiableEntity"
    assert code_of(create, iam=iam, name=name, Path="/aws-service-role/x/")[0] == "InvalidInput"


def test_boundary(iam: Any, name: str) -> None:
    arn = "arn:aws:iam::aws:policy/PowerUserAccess"
    absent = f"arn:aws:iam::{ACCOUNT}:policy/absent"
    told = ("NoSuchEntity", f"Scope ARN: {absent} does not exist or is not attachable.", 404)
    assert code_of(create, iam=iam, name=name, PermissionsBoundary=absent) == told
    create(iam, name, PermissionsBoundary=arn)
    assert iam.get_role(RoleName=name)["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    assert code_of(iam.put_role_permissions_boundary, RoleName=name, PermissionsBoundary=absent) == told
    iam.delete_role_permissions_boundary(RoleName=name)
    assert "PermissionsBoundary" not in iam.get_role(RoleName=name)["Role"]
    assert code_of(iam.delete_role_permissions_boundary, RoleName=name)[::2] == ("NoSuchEntity", 404)


def test_pages(iam: Any, name: str) -> None:
    path = f"/{name}/"
    made = [
        create(iam, f"{name}-{number}", Path=path, Tags=[{"Key": "k", "Value": "v"}])["RoleName"] for number in range(5)
    ]
    found: list[Any] = []
    more: dict[str, Any] = {}
    while True:
        answer = iam.list_roles(PathPrefix=path, MaxItems=2, **more)
        assert len(answer["Roles"]) <= 2
        found += answer["Roles"]
        if not answer["IsTruncated"]:
            break
        more = {"Marker": answer["Marker"]}
    assert [role["RoleName"] for role in found] == made
    assert not any({"Tags", "PermissionsBoundary", "RoleLastUsed"} & set(role) for role in found)
    assert code_of(iam.list_roles, MaxItems=1001)[0] == "ValidationError"
    assert code_of(iam.list_roles, Marker="nonsense")[0] == "ValidationError"


def test_account_authorization_details(iam: Any, name: str) -> None:
    boundary = "arn:aws:iam::aws:policy/PowerUserAccess"
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    create(iam, name, PermissionsBoundary=boundary, Tags=[{"Key": "k", "Value": "v"}], Description="d")
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(allow))
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    create(iam, f"{name}-2")
    roles: dict[str, Any] = {}
    more: dict[str, Any] = {}
    pages = 0
    known = iam.get_account_summary()["SummaryMap"]["Roles"]
    while True:
        answer = iam.get_account_authorization_details(Filter=["Role"], MaxItems=max(1, known // 3), **more)
        assert len(answer["RoleDetailList"]) <= max(1, known // 3)
        assert not answer["UserDetailList"]
        assert not answer["Policies"]
        roles.update({role["RoleName"]: role for role in answer["RoleDetailList"]})
        pages += 1
        if not answer["IsTruncated"]:
            break
        more = {"Marker": answer["Marker"]}
    assert pages > 1
    assert len(roles) == iam.get_account_summary()["SummaryMap"]["Roles"]
    role = roles[name]
    assert not {"Description", "MaxSessionDuration"} & set(role)
    assert role["AssumeRolePolicyDocument"] == ROOT_TRUST
    assert role["RolePolicyList"] == [{"PolicyName": "p", "PolicyDocument": allow}]
    assert role["AttachedManagedPolicies"] == [
        {"PolicyName": "AmazonS3FullAccess", "PolicyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"}
    ]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    assert role["Tags"] == [{"Key": "k", "Value": "v"}]
    whole = iam.get_account_authorization_details(MaxItems=1000)
    assert any(policy["PolicyName"] == "AmazonS3FullAccess" for policy in whole["Policies"])
    assert code_of(iam.get_account_authorization_details, Filter=["Roles"])[0] == "ValidationError"
