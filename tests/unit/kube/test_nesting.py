"""No depth of nesting keeps an object, or its neighbours, from being read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irsa_manager.kube.decode import Decoder
from irsa_manager.kube.nesting import CUT, cut_deep
from irsa_manager.kube.resources import IRSAS

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(json_values)
def test_what_is_not_deep_is_left_as_it_is(value):
    text = json.dumps(value).encode()
    assert cut_deep(text, 30) == text


@given(json_values, st.integers(1, 4))
def test_what_is_cut_is_still_json_and_no_deeper(value, deepest):
    cut = json.loads(cut_deep(json.dumps(value).encode(), deepest))

    def depth(found) -> int:
        inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else None
        return 0 if inner is None else 1 + max((depth(i) for i in inner), default=0)

    assert depth(cut) <= deepest


@pytest.mark.parametrize("text", [b"", b"[", b'{"a": [', b"]]]", b'"unclosed'])
def test_text_that_is_no_json_does_no_harm(text):
    cut_deep(text, 0)


def irsa(name: str, levels: int) -> str:
    document = '{"a":' * levels + "1" + "}" * levels
    return (
        f'{{"metadata":{{"name":"{name}","namespace":"n","resourceVersion":"7"}},"spec":{{"cleanup":true,'
        f'"inlinePolicies":{{"p":{document}}}}}}}'
    )


@pytest.mark.parametrize("levels", [5, 900, 2_000, 9_900])
def test_an_object_of_any_depth_is_read_with_its_neighbours(levels):
    decoder = Decoder(IRSAS)
    page = decoder.page(f'{{"metadata":{{}},"items":[{irsa("deep", levels)},{irsa("flat", 1)}]}}'.encode())
    assert [item.metadata.name for item in page.items] == ["deep", "flat"]
    event = decoder.event(f'{{"type":"ADDED","object":{irsa("deep", levels)}}}'.encode())
    assert event.object is not None
    assert event.object.metadata.name == "deep"
    if levels > 1_000:
        assert CUT.decode().strip('"') in str(event.object.spec)
