"""Pictures by the real embedded model: sizes, seeds, words, styles, masks, previews, and an end when nobody waits."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nexus.contract.errors import ApiError
from nexus.contract.sse import SseParser
from nexus.contract.wire.images import ImageEvent, ImagesEditRequest, ImagesGenerationRequest, ImagesResponse
from nexus.sdk.answering import encode_item
from nexus.sdk.engine import Call, Form, Model

Answer = dict[str, Any]
PictureOf = Callable[[Answer], Image.Image]


def pixels(image: Image.Image) -> Any:
    return np.asarray(image.convert("RGB"), int)


@pytest.fixture
def generate(engine: Any, model: Model) -> Callable[..., Answer]:
    def ask(prompt: str = "islands", **fields: Any) -> Answer:
        body = json.dumps({"prompt": prompt, "size": "128x96", **fields})
        answer: Answer = engine.images_generations(
            ImagesGenerationRequest.model_validate_json(body), Call("test", model, {})
        )
        return answer

    return ask


@pytest.fixture
def edit(engine: Any, model: Model, form_of: Any, house: Image.Image, file_of: Any) -> Callable[..., Answer]:
    def ask(prompt: str = "mosaic", image: Any = None, mask: bytes | None = None, **fields: str) -> Answer:
        files = {"image": image or file_of(house)} | ({"mask": mask} if mask else {})
        answer: Answer = engine.images_edits(form_of({"prompt": prompt, **fields}, **files), Call("test", model, {}))
        return answer

    return ask


def test_the_answer_is_openais(generate: Callable[..., Answer], conforms: Callable[[str, Any], None]) -> None:
    answer = generate("an island, mosaic", size="1024x1024", seed=7, response_format="url", user="u", quality="hd")
    conforms("ImagesResponse", answer)
    read = ImagesResponse.model_validate_json(json.dumps(answer))
    assert (read.size, read.quality, read.output_format, read.background) == ("1024x1024", "high", "png", "opaque")
    assert read.usage is not None
    assert (read.usage.input_tokens, read.usage.output_tokens, read.usage.total_tokens) == (3, 1024, 1027)
    told = read.data[0].revised_prompt or ""
    assert all(part in told for part in ("map of invented land", "dark mosaic", "seed 7", "nothing else"))


@pytest.mark.parametrize("size", ["64x64", "65x97", "2048x64", "64x2048", "333x777"])
def test_sizes_are_exact(size: str, generate: Callable[..., Answer], picture_of: PictureOf) -> None:
    answer = generate(size=size)
    picture = picture_of(answer["data"][0])
    assert f"{picture.width}x{picture.height}" == size == answer["size"]
    assert pixels(picture).std() > 5


@pytest.mark.parametrize(("file_format", "name"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_formats(file_format: str, name: str, generate: Callable[..., Answer], picture_of: PictureOf) -> None:
    answer = generate(output_format=file_format, output_compression=50)
    assert (picture_of(answer["data"][0]).format, answer["output_format"]) == (name, file_format)


def test_a_seed_repeats_its_picture_and_another_differs(generate: Callable[..., Answer], picture_of: PictureOf) -> None:
    first, second = generate(seed=3, n=2)["data"]
    again, other = generate(seed=3)["data"][0], generate(seed=4)["data"][0]
    assert first == again
    assert second == other
    assert np.abs(pixels(picture_of(first)) - pixels(picture_of(second))).mean() > 5
    assert generate()["data"] != generate()["data"]


def test_words_choose_what_is_seen(generate: Callable[..., Answer], picture_of: PictureOf) -> None:
    def colour(prompt: str) -> Any:
        return pixels(picture_of(generate(prompt, seed=5)["data"][0])).mean(axis=(0, 1))

    sea, mars, winter, mosaic = (colour(word) for word in ("ocean", "Mars", "flat winter", "ocean, mosaic"))
    assert sea[2] > sea[0] + 20
    assert mars[0] > mars[2] + 40
    assert winter.min() > 150
    assert np.abs(sea - mosaic).max() > 15


def test_an_edit_is_repainted_at_its_own_size(
    edit: Callable[..., Answer], picture_of: PictureOf, house: Image.Image, conforms: Callable[[str, Any], None]
) -> None:
    answer = edit("as a mosaic")
    picture = picture_of(answer["data"][0])
    assert picture.size == house.size
    assert "dark mosaic" in answer["data"][0]["revised_prompt"]
    change = np.abs(pixels(picture) - pixels(house)).mean()
    assert 20 < change < 200
    structure = np.corrcoef(pixels(picture).mean(axis=2).ravel(), pixels(house).mean(axis=2).ravel())[0, 1]
    assert structure > 0.3  # it is still the same house
    assert answer["usage"]["input_tokens_details"] == {"text_tokens": 3, "image_tokens": 30}
    conforms("ImagesResponse", {name: value for name, value in answer.items() if name != "size"})


def test_an_unknown_style_is_told(edit: Callable[..., Answer]) -> None:
    told = edit("put a hat on it")["data"][0]["revised_prompt"]
    assert "names none of the 26 styles" in told


def test_strength_keeps_part_of_the_picture(
    edit: Callable[..., Answer], picture_of: PictureOf, house: Image.Image
) -> None:
    much, little = (picture_of(edit(strength=strength)["data"][0]) for strength in ("1", "0.1"))
    assert np.abs(pixels(little) - pixels(house)).mean() < np.abs(pixels(much) - pixels(house)).mean() / 5


def test_only_what_the_mask_frees_changes(
    edit: Callable[..., Answer], picture_of: PictureOf, house: Image.Image, file_of: Any
) -> None:
    mask = Image.new("RGBA", house.size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 96, 160))
    change = np.abs(pixels(picture_of(edit(mask=file_of(mask))["data"][0])) - pixels(house))
    assert change[:, 96:].max() == 0
    assert change[:, :96].mean() > 10


def test_a_second_picture_lends_its_manner(
    edit: Callable[..., Answer], picture_of: PictureOf, house: Image.Image, file_of: Any
) -> None:
    red = Image.effect_noise((200, 200), 90).convert("RGB").point([*range(256), *([0] * 512)])
    blue = Image.merge("RGB", (red.getchannel(1), red.getchannel(2), red.getchannel(0)))
    results = [edit(image=[file_of(house), file_of(model)])["data"][0] for model in (red, blue)]
    warm, cold = (pixels(picture_of(result)).mean(axis=(0, 1)) for result in results)
    assert warm[0] - warm[2] > cold[0] - cold[2] + 20
    assert "second picture" in results[0]["revised_prompt"]


def test_variations_differ_by_seed(engine: Any, call: Call, form_of: Any, house: Image.Image, file_of: Any) -> None:
    def vary(seed: int, n: int = 1) -> Any:
        form: Form = form_of({"seed": str(seed), "n": str(n)}, image=file_of(house))
        return engine.images_variations(form, call)["data"]

    assert vary(1, n=2) == [*vary(1), *vary(2)]
    assert vary(1) != vary(2)
    assert "mixture of the styles" in vary(1)[0]["revised_prompt"]


def streamed(items: Any) -> list[Answer]:
    events = SseParser().feed(b"".join(map(encode_item, items)))
    for event in events:
        assert event.event == json.loads(event.data)["type"]
        ImageEvent.model_validate_json(event.data)
    return [json.loads(event.data) for event in events]


def test_a_stream_shows_the_land_as_it_grows(
    generate: Callable[..., Answer], picture_of: PictureOf, conforms: Callable[[str, Any], None]
) -> None:
    events = streamed(generate(size="1024x1024", stream=True, partial_images=3, seed=1))
    assert [event["type"].split(".")[1] for event in events] == ["partial_image"] * 3 + ["completed"]
    assert [event.get("partial_image_index") for event in events] == [0, 1, 2, None]
    pictures = [pixels(picture_of(event)) for event in events]
    paper = [(picture == (236, 232, 222)).all(axis=2).mean() for picture in pictures]
    assert paper[0] > paper[1] > paper[2] >= paper[3] == 0
    for event in events[:3]:
        conforms("ImageGenPartialImageEvent", event)
    conforms("ImageGenCompletedEvent", events[3])
    assert events[3]["b64_json"] == generate(size="1024x1024", seed=1)["data"][0]["b64_json"]


def test_an_edits_stream(edit: Callable[..., Answer], picture_of: PictureOf, house: Image.Image) -> None:
    events = streamed(edit(stream="true", partial_images="2", n="2"))
    kinds = [event["type"] for event in events]
    assert kinds == [*["image_edit.partial_image"] * 2, "image_edit.completed"] * 2
    assert {picture_of(event).size for event in events} == {house.size}


def test_progress_goes_through_all_pictures(engine: Any, model: Model) -> None:
    class Watched(Call):
        def report(self, fraction: float, message: str = "") -> None:
            told.append((fraction, message))

    told: list[tuple[float, str]] = []
    request = ImagesGenerationRequest(prompt="x", size="64x64", n=2)
    engine.images_generations(request, Watched("test", model, {}))
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert {message for _, message in told} == {"painting picture 1 of 2", "painting picture 2 of 2"}


@pytest.mark.parametrize("stream", [False, True])
def test_work_stops_when_the_caller_leaves(stream: bool, engine: Any, call: Call) -> None:
    request = ImagesGenerationRequest(prompt="mosaic", size="2048x2048", n=10, stream=stream)
    threading.Timer(0.6, call.cancel).start()
    began = time.monotonic()
    with pytest.raises(ApiError, match="cancelled"):
        list(engine.images_generations(request, call))
    assert time.monotonic() - began < 1.6


def test_repainting_stops_in_mid_network(engine: Any, call: Call, form_of: Any, file_of: Any) -> None:
    form = form_of({"prompt": "mosaic", "n": "10"}, image=file_of(Image.effect_noise((1024, 1024), 50)))
    threading.Timer(0.5, call.cancel).start()
    began = time.monotonic()
    with pytest.raises(ApiError, match="cancelled"):
        engine.images_edits(form, call)
    assert time.monotonic() - began < 1.5


def test_a_stream_that_is_closed_leaves_no_thread(engine: Any, call: Call) -> None:
    request = ImagesGenerationRequest(prompt="x", size="64x64", stream=True, partial_images=3, n=3)
    events = engine.images_generations(request, call)
    next(events)
    call.cancel()
    events.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "painter"]


def test_an_unloaded_model_is_not_ready(engine: Any) -> None:
    other = Model(id="other")
    engine.unload(other)
    with pytest.raises(ApiError) as caught:
        engine.images_generations(ImagesGenerationRequest(prompt="x"), Call("test", other, {}))
    assert caught.value.status == 503


def test_an_edit_in_json(engine: Any, call: Call, generate: Callable[..., Answer], picture_of: PictureOf) -> None:
    drawn = generate(seed=1)["data"][0]
    url = f"data:image/png;base64,{drawn['b64_json']}"
    request = ImagesEditRequest.model_validate({"prompt": "mosaic", "images": ({"image_url": url},)})
    assert picture_of(engine.images_edits(request, call)["data"][0]).size == picture_of(drawn).size
