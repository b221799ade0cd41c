"""Decoding: whatever one object looks like, the others arrive."""

from __future__ import annotations

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from irsa_manager.kube.decode import Decoder
from irsa_manager.kube.resources import IRSAS, LEASES, NAMESPACES, SERVICE_ACCOUNTS, split_key

NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def an_object(name: str, spec: object, version: int = 1) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "n", "resourceVersion": str(version)}, "spec": spec}


@given(st.dictionaries(NAMES, JSON, max_size=8), st.sampled_from(["", "token"]))
def test_a_page_of_anything(specs: dict[str, object], more: str) -> None:
    items = [an_object(name, spec) for name, spec in specs.items()]
    body = msgspec.json.encode({"metadata": {"resourceVersion": "7", "continue": more}, "items": items})
    page = Decoder(IRSAS).page(body)
    assert (page.version, page.more) == ("7", more)
    fit = {f"n/{item.metadata.name}" for item in page.items}
    unfit = {unreadable.key for unreadable in page.unreadable}
    assert fit | unfit == {f"n/{name}" for name in specs}
    assert not fit & unfit


@given(NAMES, JSON, st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]))
def test_an_event_with_anything(name: str, spec: object, kind: str) -> None:
    event = Decoder(IRSAS).event(msgspec.json.encode({"type": kind, "object": an_object(name, spec, 9)}))
    assert event.type == kind
    assert (event.identity.key, event.identity.resource_version) == (f"n/{name}", "9")
    if kind in ("DELETED", "BOOKMARK"):
        assert event.object is None
        assert event.unreadable is None
    else:
        assert (event.object is None) != (event.unreadable is None)


def test_an_object_that_does_not_fit_is_told_with_the_place() -> None:
    event = Decoder(IRSAS).event(msgspec.json.encode({"type": "ADDED", "object": an_object("a", {"cleanup": "yes"})}))
    assert event.unreadable is not None
    assert "$.spec.cleanup" in event.unreadable.why


@pytest.mark.parametrize("items", [b"null", b"[]"])
def test_an_empty_page(items: bytes) -> None:
    page = Decoder(SERVICE_ACCOUNTS).page(b'{"metadata":{"resourceVersion":"3"},"items":' + items + b"}")
    assert (page.items, page.version, page.more) == ([], "3", "")


def test_the_end_of_a_watch_by_an_error() -> None:
    line = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}'
    event = Decoder(SERVICE_ACCOUNTS).event(line)
    assert event.status is not None
    assert (event.status.code, event.status.reason) == (410, "Expired")


@pytest.mark.parametrize("line", [b"", b"<html>", b"[]", b'{"type":"ADDED"}', b'{"type":"ADDED","object":{}}'])
def test_what_is_no_event_at_all(line: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        Decoder(SERVICE_ACCOUNTS).event(line)


def test_paths() -> None:
    assert SERVICE_ACCOUNTS.path() == "/api/v1/serviceaccounts"
    assert SERVICE_ACCOUNTS.path("n", "a", "token") == "/api/v1/namespaces/n/serviceaccounts/a/token"
    assert NAMESPACES.path("ignored", "a") == "/api/v1/namespaces/a"
    assert LEASES.path("n", "a") == "/apis/coordination.k8s.io/v1/namespaces/n/leases/a"
    assert (LEASES.api_version, SERVICE_ACCOUNTS.api_version) == ("coordination.k8s.io/v1", "v1")


def test_keys() -> None:
    assert (split_key("n/a"), split_key("a")) == (("n", "a"), ("", "a"))
