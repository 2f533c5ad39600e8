"""Moderations: the three kinds of input, and what is refused."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from nexus.contract.wire.messages import ImagePart, TextPart
from nexus.contract.wire.moderations import CATEGORIES, ModerationRequest, ModerationResponse

TEXT = {"type": "text", "text": "a"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}


def request(**fields: Any) -> ModerationRequest:
    return ModerationRequest.model_validate_json(json.dumps(fields))


def test_the_three_kinds_of_input() -> None:
    assert request(input="a").input == "a"
    assert request(model="m", input=["a", "b"]).input == ("a", "b")
    parts = request(input=[TEXT, IMAGE]).input
    assert [type(part) for part in parts] == [TextPart, ImagePart]


@pytest.mark.parametrize(
    "given",
    [
        None,
        5,
        [],
        [5],
        ["a", TEXT],
        ["a"] * 2049,
        [TEXT] * 129,
        [{"type": "text"}],
        [{"type": "image_url", "image_url": "data:,"}],
        [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}],
    ],
)
def test_other_inputs_are_refused_by_name(given: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        request(input=given)
    assert caught.value.errors()[0]["loc"][0] == "input"


def test_an_answer() -> None:
    result = {
        "flagged": False,
        "categories": dict.fromkeys(CATEGORIES, False),
        "category_scores": dict.fromkeys(CATEGORIES, 0.0),
        "category_applied_input_types": {**{name: [] for name in CATEGORIES}, "sexual": ["image"]},
    }
    body = {"id": "modr-1", "model": "m", "results": [result]}
    read = ModerationResponse.model_validate_json(json.dumps(body))
    assert read.results[0].category_applied_input_types["sexual"] == ("image",)
