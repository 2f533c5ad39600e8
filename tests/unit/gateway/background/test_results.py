"""What of an answer is stored: the answer as it came; of a video, its files, the video first."""

import base64
import json
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.background.results import ANSWER, Part, split


def variant(name: Any, media_type: str = "image/png", body: bytes = b"x") -> dict[str, Any]:
    return {"variant": name, "media_type": media_type, "b64_json": base64.b64encode(body).decode()}


def videos(*variants: dict[str, Any]) -> bytes:
    return json.dumps({"created": 1, "model": "m", "data": variants}).encode()


@pytest.mark.parametrize(
    ("operation", "media_type"), [("ocr", "application/json"), ("videos", "video/mp4"), ("own.words", "")]
)
def test_what_is_not_split_is_stored_as_it_came(operation: str, media_type: str) -> None:
    assert split(operation, media_type, b"[1]") == (Part(ANSWER, media_type, b"[1]"),)


def test_json_that_is_none_is_the_services_fault() -> None:
    for body in (b'{"data": [', b'{"data": "x"broken}', b""):
        with pytest.raises(ApiError) as caught:
            split("images.generations", "application/json", body)
        assert caught.value.status == 502


def test_an_answer_of_videos_is_its_files_and_the_video_comes_first() -> None:
    body = videos(variant("thumbnail", body=b"small"), variant("video", "video/mp4", b"film"), variant("spritesheet"))
    parts = split("videos", "application/json; charset=utf-8", body)
    assert parts[0] == Part("video", "video/mp4", b"film")
    assert parts[1:] == (Part("thumbnail", "image/png", b"small"), Part("spritesheet", "image/png", b"x"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"data":[]}',
        b'{"data":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"x":' + b"[" * 5000 + b"]" * 5000 + b',"data":[]}',
        videos(variant("thumbnail")),
        videos({"variant": "video", "media_type": "video/mp4"}),
        videos({"variant": "video", "media_type": "video/mp4", "b64_json": "not base64!"}),
        videos({"variant": "video", "media_type": "video/mp4", "b64_json": "é"}),
        videos({"variant": "video", "media_type": "video/mp4", "b64_json": "YQ"}),
        videos(variant("video", body=b"")),
        videos(variant("video"), variant("../../elsewhere")),
        videos(variant("video"), variant("")),
        videos(variant("video"), variant(5)),
    ],
)
def test_an_answer_of_another_shape_is_the_services_fault(body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        split("videos", "application/json", body)
    assert (caught.value.status, caught.value.code) == (502, "upstream_error")
    assert caught.value.message.startswith("The service's answer holds no video")


@pytest.mark.parametrize("media_type", ["video/mp4\r\nset-cookie: a=b", "", "é", "text"])
def test_a_media_type_that_is_none_does_not_get_into_a_header(media_type: str) -> None:
    (part,) = split("videos", "application/json", videos(variant("video", media_type)))
    assert part.media_type == "application/octet-stream"
