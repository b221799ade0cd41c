"""What the Go program leaves behind in cluster and account, object by object, as its source says."""

from __future__ import annotations

import json
from typing import Any

from e2e_lab import IRSAS, ROLE_ARN, SETUPS, Irsa, Lab, Object

from irsa_manager.api import names
from irsa_manager.trust.document import subject

APPLY = {"Content-Type": "application/apply-patch+yaml"}
SINCE = "2024-09-20T10:00:00Z"


def trust(lab: Lab, *accounts: str) -> dict[str, Any]:
    """Its trust policy for NAMESPACE/NAMEs: a statement for each, the subject alone, and no Sid."""
    provider = lab.aws.sandbox.provider_arn
    host = provider.partition(":oidc-provider/")[2]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": provider},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{host}:sub": subject(*account.split("/"))}},
            }
            for account in accounts
        ],
    }


def setup(lab: Lab) -> str:
    """Its IRSASetup of mode eks, ready, with the empty strings that its client writes; the path."""
    host = lab.aws.sandbox.issuer.removeprefix("https://")
    path = lab.setup({"mode": "eks", "iamOIDCProvider": host, "discovery": {"s3": {"region": "", "bucketName": ""}}})
    lab.patch(path, {"metadata": {"finalizers": [names.FINALIZER]}})
    _status(lab, path, "IRSASetup", SETUPS, {"conditions": [_ready("EksOIDCSetupReady", "successfully setup for eks")]})
    return path


def account(lab: Lab, namespace: str, name: str, role: str) -> None:
    """Its apply of a ServiceAccount: by force, the one annotation and nothing else."""
    arn = f"arn:aws:iam::{lab.aws.sandbox.account}:role/{role}"
    body = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace, "annotations": {ROLE_ARN: arn}},
    }
    _apply(lab, f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}", body)


def irsa(lab: Lab, spec: Object, *, namespace: str, name: str = "", ready: bool = True) -> Irsa:
    """A user's IRSA after the Go program is done with it: role, policies, ServiceAccounts, finalizer, status."""
    role, account_name = spec["iamRole"]["name"], spec["serviceAccount"]["name"]
    bound = [f"{target}/{account_name}" for target in spec["serviceAccount"]["namespaces"]]
    lab.aws.iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust(lab, *bound)))
    for policy in spec["iamPolicies"]:
        lab.aws.iam.attach_role_policy(RoleName=role, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    for target in spec["serviceAccount"]["namespaces"]:
        account(lab, target, account_name, role)
    made = lab.irsa(spec, name=name, namespace=namespace)
    lab.patch(made.path, {"metadata": {"finalizers": [names.FINALIZER]}})
    accounts = [{"namespace": target, "name": account_name} for target in spec["serviceAccount"]["namespaces"]]
    condition = _ready("IRSAReady", "successfully setup resources")
    if not ready:
        condition |= {"status": "False", "reason": "IRSAFailedRoleUpdate", "message": "operation error IAM"}
    _status(lab, made.path, "IRSA", IRSAS, {"conditions": [condition], "serviceAccounts": accounts})
    return made


def _ready(reason: str, message: str) -> Object:
    # It never sets observedGeneration.
    return {"type": "Ready", "status": "True", "reason": reason, "message": message, "lastTransitionTime": SINCE}


def _status(lab: Lab, path: str, kind: str, collection: str, status: Object) -> None:
    *_, namespace, _, name = path.split("/")
    assert path == f"{collection.format(namespace)}/{name}"
    body = {"apiVersion": names.API_VERSION, "kind": kind, "metadata": {"name": name, "namespace": namespace}}
    _apply(lab, f"{path}/status", {**body, "status": status}, force=False)


def _apply(lab: Lab, path: str, body: Object, *, force: bool = True) -> None:
    params = {"fieldManager": names.FIELD_MANAGER, **({"force": "true"} if force else {})}
    answer = lab.api.patch(path, params=params, content=json.dumps(body), headers=APPLY)
    assert answer.is_success, answer.text
