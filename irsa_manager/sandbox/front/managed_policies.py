"""AWS-managed policies: the names that exist, beyond those that the emulator brings with their documents.

A name in `DOCUMENTS` grants what its document says (written from the AWS Managed Policy Reference's description of
what the policy allows). One that only aws/managed_policies.py knows exists and can be attached, but grants nothing
here, as its document is long and changes. Any other doesn't exist: AWS answers NoSuchEntity, and so does the sandbox.
"""

from __future__ import annotations

import json
from typing import Final

from irsa_manager.aws import managed_policies
from irsa_manager.sandbox.front.emulator import Emulator


def _document(*actions: str, effect: str = "Allow") -> str:
    statement = {"Effect": effect, "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


_QUARANTINE: Final = (
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:ChangePassword",
    "iam:CreateAccessKey",
    "iam:CreateInstanceProfile",
    "iam:CreateLoginProfile",
    "iam:CreatePolicyVersion",
    "iam:CreateRole",
    "iam:CreateUser",
    "iam:DetachUserPolicy",
    "iam:PassRole",
    "iam:PutGroupPolicy",
    "iam:PutRolePolicy",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAccessKey",
    "iam:UpdateAccountPasswordPolicy",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateLoginProfile",
    "iam:UpdateUser",
    "ec2:RequestSpotInstances",
    "ec2:RunInstances",
    "ec2:StartInstances",
    "lambda:CreateFunction",
    "lambda:InvokeFunction",
    "organizations:CreateAccount",
    "organizations:CreateOrganization",
    "organizations:InviteAccountToOrganization",
    "s3:DeleteBucket",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutBucketPolicy",
    "s3:PutLifecycleConfiguration",
)

DOCUMENTS: Final = {
    "AWSDenyAll": _document("*", effect="Deny"),
    "AWSCompromisedKeyQuarantine": _document(*_QUARANTINE, effect="Deny"),
    "AWSCompromisedKeyQuarantineV2": _document(*_QUARANTINE, effect="Deny"),
    "AWSCompromisedKeyQuarantineV3": _document(*_QUARANTINE, effect="Deny"),
    "AmazonSQSReadOnlyAccess": _document(
        "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListDeadLetterSourceQueues", "sqs:ListQueues"
    ),
    "AmazonDynamoDBReadOnlyAccess": _document(
        "dynamodb:BatchGetItem",
        "dynamodb:Describe*",
        "dynamodb:List*",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "dynamodb:Scan",
        "dynamodb:PartiQLSelect",
    ),
    "AmazonSNSReadOnlyAccess": _document("sns:GetTopicAttributes", "sns:List*"),
    "SecretsManagerReadWrite": _document("secretsmanager:*"),
    "AmazonSSMReadOnlyAccess": _document("ssm:Describe*", "ssm:Get*", "ssm:List*"),
    "AmazonSSMFullAccess": _document("ssm:*"),
    "CloudWatchFullAccess": _document("cloudwatch:*", "logs:*", "sns:*"),
    "CloudWatchReadOnlyAccess": _document(
        "cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*", "logs:Get*", "logs:List*", "logs:Describe*"
    ),
    "CloudWatchLogsReadOnlyAccess": _document("logs:Describe*", "logs:Get*", "logs:List*", "logs:FilterLogEvents"),
    "AmazonRoute53FullAccess": _document("route53:*", "route53domains:*"),
    "AmazonRoute53ReadOnlyAccess": _document("route53:Get*", "route53:List*", "route53:TestDNSAnswer"),
    "AmazonEC2ContainerRegistryReadOnly": _document(
        "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
        "ecr:GetRepositoryPolicy", "ecr:DescribeRepositories", "ecr:ListImages", "ecr:DescribeImages",
        "ecr:BatchGetImage",
    ),
}  # fmt: skip


def install(emulator: Emulator) -> None:
    """Put the names and documents beside those that the emulator has; its own are kept."""
    known = emulator.iam._aws_managed_policies
    nothing = '{"Version":"2012-10-17","Statement":[]}'
    for name, document in {**dict.fromkeys(managed_policies.names(), nothing), **DOCUMENTS}.items():
        arn = f"arn:aws:iam::aws:policy/{name}"
        if arn not in known:
            known[arn] = emulator.iam._make_aws_managed_record(name, document, "")
