"""Actions and documents that the tests of irsa_manager.aws are made of."""

from __future__ import annotations

from typing import Any

from irsa_manager.plan.actions import CreateRole

PROVIDER = "arn:aws:iam::123456789012:oidc-provider/oidc.example.test/id/aws"
S3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
SQS = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"
INLINE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}]}


def trust_of(*subjects: str, sid: str = "irsa") -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": sid,
                "Effect": "Allow",
                "Principal": {"Federated": PROVIDER},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {"oidc.example.test/id/aws:sub": list(subjects) or ["a"]}},
            }
        ],
    }


def create(role: str, **more: Any) -> CreateRole:
    given: dict[str, Any] = {"path": "/", "trust": trust_of(), "description": "", **more}
    return CreateRole(role=role, reason="test", **given)
