"""Answers held to a format on the real model: any JSON object, a schema, and what is refused."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from nexus.contract.errors import ApiError

ASKED = [{"role": "user", "content": "Describe Paris as JSON."}]
CITY = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "population": {"type": "integer", "minimum": 1000, "maximum": 90000000},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    },
    "required": ["city", "population", "tags"],
    "additionalProperties": False,
}


def schema_format(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, **more}}


@pytest.mark.parametrize("seed", [1, 2])
def test_a_json_object_parses_and_ends(llm: Any, seed: int) -> None:
    answer = llm.chat(messages=ASKED, response_format={"type": "json_object"}, seed=seed, max_tokens=1500)
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert isinstance(json.loads(answer["choices"][0]["message"]["content"]), dict)


@pytest.mark.parametrize("strict", [True, False])
def test_an_answer_fits_its_schema(llm: Any, strict: bool) -> None:
    answer = llm.chat(messages=ASKED, response_format=schema_format(CITY, strict=strict), temperature=1)
    assert answer["choices"][0]["finish_reason"] == "stop"
    Draft202012Validator(CITY).validate(json.loads(answer["choices"][0]["message"]["content"]))


def test_a_streamed_answer_fits_too(llm: Any) -> None:
    chunks = llm.chat(messages=ASKED, response_format=schema_format(CITY), stream=True)
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    Draft202012Validator(CITY).validate(json.loads(text))


@pytest.mark.parametrize(
    "given",
    [
        schema_format({"type": "zorg"}),
        schema_format({"type": "integer", "minimum": 5, "maximum": 3}),
        schema_format({"$ref": "#/$defs/nowhere"}),
        schema_format({"type": "array", "uniqueItems": True}, strict=True),
        schema_format(None),
    ],
)
def test_a_schema_that_cannot_be_kept_is_refused(llm: Any, given: Any) -> None:
    with pytest.raises(ApiError) as caught:
        llm.chat(messages=ASKED, response_format=given)
    assert (caught.value.status, caught.value.param) == (400, "response_format.json_schema.schema")
