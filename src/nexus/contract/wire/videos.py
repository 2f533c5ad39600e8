"""`/v1/videos` as a service answers it: words (and a picture, or an older video) in, the finished video out.

The fields are OpenAI's and vLLM-Omni's. A client meets the job that the gateway makes of a request; the service behind
it answers at once with all that the job will hold.
"""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from nexus.contract.wire.base import ModelName, Number, Wire

MOST_SECONDS: Final = 60
MOST_FRAMES: Final = 3600
DEFAULT_SECONDS: Final = "4"
DEFAULT_SIZE: Final = "720x1280"
DEFAULT_FPS: Final = 24
SMALLEST_SIDE: Final = 64
LARGEST_SIDE: Final = 1920
_SIZE: Final = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")


def _said(prompt: str) -> str:
    if not prompt.strip():
        raise ValueError("must say something")
    return prompt


def _some_seconds(given: str | float) -> str | float:
    try:
        seconds = float(given)
    except ValueError as error:
        raise ValueError('must be a number of seconds, such as "4"') from error
    if not 1 <= seconds <= MOST_SECONDS:
        raise ValueError(f"must be from 1 to {MOST_SECONDS}")
    return given


def _side(pixels: int) -> int:
    """H.264 in 4:2:0 holds colour for two pixels by two: only even sides can be encoded."""
    if pixels % 2 or not SMALLEST_SIDE <= pixels <= LARGEST_SIDE:
        raise ValueError(f"must be even and from {SMALLEST_SIDE} to {LARGEST_SIDE}")
    return pixels


def _width_by_height(size: str) -> str:
    sides = _SIZE.fullmatch(size)
    if sides is None:
        raise ValueError("must be WIDTHxHEIGHT in pixels, such as 1280x720")
    for side in sides.groups():
        try:
            _side(int(side))
        except ValueError as error:
            raise ValueError(f"each side {error}") from error
    return size


Prompt = Annotated[str, Field(max_length=32_000, examples=["A red balloon over a calm lake"]), AfterValidator(_said)]
Seconds = Annotated[str | Number, AfterValidator(_some_seconds)]
Size = Annotated[str, AfterValidator(_width_by_height)]
Side = Annotated[int, AfterValidator(_side)]
DataUrlText = Annotated[str, Field(min_length=1)]


class ImageReference(Wire):
    """A picture in JSON; `image_url` is a data URL."""

    image_url: DataUrlText


class VideosRequest(Wire):
    """A video to make.

    `width` and `height` replace those of `size`; `num_frames` replaces what `seconds` and `fps` come to.
    `input_reference` is the picture to start from, `remix_video` the video to change, both as data URLs.
    """

    prompt: Prompt
    model: ModelName | None = None
    seconds: Seconds | None = None
    size: Size | None = None
    input_reference: DataUrlText | ImageReference | None = None
    remix_video: DataUrlText | None = None
    width: Side | None = None
    height: Side | None = None
    num_frames: Annotated[int, Field(ge=1, le=MOST_FRAMES)] | None = None
    fps: Annotated[int, Field(ge=1, le=60)] | None = None
    num_inference_steps: Annotated[int, Field(ge=1, le=1000)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    negative_prompt: Annotated[str, Field(max_length=32_000)] | None = None
    guidance_scale: Annotated[Number, Field(ge=0, le=100)] | None = None
    user: str | None = None

    @property
    def frame_size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, _, height = (self.size or DEFAULT_SIZE).partition("x")
        return self.width or int(width), self.height or int(height)

    @property
    def frame_rate(self) -> int:
        """Frames in a second."""
        return self.fps or DEFAULT_FPS

    @property
    def frame_count(self) -> int:
        """How many frames the video has."""
        return self.num_frames or round(float(self.seconds or DEFAULT_SECONDS) * self.frame_rate)


class VideoVariant(Wire):
    """One file of the answer, in base64."""

    variant: Literal["video", "thumbnail", "spritesheet"]
    media_type: str
    b64_json: str


class VideosResponse(Wire):
    """A finished video; `seconds` is its length, written as OpenAI writes it, `size` WIDTHxHEIGHT."""

    created: int
    model: str
    seconds: str
    size: str
    data: tuple[VideoVariant, ...]
