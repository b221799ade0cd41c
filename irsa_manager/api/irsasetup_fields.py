"""What an IRSASetup's spec may hold: a page of `kubectl explain`, bounds and rules for each field."""

from __future__ import annotations

from typing import Final

from irsa_manager.api import grammar, tenancy_fields
from irsa_manager.api.structural import Field, Rule

_TABLE: Final[dict[str, Field]] = {
    "": Field(
        description=(
            "The IRSASetup tells irsa-manager by which OIDC issuer AWS knows this cluster, and what new roles have in "
            "common. One is enough, in the operator's namespace; any other is ignored. Without one the issuer is read "
            "from the cluster itself. For cluster administrators: it decides whom every role of the cluster trusts."
        ),
        rules=(
            Rule(
                expression="has(self.spec)",
                message="an IRSASetup without spec sets nothing. Write spec.cleanup and spec.mode.",
                kept=True,
            ),
        ),
    ),
    "apiVersion": Field(description="Version of the API: irsa-manager.kkb0318.github.io/v1alpha1."),
    "kind": Field(description="IRSASetup."),
    "spec": Field(
        description="The cluster's issuer, and defaults for its roles.",
        rules=(
            Rule(
                expression=(
                    "!has(self.iamOIDCProvider) || self.iamOIDCProvider == '' || has(self.mode) && self.mode == 'eks' "
                    "|| has(self.discovery) && has(self.discovery.s3) && self.discovery.s3.bucketName != ''"
                ),
                message=(
                    "iamOIDCProvider is for mode eks, but the mode is selfhosted (the default), which publishes an "
                    "issuer of its own. Did you mean mode: eks?"
                ),
                kept=True,
                at=".mode",
            ),
        ),
    ),
    "spec.cleanup": Field(
        description=(
            "What happens on deletion to what the setup made in AWS. true: it is deleted. false: it stays. In mode eks "
            "the setup makes nothing, so it has no effect there. Required, no default."
        )
    ),
    "spec.mode": Field(
        description=(
            "eks: the issuer exists and is registered with IAM (EKS does the first, eksctl or Terraform the second); "
            "right for every cluster whose issuer is published. selfhosted: irsa-manager publishes the issuer; not "
            "implemented yet, which a condition says. Default selfhosted. Can't be changed: delete the object and make "
            "another."
        ),
        schema={"enum": ["selfhosted", "eks"], "default": "selfhosted"},
        rules=(
            Rule(
                expression="self == oldSelf",
                message=(
                    "mode can't be changed: the issuer of every role would change with it. Delete this IRSASetup and "
                    "make another (absent means selfhosted)."
                ),
            ),
        ),
    ),
    "spec.iamOIDCProvider": Field(
        description=(
            "The OIDC provider of IAM for this cluster, mode eks: host and path, the issuer's URL, or the provider's "
            "ARN; all mean the same. Example: oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE. Default: the issuer that "
            "the cluster's own discovery document names. A change rewrites the trust policy of every role."
        ),
        schema={"maxLength": 320},
        rules=(grammar.PROVIDER,),
    ),
    "spec.clusterName": Field(
        description=(
            "Name of this cluster for people: value of the tag irsa-manager.kkb0318.github.io/cluster, 1 to 63 "
            "characters. Never evidence of whose a role is. Example: prod. Default: the UID of namespace kube-system."
        ),
        schema={"minLength": 1, "maxLength": 63},
        rules=(grammar.TAG_TEXT,),
    ),
    "spec.discovery": Field(description="Where a self-hosted issuer is published. Mode selfhosted only."),
    "spec.discovery.s3": Field(
        description="An S3 bucket that publishes the issuer.", schema={"required": ["region", "bucketName"]}
    ),
    "spec.discovery.s3.region": Field(
        description="AWS Region of the bucket. Example: eu-west-1.", schema={"maxLength": 63}, rules=(grammar.REGION,)
    ),
    "spec.discovery.s3.bucketName": Field(
        description="Name of the bucket. Example: my-cluster-oidc.", schema={"maxLength": 63}, rules=(grammar.BUCKET,)
    ),
    "spec.roleDefaults": Field(
        description="For new roles of IRSAs that don't say it themselves. Roles that exist aren't changed."
    ),
    "spec.roleDefaults.path": Field(
        description="Path of new roles, beginning and ending with /. Example: /irsa/prod/. Default /.",
        schema={"minLength": 1, "maxLength": grammar.MAX_PATH, "default": "/"},
        rules=(grammar.PATH,),
    ),
    "spec.roleDefaults.permissionsBoundary": Field(
        description=(
            "Permissions boundary of new roles: a policy's name or ARN, as in an IRSA's iamPolicies. Example: "
            "customer/irsa-boundary. Default none."
        ),
        schema={"maxLength": grammar.MAX_POLICY},
        rules=(
            Rule(
                expression=f"self == '' || {grammar.POLICY_NAME.expression}",
                message=grammar.POLICY_NAME.message,
            ),
        ),
    ),
}

TABLE: Final[dict[str, Field]] = _TABLE | tenancy_fields.TABLE
"""All fields of an IRSASetup but its status."""
