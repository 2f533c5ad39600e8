"""The service as its callers see it: served in a process of its own, asked by the official client as far as it goes.

The client knows videos as jobs, which the gateway makes; its request is what the service is sent, too.
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from video_material import Gateway, data_url, encoded, frames, picture, variants

from nexus.contract.wire.videos import VideosResponse

FOLDER = Path(__file__).parents[1]
SMALL = {"size": "160x96", "seconds": "1"}

# The client says of its own methods that OpenAI's service behind them has ended.
pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")


@pytest.fixture(scope="module")
def served(serve: Any) -> Iterator[str]:
    with serve(FOLDER, NEXUS_VIDEO_THREADS="1") as url:
        yield url


@pytest.fixture
def client(served: str, gateway: Gateway) -> Iterator[openai.OpenAI]:
    headers = gateway.headers
    with openai.OpenAI(
        base_url=f"{served}/v1", api_key="none", max_retries=0, default_headers=headers, timeout=60
    ) as client:
        yield client


def answered(client: openai.OpenAI, **fields: Any) -> dict[str, Any]:
    extra = {"fps": 6, "seed": 5} | fields.pop("extra_body", {})
    made = client.videos.create(**{"prompt": "a lake", **SMALL, **fields}, extra_body=extra)
    return made.model_dump()


def test_the_card_says_that_there_is_no_video_model(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["animated-stills"]
    card = client.get("/metadata", cast_to=object)
    assert "No video model" in card["service"]["description"]  # type: ignore[index]
    assert card["capabilities"]["uses"] == ["images.generations"]  # type: ignore[index]


def test_a_form_of_the_official_client(client: openai.OpenAI) -> None:
    answer = answered(client)
    VideosResponse.model_validate({**answer, "data": tuple(answer["data"])})
    seen, rate = frames(variants(answer)["video"])
    assert (len(seen), rate, seen[0].shape) == (6, 6, (96, 160, 3))


def test_a_reference_as_a_file_and_as_a_url(client: openai.OpenAI) -> None:
    body = encoded(picture((160, 96), 4))
    in_file = answered(client, input_reference=("a.png", body, "image/png"))
    in_url = answered(client, extra_body={"input_reference": {"image_url": data_url(body, "image/png")}})
    assert in_file["data"] == in_url["data"]
    assert in_file["data"] != answered(client)["data"]


def test_json(client: openai.OpenAI) -> None:
    first = answered(client)
    url = f"data:video/mp4;base64,{base64.b64encode(variants(first)['video']).decode()}"
    asked = {"prompt": "a forest", "size": "96x64", "num_frames": 5, "remix_video": url}
    answer: Any = client.post("/videos", body=asked, cast_to=object)
    seen, _ = frames(variants(answer)["video"])
    assert (len(seen), seen[0].shape) == (5, (64, 96, 3))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": " "}, "prompt"),
        ({"seconds": "0"}, "seconds"),
        ({"size": "161x96"}, "size"),
        ({"extra_body": {"fps": -1}}, "fps"),
        ({"extra_body": {"num_frames": 4000}}, "num_frames"),
        ({"input_reference": ("a.png", b"no picture", "image/png")}, "input_reference"),
        ({"extra_body": {"input_reference": {"image_url": "https://example.com/a.png"}}}, "input_reference"),
    ],
)
def test_what_is_wrong_is_the_clients_own_error(client: openai.OpenAI, fields: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        answered(client, **fields)
    assert caught.value.param == param


def test_an_unknown_model(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        answered(client, model="unheard-of")


def test_json_is_refused_by_name_too(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/videos", body={"prompt": "x", "seconds": -4}, cast_to=object)
    assert caught.value.param == "seconds"


def test_a_body_that_is_too_large(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.post("/videos", body={"prompt": "x" * (64 * 1024 * 1024)}, cast_to=object)
    assert caught.value.status_code == 413


def test_without_a_gateway_there_is_no_picture(served: str) -> None:
    alone = openai.OpenAI(base_url=f"{served}/v1", api_key="none", max_retries=0)
    with alone, pytest.raises(openai.InternalServerError) as caught:
        answered(alone)
    assert (caught.value.status_code, caught.value.code) == (503, "no_ready_service")
