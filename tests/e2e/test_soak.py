"""A random campaign: objects change, people meddle, AWS fails, the controller dies; at the end all is right.

make test runs a short one with a fixed seed; `make soak` runs many with new seeds (IRSA_SOAK_SEED=1,2 repeats some).
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from e2e_controllers import Controllers
from e2e_lab import MERGE, ROLE_ARN, Irsa, Lab, spec, unique

from irsa_manager.api import names

SOAK = os.environ.get("IRSA_SOAK") == "1"
STEPS = 80 if SOAK else 40
ROUNDS = 30 if SOAK else 1
POLICIES = ("AmazonS3ReadOnlyAccess", "AmazonSQSFullAccess", "CloudWatchReadOnlyAccess")
DOCUMENTS = tuple(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
    for action in ("s3:GetObject", "s3:PutObject", "sqs:SendMessage")
)
FAULTS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"throttle": 0.2},
    {"error": 0.2},
    {"latency": 0.1},
    {"drop": 0.2},
    {"consistency": 2.0},
)


class Campaign:
    """What was asked for, and the asking."""

    def __init__(self, lab: Lab, controllers: Controllers, seed: int) -> None:
        self.lab = lab
        self.controllers = controllers
        self.dice = random.Random(seed)
        self.prefix = unique("soak")
        self.namespaces = [lab.namespace() for _ in range(3)]
        self.living: dict[int, tuple[Irsa, dict[str, Any]]] = {}
        self.roles: set[str] = set()
        self.stripped: set[tuple[str, str]] = set()
        self.count = 0

    def step(self) -> None:
        """One thing happens."""
        moves: list[tuple[Callable[[], None], int]] = [
            (self.create, 6),
            (self.change, 8),
            (self.suspend, 2),
            (self.delete, 3),
            (self.meddle_in_the_cluster, 5),
            (self.meddle_in_aws, 5),
            (self.change_the_weather, 3),
            (self.crash, 1),
            (self.breathe, 4),
        ]
        (move,) = self.dice.choices([m for m, _ in moves], [weight for _, weight in moves])
        move()

    def create(self) -> None:
        self.count += 1
        number = self.count
        body = spec(self._role(number), f"sa-{number}", *self._some(self.namespaces, 1))
        body.update(iamPolicies=self._some(POLICIES), inlinePolicies=self._inline(), suspend=False)
        body["iamRole"]["tags"] = {"team": self.dice.choice("abc")}
        self.living[number] = (self.lab.irsa(body, name=f"{self.prefix}-{number}"), body)

    def change(self) -> None:
        if not self.living:
            return
        number = self.dice.choice(sorted(self.living))
        irsa, body = self.living[number]
        match self.dice.randrange(6):
            case 0:
                body["iamPolicies"] = self._some(POLICIES)
                irsa.patch({"iamPolicies": body["iamPolicies"]})
            case 1:
                gone = dict.fromkeys(body["inlinePolicies"])
                body["inlinePolicies"] = self._inline()
                irsa.patch({"inlinePolicies": {**gone, **body["inlinePolicies"]}})
            case 2:
                body["serviceAccount"]["namespaces"] = self._some(self.namespaces, 1)
                irsa.patch({"serviceAccount": body["serviceAccount"]})
            case 3:
                body["serviceAccount"]["name"] = f"sa-{number}-{secrets.token_hex(2)}"
                irsa.patch({"serviceAccount": body["serviceAccount"]})
            case 4:
                body["iamRole"]["tags"] = {"team": self.dice.choice("abc")}
                irsa.patch({"iamRole": {"tags": body["iamRole"]["tags"]}})
            case _:
                body["iamRole"]["name"] = self._role(number)
                irsa.patch({"iamRole": {"name": body["iamRole"]["name"]}})

    def suspend(self) -> None:
        for irsa, body in self.living.values():
            wanted = self.dice.random() < 0.2
            if wanted != body["suspend"]:
                body["suspend"] = wanted
                irsa.patch({"suspend": wanted})

    def delete(self) -> None:
        ready = [number for number, (_, body) in self.living.items() if not body["suspend"]]
        if ready:
            irsa, _ = self.living.pop(self.dice.choice(ready))
            # A deletion that meets the very moment at which the finalizer is put goes past it: the API server looks for
            # finalizers before it deletes, not while (k8s.io/apiserver, registry.Store.Delete).
            self.lab.eventually(lambda: (irsa.get() or {})["metadata"].get("finalizers"), f"IRSA {irsa.key} is held")
            irsa.delete()

    def meddle_in_the_cluster(self) -> None:
        for _, body in self.living.values():
            account = body["serviceAccount"]["name"]
            for namespace in body["serviceAccount"]["namespaces"]:
                # Drawn whatever is there, so that a seed stands for the same moves each time.
                spared, deleted = self.dice.random() < 0.7, self.dice.random() < 0.5
                if spared or self.lab.account(namespace, account) is None:
                    continue
                if deleted:
                    self.lab.delete_account(namespace, account)
                else:
                    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}"
                    patch = {"metadata": {"annotations": {ROLE_ARN: None}}}
                    self.stripped.add((namespace, account))
                    answer = self.lab.api.patch(path, json=patch, headers=MERGE)
                    assert answer.status_code in {200, 404}, answer.text

    def meddle_in_aws(self) -> None:
        iam = self.lab.aws.iam
        for _, body in self.living.values():
            role = body["iamRole"]["name"]
            arn = f"arn:aws:iam::aws:policy/{self.dice.choice(POLICIES)}"
            # AWS fails on purpose, and the role may not be there: what didn't happen needs no repair.
            with contextlib.suppress(ClientError, BotoCoreError):
                match self.dice.randrange(8):
                    case 0:
                        iam.detach_role_policy(RoleName=role, PolicyArn=arn)
                    case 1:
                        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
                    case 2:
                        iam.tag_role(RoleName=role, Tags=[{"Key": "team", "Value": "z"}])
                    case 3:
                        iam.untag_role(RoleName=role, TagKeys=[names.TAG_MARK])
                    case 4:
                        iam.delete_role(RoleName=role)

    def change_the_weather(self) -> None:
        self.lab.aws.faults(**self.dice.choice(FAULTS), seed=self.dice.randrange(1000))

    def crash(self) -> None:
        self.lab.controller.kill()
        self.controllers.ensure_usual()

    def breathe(self) -> None:
        """Until the controller has got somewhere, wherever that is."""
        before = sum(self.lab.controller.metric("controller_runtime_reconcile_total").values())
        self.lab.eventually(
            lambda: (
                sum(self.lab.controller.metric("controller_runtime_reconcile_total").values()) > before
                or not self.living
                or self.lab.controller.metric("workqueue_depth").get("", 0) == 0
            ),
            "something is reconciled",
        )

    def settle(self) -> None:
        """Good weather, and a controller that has written nothing itself and so believes what it reads."""
        self.lab.aws.faults()
        for irsa, body in self.living.values():
            body["suspend"] = False
            irsa.patch({"suspend": False})
        self.controllers.stop_usual()
        self.controllers.ensure_usual()

    def check(self) -> None:
        """Everything is as it was last asked for, and nothing else is left."""
        for irsa, body in self.living.values():
            self.lab.eventually(lambda irsa=irsa, body=body: self._right(irsa, body), f"IRSA {irsa.key} is right")  # type: ignore[misc]
        living = {irsa.key for irsa, _ in self.living.values()}
        for irsa in self.lab.irsas:
            if irsa.key not in living:
                irsa.wait_gone()
        self.lab.eventually(self._nothing_left, "nothing else is left")
        assert self.lab.controller.said("Traceback") == []

    def _nothing_left(self) -> bool:
        wanted = {body["iamRole"]["name"] for _, body in self.living.values()}
        left = [role for name in sorted(self.roles - wanted) if (role := self.lab.aws.role(name)) is not None]
        assert left == [], f"roles were left behind: {left}"
        accounts = {
            (namespace, body["serviceAccount"]["name"])
            for _, body in self.living.values()
            for namespace in body["serviceAccount"]["namespaces"]
        }
        for namespace in self.namespaces:
            found = (self.lab.get(f"/api/v1/namespaces/{namespace}/serviceaccounts") or {})["items"]
            there = {(namespace, item["metadata"]["name"]): item["metadata"].get("annotations") for item in found}
            more = {key: value for key, value in there.items() if key not in {*accounts, (namespace, "default")}}
            # One from which somebody took the role just before it left its object has nothing that says whose it is.
            more = {key: value for key, value in more.items() if key not in self.stripped or value}
            assert more == {}, f"ServiceAccounts were left behind: {more}"
        return True

    def _right(self, irsa: Irsa, body: dict[str, Any]) -> bool:
        status = irsa.wait_ready()
        role, account = body["iamRole"]["name"], body["serviceAccount"]["name"]
        found = self.lab.aws.role(role)
        assert found is not None
        assert found["RoleId"] == status["role"]["id"]
        assert self.lab.aws.attached(role) == set(body["iamPolicies"])
        assert self.lab.aws.inline(role) == body["inlinePolicies"]
        assert self.lab.aws.subjects(role) == {f"{n}/{account}" for n in body["serviceAccount"]["namespaces"]}
        tags = self.lab.aws.tags(role)
        assert tags["team"] == body["iamRole"]["tags"]["team"]
        assert tags[names.TAG_MARK] == self.lab.aws.trust(role)["Statement"][0]["Sid"]
        for namespace in body["serviceAccount"]["namespaces"]:
            assert self.lab.annotations(namespace, account).get(ROLE_ARN) == found["Arn"]
        return True

    def _role(self, number: int) -> str:
        role = f"{self.prefix}-{number}-{secrets.token_hex(2)}"
        self.roles.add(role)
        return role

    def _some(self, things: Any, least: int = 0) -> list[str]:
        return self.dice.sample(list(things), self.dice.randint(least, len(things)))

    def _inline(self) -> dict[str, Any]:
        return {name: self.dice.choice(DOCUMENTS) for name in self._some(("one", "two"))}


def seeds() -> list[int]:
    """Of the campaigns to run."""
    if given := os.environ.get("IRSA_SOAK_SEED"):
        return [int(seed) for seed in given.split(",")]
    return [secrets.randbelow(10**6) for _ in range(ROUNDS)] if SOAK else [10]


@pytest.mark.soak
@pytest.mark.parametrize("seed", seeds())
def test_after_a_random_campaign_everything_is_as_it_was_last_asked_for(
    lab: Lab, controllers: Controllers, seed: int
) -> None:
    campaign = Campaign(lab, controllers, seed)
    for _ in range(STEPS):
        campaign.step()
    campaign.settle()
    campaign.check()
