"""What the demo does and what must come of it, as data, and the comparison of the two. Pure.

The expected texts are STS's own (AWS re:Post, "How do I resolve the InvalidIdentityToken error"; STS API Reference,
AssumeRoleWithWebIdentity, Errors) and IAM's for a call that no policy allows (IAM User Guide, "Troubleshoot access
denied error messages").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from irsa_manager.api.names import DEFAULT_AUDIENCE

Verb = Literal["apply", "ALLOW", "REFUSE", "delete"]

EXPIRED_SECONDS: Final = 360
"""How long ago the expired token ended: more than the 300 s that STS tolerates."""

API_SERVER_AUDIENCE: Final = "https://kubernetes.default.svc"
"""The audience of the token that every pod has for the API server."""

OTHER_ACCOUNT, OTHER_NAMESPACE = "other-sa", "team-b"
BUCKET, OBJECT, QUEUE = "demo", "hello.txt", "demo"
ISSUER_BUCKET: Final = "demo-issuer"


@dataclass(frozen=True)
class Requested:
    """A token that the cluster's TokenRequest API gives for a ServiceAccount."""

    namespace: str
    account: str
    audience: str = DEFAULT_AUDIENCE


@dataclass(frozen=True)
class Expired:
    """The bound ServiceAccount's token, signed by the cluster's key, that ended `seconds` ago."""

    seconds: int


@dataclass(frozen=True)
class Forged:
    """The bound ServiceAccount's claims and the cluster's key id, signed with a key of our own."""


@dataclass(frozen=True)
class Foreign:
    """The bound ServiceAccount's name, correctly signed by another issuer that publishes its keys on S3."""


Token = Requested | Expired | Forged | Foreign


@dataclass(frozen=True)
class Apply:
    """Create the object and wait until it is ready."""


@dataclass(frozen=True)
class UseBucket:
    """Exchange a token at STS; with the credentials put an object, get it, compare."""

    token: Token


@dataclass(frozen=True)
class UseQueue:
    """Exchange a token at STS; with the credentials send a message to a queue, which no policy allows."""

    token: Token


@dataclass(frozen=True)
class Exchange:
    """Ask STS for the role's credentials with a token."""

    token: Token


@dataclass(frozen=True)
class Delete:
    """Delete the object, wait until it is gone, and look what is left in AWS and in the cluster."""


Act = Apply | UseBucket | UseQueue | Exchange | Delete


@dataclass(frozen=True)
class Answer:
    """What came of an act.

    code: the error's, "" where it worked. text: the service's words, or what was done. service: who refused it.
    """

    code: str
    text: str
    service: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.text}" if self.code else self.text


@dataclass(frozen=True)
class Expected:
    """What an answer must be: exactly this code, and a text that this pattern (re.fullmatch) describes."""

    code: str
    text: str

    def meets(self, answer: Answer) -> bool:
        """Whether the answer is as it should be."""
        return answer.code == self.code and re.fullmatch(self.text, answer.text, re.DOTALL) is not None

    def __str__(self) -> str:
        return f"{self.code}: {self.text}" if self.code else self.text


@dataclass(frozen=True)
class Step:
    """One line of the demo. what: in a few words, at most 23 characters. short: the result where no error is named."""

    number: int
    verb: Verb
    what: str
    act: Act
    expected: Expected
    short: str = ""


@dataclass(frozen=True)
class Result:
    """A step that was taken. seconds: how long it took."""

    step: Step
    answer: Answer
    seconds: float

    @property
    def as_expected(self) -> bool:
        """The verdict."""
        return self.step.expected.meets(self.answer)


def unexpected(results: Iterable[Result]) -> list[Result]:
    """The results that aren't as they should be."""
    return [result for result in results if not result.as_expected]


_NOT_TRUSTED: Final = Expected("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
_NOT_VALIDATED: Final = Expected(
    "InvalidIdentityToken", r"The web identity token provided could not be validated\. See the .* documentation .*"
)
_BOUND: Final = Requested("default", "irsa1-sa")

STEPS: Final[tuple[Step, ...]] = (
    Step(
        1,
        "apply",
        "examples/irsa.yaml",
        Apply(),
        Expected("", r"role irsa1-role, 1 policy, 2 ServiceAccounts; planned anew: nothing to do"),
        short="made as planned",
    ),
    Step(
        2,
        "ALLOW",
        "default/irsa1-sa",
        UseBucket(_BOUND),
        Expected("", rf"assumed-role/irsa1-role/\S+: put and got s3://{BUCKET}/{OBJECT}"),
        short="put + get on S3",
    ),
    Step(
        3,
        "REFUSE",
        "default/irsa1-sa at SQS",
        UseQueue(_BOUND),
        Expected(
            "AccessDenied",
            r"User: arn:aws:sts::\d+:assumed-role/irsa1-role/\S+ is not authorized to perform: sqs:SendMessage"
            r"( on resource: \S+)? because no identity-based policy allows the sqs:SendMessage action",
        ),
    ),
    Step(4, "REFUSE", f"default/{OTHER_ACCOUNT}", Exchange(Requested("default", OTHER_ACCOUNT)), _NOT_TRUSTED),
    Step(5, "REFUSE", f"{OTHER_NAMESPACE}/irsa1-sa", Exchange(Requested(OTHER_NAMESPACE, "irsa1-sa")), _NOT_TRUSTED),
    Step(
        6,
        "REFUSE",
        "API server's audience",
        Exchange(Requested("default", "irsa1-sa", API_SERVER_AUDIENCE)),
        _NOT_VALIDATED,
    ),
    Step(7, "REFUSE", "signed by another key", Exchange(Forged()), _NOT_VALIDATED),
    Step(
        8,
        "REFUSE",
        "another issuer (on S3)",
        Exchange(Foreign()),
        Expected(
            "InvalidIdentityToken",
            rf"No OpenIDConnect provider found in your account for https://s3-\S+\.amazonaws\.com/{ISSUER_BUCKET}",
        ),
    ),
    Step(
        9,
        "REFUSE",
        f"expired {EXPIRED_SECONDS // 60} min ago",
        Exchange(Expired(EXPIRED_SECONDS)),
        Expected(
            "ExpiredTokenException",
            r"Token expired: current date/time \d+ must be before the expiration date/time \d+",
        ),
    ),
    Step(
        10,
        "delete",
        "irsa-sample",
        Delete(),
        Expected("", r"roles 0, ServiceAccounts 0, provider kept"),
        short="AWS, cluster clean",
    ),
)
"""The demo, in order. What a step is about, `irsa-manager demo` prints; why it must be so, docs/demo.md tells."""
