"""Music requests: what counts as saying something, tags in both shapes, bounds."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from nexus.contract.wire.music import MusicRequest


def request(**fields: Any) -> MusicRequest:
    return MusicRequest.model_validate_json(json.dumps(fields))


def test_defaults() -> None:
    read = request(prompt="calm")
    assert (read.duration, read.response_format, read.stream, read.seed) == (30, "wav", False, None)


@pytest.mark.parametrize("tags", ["piano, happy,,", ["piano", " happy ", ""]])
def test_tags_in_both_shapes(tags: Any) -> None:
    assert request(tags=tags).tag_list == ("piano", "happy")


@pytest.mark.parametrize(
    ("fields", "nothing"),
    [
        ({}, True),
        ({"prompt": " ", "tags": [], "lyrics": "\n"}, True),
        ({"prompt": None, "tags": " , "}, True),
        ({"tags": ["x"]}, False),
        ({"lyrics": "[Verse]"}, False),
        ({"prompt": "x"}, False),
    ],
)
def test_saying_nothing(fields: dict[str, Any], nothing: bool) -> None:
    assert request(**fields).says_nothing is nothing


@pytest.mark.parametrize(
    "fields",
    [
        {"duration": 0.5},
        {"duration": 300.1},
        {"duration": True},
        {"duration": "30"},
        {"seed": -1},
        {"seed": 2**63},
        {"bpm": 29},
        {"tempo": 301},
        {"response_format": "ogg"},
        {"tags": [1]},
        {"tags": ["x"] * 65},
        {"prompt": "x" * 8193},
        {"temperature": 0},
        {"top_k": 0},
        {"cfg_scale": -1},
    ],
)
def test_bounds(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request(**{"prompt": "x", **fields})
