"""Roles and bindings that exist already: adoption, references, and what was kept at a takeover."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from tenancy_cases import CLUSTER, HOME, PROVIDER, UID, ask, irsa, message, names_asked, rule, spec

from irsa_manager.api import names
from irsa_manager.api.irsasetup import Tenancy
from irsa_manager.plan.facts import NamespaceFact
from irsa_manager.plan.observed import ObservedRole
from irsa_manager.plan.tenancy import Denied, Permit, consent


@pytest.mark.parametrize(("policy", "mine"), [("Reference", False), ("Adopt", True), ("Create", True)])
def test_a_role_that_exists_is_judged_by_the_path_that_it_has(policy: str, mine: bool) -> None:
    limits = rule(rolePaths=["/team-a/"], managementPolicies=[policy])
    asked = spec(iamRole={"path": "/team-a/", "managementPolicy": policy})
    there = ObservedRole(name="team-a-web", arn="", id="AROA1", path="/team-b/", tags={})
    verdict = ask(asked, limits, role=there, mine=mine)
    assert isinstance(verdict, Denied)
    assert verdict.what == "role path /team-b/"
    # Where the role can't be read, what is taken for its path is no evidence.
    assert isinstance(ask(asked, limits, role=ObservedRole(name="team-a-web", arn="", id=""), mine=mine), Permit)


def test_a_role_that_would_not_be_used_is_not_judged() -> None:
    """RoleExists says what is wrong with it, and a tenant learns nothing more of somebody else's role."""
    somebodys = ObservedRole(name="team-a-web", arn="", id="AROA1", path="/team-b/", tags={})
    assert ask(spec(iamRole={"path": "/team-a/"}), rule(rolePaths=["/team-a/"]), role=somebodys) == Permit()


class TestAdoption:
    """A role is taken over only where its own tag says so, by whatever tenancy."""

    open = (rule(managementPolicies=["Create", "Adopt"]), Tenancy(default="Unrestricted"))
    asked = spec(iamRole={"managementPolicy": "Adopt"})

    @staticmethod
    def role(tags: dict[str, str] | None) -> ObservedRole:
        return ObservedRole(name="team-a-web", arn="", id="AROA1", tags=tags)

    @pytest.mark.parametrize("tenancy", open)
    def test_with_consent(self, tenancy: Any) -> None:
        assert ask(self.asked, tenancy, role=self.role({names.TAG_ADOPT_BY: f"{UID}/team-a/web"})) == Permit()

    @pytest.mark.parametrize("tenancy", open)
    @pytest.mark.parametrize(
        "value", ["", "web", "team-a/web", f"{UID}/team-a/other", f"{UID}/team-b/web", f"{UID[:-1]}0/team-a/web"]
    )
    def test_without_consent_or_with_consent_to_another(self, tenancy: Any, value: str) -> None:
        verdict = ask(self.asked, tenancy, role=self.role({names.TAG_ADOPT_BY: value} if value else {}))
        assert isinstance(verdict, Denied)
        assert f"set its tag irsa-manager.kkb0318.github.io/adopt-by to {UID}/team-a/web" in message(verdict)

    def test_consent_is_nothing_without_the_rule(self) -> None:
        tagged = self.role({names.TAG_ADOPT_BY: f"{UID}/team-a/web"})
        assert isinstance(ask(self.asked, rule(), role=tagged), Denied)
        assert isinstance(ask(self.asked, Tenancy(default="OwnNamespace"), role=tagged), Denied)

    @pytest.mark.parametrize("tenancy", open)
    def test_a_role_that_is_ours_or_not_there_needs_none(self, tenancy: Any) -> None:
        assert ask(self.asked, tenancy, role=self.role({}), mine=True) == Permit()
        assert ask(self.asked, tenancy) == Permit()

    def test_what_cannot_be_seen_is_no_consent(self) -> None:
        unread = ask(self.asked, self.open[0], role=self.role(None))
        assert isinstance(unread, Denied)
        assert "iam:GetRole" in message(unread)
        # Without the cluster's uid another cluster's consent would do.
        anywhere = ask(self.asked, self.open[0], role=self.role({names.TAG_ADOPT_BY: "/team-a/web"}), uid="")
        assert isinstance(anywhere, Denied)
        assert "kube-system" in message(anywhere)

    def test_a_value_that_is_too_long_for_a_tag_is_hashed(self) -> None:
        name = "n" * 250
        assert consent(UID, HOME, "n" * (256 - len(UID) - len(HOME) - 2)).endswith("nnn")
        digest = hashlib.sha256(f"{UID}/{HOME}/{name}".encode()).hexdigest()
        assert consent(UID, HOME, name) == digest
        verdict = ask(irsa(self.asked, name=name), self.open[0], role=self.role({}))
        assert isinstance(verdict, Denied)
        assert digest in message(verdict)


class TestKeptBindings:
    """Bindings that were kept at a takeover stay, and open nothing else."""

    kept = frozenset({"team-b/web", "kube-system/web"})

    def test_kept_ones_may_be_outside(self) -> None:
        assert ask(spec(**names_asked(HOME, "team-b", "kube-system")), rule(), kept=self.kept) == Permit()

    @pytest.mark.parametrize(
        "asked",
        [
            names_asked(HOME, "team-b", "default"),
            names_asked("team-b", name="other"),
            names_asked("team-b", additionalNames=["other"]),
            {**names_asked(HOME), "iamPolicies": ["AdministratorAccess"]},
            {**names_asked("kube-system"), "trust": {"additionalProviders": [PROVIDER]}},
        ],
    )
    def test_nothing_beside_them(self, asked: dict[str, Any]) -> None:
        limits = rule(allow=["AdditionalProviders"])
        assert isinstance(ask(spec(**asked), limits, kept=self.kept), Denied)

    def test_a_pattern_that_finds_only_kept_ones_reaches_nothing_new(self) -> None:
        cluster = {HOME: CLUSTER[HOME], "team-b": CLUSTER["team-b"]}
        limits = rule(allow=["NamespaceGlobs"])
        assert ask(spec(**names_asked("team-?")), limits, kept=self.kept, cluster=cluster) == Permit()
        grown = cluster | {"team-c": NamespaceFact()}
        assert isinstance(ask(spec(**names_asked("team-?")), limits, kept=self.kept, cluster=grown), Denied)
