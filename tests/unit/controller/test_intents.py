"""What an intent of a creation without an answer is good for: the role that exists now, and only for a minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from irsa_manager.api.irsa import IRSA, IRSASpec, IRSAStatus, RoleSpec, ServiceAccountSpec
from irsa_manager.api.kube import Metadata
from irsa_manager.controller.foretelling import intending
from irsa_manager.controller.intents import INTENT_SECONDS, SKEW_SECONDS, intended
from irsa_manager.plan.facts import ClusterFacts
from irsa_manager.plan.mark import MarkKeys

KEYS = MarkKeys(b"k" * 32)
FACTS = ClusterFacts("aws", "111122223333", "https://oidc.a/1", "oidc.a/1", "prod", "irsa-manager-system")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SPEC = IRSASpec(
    cleanup=True, iam_role=RoleSpec(name="r"), service_account=ServiceAccountSpec(name="app", namespaces=("a",))
)


def written(age: float) -> IRSA:
    """An object with an intent that was written so many seconds ago."""
    irsa = IRSA(Metadata(name="x", namespace="n"), SPEC, IRSAStatus())
    return replace(irsa, status=intending(irsa, "r", FACTS, KEYS, text(NOW - timedelta(seconds=age))))


def text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    ("age", "counts"),
    [
        (0, True),
        (INTENT_SECONDS - 1, True),
        (INTENT_SECONDS, False),
        (3600, False),
        # Another replica's clock may be a little ahead; of what is further in the future nobody knows when it was.
        (-SKEW_SECONDS, True),
        (-SKEW_SECONDS - 1, False),
        (-86400, False),
    ],
)
def test_an_intent_counts_for_a_minute_from_when_it_was_written(age: float, counts: bool):
    assert intended(written(age), FACTS, KEYS, text(NOW)) is counts


def test_an_intent_that_was_changed_or_is_of_another_role_counts_for_nothing():
    irsa = written(30)
    assert intended(irsa, FACTS, KEYS, text(NOW))
    later = replace(irsa.status.intent, time=text(NOW))
    assert not intended(replace(irsa, status=replace(irsa.status, intent=later)), FACTS, KEYS, text(NOW))
    renamed = replace(irsa, spec=replace(SPEC, iam_role=RoleSpec(name="other")))
    assert not intended(renamed, FACTS, KEYS, text(NOW))
