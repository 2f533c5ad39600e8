"""The mapping beside a workflow: short forms, rounding, schemas, and what it refuses."""

import pytest
from nexus_comfyui.mapping import Mapping
from pydantic import ValidationError


def test_short_forms_take_what_is_known_of_a_name() -> None:
    mapping = Mapping.model_validate(
        {"inputs": {"prompt": "6.text", "image_2": ["8.image"], "seed": ["3.seed", "4.seed"]}}
    )
    assert {name: one.type for name, one in mapping.inputs.items()} == {
        "prompt": "string",
        "image_2": "image",
        "seed": "integer",
    }
    assert mapping.inputs["seed"].places == (("3", "seed"), ("4", "seed"))
    assert mapping.images == ("image_2",)


def test_fields_may_have_dots_of_their_own() -> None:
    mapping = Mapping.model_validate({"inputs": {"codec": {"fields": "58.format.codec"}}})
    assert mapping.inputs["codec"].places == (("58", "format.codec"),)


@pytest.mark.parametrize(("asked", "taken"), [(1, 1), (2, 5), (5, 5), (96, 97), (97, 97)])
def test_whole_numbers_are_rounded_up(asked: int, taken: int) -> None:
    one = Mapping.model_validate({"inputs": {"frames": {"fields": "5.length", "multiple_of": 4, "plus": 1}}})
    assert one.inputs["frames"].rounded(asked) == taken


def test_what_is_no_whole_number_stays() -> None:
    mapping = Mapping.model_validate({"inputs": {"a": {"fields": "1.a", "multiple_of": 8}}})
    assert mapping.inputs["a"].rounded("x") == "x"


def test_the_schema_of_a_tool() -> None:
    inputs = {
        "prompt": "6.text",
        "image": "10.image",
        "style": {"fields": "6.style", "values": ["a", "b"], "default": "a"},
    }
    schema = Mapping.model_validate({"inputs": inputs}).json_schema()
    assert schema["required"] == ["prompt", "image"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["style"] == {"type": "string", "enum": ["a", "b"], "default": "a"}
    assert schema["properties"]["image"]["type"] == "string"


@pytest.mark.parametrize(
    "table",
    [
        {"inputs": {"prompt": "text"}},
        {"inputs": {"Prompt": "6.text"}},
        {"inputs": {"prompt": {"fields": []}}},
        {"inputs": {"prompt": {"fields": "6.text", "kind": "x"}}},
        {"operations": ["chat.completions"]},
        {"operations": ["videos"], "inputs": {"prompt": "6.text"}},
        {"unknown": 1},
    ],
)
def test_what_is_no_mapping(table: dict) -> None:
    with pytest.raises(ValidationError):
        Mapping.model_validate(table)
