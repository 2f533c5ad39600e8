"""From a request, JSON or form, to what a filmmaker is to make: numbers settled and media read."""

import random
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.videos import ImageReference, VideosRequest
from nexus.sdk.engine import Form
from nexus.sdk.media.data_urls import read_data_url

_PICTURE: Final = "input_reference"
_VIDEO: Final = "remix_video"
_NESTED_URL: Final = f"{_PICTURE}[image_url]"  # how OpenAI's clients write {"image_url": ...} into a form


@dataclass(frozen=True, slots=True)
class Order:
    """A video to make: `size` is width and height in pixels, `count` the number of frames, `fps` those of a second.

    `picture` is the encoded picture to start from, `video` the encoded video to change; there is never both.
    """

    prompt: str
    size: tuple[int, int]
    fps: int
    count: int
    seed: int
    negative_prompt: str | None = None
    steps: int | None = None
    guidance: float | None = None
    picture: bytes | None = None
    video: bytes | None = None

    @property
    def seconds(self) -> float:
        return self.count / self.fps


def read_order(asked: Form | VideosRequest) -> Order:
    """The order in a request. Raises ApiError (400) that names the parameter."""
    request = _validated(asked) if isinstance(asked, Form) else asked
    picture = _upload(asked, _PICTURE) or _content(_picture_url(request), _PICTURE)
    video = _upload(asked, _VIDEO) or _content(request.remix_video, _VIDEO)
    if picture is not None and video is not None:
        raise ApiError(INVALID_REQUEST, f"{_PICTURE}: a remix takes no picture to start from", param=_PICTURE)
    return Order(
        prompt=request.prompt,
        size=request.frame_size,
        fps=request.frame_rate,
        count=request.frame_count,
        seed=random.randrange(2**31) if request.seed is None else request.seed,  # noqa: S311 - no secret
        negative_prompt=request.negative_prompt,
        steps=request.num_inference_steps,
        guidance=request.guidance_scale,
        picture=picture,
        video=video,
    )


def _validated(form: Form) -> VideosRequest:
    fields = dict(form.fields)
    if _NESTED_URL in fields:
        fields[_PICTURE] = fields.pop(_NESTED_URL)
    try:
        return VideosRequest.model_validate_strings(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        param = str(first["loc"][0])
        raise ApiError(INVALID_REQUEST, f"{param}: {first['msg']}", param=param) from error


def _picture_url(request: VideosRequest) -> str | None:
    given = request.input_reference
    return given.image_url if isinstance(given, ImageReference) else given


def _upload(asked: Form | VideosRequest, name: str) -> bytes | None:
    if not isinstance(asked, Form) or name not in asked.files:
        return None
    return _not_empty(asked.files[name].body, name)


def _content(url: str | None, param: str) -> bytes | None:
    return None if url is None else _not_empty(read_data_url(url, param).body, param)


def _not_empty(body: bytes, param: str) -> bytes:
    if not body:
        raise ApiError(INVALID_REQUEST, f"{param}: the file is empty", param=param)
    return body
