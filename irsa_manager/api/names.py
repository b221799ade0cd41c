"""Names that users, other tools and upstream's objects rely on; each is spelt here and nowhere else."""

from typing import Final

GROUP: Final = "irsa-manager.kkb0318.github.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

FINALIZER: Final = f"{GROUP}/finalizers"
"""Upstream's finalizer, kept so that objects move over in place."""

FIELD_MANAGER: Final = "irsa-manager"
"""Upstream's field manager; another one would leave the annotations it wrote with two owners."""

LEASE_NAME: Final = "8ac0b5b6.kkb0318.github.io"
"""Upstream's leader election id: an old and a new pod in a rollout must exclude each other."""

LABEL_CREATED: Final = f"{GROUP}/created"
"""On a ServiceAccount, value "true": this manager made it. Set as it is created and never later."""

ANNOTATION_RELEASE: Final = f"{GROUP}/release"
"""On an IRSA, value "true": leave everything as it is and let the object go (irsa-manager release)."""

TAG_ADOPT_BY: Final = f"{GROUP}/adopt-by"
"""On a role: its owner's consent to an adoption by <UID of kube-system>/<namespace>/<name>."""

TAG_MARK: Final = f"{GROUP}/mark"
TAG_CLUSTER: Final = f"{GROUP}/cluster"
TAG_OWNER: Final = f"{GROUP}/owner"
OWN_PREFIX: Final = f"{GROUP}/"

MARK_SECRET: Final = "irsa-manager-mark"  # noqa: S105  (the Secret's name)
DEFAULT_NAMESPACE: Final = "irsa-manager-system"

INJECTION_PREFIX: Final = "eks.amazonaws.com"
ANNOTATION_ROLE_ARN: Final = f"{INJECTION_PREFIX}/role-arn"
ANNOTATION_AUDIENCE: Final = f"{INJECTION_PREFIX}/audience"
ANNOTATION_TOKEN_EXPIRATION: Final = f"{INJECTION_PREFIX}/token-expiration"
ANNOTATION_STS_REGIONAL: Final = f"{INJECTION_PREFIX}/sts-regional-endpoints"
BINDING_ANNOTATIONS: Final = (
    ANNOTATION_ROLE_ARN,
    ANNOTATION_AUDIENCE,
    ANNOTATION_TOKEN_EXPIRATION,
    ANNOTATION_STS_REGIONAL,
)
"""The annotations that bind a ServiceAccount to a role (amazon-eks-pod-identity-webhook, README)."""

DEFAULT_AUDIENCE: Final = "sts.amazonaws.com"
