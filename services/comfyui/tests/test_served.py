"""The service as its clients see it: the official client before it, a simulated ComfyUI behind it."""

import base64
import io
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from PIL import Image

OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))
pytestmark = pytest.mark.filterwarnings(
    "ignore:deprecated:DeprecationWarning", "ignore:The Sora API:DeprecationWarning"
)


@pytest.fixture
def client(served: str, comfy: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


def picture(item: Any) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(item.b64_json)))
    image.load()
    return image


def png(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()


def paint(client: openai.OpenAI, size: Any = "128x96", **more: Any) -> Any:
    extra = {"steps": 4, "seed": 7, **more.pop("extra_body", {})}
    return client.images.generate(prompt="a house", size=size, extra_body=extra, **more)


def inputs(prompt: dict[str, Any], node: str) -> dict[str, Any]:
    return prompt["prompt"][node]["inputs"]


def test_models_are_the_engines_checkpoints_and_the_video_workflow(client: openai.OpenAI) -> None:
    models = {model.id: model.model_dump() for model in client.models.list()}
    assert set(models) == {"sd_xl_base_1.0", "other-dream-shaper", "wan2.2-ti2v-5b"}
    assert "images.edits" in models["sd_xl_base_1.0"]["operations"]
    assert models["wan2.2-ti2v-5b"]["operations"] == ["videos", "comfyui.run"]
    told = client.models.retrieve("wan2.2-ti2v-5b").model_dump()
    assert told["input_schema"]["properties"]["frames"]["type"] == "integer"


def test_a_picture_of_the_asked_size_and_what_the_engine_was_asked(client: openai.OpenAI, comfy: Any) -> None:
    before = len(comfy.prompts())
    answer = paint(client, n=2, extra_body={"negative_prompt": "fog", "guidance_scale": 3.5})
    assert [picture(item).size for item in answer.data] == [(128, 96)] * 2
    assert answer.size == "128x96"
    first, second = comfy.prompts()[before:]
    assert (inputs(first, "3")["seed"], inputs(second, "3")["seed"]) == (7, 8)
    assert inputs(first, "3")["steps"] == 4
    assert inputs(first, "3")["cfg"] == 3.5
    assert (inputs(first, "6")["text"], inputs(first, "7")["text"]) == ("a house", "fog")
    assert (inputs(first, "5")["width"], inputs(first, "5")["height"]) == (128, 96)
    assert inputs(first, "4")["ckpt_name"] == "sd_xl_base_1.0.safetensors"
    assert first["client_id"]


def test_the_websocket_is_there_before_the_prompt(client: openai.OpenAI, comfy: Any) -> None:
    paint(client)
    told = comfy.told()["seen"]
    prompt = max(place for place, one in enumerate(told) if one["path"] == "/prompt" and one["method"] == "POST")
    socket = [place for place, one in enumerate(told) if one.get("client") == told[prompt]["json"]["client_id"]]
    assert socket
    assert socket[0] < prompt


def test_the_same_seed_is_the_same_picture_also_from_the_cache(client: openai.OpenAI) -> None:
    first = paint(client, extra_body={"seed": 11}).data[0].b64_json
    assert paint(client, extra_body={"seed": 11}).data[0].b64_json == first
    assert paint(client, extra_body={"seed": 12}).data[0].b64_json != first


def test_sizes_that_no_latent_has_are_cut_to_measure(client: openai.OpenAI, comfy: Any) -> None:
    answer = paint(client, size="101x77", output_format="webp")
    assert picture(answer.data[0]).size == (101, 77)
    assert picture(answer.data[0]).format == "WEBP"
    assert inputs(comfy.prompts()[-1], "5")["width"] == 104


def test_partial_images(client: openai.OpenAI, comfy: Any) -> None:
    stream = paint(client, stream=True, partial_images=2, extra_body={"steps": 9})
    events = list(stream)
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert {picture(event).size for event in events} == {(128, 96)}
    assert events[-1].usage.output_tokens == 12
    assert comfy.prompts()[-1]["extra_data"]["preview_method"] == "auto"


def test_an_edit_everywhere(client: openai.OpenAI, comfy: Any) -> None:
    blue = png(Image.new("RGB", (90, 70), (0, 0, 255)))
    answer = client.images.edit(image=("a.png", blue), prompt="red", extra_body={"strength": 0.25, "steps": 2})
    made = picture(answer.data[0])
    assert made.size == (90, 70)
    assert inputs(comfy.prompts()[-1], "3")["denoise"] == 0.25
    assert made.getpixel((45, 30))[2] > 180  # three quarters of it are still blue


def test_an_edit_where_the_mask_is_transparent(client: openai.OpenAI, comfy: Any) -> None:
    base = Image.linear_gradient("L").convert("RGB").resize((128, 64))
    mask = Image.new("RGBA", base.size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 64, 64))
    answer = client.images.edit(image=("a.png", png(base)), mask=("m.png", png(mask)), prompt="x")
    made = picture(answer.data[0]).convert("RGB")
    assert made.crop((64, 0, 128, 64)).tobytes() == base.crop((64, 0, 128, 64)).tobytes()
    assert len(made.crop((4, 4, 60, 60)).getcolors()) == 1
    assert comfy.prompts()[-1]["prompt"]["12"]["class_type"] == "SetLatentNoiseMask"


def test_edits_as_a_stream_and_in_json(client: openai.OpenAI) -> None:
    body = png(Image.new("RGB", (64, 64), "green"))
    stream = client.images.edit(image=("a.png", body), prompt="x", stream=True, partial_images=1)
    assert [event.type for event in stream] == ["image_edit.partial_image", "image_edit.completed"]
    url = f"data:image/png;base64,{base64.b64encode(body).decode()}"
    asked = {"prompt": "x", "images": [{"image_url": url}], "size": "72x64"}
    answer = client.post("/images/edits", body=asked, cast_to=openai.types.ImagesResponse)
    assert picture(answer.data[0]).size == (72, 64)


def test_variations(client: openai.OpenAI) -> None:
    body = png(Image.new("RGB", (64, 64), "green"))
    answer = client.images.create_variation(image=("a.png", body), n=2)
    assert [picture(item).size for item in answer.data] == [(64, 64)] * 2
    assert answer.data[0].b64_json != answer.data[1].b64_json


def film(client: openai.OpenAI, **fields: Any) -> dict[str, Any]:
    extra = {"num_inference_steps": 2, **fields.pop("extra_body", {})}
    asked = {"prompt": "a lake", "size": "144x80", "seconds": "1", **fields}
    return client.videos.create(**asked, extra_body=extra).model_dump()


def test_a_video_of_the_asked_size_and_length(client: openai.OpenAI, comfy: Any) -> None:
    answer = film(client, model="wan2.2-ti2v-5b", extra_body={"fps": 10, "seed": 3})
    variants = {one["variant"]: one for one in answer["data"]}
    video = base64.b64decode(variants["video"]["b64_json"])
    assert (answer["seconds"], answer["size"]) == ("1", "144x80")
    assert variants["video"]["media_type"] == "video/mp4"
    assert json.loads(video[12:]) == {"width": 144, "height": 80, "frames": 10, "fps": 10}
    thumbnail = Image.open(io.BytesIO(base64.b64decode(variants["thumbnail"]["b64_json"])))
    assert thumbnail.size == (144, 80)
    latent = inputs(comfy.prompts()[-1], "55")
    assert (latent["width"], latent["height"], latent["length"]) == (160, 96, 13)
    assert "start_image" not in latent
    assert "56" not in comfy.prompts()[-1]["prompt"]


def test_a_video_that_starts_from_a_picture(client: openai.OpenAI, comfy: Any) -> None:
    body = png(Image.new("RGB", (300, 200), "green"))
    film(client, model="wan2.2-ti2v-5b", input_reference=("a.png", body, "image/png"))
    assert inputs(comfy.prompts()[-1], "55")["start_image"] == ["56", 0]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"size": "32x5000"}, "size"),
        ({"extra_body": {"seed": -1}}, "seed"),
        ({"extra_body": {"strength": 0.5}}, "strength"),
        ({"extra_body": {"guidance_scale": 100, "steps": 10001}}, "steps"),
        ({"n": 0}, "n"),
    ],
)
def test_a_bad_field_is_named(client: openai.OpenAI, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        paint(client, **fields)
    assert caught.value.param == param


def test_bad_pictures_and_masks_are_named(client: openai.OpenAI) -> None:
    body, other = png(Image.new("RGB", (64, 64))), png(Image.new("RGBA", (32, 32)))
    asked: list[tuple[dict[str, Any], str]] = [
        ({"image": ("a.png", b"text")}, "image"),
        ({"image": [("a.png", body), ("b.png", body)]}, "image"),
        ({"image": ("a.png", body), "mask": ("m.png", other)}, "mask"),
    ]
    for fields, param in asked:
        with pytest.raises(openai.BadRequestError) as caught:
            client.images.edit(prompt="x", **fields)
        assert caught.value.param == param
    with pytest.raises(openai.BadRequestError) as caught:
        film(client, model="wan2.2-ti2v-5b", extra_body={"remix_video": "data:video/mp4;base64,AA=="})
    assert caught.value.param == "remix_video"


def test_progress_is_told_while_the_engine_works(client: openai.OpenAI, served: str, comfy: Any) -> None:
    comfy.control(step_seconds=0.1)
    raised: list[BaseException] = []

    def work() -> None:
        try:
            paint(client, extra_headers={"x-request-id": "told"}, extra_body={"steps": 12, "seed": time.time_ns()})
        except openai.OpenAIError as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    seen: list[tuple[float, str]] = []
    while thread.is_alive():
        try:
            with OPEN.open(f"{served}/v1/calls/told", timeout=5) as answer:
                told = json.load(answer)
                seen.append((told["progress"], told["message"]))
        except OSError:
            continue
        thread.join(0.05)
    assert not raised
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert len(set(fractions)) > 4
    assert any(message.startswith("KSampler ") and message.endswith(" of 12") for _, message in seen)
