"""The catalogue: complete entries, messages that fit an event, advice that names only what exists."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_manager.api import crd, names, reasons
from irsa_manager.api.reason import MAX_MESSAGE, Reason, counted, listed

ALL = list(reasons.REASONS.values())
CODES = list(reasons.REASONS)
COMMANDS = {"sandbox", "demo", "controller", "help", "crds", "policies", "version"}
COMMANDS |= {"adopt", "release", "plan", "status"}
LATER = ("preflight", "restartOnChange", "rotat", "wellKnown", "accountID:")


def text_of(reason: Reason) -> str:
    return " ".join((reason.summary, reason.meaning, *reason.steps, reason.template))


def test_codes_are_unique() -> None:
    assert len(CODES) == sum(len(group) for _, group in reasons.GROUPS)


@pytest.mark.parametrize("reason", ALL, ids=CODES)
class TestEntry:
    def test_code_can_be_a_conditions_reason(self, reason: Reason) -> None:
        """metav1.Condition's pattern, and CamelCase."""
        assert re.fullmatch(r"[A-Z][A-Za-z]*[a-z]", reason.code)

    def test_is_complete(self, reason: Reason) -> None:
        assert reason.kinds
        assert len(reason.summary) <= 100
        for sentence in (reason.summary, reason.meaning):
            assert sentence[0].isupper() or sentence.startswith("spec.")
            assert sentence.endswith(".")
        if reason.severity == "warning":
            assert reason.steps, "a warning says what to do"
            assert reason.next, "and so does its message"

    def test_stalled_is_told_by_a_condition(self, reason: Reason) -> None:
        assert reason.stalled == ("Stalled" in reason.kinds)

    def test_changes_are_normal_events(self, reason: Reason) -> None:
        if reason.kinds == ("event",) and reason.code not in {"OrphanedRole", "ServiceAccountInUse"}:
            assert reason.event_type == "Normal"

    def test_names_only_commands_that_exist(self, reason: Reason) -> None:
        named = set(re.findall(r"irsa-manager ([a-z]+)", text_of(reason)))
        assert named <= COMMANDS | {"doesn", "is", "alone", "failed", "itself", "knows"}, named

    def test_names_no_field_of_later_issues(self, reason: Reason) -> None:
        assert [word for word in LATER if word in text_of(reason)] == []

    def test_named_fields_exist(self, reason: Reason) -> None:
        schemas = [definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for definition in crd.definitions()]
        for path in re.findall(r"\bspec((?:\.[a-zA-Z]+)+)", text_of(reason)):
            assert any(has(schema["properties"]["spec"], path.split(".")[1:]) for schema in schemas), path

    def test_page_is_safe_markdown(self, reason: Reason) -> None:
        """The message stands between backticks, the summary in a table."""
        assert "`" not in reason.template
        assert "|" not in reason.summary

    def test_longest_values_still_fit_an_event(self, reason: Reason) -> None:
        values: dict[str, Any] = dict.fromkeys(reason.fields, "x" * 2000)
        message = reason.message(values, note="y" * 2000)
        assert len(message) <= MAX_MESSAGE
        assert message.endswith(reason.parts({**values, **dict.fromkeys(reason.fields, "…")})[2].split("…")[-1])

    def test_a_missing_value_is_an_error(self, reason: Reason) -> None:
        for name in reason.fields:
            others = {field: "x" for field in reason.fields if field != name}
            with pytest.raises(TypeError, match=name):
                reasons.message(reason.code, **others)


def has(schema: dict[str, Any], path: list[str]) -> bool:
    if not path:
        return True
    child = schema.get("properties", {}).get(path[0])
    return child is not None and has(child, path[1:])


def test_message_has_its_three_parts_in_order() -> None:
    message = reasons.message("RoleExists", role="reports", account="111122223333", evidence="created 2026-01-02")
    assert message == (
        "Role reports exists in 111122223333 and wasn't made by this object (created 2026-01-02). It was left "
        "untouched and no ServiceAccount annotated. Choose another iamRole.name, or set iamRole.managementPolicy: "
        "Adopt (take it over) or Reference (use it as it is)."
    )


def test_message_counts() -> None:
    message = reasons.message("IRSAReady", role="r", account="1", service_accounts=2, policies=1, source="x")
    assert "trusts 2 ServiceAccounts; 1 policy attached." in message
    assert "needs about 9,120 characters for 300 subjects; the limit is 8,192 (928 over). It" in reasons.message(
        "TrustTooLarge", role="r", size=9120, subjects=300, limit=8192, over=" (928 over)", left="It stays."
    )


def test_numbers_that_are_names_stay_as_they_are() -> None:
    assert "(pid 12345)" in reasons.message("SandboxRunning", directory="/d", pid=12345)


def test_message_lists_a_few() -> None:
    message = reasons.message("DependentsExist", count=7, names=list("abcdefg"))
    assert "Deletion waits for 7 IRSAs: a, b, c, d, e and 2 more." in message


@pytest.mark.parametrize(("said", "told"), [("no such thing", "no such thing."), ("Why?", "Why?"), ("No.", "No.")])
def test_what_others_say_ends_as_a_sentence_does(said: str, told: str) -> None:
    message = reasons.message("IRSAFailedRoleUpdate", role="r", error=said, next_try="soon")
    assert message == f"Role r couldn't be brought up to date: {told} What was in force before still is. Next try soon."


def test_note_stands_after_what_happened() -> None:
    message = reasons.message("RoleDeleted", role="r", account="1", note="Its path was /a/.")
    assert message == "Role r was deleted from 1. Its path was /a/."
    assert reasons.message("RoleReleased", role="r", account="1", note="It got back what it had.").endswith(" it had.")


def test_values_are_not_templates() -> None:
    """What AWS or an author wrote is never taken for a field."""
    assert "{account.__class__}" in reasons.message("RoleExists", role="r", account="1", evidence="{account.__class__}")


@given(st.text(max_size=3000), st.text(max_size=3000), st.text(max_size=3000))
def test_any_text_fits_and_advice_survives(role: str, error: str, note: str) -> None:
    message = reasons.message("IRSAFailedRoleUpdate", role=role, error=error, next_try="14:05Z", note=note)
    assert len(message) <= MAX_MESSAGE
    assert message.endswith("What was in force before still is. Next try 14:05Z.")


@given(st.integers(0, 10**6), st.sampled_from(["policy", "role", "ServiceAccount"]))
def test_counted(number: int, noun: str) -> None:
    text = counted(number, noun)
    assert text.split()[0].replace(",", "") == str(number)
    assert text.endswith(noun) == (number == 1)


@given(st.lists(st.text("abc", min_size=1, max_size=5), max_size=30))
def test_listed_loses_nobody(items: list[str]) -> None:
    text = listed(items)
    more = re.search(r" and (\d+) more$", text)
    shown = text[: more.start()] if more else text
    assert len(shown.split(", ")) * bool(items) + (int(more[1]) if more else 0) == len(items)


@pytest.mark.parametrize(
    ("typed", "meant"), [("roleexist", "RoleExists"), ("PermisionMissing", "PermissionMissing"), ("sandbox", "Sandbox")]
)
def test_nearest(typed: str, meant: str) -> None:
    assert reasons.nearest(typed)[0].startswith(meant)


def test_nothing_is_near_nonsense() -> None:
    assert reasons.nearest("qqqqqqqqq") == []


def test_others_objects_are_not_named_to_tenants() -> None:
    operator = names.DEFAULT_NAMESPACE
    hidden = reasons.visible("IRSA", "team-b", "secret-project", to="team-a", operator=operator)
    assert hidden == "an IRSA of another namespace"
    assert reasons.visible("IRSA", "team-a", "x", to="team-a", operator=operator) == "IRSA team-a/x"
    assert reasons.visible("IRSA", "team-b", "x", to=operator, operator=operator) == "IRSA team-b/x"
