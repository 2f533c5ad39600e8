"""Videos: what a request comes to in frames, and what is refused, in JSON and in a form's strings."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from nexus.contract.wire.videos import VideosRequest, VideosResponse


def request(**fields: Any) -> VideosRequest:
    return VideosRequest.model_validate_json(json.dumps({"prompt": "a lake", **fields}))


def test_openais_defaults() -> None:
    plain = request()
    assert (plain.frame_size, plain.frame_rate, plain.frame_count) == ((720, 1280), 24, 96)


@pytest.mark.parametrize(
    ("fields", "size", "count"),
    [
        ({"seconds": "8", "size": "1280x720"}, (1280, 720), 192),
        ({"seconds": 2, "fps": 10}, (720, 1280), 20),
        ({"seconds": 1.5, "fps": 7}, (720, 1280), 10),
        ({"seconds": "4", "num_frames": 17}, (720, 1280), 17),
        ({"size": "1280x720", "width": 640}, (640, 720), 96),
        ({"width": 64, "height": 1920, "seconds": 60, "fps": 60}, (64, 1920), 3600),
    ],
)
def test_what_a_request_comes_to(fields: Any, size: tuple[int, int], count: int) -> None:
    read = request(**fields)
    assert (read.frame_size, read.frame_count) == (size, count)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", ""),
        ("prompt", " \n"),
        ("prompt", "x" * 32_001),
        ("prompt", None),
        ("prompt", 5),
        ("model", ""),
        ("seconds", "four"),
        ("seconds", ""),
        ("seconds", "0"),
        ("seconds", 61),
        ("seconds", -4),
        ("seconds", "nan"),
        ("seconds", True),
        ("size", "720"),
        ("size", "720x"),
        ("size", "-720x1280"),
        ("size", "721x1280"),
        ("size", "62x1280"),
        ("size", "1280x99999"),
        ("size", ["720x1280"]),
        ("width", 63),
        ("width", 1922),
        ("height", 101),
        ("height", "720"),
        ("num_frames", 0),
        ("num_frames", 3601),
        ("fps", 0),
        ("fps", 61),
        ("fps", 23.5),
        ("num_inference_steps", 0),
        ("seed", -1),
        ("guidance_scale", -0.5),
        ("negative_prompt", "x" * 32_001),
        ("input_reference", ""),
        ("input_reference", {"url": "data:,"}),
        ("remix_video", {"image_url": "data:,"}),
    ],
)
def test_bad_values_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        request(**{field: value})
    assert {error["loc"][0] for error in caught.value.errors()} == {field}


def test_a_forms_strings_are_read_as_what_they_mean() -> None:
    fields = {"prompt": "7", "seconds": "8", "width": "640", "fps": "12", "guidance_scale": "4.5", "seed": "3"}
    read = VideosRequest.model_validate_strings(fields)
    assert (read.prompt, read.frame_size, read.frame_count, read.guidance_scale) == ("7", (640, 1280), 96, 4.5)
    with pytest.raises(ValidationError, match="guidance_scale"):
        VideosRequest.model_validate_strings({"prompt": "x", "guidance_scale": "nan"})


def test_the_answer() -> None:
    variant = {"variant": "video", "media_type": "video/mp4", "b64_json": "AAAA"}
    body = {"created": 1, "model": "m", "seconds": "4", "size": "720x1280", "data": [variant]}
    assert VideosResponse.model_validate_json(json.dumps(body)).data[0].variant == "video"
    with pytest.raises(ValidationError):
        VideosResponse.model_validate_json(json.dumps(body | {"data": [variant | {"variant": "poster"}]}))
