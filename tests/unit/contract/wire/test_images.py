"""Images: bounds of what may be asked, read from JSON and from a form's strings alike."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from nexus.contract.wire.images import (
    ImageEvent,
    ImagesEditFields,
    ImagesEditRequest,
    ImagesGenerationRequest,
    ImagesResponse,
    ImagesVariationFields,
)

DATA_URL = "data:image/png;base64,AAAA"


def generation(**fields: Any) -> ImagesGenerationRequest:
    return ImagesGenerationRequest.model_validate_json(json.dumps({"prompt": "a hill", **fields}))


def test_what_is_not_said_is_none() -> None:
    request = generation()
    assert (request.prompt, request.n, request.size, request.seed) == ("a hill", None, None, None)
    assert generation(n=None, size=None, seed=None, stream=None) == request.model_copy()


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 10, "size": "auto", "seed": 0, "steps": 1, "guidance_scale": 7, "strength": 1},
        {"size": "1x99999", "quality": "hd", "style": "vivid", "background": "transparent", "moderation": "low"},
        {"output_format": "webp", "output_compression": 0, "partial_images": 3, "stream": True, "user": "u"},
        {"response_format": "url", "unheard_of": [1]},
    ],
)
def test_what_may_be_asked(fields: dict[str, Any]) -> None:
    read = generation(**fields).model_dump()
    assert {name: read[name] for name in fields if name != "unheard_of"} == {
        name: value for name, value in fields.items() if name != "unheard_of"
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", ""),
        ("prompt", " \n"),
        ("prompt", "x" * 32_001),
        ("n", 0),
        ("n", 11),
        ("n", -1),
        ("n", "2"),
        ("n", 1.5),
        ("size", "big"),
        ("size", "-64x64"),
        ("size", "64"),
        ("size", "64x64x64"),
        ("size", 64),
        ("seed", -1),
        ("seed", 2**63),
        ("steps", 0),
        ("guidance_scale", -1),
        ("strength", 0),
        ("strength", 1.1),
        ("quality", "best"),
        ("output_format", "gif"),
        ("output_compression", 101),
        ("partial_images", 4),
        ("background", "blue"),
        ("stream", "yes"),
        ("response_format", "bytes"),
    ],
)
def test_what_may_not_be_asked_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        generation(**{field: value})
    assert caught.value.errors()[0]["loc"][0] == field


def test_a_forms_strings_are_read_as_what_they_mean() -> None:
    fields = ImagesEditFields.model_validate_strings(
        {"prompt": "x", "n": "2", "stream": "true", "strength": "0.5", "input_fidelity": "high"}
    )
    assert (fields.n, fields.stream, fields.strength) == (2, True, 0.5)
    assert ImagesVariationFields.model_validate_strings({"n": "3"}).n == 3
    with pytest.raises(ValidationError):
        ImagesVariationFields.model_validate_strings({"n": "three"})


@pytest.mark.parametrize(
    ("images", "mask", "good"),
    [
        ([{"image_url": DATA_URL}], None, True),
        ([{"file_id": "file-1"}], {"image_url": DATA_URL}, True),
        ([], None, False),
        ([{"image_url": DATA_URL}] * 17, None, False),
        ([{}], None, False),
        ([{"image_url": DATA_URL, "file_id": "file-1"}], None, False),
        ([{"image_url": DATA_URL}], {"image_url": ""}, False),
        (DATA_URL, None, False),
    ],
)
def test_an_edits_images(images: Any, mask: Any, good: bool) -> None:
    body = json.dumps({"prompt": "x", "images": images, "mask": mask})
    if good:
        assert ImagesEditRequest.model_validate_json(body).images
    else:
        with pytest.raises(ValidationError):
            ImagesEditRequest.model_validate_json(body)


def test_the_schemas_examples_can_be_asked() -> None:
    properties = ImagesEditRequest.model_json_schema()["properties"]
    body = {name: properties[name]["examples"][0] for name in ("prompt", "images")}
    assert ImagesEditRequest.model_validate_json(json.dumps(body)).images[0].image_url


def test_answers() -> None:
    usage = {
        "input_tokens": 3,
        "output_tokens": 4,
        "total_tokens": 7,
        "input_tokens_details": {"text_tokens": 3, "image_tokens": 0},
    }
    answer = {"created": 1, "data": [{"b64_json": "AA=="}], "size": "64x64", "quality": "high", "usage": usage}
    read = ImagesResponse.model_validate_json(json.dumps(answer))
    assert read.data[0].b64_json == "AA=="
    event = {"b64_json": "AA==", "created_at": 1, "size": "64x64", "quality": "auto", "background": "opaque"}
    event |= {"type": "image_edit.completed", "output_format": "png", "usage": usage}
    assert ImageEvent.model_validate_json(json.dumps(event)).usage == read.usage
