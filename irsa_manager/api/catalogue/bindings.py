"""Reasons of an IRSA that concern its ServiceAccounts, and the IRSASetup that it depends on."""

from typing import Final

from irsa_manager.api.reason import Reason

REASONS: Final = (
    Reason(
        code="NamespaceNotFound",
        kinds=("Ready", "ServiceAccountsReady", "event"),
        summary="A namespace that the object names doesn't exist, or none matches.",
        meaning=(
            "ServiceAccounts are bound in namespaces that exist. One that doesn't exist yet isn't in the trust policy "
            "either: else whoever creates it would own the role. Namespaces that are being deleted don't count."
        ),
        steps=(
            "Create the namespace: its ServiceAccount follows by itself.",
            "Or take it out of spec.serviceAccount.namespaces, or mend the selector.",
        ),
        what="{missing}.",
        left="{bound:ServiceAccount} bound; the rest isn't in the trust policy.",
        next="Create the namespace, and it follows by itself; or mend namespaces / namespaceSelector.",
    ),
    Reason(
        code="ServiceAccountMissing",
        kinds=("Ready", "ServiceAccountsReady", "event"),
        summary="A ServiceAccount doesn't exist, and somebody else is to make it.",
        meaning=(
            "With spec.serviceAccount.managementPolicy Annotate the manager waits for ServiceAccounts, a Helm chart's "
            "for example, and never makes them. The role trusts them already, so that they can be used from the moment "
            "they appear."
        ),
        steps=(
            "Make the ServiceAccount (install the chart): it is annotated by itself.",
            "Or set spec.serviceAccount.managementPolicy: Create.",
            "Check spec.serviceAccount.name and spec.serviceAccount.namespaces.",
        ),
        what="No ServiceAccount {missing}, and managementPolicy is Annotate.",
        left="{bound:ServiceAccount} bound; the role trusts the missing ones already.",
        next="Make the ServiceAccount, and it follows by itself; or set serviceAccount.managementPolicy: Create.",
    ),
    Reason(
        code="IRSAFailedApplyingResources",
        kinds=("Ready", "ServiceAccountsReady", "event"),
        summary="A ServiceAccount couldn't be made or annotated.",
        meaning=(
            "The API server, or an admission policy of the cluster, refused the write. The role itself is in order. "
            "It is tried again every 5 minutes, and when the object or the ServiceAccount changes."
        ),
        steps=(
            "Read the API server's text; it names the policy or the missing right.",
            "The manager needs get, list, watch, create, patch and delete on serviceaccounts.",
        ),
        what="ServiceAccount {service_account} couldn't be written: {error}",
        left="Role and trust are in force, {bound:other ServiceAccount} bound.",
        next="Next try {next_try}.",
    ),
    Reason(
        code="SetupMissing",
        kinds=("Ready", "event", "command"),
        summary="There is no IRSASetup, and the cluster publishes no issuer that AWS could use.",
        meaning=(
            "A trust policy names the cluster's OIDC issuer. Without an IRSASetup it is read from the cluster's own "
            "discovery document (/.well-known/openid-configuration), which is enough on EKS. Here that document "
            "can't be read, or names an issuer that AWS can't reach, as https://kubernetes.default.svc."
        ),
        steps=(
            "Create an IRSASetup in the operator's namespace, with mode: eks and iamOIDCProvider set to the provider "
            "that AWS knows this cluster by.",
            "The API server's flag --service-account-issuer says what the tokens carry.",
        ),
        what="No IRSASetup and no usable issuer in the cluster: {cause}.",
        left="Nothing was written for this object.",
        next="Create an IRSASetup with mode: eks and iamOIDCProvider in namespace {namespace}.",
    ),
    Reason(
        code="SetupNotReady",
        kinds=("Ready", "event", "command"),
        summary="The IRSASetup isn't ready, so AWS wouldn't accept tokens yet.",
        meaning=(
            "The cluster's issuer isn't in order, for the reason that the IRSASetup's own condition names. Roles and "
            "trust policies need only its name and are made all the same; pods get no credentials until it is mended."
        ),
        steps=("Look at the conditions of the IRSASetup, and mend that first.",),
        what="IRSASetup {setup} isn't ready: {reason}.",
        left="{left}",
        next="Mend the IRSASetup (its condition Ready says how); this object follows by itself.",
    ),
    Reason(
        code="EksOIDCSetupReady",
        kinds=("Ready", "ProviderReady"),
        severity="normal",
        summary="The cluster's issuer is known, and as far as can be seen registered with IAM.",
        meaning=(
            "The issuer is the one of spec.iamOIDCProvider, or the cluster's own. With iam:GetOpenIDConnectProvider "
            "the manager also looks that IAM knows it, and for which audiences; condition ProviderReady says that."
        ),
        what="Issuer {issuer} from {source}; provider {provider}.",
    ),
    Reason(
        code="EksOIDCNotReady",
        kinds=("Ready", "ProviderReady", "event"),
        summary="The issuer couldn't be checked, for a reason that has no name of its own.",
        meaning="The message carries the text of AWS or of the API server. It is tried again.",
        steps=("Read the text, and mend its cause. spec.iamOIDCProvider spares reading the discovery document.",),
        what="The cluster's issuer isn't usable: {error}",
        left="Roles and trust policies that exist were left as they are.",
        next="Next try {next_try}.",
    ),
    Reason(
        code="ProviderNotFound",
        kinds=("Ready", "ProviderReady", "Stalled", "event", "command"),
        stalled=True,
        summary="IAM has no OIDC provider for the cluster's issuer.",
        meaning=(
            "Without a provider in the account STS refuses every token of the cluster: `No OpenIDConnect provider "
            "found in your account`. Issuer and provider must agree to the letter, path and trailing slash included."
        ),
        steps=(
            "On EKS: `eksctl utils associate-iam-oidc-provider --cluster NAME --approve`.",
            "Or: `aws iam create-open-id-connect-provider --url ISSUER --client-id-list sts.amazonaws.com`.",
            "If the provider exists under another name, set spec.iamOIDCProvider to that.",
        ),
        what="Account {account} has no OIDC provider {provider}.",
        left="Roles and trust policies are kept up; STS refuses every token until it exists.",
        next="Run: aws iam create-open-id-connect-provider --url {issuer} --client-id-list sts.amazonaws.com",
    ),
    Reason(
        code="AudienceMissing",
        kinds=("Ready", "RoleReady", "ProviderReady", "Stalled", "event", "command"),
        stalled=True,
        summary="The OIDC provider doesn't list an audience that tokens are made for.",
        meaning=(
            "STS accepts a token only if its audience is among the provider's client ids, before it looks at the "
            "role's trust policy: `Incorrect token audience`."
        ),
        steps=(
            "`aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn ARN --client-id "
            "AUDIENCE`.",
            "Or set spec.trust.audiences and spec.serviceAccount.token.audience to one that is listed.",
        ),
        what="OIDC provider {provider} doesn't list the audience {audience} (it has {audiences}).",
        left="Role and trust are in force, but STS refuses tokens for that audience.",
        next="Add it to the provider (aws iam add-client-id-to-open-id-connect-provider), or use one it has.",
    ),
    Reason(
        code="Ignored",
        kinds=("Ready", "Stalled", "event"),
        stalled=True,
        summary="This IRSASetup isn't the one in use.",
        meaning=(
            "A cluster has one IRSASetup: the one in the operator's namespace, or the one that the controller's "
            "--setup names. Any other has no effect, wherever it lies, so that nobody who may write to a namespace "
            "can redirect every role of the cluster to an issuer of his own."
        ),
        steps=(
            "Delete the one that isn't needed.",
            "Or start the controller with --setup NAMESPACE/NAME.",
        ),
        what="{cause}; this one has no effect.",
        left="No role and no trust policy follows it.",
        next="Delete it; or start the controller with --setup NAMESPACE/NAME, if this is the one that should count.",
    ),
    Reason(
        code="NotImplemented",
        kinds=("Ready", "Stalled", "event"),
        stalled=True,
        summary="Mode selfhosted isn't implemented yet.",
        meaning=(
            "The manager doesn't publish an issuer in an S3 bucket yet, nor make the OIDC provider. An issuer that is "
            "published already and registered with IAM, however that was done, works with mode eks: nothing in it is "
            "particular to EKS."
        ),
        steps=("Use mode: eks with iamOIDCProvider set to the host and path of your issuer.",),
        what="Mode {mode} isn't implemented yet.",
        left="Nothing was published, nothing in AWS was changed.",
        next="If the issuer is published already, make a setup with mode: eks and iamOIDCProvider.",
    ),
    Reason(
        code="DependentsExist",
        kinds=("Ready", "event"),
        summary="The IRSASetup is being deleted while IRSAs still depend on it.",
        meaning=(
            "Every trust policy names the setup's issuer, so its finalizer stays as long as there are IRSAs. A "
            "deletion can't be taken back; until then everything goes on as before."
        ),
        steps=(
            "Delete the IRSAs that are named, those to be kept with cleanup: false.",
            "To replace the setup: make the new one after this one is gone; IRSAs find it by themselves.",
        ),
        what="Deletion waits for {count:IRSA}: {names}.",
        left="The issuer stays in force.",
        next="Delete these IRSAs first (cleanup: false keeps their roles).",
    ),
)
