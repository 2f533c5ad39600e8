"""Requests are made from schemas: examples and defaults first, invented values said to be so."""

from typing import Any, Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from nexus.contract.operations import BY_NAME
from nexus.sdk.conformance.sample import STANDARD, Sample, sample_of


class Message(BaseModel):
    role: Literal["user", "system"]
    content: str


class Chat(BaseModel):
    model: str | None = None
    messages: list[Message] = Field(min_length=1)


class Count(BaseModel):
    text: str = Field(examples=["to be"])
    size: int = Field(default=3, examples=[5])


def test_examples_come_first() -> None:
    sample = sample_of("x.y", Count.model_json_schema())
    assert (sample.body, sample.invented) == ({"text": "to be", "size": 3}, False)


def test_what_has_no_example_is_invented() -> None:
    sample = sample_of("x.y", Chat.model_json_schema())
    assert (sample.body, sample.invented) == ({"messages": [{"role": "user", "content": "hello"}]}, True)
    Chat.model_validate(sample.body)


def test_standard_operations_have_requests_that_are_known_to_be_right() -> None:
    for operation, body in STANDARD.items():
        assert operation in BY_NAME
        assert sample_of(operation, {}) == Sample(dict(body), invented=False)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "string", "default": "x"},
        {"type": "object", "properties": {"a": {"type": "string", "pattern": "x+"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"$ref": "#/gone"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"anyOf": []}}, "required": ["a"]},
    ],
)
def test_where_none_can_be_made_it_says_so(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        sample_of("x.y", schema)


LEAVES = st.sampled_from(
    [
        {"type": "integer", "minimum": 4},
        {"type": "number", "exclusiveMinimum": 2},
        {"type": "boolean"},
        {"type": "null"},
        {"type": "string", "minLength": 9},
        {"enum": ["a", "b"]},
        {"const": 7},
    ]
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items, "minItems": 2}, inner),
        st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(
            lambda properties: {"type": "object", "properties": properties, "required": sorted(properties)},
            st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        ),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("xyz"), SCHEMAS))
def test_what_is_made_fits_the_schema(properties: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": properties, "required": sorted(properties)}
    jsonschema.validate(sample_of("x.y", schema).body, schema)
