"""A Hypothesis state machine over a real API server, the enforcing AWS and a real controller.

Users make, edit, rename, release, restore and delete objects, roles and ServiceAccounts of others come and go, AWS
fails, the controller is killed. Whatever happened: nothing that isn't ours was changed, nothing of ours is left behind,
every object says what the model predicts, and a second run finds nothing to do.

make test runs a short form, always the same; `make soak` a long one.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from e2e_controllers import Controllers
from e2e_lab import ROLE_ARN, Lab
from e2e_machine_check import finish, settle
from e2e_machine_wish import Wish
from e2e_machine_world import FLAGS, POLICIES, TENANCY, World
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from irsa_manager.api import names

log = logging.getLogger(__name__)

SOAK = os.environ.get("IRSA_SOAK") == "1"
EXAMPLES = int(os.environ.get("IRSA_MACHINE_EXAMPLES", "60" if SOAK else "4"))
STEPS = int(os.environ.get("IRSA_MACHINE_STEPS", "60" if SOAK else "22"))

WEATHERS: tuple[dict[str, Any], ...] = (
    {},
    {"throttle": 0.2},
    {"error": 0.2},
    {"latency": 0.1},
    {"drop": 0.2},
    {"consistency": 1.0},
)

ONE = st.integers(0, 999)
SPACES = st.sampled_from([["a"], ["b"], ["a", "b"], ["a", "b"], ["c"], ["a", "c"], ["?"]])
ACCOUNTS = st.sampled_from([["web"], ["web"], ["api"], ["job"], ["web", "api"], ["api", "job"]])
ROLE_POLICY = st.sampled_from(["Create", "Create", "Create", "Adopt", "Adopt", "Reference"])
ACCOUNTS_POLICY = st.sampled_from(["Create", "Create", "Create", "Annotate", "None"])
MOSTLY = st.sampled_from([True, True, True, False])
WRITTEN = {
    "policies": st.lists(st.sampled_from(POLICIES), unique=True),
    "inline": st.lists(st.sampled_from(["read", "more"]), unique=True),
    "tags": st.dictionaries(st.sampled_from(["team", "tier"]), st.sampled_from("ab")),
    "boundary": st.sampled_from(["", "", "PowerUserAccess"]),
}
BOUND = {
    "namespaces": SPACES,
    "accounts": ACCOUNTS,
    "accounts_policy": ACCOUNTS_POLICY,
    "expires": st.sampled_from([0, 0, 3600]),
}


class Machine(RuleBasedStateMachine):
    """One example. world: given by the test."""

    lab: Lab
    controllers: Controllers
    cluster_uid: str
    failures: ClassVar[list[Exception]]

    def __init__(self) -> None:
        super().__init__()
        if self.failures:
            # Hypothesis wants to see it again; another run of this cluster's would tell something else.
            raise self.failures[0]
        self.began = time.monotonic()
        self.world = World(self.lab, self.controllers, self.cluster_uid)

    # Who there is

    def pick(self, one: int) -> Wish:
        """One of the living objects."""
        living = self.world.living
        return living[one % len(living)]

    def some_living(self) -> bool:
        return bool(self.world.living)

    def say(self, text: str) -> None:
        """Keep what was done, for whoever reads a failure."""
        self.world.told.append(text)

    def spaces(self, letters: list[str]) -> list[str]:
        return [f"{self.world.prefix}-{letter}" for letter in letters]

    def a_role(self, one: int) -> str:
        return self.world.roles[one % len(self.world.roles)]

    # Users

    @initialize(
        first=st.fixed_dictionaries(WRITTEN | BOUND),
        second=st.fixed_dictionaries(WRITTEN | BOUND),
        adopted=st.booleans(),
    )
    def begin(self, first: dict[str, Any], second: dict[str, Any], adopted: bool) -> None:
        self.add(first, role=0, role_policy="Create", cleanup=True, tenant=False)
        if adopted:
            self.world.stranger_comes(self.a_role(1), "")
        self.add(second, role=1, role_policy="Adopt" if adopted else "Create", cleanup=True, tenant=False)

    @rule(
        asked=st.fixed_dictionaries(WRITTEN | BOUND),
        role=ONE,
        role_policy=ROLE_POLICY,
        cleanup=MOSTLY,
        tenant=st.booleans(),
    )
    def create(self, asked: dict[str, Any], role: int, role_policy: str, cleanup: bool, tenant: bool) -> None:
        if len(self.world.living) < 5:
            self.add(asked, role=role, role_policy=role_policy, cleanup=cleanup, tenant=tenant)

    def add(self, asked: dict[str, Any], *, role: int, role_policy: str, cleanup: bool, tenant: bool) -> None:
        more = {"role": self.a_role(role), "role_policy": role_policy, "cleanup": cleanup, "suspend": False}
        body = {**asked, **more, "namespaces": self.spaces(asked["namespaces"])}
        self.say(f"create {'tenant' if tenant else 'operator'} {body}")
        self.world.make(body, tenant=tenant)

    def edit(self, one: int, **change: Any) -> None:
        wish = self.pick(one)
        self.say(f"edit {wish.irsa.name} {change}")
        with self.world.clear():
            self.world.ask(wish, **change)

    @precondition(some_living)
    @rule(one=ONE, change=st.fixed_dictionaries(WRITTEN))
    def edit_role(self, one: int, change: dict[str, Any]) -> None:
        self.edit(one, **change)

    @precondition(some_living)
    @rule(one=ONE, change=st.fixed_dictionaries(BOUND))
    def edit_accounts(self, one: int, change: dict[str, Any]) -> None:
        self.edit(one, **{**change, "namespaces": self.spaces(change["namespaces"])})

    @precondition(some_living)
    @rule(one=ONE, role_policy=ROLE_POLICY, cleanup=MOSTLY)
    def edit_management(self, one: int, role_policy: str, cleanup: bool) -> None:
        self.edit(one, role_policy=role_policy, cleanup=cleanup)

    @precondition(some_living)
    @rule(one=ONE, role=ONE)
    def rename(self, one: int, role: int) -> None:
        self.edit(one, role=self.a_role(role))

    @precondition(some_living)
    @rule(one=ONE, role=ONE, role_policy=ROLE_POLICY)
    def rename_and_more(self, one: int, role: int, role_policy: str) -> None:
        self.edit(one, role=self.a_role(role), role_policy=role_policy)

    @precondition(some_living)
    @rule(one=ONE, wanted=st.booleans())
    def suspend(self, one: int, wanted: bool) -> None:
        self.edit(one, suspend=wanted)

    @precondition(some_living)
    @rule(one=ONE)
    def delete(self, one: int) -> None:
        wish = self.pick(one)
        self.say(f"delete {wish.irsa.name}")
        self.world.delete(wish)

    @precondition(some_living)
    @rule(one=ONE)
    def release_or_take_back(self, one: int) -> None:
        wish = self.pick(one)
        self.say(f"{'take back' if wish.released else 'release'} {wish.irsa.name}")
        self.world.release(wish, not wish.released)

    @precondition(some_living)
    @rule(one=ONE)
    def lose_status(self, one: int) -> None:
        wish = self.pick(one)
        self.say(f"lose the status of {wish.irsa.name}")
        self.world.lose_status(wish)

    @precondition(some_living)
    @rule(one=ONE, with_status=st.booleans())
    def restore(self, one: int, with_status: bool) -> None:
        wish = self.pick(one)
        self.say(f"restore {wish.irsa.name} {'with' if with_status else 'without'} its status")
        self.world.restore(wish, with_status=with_status)

    # Others, in the cluster and in AWS

    @rule(role=ONE, one=ONE)
    def somebodys_role_comes(self, role: int, one: int) -> None:
        tenants = [w for w in self.world.living if w.tenant]
        consent = ""
        if tenants:
            wish = tenants[one % len(tenants)]
            consent = f"{self.cluster_uid}/{wish.irsa.key}"
        self.say(f"somebody makes {self.a_role(role)} {consent}")
        self.world.stranger_comes(self.a_role(role), consent)

    @rule(role=ONE)
    def somebodys_role_changes(self, role: int) -> None:
        self.say(f"somebody edits {self.a_role(role)}, if it is his")
        self.world.stranger_changes(self.a_role(role))

    @rule(role=ONE)
    def a_role_goes(self, role: int) -> None:
        self.say(f"somebody deletes {self.a_role(role)}")
        self.world.role_goes(self.a_role(role))

    @precondition(some_living)
    @rule(one=ONE, kind=st.sampled_from(["detach", "attach", "trust", "untag", "unmark", "boundary"]))
    def somebody_meddles_with_a_role(self, one: int, kind: str) -> None:
        wish = self.pick(one)
        self.say(f"meddle with the role of {wish.irsa.name}: {kind}")
        self.world.meddle(wish, kind, one)

    @rule(one=ONE, account=st.sampled_from(["web", "api", "job"]), note=st.booleans())
    def somebodys_account_comes(self, one: int, account: str, note: bool) -> None:
        place = (self.world.namespaces[one % 3], account)
        self.say(f"somebody makes ServiceAccount {place}")
        self.world.account_comes(place, {names.ANNOTATION_STS_REGIONAL: "true", "note": "x"} if note else {})

    @rule(one=ONE, account=st.sampled_from(["web", "api", "job"]))
    def an_account_goes(self, one: int, account: str) -> None:
        place = (self.world.namespaces[one % 3], account)
        self.say(f"somebody deletes ServiceAccount {place}")
        self.world.account_goes(place)

    @rule(one=ONE, account=st.sampled_from(["web", "api", "job"]))
    def an_account_loses_its_annotation(self, one: int, account: str) -> None:
        place = (self.world.namespaces[one % 3], account)
        self.say(f"somebody strips ServiceAccount {place}")
        self.world.strip(place, ROLE_ARN)

    @rule()
    def namespace_goes(self) -> None:
        self.say("namespace c goes")
        self.world.namespace_goes(self.world.namespaces[2])

    @rule()
    def namespace_comes(self) -> None:
        self.say("namespace c comes")
        self.world.namespace_comes(self.world.namespaces[2])

    # Misfortune

    @rule(weather=st.sampled_from(WEATHERS), seed=ONE)
    def weather(self, weather: dict[str, Any], seed: int) -> None:
        self.say(f"faults {weather} {seed}")
        self.world.set_weather({**weather, "seed": seed} if weather else {})

    @rule()
    def crash(self) -> None:
        self.say("kill")
        self.world.controller().kill()
        self.world.start()

    @rule()
    def breathe(self) -> None:
        self.say("breathe")
        self.world.breathe()

    @rule()
    def settle(self) -> None:
        self.say("settle")
        settle(self.world)

    def teardown(self) -> None:
        error = sys.exc_info()[1]
        try:
            if error is None:
                self.say("finish")
                finish(self.world)
        except Exception as own:
            error = own
            raise
        finally:
            # --log-cli-level=INFO shows how far a long run has come.
            log.info("%s: %d steps in %.0f s", self.world.prefix, len(self.world.told), time.monotonic() - self.began)
            # What Hypothesis ends an example with isn't an Exception.
            if isinstance(error, Exception):
                error.add_note("\n".join(["What was done:", *self.world.told]))
                self.failures.append(error)


@pytest.fixture
def machine(bare_lab: Lab, controllers: Controllers) -> Iterator[type[Machine]]:
    system = bare_lab.get("/api/v1/namespaces/kube-system")
    assert system is not None
    bare_lab.setup({"tenancy": {"rules": [TENANCY]}})
    controllers.start(FLAGS, {}).wait_ready()

    class Here(Machine):
        lab, cluster_uid = bare_lab, system["metadata"]["uid"]
        failures: ClassVar[list[Exception]] = []

    Here.controllers = controllers
    yield Here


@pytest.mark.soak
@pytest.mark.timeout(7200 if SOAK else 1800)
def test_whatever_happens_nothing_is_taken_and_nothing_is_lost(machine: type[Machine]) -> None:
    examples = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        # A failure depends on how fast things were: smaller examples would say less than this one.
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine, settings=examples)
    finally:
        if machine.failures:
            raise machine.failures[0]
