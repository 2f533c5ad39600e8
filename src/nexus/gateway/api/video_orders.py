"""What a video is asked for, as a call of the request path: checked while its client still listens."""

import base64
from collections.abc import Mapping
from time import perf_counter
from typing import Any, Final

import msgspec
from fastapi import Request
from pydantic import ValidationError

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.forms import read_form
from nexus.contract.operations import BY_NAME
from nexus.contract.refusals import refusal
from nexus.contract.wire.videos import DEFAULT_SECONDS, VideosRequest
from nexus.gateway.api.middleware import identity_of
from nexus.gateway.endpoints import standard
from nexus.gateway.intake.body import decoded, read
from nexus.gateway.intake.multipart import read_fields
from nexus.gateway.values import Call, Head
from nexus.gateway.values import Request as LaneRequest
from nexus.policies.token import Bearer

OPERATION: Final = "videos"
_FILES: Final = ("input_reference", "remix_video")  # in a form the first is a file, and the second not there
_TEXTS: Final = tuple(name.encode() for name in VideosRequest.model_fields if name not in _FILES)
_decoder: Final = msgspec.json.Decoder(Any)


def read_call(request: Request, body: bytes, content_type: str, bearer: Bearer) -> Call:
    """The call that a request for a video makes. Raises ApiError (400, 415)."""
    head = Head(
        standard(BY_NAME[OPERATION]),
        BY_NAME[OPERATION].path,
        b"",
        content_type.encode("latin-1"),
        bearer,
        host=request.headers.get("host", "").encode("latin-1"),
    )
    now = perf_counter()
    return read(LaneRequest(head, body, identity_of(request), now, now))


def fields_of(body: bytes, content_type: str) -> dict[str, Any]:
    """The fields of a request for a video, the files of a form left out. Raises ApiError (400)."""
    if content_type.partition(";")[0].strip().lower() == "multipart/form-data":
        found = read_fields(content_type.encode("latin-1"), body, _TEXTS)
        texts = {name.decode(): field.text for name, field in found.items()}
        return read_form(VideosRequest, texts).model_dump(exclude_unset=True)
    value = decoded(body, _decoder)
    if not isinstance(value, dict):
        raise ApiError(INVALID_REQUEST, "The body is not a JSON object.")
    return value


def checked(fields: Mapping[str, Any]) -> VideosRequest:
    """The request that these fields make; a file id counts as a picture. Raises ApiError (400), naming the field."""
    reference = fields.get("input_reference")
    named = isinstance(reference, dict) and isinstance(reference.get("file_id"), str)
    plain = {name: value for name, value in fields.items() if not (named and name == "input_reference")}
    try:
        return VideosRequest.model_validate(plain)
    except ValidationError as error:
        raise refusal(error, plain) from error


def details_of(video: VideosRequest, model: str | None, remixed_from: str | None = None) -> dict[str, Any]:
    """What the view of the job tells of what was asked for."""
    width, height = video.frame_size
    seconds = video.seconds if video.num_frames is None else f"{video.num_frames / video.frame_rate:g}"
    return {
        "prompt": video.prompt,
        "model": model,
        "seconds": str(seconds or DEFAULT_SECONDS),
        "size": f"{width}x{height}",
        "remixed_from": remixed_from,
    }


def remix_body(fields: Mapping[str, Any], prompt: str, media_type: str, video: bytes) -> bytes:
    """The request for a video like an older one, by another prompt: all else is as it was."""
    url = f"data:{media_type};base64,{base64.b64encode(video).decode()}"
    kept = {name: value for name, value in fields.items() if name not in _FILES}
    return msgspec.json.encode({**kept, "prompt": prompt, "remix_video": url})
