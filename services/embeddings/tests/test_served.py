"""The service as its clients see it: served in a process of its own, asked by the official client."""

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
    assert [model.id for model in client.models.list()] == ["all-minilm-l6-v2"]


def test_both_encodings_agree(client: openai.OpenAI) -> None:
    plain = client.embeddings.create(model="minilm", input="hello", encoding_format="float")
    packed = client.embeddings.create(model="minilm", input="hello")  # the client asks for base64 and unpacks it
    assert plain.data[0].embedding == pytest.approx(packed.data[0].embedding, abs=1e-6)
    assert plain.usage.total_tokens == 3


def test_errors_are_the_clients_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="minilm", input="word " * 600)
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="unheard-of", input="x")
