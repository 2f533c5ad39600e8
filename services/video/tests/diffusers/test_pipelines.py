"""The diffusers filmmaker with real networks, tiny and random: they draw noise, through all of the real code."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from video_material import data_url, encoded, frames, picture, variants

from nexus.contract.errors import ApiError
from nexus.contract.wire.videos import VideosRequest
from nexus.sdk.engine import Call, Model

Film = Callable[..., Awaitable[Any]]
PICTURE = data_url(encoded(picture((90, 50), 3)), "image/png")


def entry(path: Path | None, **options: Any) -> Model:
    return Model(id="tiny", path=path, options={"engine": "diffusers", "device": "cpu", "steps": 2, **options})


@pytest.fixture(scope="module")
def engines(checkpoints: Path) -> dict[str, Any]:
    from engine import VideoEngine

    made = {}
    for name in ("words", "picture"):
        made[name] = VideoEngine({"NEXUS_VIDEO_THREADS": 1})
        made[name].load(entry(checkpoints / name, most_frames=400))
    return made


@pytest.fixture
def draw(engines: dict[str, Any]) -> Film:
    """An engine asked as the SDK asks it; a small and short film by default."""

    async def ask(name: str, call: Call | None = None, **fields: Any) -> Any:
        asked = {"prompt": "a red balloon", "size": "96x64", "num_frames": 6, "fps": 8, "seed": 3, **fields}
        call = call or Call("test", entry(None), {})
        return await asyncio.to_thread(engines[name].videos, VideosRequest.model_validate(asked), call)

    return ask


@pytest.mark.parametrize(("size", "count"), [("96x64", 6), ("100x66", 5), ("64x80", 1)])
async def test_the_asked_frames_come(draw: Film, size: str, count: int) -> None:
    answer = await draw("words", size=size, num_frames=count)
    seen, rate = frames(variants(answer)["video"])
    assert (len(seen), rate, f"{seen[0].shape[1]}x{seen[0].shape[0]}") == (count, 8, size)
    assert seen[0].std() > 1


async def test_seed_prompt_and_steps_decide(draw: Film) -> None:
    plain = (await draw("words"))["data"]
    assert (await draw("words"))["data"] == plain
    for other in ({"seed": 4}, {"prompt": "a blue lake"}, {"num_inference_steps": 3}, {"guidance_scale": 1.0}):
        assert (await draw("words", **other))["data"] != plain


async def test_a_picture_to_start_from(draw: Film) -> None:
    first = await draw("picture", input_reference=PICTURE)
    assert len(frames(variants(first)["video"])[0]) == 6
    assert (await draw("picture", input_reference=PICTURE))["data"] == first["data"]
    other = data_url(encoded(picture((90, 50), 4)), "image/png")
    assert (await draw("picture", input_reference=other))["data"] != first["data"]


async def test_progress_is_told(draw: Film) -> None:
    call = Call("test", entry(None), {})
    told: list[tuple[float, str]] = []
    call.report = lambda fraction, message="": told.append((fraction, message))  # type: ignore[method-assign]
    await draw("words", call, num_frames=2)
    assert [message for _, message in told] == ["step 1 of 2", "step 2 of 2", "frame 1 of 2", "frame 2 of 2"]
    assert [fraction for fraction, _ in told] == sorted(fraction for fraction, _ in told)
    assert told[-1][0] == 1


async def test_work_stops_when_the_caller_leaves(draw: Film) -> None:
    call = Call("test", entry(None), {})
    asking = asyncio.ensure_future(draw("words", call, num_inference_steps=1000))
    while not call.progress.fraction:
        await asyncio.sleep(0.01)
    call.cancel()
    left = time.monotonic()
    with pytest.raises(ApiError, match="cancelled"):
        await asking
    assert time.monotonic() - left < 1
    assert len(frames(variants(await draw("words"))["video"])[0]) == 6  # the next call is not disturbed


@pytest.mark.parametrize(
    ("name", "fields", "param"),
    [
        ("words", {"input_reference": PICTURE}, "input_reference"),
        ("picture", {}, "input_reference"),
        ("picture", {"input_reference": data_url(b"no picture", "image/png")}, "input_reference"),
        ("words", {"remix_video": data_url(b"x", "video/mp4")}, "remix_video"),
        ("words", {"num_frames": 401}, "num_frames"),
    ],
)
async def test_what_a_pipeline_cannot_do_is_refused_by_name(draw: Film, name: str, fields: Any, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        await draw(name, **fields)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_entries_that_cannot_be_used(tmp_path: Path) -> None:
    from nexus_video.filmmakers import make

    with pytest.raises(RuntimeError, match="folder"):
        make(entry(None), 1)
    with pytest.raises(ValueError, match="frame_steps"):
        make(entry(tmp_path, frame_steps=3), 1)
    with pytest.raises(OSError, match="model_index"):
        make(entry(tmp_path), 1)


def test_an_unloaded_pipeline_is_gone(checkpoints: Path) -> None:
    from engine import VideoEngine

    engine = VideoEngine({"NEXUS_VIDEO_THREADS": 1})
    engine.load(entry(checkpoints / "words"))
    engine.unload(entry(checkpoints / "words"))
    with pytest.raises(ApiError) as caught:
        engine.videos(VideosRequest(prompt="a lake"), Call("test", entry(None), {}))
    assert caught.value.status == 503
