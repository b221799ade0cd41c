"""Who may do what: boundaries and policies as condition keys, role paths, tags, other accounts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from front_issuer import trust
from front_process import ACCOUNT, Front, code_of

AWS = "arn:aws:iam::aws:policy/"
PATH = "/irsa/c1/"
OWN = f"arn:aws:iam::{ACCOUNT}:role{PATH}*"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
BOUNDED = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "CreateBounded",
            "Effect": "Allow",
            "Action": ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"],
            "Resource": OWN,
            "Condition": {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}},
        },
        {
            "Sid": "AttachListed",
            "Effect": "Allow",
            "Action": "iam:AttachRolePolicy",
            "Resource": OWN,
            "Condition": {
                "StringEquals": {"iam:PermissionsBoundary": BOUNDARY},
                "ArnLike": {"iam:PolicyARN": [f"{AWS}AmazonS3*", f"arn:aws:iam::{ACCOUNT}:policy/irsa/*"]},
            },
        },
        {
            "Sid": "OwnRoles",
            "Effect": "Allow",
            "Action": [
                "iam:UpdateAssumeRolePolicy",
                "iam:DetachRolePolicy",
                "iam:DeleteRolePolicy",
                "iam:DeleteRole",
                "iam:UpdateRole",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
            ],
            "Resource": OWN,
        },
        {
            "Sid": "OwnTags",
            "Effect": "Allow",
            "Action": ["iam:TagRole", "iam:UntagRole"],
            "Resource": OWN,
            "Condition": {"ForAllValues:StringLike": {"aws:TagKeys": "irsa-manager.kkb0318.github.io/*"}},
        },
        {
            "Sid": "Sweep",
            "Effect": "Allow",
            "Action": ["iam:GetAccountAuthorizationDetails", "sts:GetCallerIdentity"],
            "Resource": "*",
        },
        {
            "Sid": "NeverLoosen",
            "Effect": "Deny",
            "Action": [
                "iam:DeleteRolePermissionsBoundary",
                "iam:CreatePolicy*",
                "iam:SetDefaultPolicyVersion",
                "iam:PassRole",
                "iam:CreateAccessKey",
            ],
            "Resource": "*",
        },
    ],
}
"""The least rights that the manager can do its work with, roles kept behind one boundary in one path."""


@pytest.fixture(scope="module")
def bounded(front: Front) -> Any:
    iam = front.client("iam")
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(deny))
    iam.create_policy(PolicyName="listed", Path="/irsa/", PolicyDocument=json.dumps(deny))
    # Larger than what a user's inline policies may be, so it is attached.
    arn = iam.create_policy(PolicyName="bounded", PolicyDocument=json.dumps(BOUNDED))["Policy"]["Arn"]
    iam.create_user(UserName="bounded")
    iam.attach_user_policy(UserName="bounded", PolicyArn=arn)
    key = iam.create_access_key(UserName="bounded")["AccessKey"]
    return front.client("iam", (key["AccessKeyId"], key["SecretAccessKey"]))


def denied(action: str, resource: str, user: str = "bounded", explicit: bool = False) -> tuple[str, str, int]:
    """AWS's AccessDenied."""
    tail = (
        "with an explicit deny in an identity-based policy"
        if explicit
        else f"because no identity-based policy allows the {action} action"
    )
    who = f"arn:aws:iam::{ACCOUNT}:user/{user}"
    return "AccessDenied", f"User: {who} is not authorized to perform: {action} on resource: {resource} {tail}", 403


def test_bounded_policy_works_as_written(bounded: Any, name: str) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role{PATH}{name}"
    made = {"RoleName": name, "AssumeRolePolicyDocument": trust(), "Path": PATH}
    allow = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})

    # Without the boundary, with another one, or outside the path: nothing is made.
    assert code_of(bounded.create_role, **made) == denied("iam:CreateRole", arn)
    assert code_of(bounded.create_role, **made, PermissionsBoundary=f"{AWS}AdministratorAccess")[0] == "AccessDenied"
    for path in ("/", "/irsa/c2/", "/irsa/"):
        assert code_of(bounded.create_role, **{**made, "Path": path}, PermissionsBoundary=BOUNDARY)[0] == "AccessDenied"
    tags = [{"Key": "irsa-manager.kkb0318.github.io/owner", "Value": "default/app"}]
    told = code_of(bounded.create_role, **made, PermissionsBoundary=BOUNDARY, Tags=[*tags, {"Key": "x", "Value": ""}])
    assert told == denied("iam:TagRole", arn)
    assert code_of(bounded.get_role, RoleName=name)[0] == "AccessDenied"
    bounded.create_role(**made, PermissionsBoundary=BOUNDARY, Tags=tags)

    bounded.attach_role_policy(RoleName=name, PolicyArn=f"{AWS}AmazonS3ReadOnlyAccess")
    bounded.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/irsa/listed")
    told = code_of(bounded.attach_role_policy, RoleName=name, PolicyArn=f"{AWS}AdministratorAccess")
    assert told == denied("iam:AttachRolePolicy", arn)
    bounded.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=allow)
    assert bounded.get_role_policy(RoleName=name, PolicyName="p")["PolicyName"] == "p"
    bounded.update_assume_role_policy(RoleName=name, PolicyDocument=trust(StringEquals={"a:b": "c"}))
    bounded.update_role(RoleName=name, Description="changed")
    bounded.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=BOUNDARY)
    told = code_of(
        bounded.put_role_permissions_boundary, RoleName=name, PermissionsBoundary=f"{AWS}AdministratorAccess"
    )
    assert told == denied("iam:PutRolePermissionsBoundary", arn)
    told = code_of(bounded.delete_role_permissions_boundary, RoleName=name)
    assert told == denied("iam:DeleteRolePermissionsBoundary", arn, explicit=True)
    assert code_of(bounded.tag_role, RoleName=name, Tags=[{"Key": "x", "Value": ""}]) == denied("iam:TagRole", arn)
    bounded.untag_role(RoleName=name, TagKeys=[tags[0]["Key"]])

    assert any(
        role["RoleName"] == name
        for page in bounded.get_paginator("get_account_authorization_details").paginate(Filter=["Role"])
        for role in page["RoleDetailList"]
    )
    assert code_of(bounded.list_roles) == denied("iam:ListRoles", "*")
    bounded.detach_role_policy(RoleName=name, PolicyArn=f"{AWS}AmazonS3ReadOnlyAccess")
    bounded.detach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/irsa/listed")
    bounded.delete_role_policy(RoleName=name, PolicyName="p")
    bounded.delete_role(RoleName=name)


def test_unbounded_roles_in_the_path_are_out_of_reach(bounded: Any, iam: Any, name: str) -> None:
    iam.create_role(RoleName=name, Path=PATH, AssumeRolePolicyDocument=trust())
    arn = f"arn:aws:iam::{ACCOUNT}:role{PATH}{name}"
    told = code_of(bounded.attach_role_policy, RoleName=name, PolicyArn=f"{AWS}AmazonS3FullAccess")
    assert told == denied("iam:AttachRolePolicy", arn)
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=BOUNDARY)
    bounded.attach_role_policy(RoleName=name, PolicyArn=f"{AWS}AmazonS3FullAccess")


def test_a_role_is_reached_by_its_path_and_not_by_its_name(front: Front, iam: Any, name: str) -> None:
    iam.create_role(RoleName=name, Path=PATH, AssumeRolePolicyDocument=trust())
    iam.create_role(RoleName=f"{name}-2", AssumeRolePolicyDocument=trust())
    by_name = allow("iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role/{name}*")
    user = front.client("iam", front.user(f"u-{name}", by_name))
    told = code_of(user.get_role, RoleName=name)
    assert told == denied("iam:GetRole", f"arn:aws:iam::{ACCOUNT}:role{PATH}{name}", f"u-{name}")
    assert user.get_role(RoleName=f"{name}-2")


def allow(action: Any, resource: str = "*", **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition} if condition else statement]}


def test_create_role_with_tags_needs_tag_role(front: Front, name: str) -> None:
    user = front.client("iam", front.user(f"u-{name}", allow("iam:CreateRole")))
    made = {"RoleName": name, "AssumeRolePolicyDocument": trust()}
    tagged = {**made, "Tags": [{"Key": "k", "Value": "v"}]}
    told = code_of(user.create_role, **tagged)
    assert told == denied("iam:TagRole", f"arn:aws:iam::{ACCOUNT}:role/{name}", f"u-{name}")
    user.create_role(**made)
    provider = {"Url": f"https://{name}.example.test/x"}
    both = allow(["iam:CreateRole", "iam:TagRole", "iam:CreateOpenIDConnectProvider"])
    front.client("iam").put_user_policy(UserName=f"u-{name}", PolicyName="only", PolicyDocument=json.dumps(both))
    user.create_role(**{**tagged, "RoleName": f"{name}-2"})
    told = code_of(user.create_open_id_connect_provider, **provider, Tags=[{"Key": "k", "Value": "v"}])
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}.example.test/x"
    assert told == denied("iam:TagOpenIDConnectProvider", arn, f"u-{name}")
    user.create_open_id_connect_provider(**provider)


@pytest.mark.parametrize("prefix", ["aws", "iam"])
def test_resource_tags(front: Front, iam: Any, name: str, prefix: str) -> None:
    policy = allow(["iam:UpdateRole", "iam:GetRole"], "*", StringEquals={f"{prefix}:ResourceTag/owner": "me"})
    user = front.client("iam", front.user(f"u-{name}", policy))
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(), Tags=[{"Key": "owner", "Value": "you"}])
    assert code_of(user.update_role, RoleName=name)[0] == "AccessDenied"
    iam.tag_role(RoleName=name, Tags=[{"Key": "owner", "Value": "me"}])
    user.update_role(RoleName=name)


def test_providers_are_scoped_by_their_arn(front: Front, iam: Any, name: str) -> None:
    mine = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}.example.test/x"
    policy = allow(["iam:CreateOpenIDConnectProvider", "iam:DeleteOpenIDConnectProvider"], mine)
    user = front.client("iam", front.user(f"u-{name}", policy))
    told = code_of(user.create_open_id_connect_provider, Url=f"https://{name}.example.test/y")
    assert told[0] == "AccessDenied"
    assert (
        user.create_open_id_connect_provider(Url=f"https://{name}.example.test/x")["OpenIDConnectProviderArn"] == mine
    )
    assert code_of(user.get_open_id_connect_provider, OpenIDConnectProviderArn=mine)[0] == "AccessDenied"
    user.delete_open_id_connect_provider(OpenIDConnectProviderArn=mine)


def test_boundaries_limit_and_are_named(front: Front, iam: Any, name: str) -> None:
    iam.create_user(UserName=name, PermissionsBoundary=f"{AWS}AmazonS3FullAccess")
    iam.attach_user_policy(UserName=name, PolicyArn=f"{AWS}AdministratorAccess")
    key = iam.create_access_key(UserName=name)["AccessKey"]
    user = (key["AccessKeyId"], key["SecretAccessKey"])
    front.client("s3", user).create_bucket(Bucket=name)
    told = code_of(front.client("iam", user).list_roles)
    text = (
        f"User: arn:aws:iam::{ACCOUNT}:user/{name} is not authorized to perform: iam:ListRoles on resource: * "
        "because no permissions boundary allows the iam:ListRoles action"
    )
    assert told == ("AccessDenied", text, 403)


def test_instance_profiles_are_the_resource(front: Front, iam: Any, name: str) -> None:
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust())
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    remove = "iam:RemoveRoleFromInstanceProfile"
    user = front.client("iam", front.user(f"u-{name}", allow(remove, f"arn:aws:iam::{ACCOUNT}:role/*")))
    told = code_of(user.remove_role_from_instance_profile, InstanceProfileName=name, RoleName=name)
    assert told == denied(remove, f"arn:aws:iam::{ACCOUNT}:instance-profile/{name}", f"u-{name}")


def test_one_request_is_authorised_and_carried_out_alike(front: Front, name: str) -> None:
    """A signed query string that names one operation and a body that names another are refused."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    key = front.user(f"u-{name}", allow("iam:GetUser"))
    body = f"Action=CreateUser&UserName=x-{name}&Version=2010-05-08"
    request = AWSRequest(
        "POST",
        f"{front.url}/?Action=GetUser&UserName=u-{name}",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        data=body,
    )
    SigV4Auth(Credentials(*key), "iam", "us-east-1").add_auth(request)
    status, answer = front.plain("POST", f"/?Action=GetUser&UserName=u-{name}", body.encode(), dict(request.headers))
    assert status == 400
    assert b"MalformedQueryString" in answer
    assert code_of(front.client("iam").get_user, UserName=f"x-{name}")[0] == "NoSuchEntity"


@pytest.fixture
def second(front: Front) -> Callable[[str], Any]:
    """Clients for the root user of a second account."""
    status, key = front.sandbox("PUT", "accounts", {"account": "111122223333"})
    assert status == 200
    return lambda service: front.client(service, (key["access_key_id"], key["secret_access_key"]))


def test_second_account(front: Front, iam: Any, second: Callable[[str], Any], name: str) -> None:
    assert second("sts").get_caller_identity()["Account"] == "111122223333"
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust())
    assert code_of(second("iam").get_role, RoleName=name)[0] == "NoSuchEntity"
    second("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust())
    assert front.sandbox("GET", "accounts") == (200, {"accounts": ["111122223333", ACCOUNT]})


def test_assuming_a_role_across_accounts(front: Front, second: Callable[[str], Any], name: str) -> None:
    target = f"arn:aws:iam::111122223333:role/team/{name}"
    user = front.user(f"u-{name}", allow("sts:AssumeRole", target))
    trusted = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/u-{name}"},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "1234"}},
            }
        ],
    }
    second("iam").create_role(RoleName=name, Path="/team/", AssumeRolePolicyDocument=json.dumps(trusted))
    sts = front.client("sts", user)
    wrong = f"arn:aws:iam::111122223333:role/{name}"
    assert code_of(sts.assume_role, RoleArn=wrong, RoleSessionName="chain", ExternalId="1234")[0] == "AccessDenied"
    assert code_of(sts.assume_role, RoleArn=target, RoleSessionName="chain")[0] == "AccessDenied"
    told = code_of(sts.assume_role, RoleArn=target, RoleSessionName="chain", ExternalId="1234", DurationSeconds=3601)
    text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    assert told == ("ValidationError", text, 400)
    given = sts.assume_role(RoleArn=target, RoleSessionName="chain", ExternalId="1234")["Credentials"]
    session = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    arn = front.client("sts", session).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::111122223333:assumed-role/{name}/chain"
    assert code_of(front.client("iam", session).list_roles)[0] == "AccessDenied"
