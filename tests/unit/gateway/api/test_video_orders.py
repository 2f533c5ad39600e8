"""What a video is asked for: JSON or a form, checked field by field while its client listens."""

import base64
import json
from typing import Any

import pytest
from starlette.requests import Request

from nexus.contract.errors import ApiError
from nexus.gateway.api.video_orders import checked, details_of, fields_of, read_call, remix_body
from nexus.policies.token import Bearer

FORM = "multipart/form-data; boundary=B"


def form(*fields: tuple[str, str], file: str = "") -> bytes:
    parts = [f'--B\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields]
    if file:
        disposition = f'content-disposition: form-data; name="{file}"; filename="a.png"'
        parts.append(f"--B\r\n{disposition}\r\ncontent-type: image/png\r\n\r\npicture\r\n")
    return "".join([*parts, "--B--\r\n"]).encode()


def request() -> Request:
    scope = {"type": "http", "headers": [(b"host", b"gw.test")], "state": {"request_id": "req-7"}}
    return Request(scope)


def refused(what: Any, *arguments: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        what(*arguments)
    return caught.value


def test_a_request_is_a_call_of_the_path_that_its_service_has() -> None:
    call = read_call(request(), b'{"prompt":"x","model":"m"}', "application/json", Bearer("ada"))
    head = call.request.head
    assert (call.model, call.request.request_id, head.token, head.host) == ("m", "req-7", "ada", b"gw.test")
    assert (head.target, head.endpoint.operation, head.content_type) == ("/v1/videos", "videos", b"application/json")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"prompt":"x","model":7}', "application/json", 400),
        (b"prompt=x", "application/x-www-form-urlencoded", 415),
        (b"broken", FORM, 400),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, content_type: str, status: int) -> None:
    assert refused(read_call, request(), body, content_type, Bearer("ada")).status == status


def test_fields_of_json_are_as_they_came() -> None:
    assert fields_of(b'{"prompt":"x","own":[1]}', "application/json") == {"prompt": "x", "own": [1]}


@pytest.mark.parametrize("body", [b'{"prompt":"\xff"}', b'{"\xff":1}', b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}"])
def test_what_only_a_closer_look_finds_is_400(body: bytes) -> None:
    assert refused(fields_of, body, "application/json").status == 400
    assert refused(fields_of, b"[]", "application/json").status == 400


def test_fields_of_a_form_are_numbers_where_numbers_are_meant_and_its_files_stay_out() -> None:
    texts = {"prompt": "x", "seconds": "8", "fps": "12", "seed": "5", "guidance_scale": "1.5", "own": "1"}
    body = form(*texts.items(), file="input_reference")
    fields = fields_of(body, FORM.replace("multipart", "Multipart"))
    assert fields == {"prompt": "x", "seconds": "8", "fps": 12, "seed": 5, "guidance_scale": 1.5}
    assert checked(fields).frame_rate == 12


def test_a_field_of_a_form_left_empty_is_not_given() -> None:
    assert fields_of(form(("prompt", "x"), ("seed", ""), ("model", "")), FORM) == {"prompt": "x"}


@pytest.mark.parametrize("field", ["fps", "seed", "num_frames"])
def test_a_bad_field_of_a_form_is_named(field: str) -> None:
    error = refused(fields_of, form(("prompt", "x"), (field, "much")), FORM)
    assert (error.status, error.param) == (400, field)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": "x", "seconds": "long"}, "seconds"),
        ({"prompt": "x", "seconds": -1}, "seconds"),
        ({"prompt": "x", "seconds": True}, "seconds"),
        ({"prompt": "x", "size": "big"}, "size"),
        ({"prompt": "x", "size": "33x64"}, "size"),
        ({"prompt": "x", "fps": "24"}, "fps"),
        ({"prompt": "x", "num_frames": 0}, "num_frames"),
        ({"prompt": "x", "input_reference": 5}, "input_reference"),
        ({"prompt": "x", "input_reference": {"file_id": 5}}, "input_reference"),
    ],
)
def test_a_bad_field_is_named(fields: dict[str, Any], param: str) -> None:
    error = refused(checked, fields)
    assert (error.status, error.param) == (400, param)
    assert "Value error" not in error.message


def test_a_file_id_counts_as_a_picture() -> None:
    assert checked({"prompt": "x", "input_reference": {"file_id": "file-1"}}).input_reference is None
    assert checked({"prompt": "x", "input_reference": "data:image/png;base64,AA=="}).input_reference is not None


@pytest.mark.parametrize(
    ("fields", "seconds", "size"),
    [
        ({}, "4", "720x1280"),
        ({"seconds": "8", "size": "1280x720"}, "8", "1280x720"),
        ({"seconds": 2.5}, "2.5", "720x1280"),
        ({"num_frames": 30, "fps": 12}, "2.5", "720x1280"),
        ({"num_frames": 3600, "fps": 1}, "3600", "720x1280"),
        ({"width": 64, "height": 128, "size": "1280x720"}, "4", "64x128"),
    ],
)
def test_what_its_view_tells(fields: dict[str, Any], seconds: str, size: str) -> None:
    details = details_of(checked({"prompt": "x", **fields}), "m", "video_1")
    assert details == {"prompt": "x", "model": "m", "seconds": seconds, "size": size, "remixed_from": "video_1"}


def test_a_remix_is_as_its_source_was_but_for_its_prompt_and_picture() -> None:
    asked = {"prompt": "old", "seconds": "8", "own": 1, "input_reference": {"file_id": "f"}, "remix_video": "older"}
    body = json.loads(remix_body(asked, "new", "video/mp4", b"film"))
    url = f"data:video/mp4;base64,{base64.b64encode(b'film').decode()}"
    assert body == {"prompt": "new", "seconds": "8", "own": 1, "remix_video": url}
    assert checked(body).prompt == "new"
