"""From a request, JSON or form, to what a filmmaker is to make: numbers settled and media read."""

import random
from dataclasses import dataclass
from typing import Final

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.videos import ImageReference, VideosRequest
from nexus.sdk.engine import Form
from nexus.sdk.media.data_urls import read_data_url

_PICTURE: Final = "input_reference"
_VIDEO: Final = "remix_video"


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
    request = asked.validated(VideosRequest) if isinstance(asked, Form) else asked
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


def _picture_url(request: VideosRequest) -> str | None:
    given = request.input_reference
    return given.image_url if isinstance(given, ImageReference) else given


def _upload(asked: Form | VideosRequest, name: str) -> bytes | None:
    return asked.file(name).body if isinstance(asked, Form) and name in asked.files else None


def _content(url: str | None, param: str) -> bytes | None:
    if url is None:
        return None
    body = read_data_url(url, param).body
    if not body:
        raise ApiError(INVALID_REQUEST, f"{param}: the file is empty", param=param)
    return body
