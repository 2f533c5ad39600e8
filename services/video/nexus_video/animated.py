"""The default filmmaker, which is no video model: pictures of the image service, moved over and faded into one another.

A camera pans and zooms over each still and one still fades into the next. Nothing in a picture moves by itself.
"""

import random
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.sdk.engine import Call
from nexus_video.camera import Shot, View, eased, shots
from nexus_video.coding import played
from nexus_video.film import Film, Frame
from nexus_video.order import Order
from nexus_video.pictures import (
    Picture,
    covering,
    fitted,
    from_frame,
    mixed,
    read_picture,
    seen,
    to_frame,
)

_OPERATION: Final = "images.generations"
_STILLS_SHARE: Final = 0.5  # of the whole work; on a CPU a picture takes about as long as the frames it is in
_REMIX: Final = (0.3, 0.75)  # how much of a remix's frames is the new picture's, at its start and at its end
_REMIX_VIEWS: Final = (View(1.0), View(1.2))


class Options(BaseModel):
    """A manifest entry's `[options]`: how the film is cut and which pictures are asked for.

    There is one still for each `seconds_per_still`, at most `most_stills`. They are asked of the image service's
    `image_model` (its own choice where that is not given), with a longer side of at most `still_size` pixels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: Literal["animated-stills"] = "animated-stills"
    seconds_per_still: Annotated[float, Field(gt=0)] = 4.0
    most_stills: Annotated[int, Field(ge=1, le=16)] = 4
    still_size: Annotated[int, Field(ge=64, le=2048)] = 1024
    still_step: Annotated[int, Field(ge=1, le=64)] = 64
    image_model: str | None = None


class AnimatedStills:
    """Makes films of stills. The same order gives the same frames of the same stills."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = Options.model_validate(dict(options))

    def film(self, order: Order, call: Call) -> Film:
        """Asks for the stills; the frames are made while they are taken. Raises ApiError, the image service's too."""
        if order.video is not None:
            stills = self._stills(order, call, 1)
            return Film(_remixed(order, order.video, stills[0], call.go_on), _STILLS_SHARE)
        known = () if order.picture is None else (read_picture(order.picture, "input_reference", _longest(order)),)
        wanted = min(self._options.most_stills, max(1, round(order.seconds / self._options.seconds_per_still)))
        stills = (*known, *self._stills(order, call, max(1, wanted - len(known))))
        cut = shots(len(stills), order.count, order.fps, order.seed, opening=bool(known))
        return Film(_animated(order, stills, cut), _STILLS_SHARE)

    def close(self) -> None:
        """Nothing to give back."""

    def _stills(self, order: Order, call: Call, wanted: int) -> tuple[Picture, ...]:
        chance = random.Random(order.seed)  # noqa: S311 - no secret
        stills: list[Picture] = []
        for still in range(wanted):
            call.go_on()
            call.report(_STILLS_SHARE * still / wanted, f"picture {still + 1} of {wanted}")
            answer = call.ask(_OPERATION, self._asked(order, chance.randrange(2**31)))
            stills.append(_drawn(answer, order))
        call.go_on()
        return tuple(stills)

    def _asked(self, order: Order, seed: int) -> dict[str, Any]:
        width, height = _still_size(order.size, self._options.still_size, self._options.still_step)
        asked: dict[str, Any] = {
            "prompt": order.prompt,
            "size": f"{width}x{height}",
            "seed": seed,
            "n": 1,
            "response_format": "b64_json",
        }
        given = {
            "model": self._options.image_model,
            "negative_prompt": order.negative_prompt,
            "steps": order.steps,
            "guidance_scale": order.guidance,
        }
        return asked | {name: value for name, value in given.items() if value is not None}


def _animated(order: Order, stills: Sequence[Picture], cut: Sequence[Shot]) -> Iterator[Frame]:
    wholes = [covering(still, order.size) for still in stills]
    for frame in range(order.count):
        picture: Picture | None = None
        for shot, still, whole in zip(cut, stills, wholes, strict=False):  # a very short film has fewer shots
            if shot.first <= frame < shot.end:
                view = shot.move.at(shot.progress(frame))
                shown = seen(still, view.box(whole), order.size)
                picture = shown if picture is None else mixed(picture, shown, shot.strength(frame))
        assert picture is not None  # noqa: S101 - the shots cover every frame
        yield to_frame(picture)


def _remixed(order: Order, video: bytes, still: Picture, check: Callable[[], None]) -> Iterator[Frame]:
    """The older video's frames with more and more of the new picture in them."""
    whole = covering(still, order.size)
    start, end = _REMIX_VIEWS
    for index, frame in enumerate(played(video, order.fps, order.count, check)):
        progress = index / max(1, order.count - 1)
        view = View(start.zoom + (end.zoom - start.zoom) * progress)
        share = _REMIX[0] + (_REMIX[1] - _REMIX[0]) * eased(progress)
        old = from_frame(fitted(frame, order.size))
        yield to_frame(mixed(old, seen(still, view.box(whole), order.size), share))


def _longest(order: Order) -> int:
    """No more of a still is kept than a camera that has come close can show."""
    return 2 * max(order.size)


def _still_size(size: tuple[int, int], longest: int, step: int) -> tuple[int, int]:
    """A size of about the film's shape that image models can draw: sides in steps, the longer one at most `longest`."""
    scale = min(1.0, longest / max(size))
    width, height = (max(step, round(side * scale / step) * step) for side in size)
    return min(width, longest), min(height, longest)


def _drawn(answer: Mapping[str, Any], order: Order) -> Picture:
    """The picture in the image service's answer. Raises ApiError (502) when there is none."""
    try:
        return read_picture(b64decode(answer["data"][0]["b64_json"]), "data", _longest(order))
    except (KeyError, IndexError, TypeError, ValueError, ApiError) as error:
        raise ApiError(UPSTREAM_ERROR, "the image service's answer holds no picture") from error
