"""The service where its engine is not installed: it is there, says what it would do, and what it lacks."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

FOLDER = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pocket_tts") is not None, reason="the engine is there; tests/real has it speak"
)


@pytest.fixture(scope="module")
def url(serve: Any) -> Iterator[str]:
    with serve(FOLDER) as url:
        yield url


def test_the_card_tells_the_voices(url: str) -> None:
    card = httpx.get(f"{url}/v1/metadata", trust_env=False).json()
    (model,) = card["models"]
    assert (model["id"], model["on_demand"]) == ("pocket-tts", True)
    (voice,) = (option for option in card["ui"]["options"] if option["key"] == "voice")
    assert len(voice["values"]) == 27
    (token,) = (entry for entry in card["config"] if entry["env"] == "HF_TOKEN")
    assert token["secret"] is True


def test_what_is_lacking_is_named(url: str) -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        with pytest.raises(openai.InternalServerError, match=r'extras = \["torch"\]') as caught:
            client.audio.speech.create(model="pocket-tts", voice="alba", input="Hi.")
        assert caught.value.status_code == 503
