"""The service as its clients see it: served in a process of its own, asked by the official client."""

import base64
import io
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def client(serve: Any) -> Iterator[openai.OpenAI]:
    with (
        serve(FOLDER, NEXUS_IMAGES_THREADS="1") as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


def size_of(item: Any) -> tuple[int, int]:
    with Image.open(io.BytesIO(base64.b64decode(item.b64_json))) as image:
        image.load()
        return image.size


def test_models_and_card(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["terrain-and-styles"]
    with urllib.request.urlopen(f"{client.base_url}metadata") as answer:
        card = json.load(answer)
    assert "cannot draw what a text describes" in card["service"]["description"]
    schemas = {endpoint["operation"]: endpoint["request_schema"] for endpoint in card["endpoints"]}
    assert "prompt" in schemas["images.generations"]["properties"]
    assert "images" in schemas["images.edits"]["properties"]


def test_generate(client: openai.OpenAI) -> None:
    def paint(seed: int, **more: Any) -> Any:
        size: Any = "160x112"
        return client.images.generate(prompt="an island", size=size, extra_body={"seed": seed}, **more)

    answer = paint(7, n=2, model="terrain", response_format="url", style="vivid", quality="standard")
    assert [size_of(item) for item in answer.data] == [(160, 112)] * 2
    assert "seed 7" in answer.data[0].revised_prompt
    assert answer.data[0].b64_json == paint(7).data[0].b64_json
    assert answer.data[0].b64_json != paint(8).data[0].b64_json
    assert answer.usage.input_tokens == 2


def test_generate_as_a_stream(client: openai.OpenAI) -> None:
    size: Any = "128x128"
    stream = client.images.generate(prompt="hills", size=size, stream=True, partial_images=2)
    events = list(stream)
    assert [event.type for event in events] == [
        "image_generation.partial_image",
        "image_generation.partial_image",
        "image_generation.completed",
    ]
    assert {size_of(event) for event in events} == {(128, 128)}
    assert events[-1].usage.total_tokens == events[-1].usage.input_tokens + 16


def test_edit(client: openai.OpenAI, house: Image.Image, file_of: Any) -> None:
    mask = Image.new("RGBA", house.size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 50, 160))
    files = [("house.png", file_of(house)), ("other.webp", file_of(house.rotate(90), "WEBP"))]
    answer = client.images.edit(image=files, mask=("mask.png", file_of(mask)), prompt="mosaic", n=1)
    assert size_of(answer.data[0]) == house.size
    changed = Image.open(io.BytesIO(base64.b64decode(answer.data[0].b64_json))).convert("RGB")
    assert changed.crop((50, 0, 192, 160)).tobytes() == house.crop((50, 0, 192, 160)).tobytes()
    assert changed.crop((0, 0, 50, 160)).tobytes() != house.crop((0, 0, 50, 160)).tobytes()


def test_edit_as_a_stream(client: openai.OpenAI, house: Image.Image, file_of: Any) -> None:
    stream = client.images.edit(
        image=("house.jpg", file_of(house, "JPEG")), prompt="woodblock", stream=True, partial_images=1
    )
    assert [event.type for event in stream] == ["image_edit.partial_image", "image_edit.completed"]


def test_edit_in_json(client: openai.OpenAI, house: Image.Image, file_of: Any) -> None:
    url = f"data:image/png;base64,{base64.b64encode(file_of(house)).decode()}"
    body = {"prompt": "charcoal", "images": [{"image_url": url}], "size": "96x80"}
    answer = client.post("/images/edits", body=body, cast_to=openai.types.ImagesResponse)
    assert answer.data is not None
    assert size_of(answer.data[0]) == (96, 80)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # so the client calls variations
def test_variations(client: openai.OpenAI, house: Image.Image, file_of: Any) -> None:
    answer = client.images.create_variation(image=("house.png", file_of(house)), n=2, size="256x256")
    assert [size_of(item) for item in answer.data] == [(256, 256)] * 2
    assert answer.data[0].b64_json != answer.data[1].b64_json


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"n": -2}, "n"),
        ({"size": "0x0"}, "size"),
        ({"size": "-64x64"}, "size"),
        ({"size": "99999x99999"}, "size"),
        ({"size": "large"}, "size"),
        ({"output_format": "bmp"}, "output_format"),
        ({"extra_body": {"seed": -1}}, "seed"),
        ({"stream": True, "partial_images": 9}, "partial_images"),
    ],
)
def test_a_bad_field_is_named(client: openai.OpenAI, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(**{"prompt": "x", **fields})
    assert (caught.value.param, caught.value.code) == (param, "invalid_request_error")


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # so the client calls variations
def test_bad_pictures_are_named(client: openai.OpenAI, house: Image.Image, file_of: Any) -> None:
    png = file_of(house)
    other = file_of(Image.new("RGBA", (64, 64)))
    for image in (b"text", png[:300], b""):
        with pytest.raises(openai.BadRequestError) as caught:
            client.images.edit(image=("i.png", image), prompt="x")
        assert caught.value.param == "image"
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.edit(image=("i.png", png), mask=("m.png", other), prompt="x")
    assert caught.value.param == "mask"
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.create_variation(image=("i.png", b"text"))
    assert caught.value.param == "image"


def test_other_bodies_and_models(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.images.generate(prompt="x", model="dall-e-99")
    for path, media_type, status in (
        ("images/edits", "text/plain", 415),
        ("images/variations", "application/json", 415),
        ("images/generations", "multipart/form-data; boundary=x", 415),
    ):
        request = urllib.request.Request(f"{client.base_url}{path}", b"{}", {"content-type": media_type})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request)
        assert caught.value.code == status
        caught.value.close()
