"""Answers and events in OpenAI's shape: what is in them, what it costs, and a painter that is closed at the end."""

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.contract.wire.images import ImageEvent, ImagesResponse
from nexus.sdk.media.picture_answers import Made, Shown, Unfinished, answer, events, preview_marks, usage, whole_answer
from nexus.sdk.media.picture_requests import PicturesAsked

RED = Image.new("RGB", (96, 64), "red")


def asked(**fields: Any) -> PicturesAsked:
    return PicturesAsked(**{"kind": "generation", "prompt": "a red house", "seeds": (7, 8), **fields})


def painter(closed: list[int], previews: int = 1) -> Callable[[int], Shown]:
    async def paint(place: int) -> Shown:
        try:
            for _ in range(previews):
                yield Unfinished(RED)
            yield Made(RED, "a barn" if place else None)
        finally:
            closed.append(place)

    return paint


def opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


async def test_the_whole_answer_is_openais() -> None:
    closed: list[int] = []
    told = await whole_answer(asked(file_format="webp", compression=80, quality="hd"), painter(closed))
    ImagesResponse.model_validate_json(json.dumps(told))
    assert [opened(item.pop("b64_json")).format for item in told["data"]] == ["WEBP", "WEBP"]
    assert told["data"] == [{}, {"revised_prompt": "a barn"}]
    assert (told["size"], told["quality"], told["output_format"]) == ("96x64", "high", "webp")
    assert told["usage"] == {
        "input_tokens": 3,
        "output_tokens": 12,
        "total_tokens": 15,
        "input_tokens_details": {"text_tokens": 3, "image_tokens": 0},
    }
    assert closed == [0, 1]


@pytest.mark.parametrize("kind", ["generation", "edit"])
async def test_the_events_are_openais(kind: str) -> None:
    told = [event async for event in events(asked(kind=kind), painter([], 2))]
    assert [event.name.rpartition(".")[2] for event in told] == ["partial_image", "partial_image", "completed"] * 2
    assert [event.value.get("partial_image_index") for event in told] == [0, 1, None] * 2
    for event in told:
        assert event.name == event.value["type"]
        assert event.name.startswith("image_generation." if kind == "generation" else "image_edit.")
        assert opened(event.value["b64_json"]).size == (96, 64)
        ImageEvent.model_validate_json(json.dumps(event.value))
    assert told[2].value["usage"]["output_tokens"] == 6
    assert told[5].value["revised_prompt"] == "a barn"


async def test_who_stops_reading_closes_the_painter() -> None:
    closed: list[int] = []
    stream = events(asked(), painter(closed))
    await anext(stream)
    await stream.aclose()
    assert closed == [0]


async def test_a_painters_failure_is_the_answer() -> None:
    async def paint(place: int) -> Shown:
        yield Unfinished(RED)
        raise ApiError(UPSTREAM_ERROR, "the paint is dry")

    with pytest.raises(ApiError, match="the paint is dry"):
        await whole_answer(asked(), paint)


def test_what_was_given_counts_by_its_patches_too() -> None:
    edit = asked(kind="edit", images=(RED,) * 2, mask=RED.convert("L"))
    assert usage(edit, (65, 33), 2, 5) == {
        "input_tokens": 23,
        "output_tokens": 12,
        "total_tokens": 35,
        "input_tokens_details": {"text_tokens": 5, "image_tokens": 18},
    }


def test_each_picture_is_written_as_it_comes() -> None:
    told = answer(asked(quality="standard"), (Made(RED) for _ in range(3)), 1)
    assert (len(told["data"]), told["quality"], told["usage"]["output_tokens"]) == (3, "medium", 18)


def test_marks_are_even_and_before_the_end() -> None:
    assert preview_marks(0) == []
    assert preview_marks(3) == [0.25, 0.5, 0.75]
