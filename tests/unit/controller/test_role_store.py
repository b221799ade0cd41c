"""The role store: a write is never overruled by a read that may be older than it."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from irsa_manager.controller.roles import RoleStore
from irsa_manager.controller.shown import HOLD_SECONDS
from irsa_manager.plan.observed import ObservedRole

NAMES = ("a", "B", "c")


def role(name: str, number: int) -> ObservedRole:
    arn = f"arn:aws:iam::1:role/{name}"
    return ObservedRole(name=name, arn=arn, id=f"AROA{name}", attached=(), inline={}, description=str(number))


class Account(RuleBasedStateMachine):
    """IAM shows a write to readers up to HOLD_SECONDS late; only we write while it does."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.number = 0
        self.truth: dict[str, ObservedRole] = {}
        self.shown: dict[str, ObservedRole] = {}
        self.written: dict[str, float] = {}
        self.store = RoleStore(clock=lambda: self.now)

    @rule(seconds=st.sampled_from([0.1, 5.0, HOLD_SECONDS, 100.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for name in NAMES:
            if self.now - self.written.get(name, -1000.0) >= HOLD_SECONDS:
                self.show(name)

    def show(self, name: str) -> None:
        self.shown.pop(name.lower(), None)
        if name in self.truth:
            self.shown[name.lower()] = self.truth[name]

    @rule(name=st.sampled_from(NAMES), gone=st.booleans())
    def we_write(self, name: str, gone: bool) -> None:
        self.number += 1
        self.truth.pop(name, None)
        if not gone:
            self.truth[name] = role(name, self.number)
        self.written[name] = self.now
        self.store.wrote(name, self.truth.get(name))

    @rule(name=st.sampled_from(NAMES))
    def somebody_changes_an_old_role(self, name: str) -> None:
        if name in self.truth and self.now - self.written.get(name, -1000.0) >= HOLD_SECONDS:
            self.number += 1
            self.truth[name] = role(name, self.number)
            self.show(name)

    @rule()
    def sweep(self) -> None:
        self.store.swept(dict(self.shown), self.now, described=True)
        assert self.store.roles == {n.lower(): r for n, r in self.truth.items()}

    @invariant()
    def what_we_wrote_last_is_known(self) -> None:
        for name, at in self.written.items():
            if self.now - at < HOLD_SECONDS:
                assert self.store.get(name) == self.truth.get(name)


TestAccount = Account.TestCase
TestAccount.settings = settings(max_examples=60, stateful_step_count=30)


def test_a_sweep_tells_what_changed_and_only_that():
    store = RoleStore(clock=lambda: 1000.0)
    assert store.swept({"a": role("a", 1), "b": role("b", 1)}, 1000.0, described=True) == {"a", "b"}
    assert store.swept({"a": role("a", 1), "b": role("b", 2)}, 1001.0, described=True) == {"b"}
    assert store.swept({"b": role("b", 2)}, 1002.0, described=True) == {"a"}


def test_a_sweep_without_descriptions_keeps_those_that_are_known():
    store = RoleStore(clock=lambda: 1000.0)
    store.saw("a", role("a", 7))
    bare = replace(role("a", 7), description=None)
    assert store.swept({"a": bare}, 1001.0, described=False) == set()
    assert store.get("A") == role("a", 7)


def test_without_sweeps_the_role_read_longest_ago_is_next():
    now = [0.0]
    store = RoleStore(clock=lambda: now[0])
    assert not store.known("a")
    for moment, name in enumerate(("a", "b", "c")):
        now[0] = float(moment)
        store.saw(name, None)
    assert store.oldest_read(["c", "b", "a"]) == "a"
    assert store.oldest_read(["c", "new"]) == "new"
    assert store.known("a")


def test_another_role_under_a_name_that_we_deleted_is_seen_at_once():
    store = RoleStore(clock=lambda: 1000.0)
    store.wrote("a", role("a", 1))
    store.wrote("a", None)
    assert not store.saw("a", role("a", 1)), "IAM may still show what we have deleted"
    assert store.get("a") is None
    other = replace(role("a", 2), id="AROAOTHER")
    assert store.saw("a", other)
    assert store.get("a") == other


def test_that_some_role_is_there_under_a_name_that_we_deleted_says_nothing_where_its_id_can_not_be_read():
    now = [1000.0]
    store = RoleStore(clock=lambda: now[0])
    store.wrote("a", role("a", 1))
    store.wrote("a", None)
    unread = replace(role("a", 1), id="")
    assert not store.saw("a", unread)
    assert store.get("a") is None
    now[0] += HOLD_SECONDS
    assert store.saw("a", unread)


def test_the_age_of_what_is_known_is_that_of_the_oldest_look():
    now = [1000.0]
    store = RoleStore(clock=lambda: now[0])
    assert store.oldest_age([]) == 0.0
    assert store.oldest_age(["a"]) is None, "its turn hasn't come"
    store.saw("A", role("A", 1))
    now[0] += 5.0
    store.tried("denied")
    store.saw("b", role("b", 1))
    assert store.oldest_age(["a", "b", "denied"]) == 5.0
    assert store.oldest_age(["denied"]) is None, "nothing is known"


def test_a_create_whose_answer_was_lost_may_come_to_light():
    now = [1000.0]
    store = RoleStore(clock=lambda: now[0])
    now[0] += 1000
    assert not store.may_appear("a")
    store.attempted("a")
    assert store.may_appear("a")
    store.settled("a")
    assert not store.may_appear("a")
    store.attempted("a")
    store.wrote("a", role("a", 1))
    assert not store.may_appear("a")
    store.attempted("a")
    now[0] += HOLD_SECONDS
    assert not store.may_appear("a")


def test_after_a_start_the_process_before_may_have_made_a_role_a_moment_ago():
    now = [1000.0]
    store = RoleStore(clock=lambda: now[0])
    assert store.may_appear("a")
    assert not store.may_appear("a", noted=False)
    now[0] += HOLD_SECONDS - 1
    assert store.may_appear("a")
    now[0] += 1
    assert not store.may_appear("a")


def test_a_role_that_we_deleted_is_not_waited_for():
    now = [1000.0]
    store = RoleStore(clock=lambda: now[0])
    store.saw("a", role("a", 1))
    store.wrote("a", None)
    assert not store.may_appear("a")
    # Made again since, as far as we know.
    store.attempted("a")
    assert store.may_appear("a")


def test_a_role_that_may_not_be_read_does_not_hold_up_the_others():
    now = [0.0]
    store = RoleStore(clock=lambda: now[0])
    store.saw("fine", None)
    now[0] = 1.0
    assert store.oldest_read(["denied", "fine"]) == "denied"
    store.tried("denied")
    assert store.oldest_read(["denied", "fine"]) == "fine"


def test_a_sweep_that_began_before_a_role_was_read_does_not_forget_it():
    now = [1000.0]
    store = RoleStore(clock=lambda: now[0])
    now[0] = 1005.0
    store.saw("a", role("a", 1))
    assert store.swept({}, 1004.0, described=True) == set()
    assert store.get("a") == role("a", 1)
    assert store.swept({}, 1006.0, described=True) == {"a"}


def test_a_read_too_soon_after_our_write_only_adds_what_was_not_known():
    now = [1000.0]
    store = RoleStore(clock=lambda: now[0])
    store.wrote("a", replace(role("a", 2), description=None, tags={"x": "new"}))
    assert store.saw("a", replace(role("a", 2), description="theirs", tags={"x": "old"}))
    known = store.get("a")
    assert known is not None
    assert (known.description, known.tags) == ("theirs", {"x": "new"})
    now[0] += HOLD_SECONDS
    assert store.saw("a", replace(role("a", 2), description="theirs", tags={"x": "old"}))
    assert store.get("a") == replace(role("a", 2), description="theirs", tags={"x": "old"})


def test_what_a_process_before_may_have_written_is_doubtful_until_it_would_have_been_seen():
    now = [1000.0]
    store = RoleStore(clock=lambda: now[0])
    now[0] = 5000.0
    store.begin()  # a replica that waited for an hour
    store.swept({"a": role("a", 1), "b": role("b", 1)}, 5001.0, described=True)
    now[0] += 2.0
    assert store.young
    assert store.doubtful("A")
    assert not store.doubtful("nobody's")
    store.wrote("made", role("made", 1))
    assert not store.doubtful("made"), "we made it: nobody else has written to it"
    now[0] = 5000.0 + HOLD_SECONDS
    assert store.doubtful("a"), "not read since"
    store.saw("a", role("a", 1))
    assert not store.doubtful("a")
    store.wrote("b", role("b", 2))
    store.saw("b", role("b", 1))
    assert store.doubtful("b"), "that may have been from before our own write"
    store.saw("b", role("b", 2))
    assert not store.doubtful("b"), "what we know is what there is"
    store.swept({"a": role("a", 1)}, now[0] + HOLD_SECONDS, described=True)
    assert not store.doubtful("b"), "it is gone"


def test_where_a_role_can_not_be_read_it_is_not_doubted():
    store = RoleStore(clock=lambda: 1000.0)
    store.saw("a", replace(role("a", 1), id=""))
    assert not store.doubtful("a")


def test_a_write_without_an_answer_is_doubtful_until_a_read_after_a_while_shows_it():
    now = [5000.0]
    store = RoleStore(clock=lambda: now[0])
    store.wrote("a", role("a", 1))
    assert not store.doubtful("a")
    store.unanswered("A")
    assert store.doubtful("a")
    now[0] += HOLD_SECONDS - 1.0
    store.saw("a", role("a", 1))
    assert store.doubtful("a"), "IAM may not show it yet"
    assert store.certain_in("a") == 1.0
    store.swept({"a": role("a", 1)}, now[0], described=True)
    now[0] += 1.0
    store.swept({"a": role("a", 1)}, now[0] - 0.5, described=True)
    assert store.doubtful("a"), "these sweeps began too early"
    store.swept({"a": role("a", 2)}, now[0], described=True)
    assert not store.doubtful("a")
    assert store.get("a") == role("a", 2)
