"""Schemas narrowed for constrained decoding: what is closed, bounded, dropped and reported."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from nexus_llm.schema import Limits, checked_schema, constrain, grammar, json_object, rebased

from nexus.contract.errors import ApiError

OPEN = Limits()
SMALL = Limits(string_chars=20, array_items=3)


def narrowed(schema: dict[str, Any], limits: Limits = SMALL) -> dict[str, Any]:
    result = constrain(schema, limits)
    Draft202012Validator.check_schema(result.schema)
    grammar(result.schema, "schema")
    return result.schema


def test_objects_are_closed_and_strings_and_arrays_bounded() -> None:
    schema = narrowed(
        {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "array", "items": {"type": "null"}}}}
    )
    assert schema["additionalProperties"] is False
    assert schema["properties"]["a"]["maxLength"] == 20
    assert schema["properties"]["b"]["maxItems"] == 3


def test_bounds_of_ones_own_are_kept() -> None:
    assert narrowed({"type": "string", "maxLength": 500})["maxLength"] == 500
    assert narrowed({"type": "string", "minLength": 50})["maxLength"] == 50
    assert narrowed({"type": "array", "minItems": 5, "items": {"type": "null"}})["maxItems"] == 5
    assert "maxLength" not in narrowed({"type": "string", "pattern": "^a+$"})


def test_without_limits_nothing_is_bounded() -> None:
    assert narrowed({"type": "string"}, OPEN) == {"type": "string"}
    assert narrowed({"type": "array", "items": {}}, OPEN) == {"type": "array", "items": {}}
    assert json_object(OPEN) == {"type": "object"}


@pytest.mark.parametrize("schema", [{}, {"description": "anything"}, {"type": "object"}, {"type": "array"}])
def test_what_is_left_open_becomes_small_json(schema: dict[str, Any]) -> None:
    validator = Draft202012Validator(narrowed(schema))
    assert not validator.is_valid("x" * 21)
    assert not validator.is_valid([1, 2, 3, 4])
    assert not validator.is_valid({"a": {"b": {"c": {"d": {"e": {}}}}}})


def test_notes_and_unknown_formats_vanish_without_a_word() -> None:
    result = constrain({"type": "string", "title": "T", "format": "colour", "default": "x", "nullable": True}, OPEN)
    assert (result.schema, result.dropped) == ({"type": "string"}, ())


@pytest.mark.parametrize(
    ("schema", "dropped"),
    [
        ({"type": "array", "uniqueItems": True}, "/uniqueItems"),
        ({"type": "object", "properties": {"a": {"not": {"type": "null"}}}}, "/properties/a/not"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "/oneOf"),
        ({"$defs": {"x": {"if": True}}, "$ref": "#/$defs/x"}, "/$defs/x/if"),
    ],
)
def test_what_cannot_be_enforced_is_reported_by_its_path(schema: dict[str, Any], dropped: str) -> None:
    assert constrain(schema, SMALL).dropped == (dropped,)
    narrowed(schema)


def test_joined_objects_stay_open_for_one_another() -> None:
    first = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    second = {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]}
    schema = narrowed({"allOf": [first, second]})
    assert Draft202012Validator(schema).is_valid({"a": 1, "b": 2})


def test_a_required_name_without_a_schema_gets_one() -> None:
    schema = narrowed({"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a", "b"]})
    assert Draft202012Validator(schema).is_valid({"a": None, "b": "x"})


CASES: list[tuple[dict[str, Any], list[Any]]] = [
    ({"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}}, "required": ["a"]}, [{"a": 3}]),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, ["x", None]),
    ({"$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"},
     [{}, {"next": {"next": {}}}]),
    ({"type": ["string", "null"], "enum": ["a", None]}, ["a", None]),
    ({"type": "object", "additionalProperties": {"type": "integer"}}, [{}, {"x": 1}]),
    ({"prefixItems": [{"type": "integer"}, {"type": "string"}]}, [[1, "a"]]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "values"), CASES)
def test_the_narrowed_schema_still_takes_small_values(schema: dict[str, Any], values: list[Any]) -> None:
    validator = Draft202012Validator(narrowed(schema))
    assert all(validator.is_valid(value) for value in values)


def test_bad_schemas_are_refused_by_name() -> None:
    with pytest.raises(ApiError) as caught:
        checked_schema({"type": "zorg"}, "here")
    assert (caught.value.status, caught.value.param) == (400, "here")
    with pytest.raises(ApiError, match="cannot be enforced") as caught:
        grammar({"type": "integer", "minimum": 5, "maximum": 3}, "there")
    assert caught.value.param == "there"


def test_references_move_with_the_schema() -> None:
    schema = {"$ref": "#", "items": [{"$ref": "#/$defs/a"}], "properties": {"$ref": {"type": "string"}}}
    assert rebased(schema, "#/$defs/p") == {
        "$ref": "#/$defs/p",
        "items": [{"$ref": "#/$defs/p/$defs/a"}],
        "properties": {"$ref": {"type": "string"}},
    }
