"""Marks: nobody without the key makes one, and a copied one doesn't verify."""

from __future__ import annotations

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from irsa_manager.plan.mark import MarkKeys, RecordedRole, Whose, judge, make, record_valid, sign_record

keys = st.binary(min_size=32, max_size=32)
roles = st.from_regex(r"[A-Za-z0-9+=,.@_-]{1,64}", fullmatch=True)
owners = st.from_regex(r"[a-z]{1,9}/[a-z]{1,9}", fullmatch=True)
accounts = st.from_regex(r"[0-9]{12}", fullmatch=True)


@given(keys, roles, owners, accounts)
def test_a_mark_verifies_for_its_own_and_fits_a_sid_and_a_tag(key, role, owner, account):
    ours = MarkKeys(key)
    mark = make(ours, account, role, owner)
    assert re.fullmatch(r"[A-Za-z0-9]{1,128}", mark)
    assert judge(ours, account, role, owner, mark) is Whose.MINE
    assert judge(ours, account, role.swapcase(), owner, mark) is Whose.MINE


@given(keys, keys, roles, roles, owners, owners, accounts, accounts)
def test_a_copied_mark_does_not_verify(key, other_key, role, other_role, owner, other_owner, account, other_account):
    assume(key != other_key and role.lower() != other_role.lower() and owner != other_owner)
    assume(account != other_account)
    ours = MarkKeys(key)
    mark = make(ours, account, role, owner)
    assert judge(ours, account, role, other_owner, mark) is Whose.CLUSTER
    assert judge(ours, account, other_role, owner, mark) is Whose.UNMARKED
    assert judge(ours, other_account, role, owner, mark) is Whose.UNMARKED
    assert judge(MarkKeys(other_key), account, role, owner, mark) is Whose.UNMARKED


@given(keys, keys, roles, owners, accounts)
def test_an_older_key_verifies_and_does_not_sign(key, old, role, owner, account):
    assume(key != old)
    rotated = MarkKeys(key, (old,))
    mark = make(MarkKeys(old), account, role, owner)
    assert judge(rotated, account, role, owner, mark) is Whose.MINE
    assert mark != make(rotated, account, role, owner)


@given(keys, st.text(max_size=60))
def test_any_text_is_judged_and_none_verifies(key, text):
    assert judge(MarkKeys(key), "111122223333", "r", "a/b", text) is Whose.UNMARKED


@given(keys, st.lists(st.sampled_from(["description", "permissionsBoundary", "tags/a"]), unique=True).map(tuple))
def test_a_record_vouches_for_exactly_what_it_signs(key, managed):
    ours = MarkKeys(key)
    recorded = RecordedRole("111122223333", "r", "AROA1", "a/b", managed)
    mac = sign_record(ours, recorded)
    assert record_valid(ours, mac, recorded)
    for other in (
        RecordedRole("111122223333", "r", "AROA2", "a/b", managed),
        RecordedRole("111122223333", "r", "AROA1", "a/c", managed),
        RecordedRole("111122223333", "r", "AROA1", "a/b", (*managed, "tags/b")),
    ):
        assert not record_valid(ours, mac, other)
    assert not record_valid(ours, "", recorded)


def test_keys_are_never_printed():
    assert "k" * 8 not in repr(MarkKeys(b"k" * 32))
