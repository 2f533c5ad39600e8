"""JSON Schemas made ready for constrained decoding, and the grammars that hold the model to them.

The grammar language is llguidance's. It refuses keywords that it cannot enforce, so they are taken out first and
reported; what is left is only ever made narrower (closed objects, bounded strings and arrays), so that whatever the
grammar lets through also fits the schema that was given, but for the keywords reported.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from llguidance import LLMatcher

from nexus.contract.errors import ApiError
from nexus_llm.request import invalid

Schema = dict[str, Any]

_ENFORCED: Final = frozenset(
    {
        "$ref",
        "type",
        "enum",
        "const",
        "required",
        "minProperties",
        "maxProperties",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "pattern",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
    }
)
_MAPS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_LISTS: Final = frozenset({"anyOf", "allOf", "prefixItems"})
_SINGLES: Final = frozenset({"items", "additionalProperties"})
_NOTES: Final = frozenset(
    {
        "$schema",
        "$id",
        "$comment",
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "nullable",
        "discriminator",
        "strict",
    }
)
_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"}
)
_COMPACT: Final = {"whitespace_flexible": False}
_ANY: Final = "nexus_any_"
_ANY_DEPTH: Final = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for what a schema leaves open: characters of a string, items of an array; None leaves it open."""

    string_chars: int | None = None
    array_items: int | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
    """A schema that the grammar can enforce, and the paths of the keywords of the original that it does not."""

    schema: Schema
    dropped: tuple[str, ...] = ()


def checked_schema(schema: Mapping[str, Any], param: str) -> Schema:
    """`schema`, if it is a valid JSON Schema. Raises ApiError (400) naming `param`."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise invalid(f"not a valid JSON Schema: {error.message}", param) from error
    except RecursionError as error:
        raise invalid("the JSON Schema is nested too deeply", param) from error
    return dict(schema)


def constrain(schema: Mapping[str, Any], limits: Limits) -> Constraint:
    """The enforceable form of a valid `schema`."""
    narrowing = _Narrowing(limits, closing=not _joins_objects(schema))
    narrowed = narrowing.schema(schema, "")
    if narrowing.uses_any:
        narrowed.setdefault("$defs", {}).update(_bounded_json(limits))
    return Constraint(narrowed, tuple(narrowing.dropped))


def json_object(limits: Limits) -> Schema:
    """Any JSON object, within the limits."""
    if limits.string_chars is None and limits.array_items is None:
        return {"type": "object"}
    return {"$ref": f"#/$defs/{_ANY}object", "$defs": _bounded_json(limits)}


def grammar(schema: Schema, param: str) -> str:
    """The grammar for JSON that fits `schema`, without free white space. Raises ApiError (400) naming `param`."""
    text = "%llguidance {}\nstart: %json " + json.dumps({**schema, "x-guidance": _COMPACT}) + "\n"
    return checked_grammar(text, param)


def checked_grammar(text: str, param: str) -> str:
    """`text`, if the engine will take it: one that it cannot read would leave the model unconstrained."""
    complaint: str = LLMatcher.validate_grammar(text)
    if complaint:
        raise _cannot_enforce(complaint.partition("\n")[0], param)
    return text


def rebased(schema: Any, prefix: str) -> Any:
    """`schema` with its local references (`#/…`) pointing below `prefix`, where it is about to be put."""
    if isinstance(schema, dict):
        return {
            key: prefix + value[1:]
            if key == "$ref" and isinstance(value, str) and value.startswith("#")
            else rebased(value, prefix)
            for key, value in schema.items()
        }
    return [rebased(item, prefix) for item in schema] if isinstance(schema, list) else schema


def _cannot_enforce(reason: str, param: str) -> ApiError:
    return invalid(f"the schema cannot be enforced: {reason}", param)


def _joins_objects(schema: Any) -> bool:
    """Whether some `allOf` joins several schemas: closing one of them would shut out the others' properties."""
    if isinstance(schema, dict):
        return len(schema.get("allOf", ())) > 1 or any(_joins_objects(value) for value in schema.values())
    return isinstance(schema, list) and any(_joins_objects(item) for item in schema)


class _Narrowing:
    """One walk through a schema; collects what it drops."""

    def __init__(self, limits: Limits, closing: bool) -> None:
        self._limits = limits
        self._closing = closing
        self.uses_any = False
        self.dropped: list[str] = []

    def schema(self, schema: Any, path: str) -> Schema:
        """The enforceable form of one subschema at `path`."""
        if schema is False:
            return {"enum": []}
        if schema is True or not _says_something(schema):
            return self._anything()
        kept = self._kept(schema, path)
        self._bound(kept)
        return kept

    def _kept(self, schema: Mapping[str, Any], path: str) -> Schema:
        kept: Schema = {}
        for key, value in schema.items():
            here = f"{path}/{key}"
            if key in _ENFORCED:
                kept[key] = value
            elif key in _MAPS:
                kept[key] = {name: self.schema(item, f"{here}/{name}") for name, item in value.items()}
            elif key in _LISTS:
                kept[key] = [self.schema(item, f"{here}/{position}") for position, item in enumerate(value)]
            elif key in _SINGLES and isinstance(value, dict | bool):
                kept[key] = value if isinstance(value, bool) else self.schema(value, here)
            elif key == "oneOf":  # the grammar takes any of them; that it is only one has to be checked afterwards
                kept["anyOf"] = [self.schema(item, f"{here}/{position}") for position, item in enumerate(value)]
                self.dropped.append(here)
            elif key == "format":
                if value in _FORMATS:
                    kept[key] = value
            elif key not in _NOTES:
                self.dropped.append(here)
        return kept

    def _bound(self, node: Schema) -> None:
        if "properties" in node or "patternProperties" in node:
            node.setdefault("type", "object")
        if "items" in node or "prefixItems" in node:
            node.setdefault("type", "array")
        types = node.get("type", ())
        types = (types,) if isinstance(types, str) else types
        if "string" in types and self._limits.string_chars and not node.keys() & {"pattern", "format", "enum", "const"}:
            node.setdefault("maxLength", max(self._limits.string_chars, node.get("minLength", 0)))
        if "array" in types and self._limits.array_items:
            node.setdefault("maxItems", max(self._limits.array_items, node.get("minItems", 0)))
            node.setdefault("items", self._anything())
        if "object" in types:
            self._close(node)

    def _close(self, node: Schema) -> None:
        if not node.keys() & {"properties", "patternProperties", "additionalProperties"}:
            if self._limits.string_chars is not None:
                node["additionalProperties"] = self._anything()
                node.setdefault("maxProperties", self._limits.array_items or _ANY_DEPTH)
        elif self._closing and not node.keys() & {"anyOf", "allOf", "$ref"}:
            node.setdefault("additionalProperties", False)
            if node["additionalProperties"] is False:
                properties = node.setdefault("properties", {})
                for name in node.get("required", ()):
                    properties.setdefault(name, self._anything())

    def _anything(self) -> Schema:
        if self._limits.string_chars is None and self._limits.array_items is None:
            return {}
        self.uses_any = True
        return {"$ref": f"#/$defs/{_ANY}{_ANY_DEPTH}"}


def _says_something(schema: Mapping[str, Any]) -> bool:
    return bool(schema.keys() - _NOTES)


def _bounded_json(limits: Limits) -> Schema:
    """Definitions of any JSON value, nested to a small depth and bounded in breadth: what `{}` may become."""
    string = {"type": "string", **({"maxLength": limits.string_chars} if limits.string_chars else {})}
    breadth = limits.array_items or _ANY_DEPTH
    scalars: list[Schema] = [string, {"type": "number"}, {"type": "boolean"}, {"type": "null"}]
    definitions: Schema = {f"{_ANY}0": {"anyOf": scalars}}
    for depth in range(1, _ANY_DEPTH + 1):
        below = {"$ref": f"#/$defs/{_ANY}{depth - 1}"}
        array = {"type": "array", "items": below, "maxItems": breadth}
        members = {"type": "object", "additionalProperties": below, "maxProperties": breadth}
        definitions[f"{_ANY}{depth}"] = {"anyOf": [*scalars, array, members]}
        definitions[f"{_ANY}object"] = members
    return definitions
