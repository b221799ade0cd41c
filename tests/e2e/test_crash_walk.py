"""Killed at any call, or left without its answer: everything comes out as it was asked for, and nothing else.

make test walks every call once; `make soak` walks each in every way, and with writes that stay unseen for longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from e2e_controllers import Controllers
from e2e_deeds import BARE, DEEDS, Deed
from e2e_gate import Gate, Moment
from e2e_lab import Lab, unique
from e2e_process import Controller
from e2e_walk import Walk
from test_credentials import TABLE, allow
from test_soak import SOAK

Walked = Mapping[Moment, Callable[[int], bool]]

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

ALL: Walked = dict.fromkeys(Moment, lambda _at: True)
# A kill before a call leaves what a kill after the one before it left.
ONCE: Walked = {
    Moment.BEFORE: lambda at: at == 1,
    Moment.AFTER: lambda _at: True,
    Moment.UNANSWERED: lambda at: at % 3 == 2,
}
SOME: Walked = {Moment.AFTER: lambda at: at % 4 == 2}


def begin(
    controllers: Controllers, flags: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None
) -> Controller:
    """Start a controller in place of the usual one."""
    controller = controllers.start(flags or {}, environment or {})
    controller.wait_ready()
    return controller


def walk_through(
    lab: Lab,
    controllers: Controllers,
    directory: Path,
    deeds: tuple[Deed, ...],
    walked: Walked,
    *,
    environment: Mapping[str, str] | None = None,
    unseen: float = 0.0,
) -> Walk:
    """Do the deeds to many objects, each of which the gate cuts off at another call; kill; let another one go on.

    environment: of both controllers. unseen: for so many seconds no write to AWS is seen.
    """
    controllers.stop_usual()
    walk = Walk(lab, unique("walk"))
    walk.add(deeds, walked)
    with Gate(lab.aws.sandbox, walk.prefix, directory).open() as gate:
        walk.inherit(gate.arms)
        lab.aws.faults(consistency=unseen)
        gated = {**(environment or {}), **gate.environment()}
        controller = begin(controllers, {"--workers": "32"}, gated)
        walk.prepare()
        walk.act(gate.arms)
        controller.kill()
    walk.turn()
    # What is seen late is looked for again, and what can't be read is probed again: these calls have no end.
    assert unseen or environment or not walk.longer(), "these deeds have more writes than were walked"
    begin(controllers, environment=environment)
    walk.settle(blind=environment is not None)
    lab.aws.faults()
    walk.check()
    assert lab.controller.said("Traceback") == []
    return walk


def quiet(lab: Lab, controllers: Controllers) -> None:
    """See that yet another controller finds nothing to do."""
    lab.controller.stop()
    lab.aws.reset_calls()
    begin(controllers)
    lab.wait_sweeps()
    lab.eventually(lambda: lab.controller.metric("workqueue_depth").get("", 0) == 0, "all were looked at")
    assert lab.aws.writes() == {}


def test_killed_or_unanswered_at_any_call_all_comes_out_right(
    bare_lab: Lab, controllers: Controllers, tmp_path: Path
) -> None:
    walk = walk_through(bare_lab, controllers, tmp_path, DEEDS, ALL if SOAK else ONCE)
    quiet(bare_lab, controllers)
    walk.end()


def test_so_it_does_where_writes_are_seen_late(bare_lab: Lab, controllers: Controllers, tmp_path: Path) -> None:
    walked, unseen = (ALL, 15.0) if SOAK else (SOME, 3.0)
    walk_through(bare_lab, controllers, tmp_path, DEEDS, walked, unseen=unseen).end()


def test_so_it_does_where_no_role_can_be_read(bare_lab: Lab, controllers: Controllers, tmp_path: Path) -> None:
    user = bare_lab.aws.user(unique("user"), allow(*TABLE))
    walk_through(bare_lab, controllers, tmp_path, BARE, ALL if SOAK else ONCE, environment=user).end()
