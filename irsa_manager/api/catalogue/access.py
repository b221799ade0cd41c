"""Reasons that any call of AWS or of the API server can end with: permissions, credentials, reachability."""

from typing import Final

from irsa_manager.api.reason import Reason

REASONS: Final = (
    Reason(
        code="PermissionMissing",
        kinds=("Ready", "RoleReady", "ServiceAccountsReady", "ProviderReady", "Stalled", "event", "command"),
        stalled=True,
        summary="A permission is missing, in AWS or in Kubernetes.",
        meaning=(
            "Actions as iam:PutRolePolicy are AWS's: no policy of the manager's identity allows the action on that "
            "resource, or a boundary or service control policy forbids it. Actions as `patch serviceaccounts` are "
            "Kubernetes': a Role or ClusterRole is missing. What is done already stays. ProviderReady=Unknown with "
            "this reason only means that the manager may not look; nothing needs to be done."
        ),
        steps=(
            "Add the action that the message names to the manager's IAM policy, or the verb to its ClusterRole.",
            "If the action is allowed there, look for a permissions boundary, a service control policy, or a session "
            "policy of the role that the manager switches to.",
        ),
        what="{action} is not allowed for {principal} on {resource}.",
        left="Done so far: {done}.",
        next="Allow that action; the manager goes on by itself.",
    ),
    Reason(
        code="CredentialsInvalid",
        kinds=("Ready", "RoleReady", "event", "command"),
        summary="The AWS credentials are missing, wrong or expired.",
        meaning=(
            "AWS doesn't know who is calling. Nothing in AWS was changed, and pods that have their roles keep them: "
            "they don't depend on the manager's credentials."
        ),
        steps=(
            "Controller: check Secret aws-secret in the operator's namespace (its five keys), or the role of its own "
            "ServiceAccount. A session token ends; restart the controller after changing the Secret.",
            "Command line: `aws sts get-caller-identity` must work in the same shell.",
        ),
        what="The AWS credentials are missing, wrong or expired ({cause}).",
        left="AWS is as it was; pods keep working.",
        next="Check Secret aws-secret, or the operator's own role.",
    ),
    Reason(
        code="Throttled",
        kinds=("Ready", "RoleReady", "event", "command"),
        summary="AWS asks for fewer calls.",
        meaning=(
            "Each account has a rate of calls that all its users share. The manager slows down by itself and comes "
            "back; what was in force stays in force. If it lasts, something else in the account calls too often."
        ),
        steps=(
            "Wait.",
            "If it lasts: CloudTrail (eventSource iam.amazonaws.com, errorCode Throttling) shows who calls so often.",
        ),
        what="AWS asks for fewer calls ({operation}).",
        left="The last good state is in force.",
        next="Next try {next_try}.",
    ),
    Reason(
        code="AWSUnavailable",
        kinds=("Ready", "RoleReady", "event", "command"),
        summary="AWS can't be reached, or answers with an error of its own.",
        meaning=(
            "A time-out, a lost connection or an answer 5xx. Whether the call took effect isn't known, so the state "
            "is read again before anything else is written."
        ),
        steps=(
            "Check the way out: DNS, proxy (HTTPS_PROXY, NO_PROXY), network policies, VPC endpoints.",
            "AWS_ENDPOINT_URL, if set, must name a server that answers; the sandbox's: `irsa-manager sandbox status`.",
        ),
        what="AWS can't be reached ({operation}): {error}",
        left="The last good state is in force.",
        next="Next try {next_try}.",
    ),
    Reason(
        code="KubernetesUnavailable",
        kinds=("command",),
        summary="The Kubernetes API server can't be reached, or answers with an error of its own.",
        meaning="No connection, a time-out, an answer 5xx, or 429: the server asks to slow down.",
        steps=(
            "`kubectl version` must work with the same kubeconfig and context.",
            'For the sandbox: `irsa-manager sandbox status`, then `eval "$(irsa-manager sandbox env)"`.',
        ),
        what="The API server {server} can't be used: {error}",
        left="Nothing was changed.",
        next="Is it running, and is this the right kubeconfig and context?",
    ),
    Reason(
        code="KubernetesRefused",
        kinds=("command",),
        summary="The Kubernetes API server refused a request.",
        meaning=(
            "The object breaks a rule of the API, changed while it was being written, exists already, or isn't there. "
            "The message carries the server's own words."
        ),
        steps=(
            "Read the server's words: for an IRSA they say what is wrong, why, and how to mend it.",
            "If the kind is unknown to the server: `irsa-manager crds apply`.",
        ),
        what="{object} was refused: {error}",
        left="Nothing was changed.",
        next="Mend what the API server names.",
    ),
)
