"""A checkpoint added by a manifest entry, served, and asked by the official client."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[2]
ENTRY = """
id = "tiny-sd"
[source]
path = "{path}"
[load]
on_demand = true
[options]
engine = "diffusers"
device = "cpu"
steps = 4
"""


@pytest.fixture(scope="module")
def client(serve: Any, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    models = tmp_path_factory.mktemp("models")
    (models / "tiny.toml").write_text(ENTRY.format(path=checkpoint))
    variables = {"NEXUS_MODELS_DIR": str(models), "NEXUS_IMAGES_THREADS": "1"}
    with serve(FOLDER, **variables) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        yield client


def size_of(item: Any) -> tuple[int, int]:
    with Image.open(io.BytesIO(base64.b64decode(item.b64_json))) as image:
        image.load()
        return image.size


def test_all_three_operations(client: openai.OpenAI, house: Image.Image, file_of: Any) -> None:
    size: Any = "100x76"
    answer = client.images.generate(model="tiny-sd", prompt="a cat", size=size, n=2, extra_body={"seed": 1, "steps": 2})
    assert [size_of(item) for item in answer.data] == [(100, 76)] * 2
    file = ("house.png", file_of(house))
    mask = ("mask.png", file_of(Image.new("RGBA", house.size)))
    assert size_of(client.images.edit(model="tiny-sd", image=file, mask=mask, prompt="a dog").data[0]) == house.size
    with pytest.warns(DeprecationWarning, match="deprecated"):
        assert size_of(client.images.create_variation(model="tiny-sd", image=file).data[0]) == house.size


def test_a_stream(client: openai.OpenAI) -> None:
    size: Any = "64x64"
    events = list(client.images.generate(model="tiny-sd", prompt="a", size=size, stream=True, partial_images=2))
    assert [event.type.rpartition(".")[2] for event in events] == ["partial_image", "partial_image", "completed"]
    assert events[-1].usage.input_tokens_details.text_tokens == 3
