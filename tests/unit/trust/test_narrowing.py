"""Who has to leave a trust leaves it, also where the rest can't be written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from irsa_manager.trust.document import ProviderTrust, build, deny_all, subject, subjects, without

PROVIDER = "arn:aws:iam::111122223333:oidc-provider/oidc.example.com/a"
places = st.sets(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1)


def document(bound, *, patterns=()):
    trust = ProviderTrust(
        PROVIDER, "oidc.example.com/a", ("sts.amazonaws.com",), tuple(subject(*b) for b in bound), tuple(patterns)
    )
    return build("mark", [trust])


@given(places, places)
def test_exactly_those_who_leave_are_gone(bound, leaving):
    gone = {(PROVIDER, subject(*b)) for b in leaving}
    before = document(bound)
    after = without(before, gone)
    left = subjects(before) - gone
    assert (after is None) == (not left)
    if after is not None:
        assert subjects(after) == left
        assert after["Version"] == before["Version"]
        assert after["Statement"][0]["Sid"] == "mark"


def test_statements_of_others_stay_as_they_are():
    before = document({("a", "x")}, patterns=["system:serviceaccount:team-*:x"])
    after = without(before, {(PROVIDER, subject("a", "x"))})
    assert after is not None
    assert subjects(after) == {(PROVIDER, "system:serviceaccount:team-*:x")}


def test_a_deny_alone_is_not_what_is_left():
    before = {
        "Version": "2012-10-17",
        "Statement": [*document({("a", "x")})["Statement"], *deny_all("d", PROVIDER)["Statement"]],
    }
    assert without(before, {(PROVIDER, subject("a", "x"))}) is None
