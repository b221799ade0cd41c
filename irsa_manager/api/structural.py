"""From msgspec types to Kubernetes' structural schemas.

msgspec says which fields there are and of which type; a table of Fields adds what only people know: descriptions,
bounds and rules. Rules of structural schemas: Kubernetes documentation, "Extend the Kubernetes API with
CustomResourceDefinitions", section "Specifying a structural schema", and the KEPs 2876 (CEL) and 4008 (ratcheting).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct, field

Schema = dict[str, Any]


class Rule(Struct, frozen=True, kw_only=True):
    """One CEL rule of a field.

    expression: CEL, true where the value is right. message: what is wrong, why, how to mend it. kept: a stored object
    that breaks the rule already may go on doing so; needed where the rule looks at several fields, since the API server
    only spares a rule whose whole value didn't change. at: the path, below the field, that the error points to.
    costly: it isn't worked out again while the value stays as it is; else each write of the status would pay for it.
    detailed: CEL for a message that names the culprit; where it can't be worked out, the message is used.
    """

    expression: str
    message: str
    kept: bool = False
    at: str = ""
    costly: bool = False
    detailed: str = ""

    def schema(self) -> Schema:
        """The entry of x-kubernetes-validations."""
        entry: Schema = {"rule": self.expression, "message": self.message}
        if self.kept:
            before = re.sub(r"\bself\b", "oldSelf.value()", self.expression)
            entry["rule"] = f"({self.expression}) || (oldSelf.hasValue() && !({before}))"
            entry["optionalOldSelf"] = True
        if self.costly:
            entry["rule"] = f"oldSelf.hasValue() && self == oldSelf.value() || {self.expression}"
            entry["optionalOldSelf"] = True
        if self.detailed:
            entry["messageExpression"] = self.detailed
        if self.at:
            entry["fieldPath"] = self.at
        return entry


class Field(Struct, frozen=True, kw_only=True):
    """What a table says of one field.

    description: its `kubectl explain` page. schema: more keywords of OpenAPI (bounds, format, list type, default).
    rules: CEL rules.
    """

    description: str = ""
    schema: Schema = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


Table = Mapping[str, Field]
"""Fields by path: `spec.iamRole.name`; `spec.iamPolicies[]` is an item, `spec.iamRole.tags{}` a value of a map."""

_KEPT_KEYWORDS: Final = ("type", "properties", "items", "additionalProperties", "required", "enum", "format")


def structural(kind: type[Struct], table: Table) -> Schema:
    """The structural schema of a type, with `apiVersion`, `kind` and `metadata` as every object has them.

    ValueError: a field has no entry in the table, or an entry no field.
    """
    (reference,), components = msgspec.json.schema_components([kind])
    root = _resolve(reference, components)
    root["properties"]["metadata"] = {"type": "object"}
    root["properties"] = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}} | root["properties"]
    root.pop("required", None)
    used: set[str] = set()
    _apply(root, "", table, used)
    unused = sorted(set(table) - used)
    if unused:
        raise ValueError(f"{kind.__name__} has no field {', '.join(unused)}")
    return root


def _resolve(node: Mapping[str, Any], components: Mapping[str, Any]) -> Schema:
    """The schema with references inlined and without the keywords that structural schemas refuse or we don't mean."""
    if "$ref" in node:
        return _resolve(components[node["$ref"].rsplit("/", 1)[1]], components)
    found = {key: copy.deepcopy(node[key]) for key in _KEPT_KEYWORDS if key in node}
    if "enum" in found:
        found.setdefault("type", "string")
    if "properties" in found:
        found["properties"] = {name: _resolve(child, components) for name, child in node["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = _resolve(node[key], components)
    if not found.get("required"):
        found.pop("required", None)
    return found


def _apply(node: Schema, path: str, table: Table, used: set[str]) -> None:
    """Add the table's entries to a schema and to everything below it, in place."""
    entry = table.get(path)
    if entry is not None:
        used.add(path)
        node.update(copy.deepcopy(entry.schema))
        if entry.rules:
            node["x-kubernetes-validations"] = [rule.schema() for rule in entry.rules]
        if entry.description:
            _put_first(node, "description", entry.description)
    if "description" not in node and not path.endswith(("[]", "{}", "metadata")):
        raise ValueError(f"{path or 'the object'} has no description")
    for name, child in node.get("properties", {}).items():
        _apply(child, f"{path}.{name}" if path else name, table, used)
    if isinstance(node.get("items"), dict):
        _apply(node["items"], f"{path}[]", table, used)
    if isinstance(node.get("additionalProperties"), dict):
        _apply(node["additionalProperties"], f"{path}{{}}", table, used)


def _put_first(node: Schema, key: str, value: Any) -> None:
    rest = {name: node[name] for name in node if name != key}
    node.clear()
    node[key] = value
    node.update(rest)
