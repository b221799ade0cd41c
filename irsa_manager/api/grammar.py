"""Names as Kubernetes and AWS spell them, as CEL expressions with the message for whoever got one wrong.

Regular expressions are RE2's (no look-ahead; written out in place of backslash-w, which differs between engines) and
anchored. Sources: Kubernetes documentation, "Object Names and IDs" and "Labels and Selectors"; IAM API reference,
CreateRole, CreatePolicy and Tag; IAM User Guide, "IAM identifiers", "IAM JSON policy elements: Condition operators" and
"AWS global condition context keys"; S3 User Guide, "General purpose bucket naming rules".
"""

from __future__ import annotations

from typing import Final

from irsa_manager.api import names
from irsa_manager.api.structural import Rule

LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN: Final = rf"{LABEL}(\.{LABEL})*"
GLOB: Final = "[a-z0-9*?]([-a-z0-9*?]*[a-z0-9*?])?"
IAM_NAME: Final = "[A-Za-z0-9_+=,.@-]+"
POLICY: Final = f"(arn:aws[a-z0-9-]*:iam::([0-9]{{12}}|aws):policy/)?{IAM_NAME}(/{IAM_NAME})*"
HOST: Final = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?"
URL_PATH: Final = "(/[A-Za-z0-9._~+,=:@%/-]*)?"
PROVIDER_ARN: Final = "arn:aws[a-z0-9-]*:iam::[0-9]{12}:oidc-provider/"

MAX_POLICY: Final = 704
"""Characters of a policy's ARN: 52 before the path, a path of 512, a name of 128, and some to spare."""
MAX_ISSUER: Final = 255
MAX_PATH: Final = 512


def matches(pattern: str, value: str = "self") -> str:
    """CEL: the whole value matches."""
    return f"{value}.matches(r'^({pattern})$')"


def service_account_name(value: str = "self") -> Rule:
    """A ServiceAccount's name; the empty one is left to the rule that asks for a name."""
    return Rule(
        expression=f"{value} == '' || {matches(SUBDOMAIN, value)}",
        message=(
            "not a ServiceAccount name: Kubernetes takes lower-case letters, digits, '-' and '.', beginning and "
            "ending with a letter or digit. Write it as `kubectl get serviceaccounts` shows it."
        ),
    )


NAMESPACE_GLOB: Final = Rule(
    expression=matches(GLOB),
    message=(
        "not a namespace: names have lower-case letters, digits and '-', at most 63, and begin and end with a letter "
        "or digit; '*' and '?' match any characters or one. Write a name or a pattern such as team-*."
    ),
)

NAMESPACE_LIMIT: Final = Rule(
    expression=f"{matches(GLOB)} && !self.startsWith('kube-')",
    message=(
        "not a namespace that a rule can open: write a name or a pattern such as team-a-*, of lower-case letters, "
        "digits, '-', '*' and '?'. Namespaces kube-* are reached from the operator's namespace only."
    ),
)

ROLE_NAME_LIMIT: Final = Rule(
    expression=matches("[A-Za-z0-9_+=,.@*?-]+"),
    message=(
        "not a role name or pattern: letters, digits and _+=,.@-, '*' for any characters and '?' for one. A path goes "
        "into rolePaths."
    ),
)

ROLE_PATH_LIMIT: Final = Rule(
    expression=matches("/|[/*][A-Za-z0-9_+=,.@*?/-]*[/*?]|[*]"),
    message=(
        "no role's path matches this: a path begins and ends with '/'. Write /team-a/, or a pattern such as /team-a/*; "
        "'*' matches any characters, '?' one."
    ),
)

POLICY_LIMIT: Final = Rule(
    expression=matches("[A-Za-z0-9_+=,.@:*?/-]+"),
    message=(
        "not a policy or pattern: write names as in iamPolicies, NAME for a policy of AWS or customer/[PATH/]NAME for "
        "one of your account, with '*' for any characters and '?' for one. A pattern of ARNs is for other accounts."
    ),
)

ROLE_NAME: Final = Rule(
    expression=f"self == '' || {matches(IAM_NAME)}",
    message=(
        "not a role name: IAM takes letters, digits and _+=,.@- only. A path goes into iamRole.path, an ARN isn't "
        "needed: write the name alone."
    ),
)

PATH: Final = Rule(
    expression=matches("/([!-.0-~]+/)*"),
    message=(
        "not an IAM path: it begins and ends with '/', has no empty part, and only visible ASCII characters. Write / or"
        " /team-a/."
    ),
)

POLICY_NAME: Final = Rule(
    expression=matches(POLICY),
    message=(
        "not a policy: write the name of a policy of AWS (AmazonS3ReadOnlyAccess, service-role/NAME), customer/NAME "
        "for one of your own account, or a whole ARN such as arn:aws:iam::111122223333:policy/NAME."
    ),
)

DESCRIPTION: Final = Rule(
    expression=r"self.matches(r'^[\t\n\r\x20-\x7e\x{a1}-\x{ff}]*$')",
    message=(
        "IAM takes only Latin-1 characters in a description (no emoji, no other scripts). Take the other ones out."
    ),
)

ISSUER: Final = Rule(
    expression=matches(f"(https://)?{HOST}{URL_PATH}"),
    message=(
        "not an issuer: AWS takes https URLs without query or fragment. Write the host and path "
        "(oidc.eks.eu-west-1.amazonaws.com/id/ABC), or the same with https:// in front."
    ),
)

PROVIDER: Final = Rule(
    expression=f"self == '' || {matches(f'(https://|{PROVIDER_ARN})?{HOST}{URL_PATH}')}",
    message=(
        "not an OIDC provider: write host and path (oidc.eks.eu-west-1.amazonaws.com/id/ABC), the same with https:// "
        "in front, or the provider's ARN; no http://, query or fragment. Empty means the cluster's own issuer."
    ),
)

_TAG: Final = r"[\p{L}\p{Z}\p{N}_.:/=+@-]"

TAG_VALUE: Final = Rule(
    expression=matches(f"{_TAG}*"),
    message="IAM takes letters, digits, spaces and _.:/=+-@ in a tag's value. Take the other characters out.",
)

TAG_TEXT: Final = Rule(
    expression=matches(f"{_TAG}*"),
    message="it becomes a tag's value, where IAM takes letters, digits, spaces and _.:/=+-@. Take the others out.",
)

TAG_KEYS: Final = (
    Rule(
        expression=f"self.all(k, size(k) <= 128 && {matches(f'{_TAG}+', 'k')})",
        message=(
            "a tag's key is wrong: IAM takes 1 to 128 letters, digits, spaces and _.:/=+-@. Shorten it, or take the "
            "other characters out."
        ),
    ),
    Rule(
        expression=(
            f"self.all(k, !k.lowerAscii().startsWith('aws:') && !k.lowerAscii().startsWith('{names.OWN_PREFIX}'))"
        ),
        message=(
            f"keys beginning with aws: are AWS's own, those beginning with {names.OWN_PREFIX} say whose a role is and "
            "are set by irsa-manager. Choose another key."
        ),
    ),
    Rule(
        expression="self.all(a, self.all(b, a == b || a.lowerAscii() != b.lowerAscii()))",
        message="IAM takes keys that differ only in case for the same. Keep one of them.",
    ),
)


QUALIFIED_NAME: Final = rf"({SUBDOMAIN}/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?"

LABEL_KEY: Final = Rule(
    expression=matches(QUALIFIED_NAME),
    message=(
        "not a label's key: Kubernetes takes [prefix/]name, the name of letters, digits and -_., the prefix a DNS name "
        "in lower case. Write it as kubectl get namespaces --show-labels does."
    ),
)


def keys(what: str) -> Rule:
    """The keys of a map of labels or annotations. what: which of the two."""
    return Rule(
        expression=f"self.all(k, size(k) <= 317 && {matches(QUALIFIED_NAME, 'k')})",
        message=(
            f"a key isn't one that Kubernetes takes for {what}: [prefix/]name, the name of letters, digits and -_., "
            "the prefix a DNS name in lower case. Mend the key."
        ),
    )


def metadata_keys(what: str) -> tuple[Rule, ...]:
    """Rules of a map of labels or annotations that a ServiceAccount gets. what: which of the two."""
    return (
        Rule(
            expression=(
                f"self.all(k, !k.startsWith('{names.OWN_PREFIX}') && !k.startsWith('{names.INJECTION_PREFIX}/'))"
            ),
            message=(
                f"keys beginning with {names.OWN_PREFIX} or {names.INJECTION_PREFIX}/ bind a ServiceAccount to its "
                "role and are set by irsa-manager alone. Use iamRole, token or stsRegionalEndpoints instead."
            ),
        ),
        keys(what),
    )


LABEL_VALUE: Final = Rule(
    expression=matches("([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?"),
    message=(
        "not a label's value: Kubernetes takes letters, digits and -_., beginning and ending with a letter or digit. "
        "Use an annotation for free text."
    ),
)

_COMPARISONS: Final = (
    "String(Equals|NotEquals|EqualsIgnoreCase|NotEqualsIgnoreCase|Like|NotLike)"
    "|(Numeric|Date)(Equals|NotEquals|LessThan|LessThanEquals|GreaterThan|GreaterThanEquals)"
    "|Arn(Equals|Like|NotEquals|NotLike)|Bool|BinaryEquals|IpAddress|NotIpAddress"
)

OPERATOR: Final = Rule(
    expression=matches(f"((ForAllValues|ForAnyValue):)?(({_COMPARISONS})(IfExists)?|Null)"),
    message=(
        "not a condition operator of IAM: StringEquals, StringLike, NumericLessThan, DateGreaterThan, Bool, IpAddress, "
        "ArnLike, Null and their kin, with IfExists behind or ForAnyValue: in front. Case counts."
    ),
)

_FIXED_KEY: Final = "self.key.lowerAscii().endsWith(':sub') || self.key.lowerAscii().endsWith(':aud')"
_REQUEST_KEYS: Final = (
    "aws:(sourceip|sourcevpc|sourcevpce|vpcsourceip|requestedregion|currenttime|epochtime|securetransport|useragent)"
    "|sts:rolesessionname"
)
_CLAIM_KEYS: Final = r"[a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]{1,5})?(/[a-z0-9._~+,=:@%/-]*)?:(amr|oaud|email)"
_MANY: Final = "(self.key.lowerAscii().endsWith(':amr') || self.key.lowerAscii().endsWith(':oaud'))"
_SET_OPERATOR: Final = "self.operator.startsWith('ForA')"

CONDITION: Final = (
    Rule(
        expression=f"!({_FIXED_KEY})",
        message=(
            "keys ending in :sub or :aud are refused, since irsa-manager writes them into every statement and a second "
            "condition could only contradict it. Use serviceAccount, trust.audiences or trust.subjectMatch."
        ),
        at=".key",
    ),
    Rule(
        expression=f"{_FIXED_KEY} || {matches(f'{_REQUEST_KEYS}|{_CLAIM_KEYS}', 'self.key.lowerAscii()')}",
        message=(
            "STS doesn't set this key when a ServiceAccount's token is exchanged, so the condition would hold never "
            "or always. It sets aws:SourceIp, aws:SourceVpc, aws:SourceVpce, aws:VpcSourceIp, aws:RequestedRegion, "
            "aws:CurrentTime, aws:EpochTime, aws:SecureTransport, aws:UserAgent, sts:RoleSessionName, and of an issuer "
            "ISSUER:amr, ISSUER:oaud and ISSUER:email. Use one of these."
        ),
        at=".key",
    ),
    Rule(
        expression=f"{_MANY} == {_SET_OPERATOR}",
        message=(
            "ISSUER:amr and ISSUER:oaud have several values and need ForAnyValue: or ForAllValues: in front of the "
            "operator, without which they match nothing; all other keys have one value, and ForAllValues: would let "
            "requests without it pass. Change the operator."
        ),
        at=".operator",
    ),
)

CONDITIONS_BY_CASE: Final = Rule(
    expression=(
        "self.all(a, self.all(b, a.operator != b.operator || a.key == b.key || "
        "a.key.lowerAscii() != b.key.lowerAscii()))"
    ),
    message="IAM takes condition keys that differ only in case for the same. Put all values into one condition.",
)

ISSUERS_BY_SPELLING: Final = Rule(
    expression=(
        "self.all(a, self.all(b, a.issuer == b.issuer || "
        "a.issuer.replace('https://', '') != b.issuer.replace('https://', '')))"
    ),
    message="an issuer with and without https:// is the same. Put its names and namespaces into one entry.",
)

BUCKET: Final = Rule(
    expression=rf"self == '' || size(self) >= 3 && {matches(r'[a-z0-9][a-z0-9.-]*[a-z0-9]')} && !self.contains('..')",
    message=(
        "not a bucket name: S3 takes 3 to 63 lower-case letters, digits, '.' and '-', beginning and ending with a "
        "letter or digit. Write the bucket's name alone, without s3:// or a host."
    ),
)

REGION: Final = Rule(
    expression=f"self == '' || {matches('[a-z]{2,}(-[a-z0-9]+)+')}",
    message="not an AWS Region. Write its code, such as eu-west-1.",
)


def unique(what: str) -> Rule:
    """A list without duplicates, where upstream's schema can't be made a set. what: the items, in plural.

    300 different items take the API server about 150 ms, 30 take 2 ms. indexOf would be faster, but is charged so much
    that it exceeds the cost limit of a rule; distinct() isn't in Kubernetes 1.30.
    """
    return Rule(
        expression="self.all(x, self.exists_one(y, x == y))",
        message=f"{what} are listed twice: each counts once. Take the duplicates out.",
        costly=True,
        detailed=(
            "self.filter(x, !self.exists_one(y, x == y))[0] + "
            f"' is listed twice: of the {what} each counts once. Take one of the two out.'"
        ),
    )
