"""The service as its clients see it: served in a process of its own, asked by the official client."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

FOLDER = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def client(serve: Any) -> Iterator[openai.OpenAI]:
    with serve(FOLDER) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["profanity-opennsfw"]


@pytest.mark.parametrize("model", ["omni-moderation-latest", "text-moderation-latest", "profanity-opennsfw"])
def test_a_text(client: openai.OpenAI, model: str) -> None:
    answer = client.moderations.create(model=model, input="You are a stupid idiot")
    (result,) = answer.results
    assert result.flagged
    assert result.categories.harassment
    assert not result.categories.violence_graphic
    assert result.category_scores.harassment > 0.9
    assert result.category_applied_input_types.harassment == ["text"]
    assert result.category_applied_input_types.violence == []


def test_texts_without_a_model(client: openai.OpenAI) -> None:
    answer = client.moderations.create(input=["Good morning", "you idiot"])
    assert [result.flagged for result in answer.results] == [False, True]


def test_a_message_with_an_image(client: openai.OpenAI, picture: bytes) -> None:
    url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    answer = client.moderations.create(
        model="omni-moderation-latest",
        input=[{"type": "text", "text": "Good morning"}, {"type": "image_url", "image_url": {"url": url}}],
    )
    (result,) = answer.results
    assert not result.flagged
    assert 0 <= result.category_scores.sexual < 0.8
    assert result.category_applied_input_types.sexual == ["image"]


def test_what_is_judged_is_on_the_card(client: openai.OpenAI) -> None:
    card = client.get("/metadata", cast_to=dict[str, Any])
    assert "judges no other category" in card["service"]["description"]
    assert "harassment only" in card["endpoints"][0]["summary"]


def test_errors_are_the_clients_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.moderations.create(input=["fine", ""])
    assert caught.value.param == "input[1]"
    with pytest.raises(openai.BadRequestError) as caught:
        client.moderations.create(input=[])
    assert caught.value.param == "input"
    with pytest.raises(openai.BadRequestError, match="fetches nothing"):
        client.moderations.create(input=[{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}])
    with pytest.raises(openai.NotFoundError):
        client.moderations.create(model="unheard-of", input="x")
