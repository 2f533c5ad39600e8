"""Films by the real engine, encoded by the real encoder: what was asked is what a player sees."""

import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image
from video_material import Gateway, data_url, encoded, frames, picture, variants

from nexus.contract.errors import ApiError
from nexus.contract.wire.videos import VideosRequest, VideosResponse
from nexus.sdk.engine import Call, Form, Upload

Film = Callable[..., Awaitable[Any]]


def apart(first: Any, second: Any) -> float:
    """How far two pictures are from one another: the mean difference of their values, 0 to 255."""
    return float(np.abs(first.astype(int) - second.astype(int)).mean())


@pytest.mark.parametrize(
    ("fields", "count", "rate", "size", "seconds"),
    [
        ({}, 12, 12, "160x96", "1"),
        ({"num_frames": None, "seconds": "2", "fps": 10, "size": "96x160"}, 20, 10, "96x160", "2"),
        ({"num_frames": 1, "fps": 24, "width": 64, "height": 1920}, 1, 24, "64x1920", "0.0416667"),
        ({"num_frames": 61, "fps": 60}, 61, 60, "160x96", "1.01667"),
    ],
)
async def test_the_asked_frames_come(film: Film, fields: Any, count: int, rate: int, size: str, seconds: str) -> None:
    answer = await film(**fields)
    VideosResponse.model_validate(answer | {"data": tuple(answer["data"])})
    assert (answer["size"], answer["seconds"], answer["model"]) == (size, seconds, "animated-stills")
    seen, seen_rate = frames(variants(answer)["video"])
    height, width, _ = seen[0].shape
    assert (len(seen), seen_rate, f"{width}x{height}") == (count, rate, size)


async def test_pictures_move_all_the_time_and_are_seen(film: Film) -> None:
    seen, _ = frames(variants(await film(num_frames=24))["video"])
    assert min(frame.mean() for frame in seen) > 60
    assert all(apart(*pair) > 0.1 for pair in pairwise(seen))
    assert apart(seen[0], seen[-1]) > 8


async def test_a_long_film_has_several_stills_that_fade(film: Film, gateway: Gateway) -> None:
    seen, _ = frames(variants(await film(num_frames=48, fps=6))["video"])
    assert len({asked["seed"] for asked in gateway.asked}) == len(gateway.asked) == 2
    jumps = [apart(*pair) for pair in pairwise(seen)]
    assert max(jumps) < apart(seen[0], seen[-1]) / 2  # no cut is as hard as from one still to the other


async def test_the_image_service_is_asked_on_the_callers_behalf(film: Film, gateway: Gateway) -> None:
    await film(negative_prompt="rain", num_inference_steps=3, guidance_scale=2.5)
    (asked,) = gateway.asked
    expected = {
        "path": "/v1/images/generations",
        "token": "Bearer a-delegation",
        "prompt": "a lake",
        "negative_prompt": "rain",
        "steps": 3,
        "guidance_scale": 2.5,
        "n": 1,
        "response_format": "b64_json",
    }
    assert {name: asked[name] for name in expected} == expected


async def test_a_seed_decides(film: Film) -> None:
    first, again, other = await film(seed=1), await film(seed=1), await film(seed=2)
    assert first["data"] == again["data"]
    one, two = (frames(variants(answer)["video"])[0] for answer in (first, other))
    assert apart(one[0], two[0]) > 8
    assert (await film(seed=None))["data"] != (await film(seed=None))["data"]


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
async def test_a_reference_is_the_first_frame(film: Film, gateway: Gateway, kind: str, media_type: str) -> None:
    reference = picture((320, 192), 99)
    url = data_url(encoded(reference, kind), media_type)
    for given in (url, {"image_url": url}):
        seen, _ = frames(variants(await film(input_reference=given))["video"])
        assert apart(seen[0], np.asarray(reference.resize((160, 96)))) < 6
    assert apart(seen[-1], seen[0]) > 8  # the last one is the prompt's
    assert len(gateway.asked) == 2


async def test_a_form_says_the_same(engine: Any, call: Call) -> None:
    reference = picture((320, 192), 99)
    fields = {"prompt": "a lake", "size": "160x96", "fps": "6", "seconds": "1", "seed": "3"}
    upload = Upload("a.png", "image/png", encoded(reference))
    in_file = Form(fields, {}, {"input_reference": upload}, {"input_reference": (upload,)})
    in_field = Form(fields | {"input_reference[image_url]": data_url(upload.body, "image/png")}, {}, {})
    answers = [await asyncio.to_thread(engine.videos, form, call) for form in (in_file, in_field)]
    assert answers[0]["data"] == answers[1]["data"]
    seen, _ = frames(variants(answers[0])["video"])
    assert len(seen) == 6
    assert apart(seen[0], np.asarray(reference.resize((160, 96)))) < 6


async def test_a_remix_keeps_the_old_and_brings_the_new(film: Film) -> None:
    old = variants(await film(num_frames=24))["video"]
    new_url = data_url(old, "video/mp4")
    before, _ = frames(old)
    after, _ = frames(variants(await film(num_frames=24, seed=8, remix_video=new_url))["video"])
    plain, _ = frames(variants(await film(num_frames=24, seed=8))["video"])
    assert len(after) == 24
    assert apart(after[0], before[0]) < apart(plain[0], before[0]) / 2
    assert apart(after[-1], before[-1]) > 2 * apart(after[0], before[0])


async def test_a_remix_may_have_another_size_rate_and_length(film: Film) -> None:
    old = variants(await film(num_frames=6, fps=6))["video"]
    answer = await film(size="96x128", num_frames=30, fps=15, remix_video=data_url(old, "video/mp4"))
    seen, rate = frames(variants(answer)["video"])
    assert (len(seen), rate, seen[0].shape) == (30, 15, (128, 96, 3))


@pytest.mark.parametrize(
    ("fields", "thumbnail", "sheet"),
    [
        ({"num_frames": 20}, (160, 96), (640, 384)),
        ({"num_frames": 5}, (160, 96), (640, 192)),
        ({"num_frames": 1, "size": "1280x720"}, (512, 288), (320, 180)),
    ],
)
async def test_variants_are_pictures_of_the_film(film: Film, fields: Any, thumbnail: Any, sheet: Any) -> None:
    made = variants(await film(**fields))
    seen, _ = frames(made["video"])
    with Image.open(io.BytesIO(made["thumbnail"])) as poster, Image.open(io.BytesIO(made["spritesheet"])) as tiles:
        assert (poster.format, poster.size) == ("WEBP", thumbnail)
        assert (tiles.format, tiles.size) == ("JPEG", sheet)
        third = Image.fromarray(seen[len(seen) // 3]).resize(thumbnail)
        assert apart(np.asarray(poster), np.asarray(third)) < 6
        first = Image.fromarray(seen[0]).resize((min(320, seen[0].shape[1]), sheet[1] // -(-len(seen[:16]) // 4)))
        assert apart(np.asarray(tiles)[: first.height, : first.width], np.asarray(first)) < 6


async def test_the_index_of_the_file_comes_first(film: Film) -> None:
    video = variants(await film())["video"]
    assert video.index(b"ftyp") < video.index(b"moov") < video.index(b"mdat")


async def test_progress_is_told(film: Film, call: Call) -> None:
    told: list[float] = []
    call.report = lambda fraction, message="": told.append(fraction)  # type: ignore[method-assign]
    await film(num_frames=8)
    assert told == sorted(told)
    assert (told[0], told[-1], len(told)) == (0, 1, 9)


async def test_work_stops_when_the_caller_leaves(film: Film, call: Call) -> None:
    asking = asyncio.ensure_future(film(num_frames=3600, size="1280x720"))
    while call.progress.fraction <= 0.5:  # the first frames are made
        await asyncio.sleep(0.01)
    call.cancel()
    left = time.monotonic()
    with pytest.raises(ApiError, match="cancelled"):
        await asking
    assert time.monotonic() - left < 1


async def test_the_image_services_refusal_goes_on_as_it_is(film: Film, gateway: Gateway) -> None:
    told = {"message": "no image service is ready", "type": "server_error", "param": None, "code": "no_ready_service"}
    gateway.answer(503, {"error": told})
    with pytest.raises(ApiError) as caught:
        await film()
    assert (caught.value.status, caught.value.code, caught.value.message) == (503, "no_ready_service", told["message"])


@pytest.mark.parametrize(
    "answer",
    [{}, {"data": []}, {"data": [{"url": "x"}]}, {"data": [{"b64_json": "AAAA"}]}, {"data": [{"b64_json": 5}]}],
)
async def test_an_answer_without_a_picture_is_the_image_services_fault(
    film: Film, gateway: Gateway, answer: Any
) -> None:
    gateway.answer(200, answer)
    with pytest.raises(ApiError) as caught:
        await film()
    assert (caught.value.status, caught.value.param) == (502, None)


_PNG = encoded(picture((64, 64), 1))
_GIF = encoded(picture((64, 64), 1), "GIF")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("input_reference", "https://example.com/a.png"),
        ("input_reference", "data:image/png;base64,"),
        ("input_reference", "data:image/png;base64,####"),
        ("input_reference", data_url(_PNG[:-40], "image/png")),
        ("input_reference", data_url(_GIF, "image/gif")),
        ("input_reference", {"image_url": data_url(b"no picture at all", "image/png")}),
        ("input_reference", data_url(encoded(Image.new("1", (8000, 5001))), "image/png")),
        ("remix_video", "https://example.com/a.mp4"),
        ("remix_video", "data:video/mp4;base64,"),
        ("remix_video", data_url(_PNG, "video/mp4")),
        ("remix_video", data_url(b"\0\0\0\x20ftypisom" + b"\0" * 500, "video/mp4")),
        ("remix_video", data_url(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", "video/mp4")),
    ],
)
async def test_bad_media_are_refused_by_name(film: Film, field: str, value: Any) -> None:
    with pytest.raises(ApiError) as caught:
        await film(**{field: value})
    assert (caught.value.status, caught.value.param) == (400, field)


async def test_a_truncated_video_is_refused(film: Film) -> None:
    whole = variants(await film(num_frames=24))["video"]
    with pytest.raises(ApiError) as caught:
        await film(num_frames=24, remix_video=data_url(whole[: len(whole) // 2], "video/mp4"))
    assert (caught.value.status, caught.value.param) == (400, "remix_video")


async def test_a_remix_takes_no_reference(film: Film) -> None:
    with pytest.raises(ApiError) as caught:
        await film(input_reference=data_url(_PNG, "image/png"), remix_video=data_url(b"x", "video/mp4"))
    assert (caught.value.status, caught.value.param) == (400, "input_reference")


@pytest.mark.parametrize(
    ("fields", "param"),
    [({}, "prompt"), ({"prompt": "x", "fps": "many"}, "fps"), ({"prompt": "x", "size": "1x1"}, "size")],
)
async def test_bad_fields_of_a_form_are_refused_by_name(engine: Any, call: Call, fields: Any, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        await asyncio.to_thread(engine.videos, Form(fields, {}, {}), call)
    assert (caught.value.status, caught.value.param) == (400, param)


async def test_an_empty_upload_is_refused(engine: Any, call: Call) -> None:
    upload = Upload("a.png", "image/png", b"")
    form = Form({"prompt": "x"}, {}, {"input_reference": upload}, {"input_reference": (upload,)})
    with pytest.raises(ApiError) as caught:
        await asyncio.to_thread(engine.videos, form, call)
    assert caught.value.param == "input_reference"


async def test_an_unloaded_model_is_not_ready(engine: Any, call: Call) -> None:
    engine.unload(call.model)
    with pytest.raises(ApiError) as caught:
        await asyncio.to_thread(engine.videos, VideosRequest(prompt="x"), call)
    assert caught.value.status == 503
