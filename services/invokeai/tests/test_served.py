"""The service as its clients see it: the official client before it, a simulated InvokeAI behind it."""

import base64
import io
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from PIL import Image

OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))
pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")


@pytest.fixture
def client(served: str, invoke: Any) -> Iterator[openai.OpenAI]:
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


def test_models_are_the_engines_with_their_own_settings(client: openai.OpenAI, invoke: Any) -> None:
    assert [model.id for model in client.models.list()] == ["SDXL-base", "SDXL-Turbo"]
    told = client.models.retrieve("SDXL-Turbo").model_dump()
    assert told["invokeai"]["format"] == "checkpoint"
    client.images.generate(prompt="x", model="SDXL-Turbo")
    nodes = invoke.graphs()[-1]
    assert (nodes["denoise"]["steps"], nodes["denoise"]["scheduler"], nodes["noise"]["width"]) == (4, "lcm", 512)
    assert nodes["ml"]["model"] == {
        "key": "77e1f2ab-bbbb",
        "hash": "blake3:22",
        "name": "SDXL Turbo",
        "base": "sdxl",
        "type": "main",
    }


def test_a_picture_of_the_asked_size_and_what_the_engine_was_asked(client: openai.OpenAI, invoke: Any) -> None:
    before = len(invoke.graphs())
    answer = paint(client, n=2, extra_body={"seed": 2**32 + 7, "negative_prompt": "fog", "guidance_scale": 3.5})
    assert [picture(item).size for item in answer.data] == [(128, 96)] * 2
    first, second = invoke.graphs()[before:]
    assert (first["noise"]["seed"], second["noise"]["seed"]) == (7, 8)
    assert (first["denoise"]["steps"], first["denoise"]["cfg_scale"]) == (4, 3.5)
    assert (first["pos"]["prompt"], first["neg"]["prompt"]) == ("a house", "fog")
    assert (first["noise"]["width"], first["noise"]["height"], first["pos"]["target_width"]) == (128, 96, 128)


def test_seeds(client: openai.OpenAI) -> None:
    first = paint(client, extra_body={"seed": 11}).data[0].b64_json
    assert paint(client, extra_body={"seed": 11}).data[0].b64_json == first
    assert paint(client, extra_body={"seed": 12}).data[0].b64_json != first


def test_sizes_that_no_latent_has_are_cut_to_measure(client: openai.OpenAI, invoke: Any) -> None:
    answer = paint(client, size="101x77", output_format="jpeg")
    assert (picture(answer.data[0]).size, picture(answer.data[0]).format) == ((101, 77), "JPEG")
    assert invoke.graphs()[-1]["noise"]["width"] == 104


def test_partial_images(client: openai.OpenAI) -> None:
    events = list(paint(client, stream=True, partial_images=2, extra_body={"steps": 9}))
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert {picture(event).size for event in events} == {(128, 96)}
    assert events[-1].usage.output_tokens == 12


def test_an_edit_everywhere(client: openai.OpenAI, invoke: Any) -> None:
    blue = png(Image.new("RGB", (90, 70), (0, 0, 255)))
    answer = client.images.edit(image=("a.png", blue), prompt="red", extra_body={"strength": 0.25, "steps": 2})
    made = picture(answer.data[0])
    assert made.size == (90, 70)
    assert invoke.graphs()[-1]["denoise"]["denoising_start"] == 0.75
    assert made.getpixel((45, 30))[2] > 180  # three quarters of it are still blue


def test_an_edit_where_the_mask_is_transparent(client: openai.OpenAI, invoke: Any) -> None:
    base = Image.linear_gradient("L").convert("RGB").resize((128, 64))
    mask = Image.new("RGBA", base.size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 64, 64))
    answer = client.images.edit(image=("a.png", png(base)), mask=("m.png", png(mask)), prompt="x")
    made = picture(answer.data[0]).convert("RGB")
    assert made.crop((64, 0, 128, 64)).tobytes() == base.crop((64, 0, 128, 64)).tobytes()
    assert len(made.crop((4, 4, 60, 60)).getcolors()) == 1
    assert invoke.graphs()[-1]["mask"]["type"] == "create_denoise_mask"
    assert [one["query"]["image_category"] for one in invoke.seen("/api/v1/images/upload")[-2:]] == ["user", "mask"]


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


def test_nothing_is_left_at_the_engine(client: openai.OpenAI, invoke: Any) -> None:
    before = invoke.told()
    body = png(Image.new("RGB", (64, 64), "green"))
    client.images.edit(image=("a.png", body), prompt="x")
    after = invoke.told()
    assert (after["images"], after["items"]) == (before["images"], before["items"])


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"size": "32x5000"}, "size"),
        ({"extra_body": {"seed": -1}}, "seed"),
        ({"extra_body": {"guidance_scale": 0.5}}, "guidance_scale"),
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


def test_progress_is_told_while_the_engine_works(client: openai.OpenAI, served: str, invoke: Any) -> None:
    invoke.control(step_seconds=0.1)
    raised: list[BaseException] = []

    def work() -> None:
        try:
            paint(client, extra_headers={"x-request-id": "told"}, extra_body={"steps": 12})
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
    assert "Denoising" in {message for _, message in seen}


def pull(served: str, name: str) -> tuple[int, list[Any]]:
    """The status, and the events' data or the one refusal."""
    request = urllib.request.Request(f"{served}/v1/models/{name}/pull", b"", method="POST")
    try:
        with OPEN.open(request, timeout=30) as answer:
            lines = [line.removeprefix("data: ") for line in answer.read().decode().splitlines() if line]
            whole = lines[-1] == "[DONE]"
            told = [json.loads(line) for line in lines if line != "[DONE]"]
            assert whole == ("error" not in told[-1])
            return answer.status, told
    except urllib.error.HTTPError as error:
        with error:
            return error.code, [json.load(error)]


def test_a_model_is_installed_and_deleted(client: openai.OpenAI, served: str, invoke: Any) -> None:
    _, told = pull(served, "somebody/new-model")
    assert [one["status"] for one in told] == ["waiting", "downloading", "running", "success"]
    assert (told[0]["completed"], told[1]["completed"], told[1]["total"]) == (None, 10, 100)
    assert invoke.seen("/api/v2/models/install")[-1]["query"] == {"source": "somebody/new-model", "inplace": "false"}
    assert pull(served, "there/already")[1][0]["status"] == "success"
    deadline = time.monotonic() + 10
    while "new-model" not in [model.id for model in client.models.list()]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert paint(client, model="new-model").data
    client.delete("/models/new-model", cast_to=object)
    assert len(invoke.seen("/api/v2/models/i/new-new-model", "DELETE")) == 1


def test_what_cannot_be_installed(client: openai.OpenAI, served: str, invoke: Any) -> None:
    before = len(invoke.seen("/api/v2/models/install"))
    for name in ("etc", "../../etc/passwd", "https://example.com/a.safetensors"):
        assert pull(served, name)[0] in (400, 404)
    assert len(invoke.seen("/api/v2/models/install")) == before
    status, told = pull(served, "no/model")
    assert (status, "no model could be found there" in told[0]["error"]["message"]) == (400, True)
    status, told = pull(served, "half/way")
    assert (status, told[0]["status"]) == (200, "waiting")
    assert "No space left on device" in told[-1]["error"]["message"]
    assert "way" not in [model.id for model in client.models.list()]
