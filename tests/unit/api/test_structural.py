"""From types to structural schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from msgspec import UNSET, Struct, UnsetType, field

from irsa_manager.api import crd
from irsa_manager.api.structural import Field, Rule, structural


class Inner(Struct):
    number: int = 3
    kind: Literal["A", "B"] = "A"


class Outer(Struct):
    metadata: dict[str, str]
    needed: bool
    inner: Inner = field(default_factory=Inner)
    items: tuple[Inner, ...] = ()
    words: dict[str, str] = field(default_factory=dict)
    maybe: int | UnsetType = UNSET


TABLE = {
    "": Field(description="Outer."),
    "apiVersion": Field(description="Version."),
    "kind": Field(description="Kind."),
    "needed": Field(description="Needed."),
    "inner": Field(description="Inner."),
    "inner.number": Field(description="Number.", schema={"default": 3, "format": "int32"}),
    "inner.kind": Field(description="Kind."),
    "items": Field(description="Items.", schema={"maxItems": 2}),
    "items[].number": Field(description="Number of an item."),
    "items[].kind": Field(description="Kind of an item."),
    "words": Field(description="Words."),
    "words{}": Field(schema={"maxLength": 5}, rules=(Rule(expression="self != ''", message="empty"),)),
    "maybe": Field(description="Maybe."),
}


def test_schema() -> None:
    schema = structural(Outer, TABLE)
    assert list(schema["properties"])[:3] == ["apiVersion", "kind", "metadata"]
    assert schema["properties"]["metadata"] == {"type": "object"}
    assert schema["properties"]["maybe"] == {"description": "Maybe.", "type": "integer"}
    inner = schema["properties"]["inner"]
    assert inner["properties"]["number"] == {
        "description": "Number.",
        "type": "integer",
        "default": 3,
        "format": "int32",
    }
    assert inner["properties"]["kind"] == {"description": "Kind.", "enum": ["A", "B"], "type": "string"}
    items = schema["properties"]["items"]
    assert items["maxItems"] == 2
    assert items["items"]["properties"]["number"] == {"description": "Number of an item.", "type": "integer"}
    assert schema["properties"]["words"]["additionalProperties"] == {
        "type": "string",
        "maxLength": 5,
        "x-kubernetes-validations": [{"rule": "self != ''", "message": "empty"}],
    }


def test_a_field_without_description_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"items\[\]\.kind has no description"):
        structural(Outer, {path: entry for path, entry in TABLE.items() if path != "items[].kind"})


def test_an_entry_without_field_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"Outer has no field inner\.nothing"):
        structural(Outer, TABLE | {"inner.nothing": Field(description="Nothing.")})


def test_a_kept_rule_asks_whether_it_was_broken_before() -> None:
    rule = Rule(expression="has(self.mode) && self.mode != 'selfhosted'", message="m", kept=True, at=".mode")
    assert rule.schema() == {
        "rule": "(has(self.mode) && self.mode != 'selfhosted') || (oldSelf.hasValue() && "
        "!(has(oldSelf.value().mode) && oldSelf.value().mode != 'selfhosted'))",
        "message": "m",
        "optionalOldSelf": True,
        "fieldPath": ".mode",
    }


def test_a_costly_rule_is_spared_while_the_value_stays() -> None:
    rule = Rule(expression="self.all(x, x > 0)", message="m", costly=True, detailed="'bad: ' + self[0]")
    assert rule.schema() == {
        "rule": "oldSelf.hasValue() && self == oldSelf.value() || self.all(x, x > 0)",
        "message": "m",
        "optionalOldSelf": True,
        "messageExpression": "'bad: ' + self[0]",
    }


def walk(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for child in schema.values():
            yield from walk(child)
    elif isinstance(schema, list):
        for child in schema:
            yield from walk(child)


def test_definitions_are_fresh_each_time() -> None:
    """Whoever changes what it was given changes nobody else's."""
    first = crd.definitions()
    first[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"].clear()
    assert crd.definitions()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]


def test_every_rule_says_what_why_and_how_to_mend_it() -> None:
    rules = [node for definition in crd.definitions() for node in walk(definition) if "rule" in node]
    assert len(rules) > 40
    for rule in rules:
        assert 40 < len(rule["message"]) < 400, rule["message"]
        assert rule["message"].endswith((".", "?")), rule["message"]
        assert "\n" not in rule["message"]


def test_no_pattern_uses_what_differs_between_engines() -> None:
    for definition in crd.definitions():
        for node in walk(definition):
            for text in (str(node.get("rule", "")), str(node.get("pattern", ""))):
                assert "\\w" not in text
                assert "(?=" not in text


def test_lists_of_specs_are_bounded() -> None:
    """Without bounds CEL's cost can't be estimated, and the API server refuses the definition."""
    for definition in crd.definitions():
        spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        for node in walk(spec):
            if node.get("type") == "array":
                assert "maxItems" in node
            if node.get("type") == "object" and "additionalProperties" in node:
                assert "maxProperties" in node


def test_lists_of_upstream_keep_their_type() -> None:
    spec = crd.irsa_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    for node in (spec["properties"]["iamPolicies"], spec["properties"]["serviceAccount"]["properties"]["namespaces"]):
        assert "x-kubernetes-list-type" not in node
