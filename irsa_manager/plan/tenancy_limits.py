"""What an object asks for, as a tenancy rule judges it, and which of the rule's limits it exceeds.

All limits are lists of what is allowed. Left empty, targetNamespaces means the object's own namespace, policies and
allow mean nothing, roleNames and rolePaths mean any: a name is no permission by itself, a role that exists is never
taken without its owner's consent, and a rule that is for many namespaces can't know their prefixes. Names, paths and
policies are compared as AWS does: names of roles ignore case (IAM API, CreateRole), the others don't.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import UNSET, Struct

from irsa_manager.api import names
from irsa_manager.api.irsa import IRSASpec
from irsa_manager.api.irsasetup import TenancyRule
from irsa_manager.api.reasons import listed
from irsa_manager.api.tenancy_cel import WORDS
from irsa_manager.api.tenancy_fields import MAX_PATH_PATTERN, MAX_POLICY_PATTERN
from irsa_manager.plan.namespaces import Reach, is_glob
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.patterns import covered
from irsa_manager.trust.arn import policy_arn

_FIELDS = {word: text for word, (text, _) in WORDS.items()}
"""What each word of a rule's `allow` opens."""

_UNUSUAL = re.compile(r"[^A-Za-z0-9_+=,.@:*?/-]")


class PolicyName(Struct, frozen=True, order=True):
    """One managed policy, however it was spelt. name: as users write it, "" for another account's or partition's."""

    arn: str
    name: str = ""

    @property
    def shown(self) -> str:
        """For messages, and as a pattern of its own."""
        return self.name or self.arn


class Ask(Struct, frozen=True):
    """What one object asks for.

    home: its namespace. targets: namespaces, and patterns that the trust policy would hold, without bindings that are
    kept. named: those that were written as names. paths: of the role, as written and as it is. boundary: "" for none.
    words: what it needs of a rule's `allow`.
    """

    home: str
    targets: tuple[str, ...]
    named: tuple[str, ...]
    role: str
    paths: tuple[str, ...]
    management: str
    policies: tuple[PolicyName, ...]
    inline: tuple[str, ...]
    boundary: str
    words: tuple[str, ...]


class Refusal(Struct, frozen=True):
    """One limit that is exceeded.

    what: the object asks for. allowed: instead. field, value: of TenancyRule, with which it would be allowed; field is
    "" where the rule is not to be changed, and `instead` says what to do.
    """

    what: str
    allowed: str
    field: str = ""
    value: tuple[str, ...] | str = ()
    instead: str = ""


def asked(
    spec: IRSASpec,
    home: str,
    *,
    reach: Reach,
    default_path: str,
    partition: str,
    account: str,
    role: ObservedRole | None,
    kept: frozenset[str],
) -> Ask:
    """What an object of namespace `home` asks for.

    reach: the namespaces that it means, now. default_path: of a role that names none. role: the one that it would use,
    if it exists. kept: namespace/name of ServiceAccounts that stay bound whatever a rule says.
    """
    accounts, wanted, trust = spec.service_account, spec.iam_role, spec.trust
    written = [n for n in accounts.namespaces if not is_glob(n)]
    globs = [n for n in accounts.namespaces if is_glob(n)]

    def new(namespace: str) -> bool:
        return any(f"{namespace}/{name}" not in kept for name in accounts.names)

    # Another cluster's namespaces are held to the same limit: its issuer may be written so that it is this cluster's.
    elsewhere = [n for p in trust.additional_providers for n in (p.namespaces or written)]
    named = [n for n in written if new(n)] + elsewhere
    found = [n for n in reach.living if new(n)]
    patterns = globs if trust.subject_match == "Pattern" else []
    path = wanted.path if wanted.path is not UNSET else default_path
    boundary = wanted.permissions_boundary
    return Ask(
        home=home,
        targets=_once([*named, *found, *patterns]),
        named=_once(named),
        role=wanted.name,
        # A role whose id isn't known couldn't be read: its path isn't known either.
        paths=_once([path, role.path] if role is not None and role.id else [path]),
        management=wanted.management_policy,
        policies=tuple(dict.fromkeys(policy(p, partition, account) for p in spec.iam_policies)),
        inline=tuple(sorted(spec.inline_policies)),
        boundary=policy_arn(boundary, partition, account) if boundary is not UNSET else "",
        words=_words(spec, globs=bool(globs) or any(is_glob(n) for n in elsewhere)),
    )


def policy(text: str, partition: str, account: str) -> PolicyName:
    """The policy behind a name or an ARN: every spelling of one policy gives the same."""
    arn = policy_arn(text, partition, account)
    of_aws, own = f"arn:{partition}:iam::aws:policy/", f"arn:{partition}:iam::{account}:policy/"
    if arn.startswith(own):
        return PolicyName(arn, f"customer/{arn.removeprefix(own)}")
    # AWS has no path customer/; a policy that is spelt as if it had must not pass for one of the account.
    if arn.startswith(of_aws) and not arn.startswith(f"{of_aws}customer/"):
        return PolicyName(arn, arn.removeprefix(of_aws))
    return PolicyName(arn)


def refusals(rule: TenancyRule, ask: Ask, *, boundary: str) -> Iterator[Refusal]:
    """The limits of the rule that the object exceeds, the most telling first. boundary: the rule's, as ARN or ""."""
    targets = rule.target_namespaces or (ask.home,)
    beyond = tuple(t for t in ask.targets if not covered(t, targets))
    if beyond:
        what = f"ServiceAccounts in {_noun('namespace', beyond)} {listed(beyond)}"
        yield Refusal(what, listed(targets), "target_namespaces", (*targets, *beyond))
    if rule.role_names and not covered(ask.role.lower(), [p.lower() for p in rule.role_names]):
        yield Refusal(f"role name {ask.role}", listed(rule.role_names), "role_names", (*rule.role_names, ask.role))
    outside = [p for p in ask.paths if rule.role_paths and not covered(p, rule.role_paths)]
    if outside:
        paths = (*rule.role_paths, *(_pattern(p, MAX_PATH_PATTERN) for p in outside))
        yield Refusal(f"role path {listed(outside)}", listed(rule.role_paths), "role_paths", paths)
    if ask.management not in rule.management_policies:
        what = f"iamRole.managementPolicy {ask.management}"
        managements = (*rule.management_policies, ask.management)
        yield Refusal(what, listed(rule.management_policies) or "none", "management_policies", managements)
    closed = [p.shown for p in ask.policies if not _open(p, rule.policies)]
    if closed:
        policies = (*rule.policies, *(_pattern(p, MAX_POLICY_PATTERN) for p in closed))
        yield Refusal(
            f"{_noun('policy', closed)} {listed(closed)}", listed(rule.policies) or "none", "policies", policies
        )
    if ask.inline and rule.inline_policies != "Allow":
        yield Refusal(f"inline {_noun('policy', ask.inline)} {listed(ask.inline)}", "none", "inline_policies", "Allow")
    if boundary and ask.boundary not in ("", boundary):
        instead = "Take spec.iamRole.permissionsBoundary out: the rule's is set on every role by itself."
        yield Refusal(f"permissions boundary {ask.boundary}", boundary, instead=instead)
    missing = tuple(word for word in ask.words if word not in rule.allow)
    if missing:
        what = ", ".join(_FIELDS[word] for word in missing)
        opened = [text for word, text in _FIELDS.items() if word in rule.allow]
        yield Refusal(what, ", ".join(opened) or "none of what a rule's allow opens", "allow", (*rule.allow, *missing))


def _words(spec: IRSASpec, *, globs: bool) -> tuple[str, ...]:
    accounts, trust = spec.service_account, spec.trust
    token = accounts.token.audience
    audiences = {*trust.audiences, *([token] if token is not UNSET else [])}
    needed = {
        "NamespaceGlobs": globs or accounts.namespace_selector is not UNSET,
        "AdditionalProviders": bool(trust.additional_providers),
        "Audiences": bool(audiences - {names.DEFAULT_AUDIENCE}),
        "TrustConditions": bool(trust.conditions),
        "SubjectPattern": trust.subject_match == "Pattern",
        "Tags": bool(spec.iam_role.tags),
    }
    return tuple(word for word, need in needed.items() if need)


def _open(wanted: PolicyName, patterns: tuple[str, ...]) -> bool:
    """Patterns of ARNs are compared with the ARN, others with the name, which other accounts' policies don't have."""
    by_arn = [p for p in patterns if p.startswith("arn:")]
    by_name = [p for p in patterns if not p.startswith("arn:")] if wanted.name else []
    return covered(wanted.arn, by_arn) or covered(wanted.name, by_name)


def _pattern(text: str, longest: int) -> str:
    """The shortest pattern that a rule may hold and that matches the text."""
    plain = _UNUSUAL.sub("?", text)
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}*"


def _noun(noun: str, items: tuple[str, ...] | list[str]) -> str:
    if len(items) == 1:
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def _once(items: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))
