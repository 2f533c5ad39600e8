"""The service as its clients see it: served in a process of its own, asked by the official client."""

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

FOLDER = Path(__file__).parents[1]
old_to_openai = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # so is its method for translations


@pytest.fixture(scope="module")
def client(serve: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    cache = str(tmp_path_factory.mktemp("served"))
    with (
        serve(FOLDER, NEXUS_MODELS_CACHE=cache, NEXUS_ASR_MAX_SECONDS="60") as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


@pytest.fixture
def museum(speech: Callable[[str], bytes]) -> tuple[str, bytes]:
    return "museum.ogg", speech("museum")


@pytest.fixture
def harbour(speech: Callable[[str], bytes]) -> tuple[str, bytes]:
    return "harbour.ogg", speech("harbour")


@pytest.fixture
def berlin(speech: Callable[[str], bytes]) -> tuple[str, bytes]:
    return "berlin.ogg", speech("berlin")


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["whisper-base", "whisper-tiny.en"]


def test_json_is_the_default(client: openai.OpenAI, museum: Any) -> None:
    answer = client.audio.transcriptions.create(file=museum, model="whisper-1")
    assert "quick brown fox" in answer.text
    assert answer.usage.seconds == pytest.approx(6.93, abs=0.1)


@pytest.mark.parametrize("form", ["text", "srt", "vtt"])
def test_bodies_of_text(client: openai.OpenAI, museum: Any, form: Any) -> None:
    raw = client.audio.transcriptions.with_raw_response.create(
        file=museum, model="whisper-tiny.en", response_format=form
    )
    assert raw.headers["content-type"] == "text/plain; charset=utf-8"
    assert "museum" in raw.text
    parsed = client.audio.transcriptions.create(file=museum, model="whisper-tiny.en", response_format=form)
    assert parsed == raw.text


def test_words_and_segments(client: openai.OpenAI, museum: Any) -> None:
    answer = client.audio.transcriptions.create(
        file=museum,
        model="whisper-base",
        language="en",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        temperature=0,
        prompt="A visit.",
    )
    assert answer.language == "english"
    assert answer.segments[0].tokens
    assert [word.word for word in answer.words][:4] == ["The", "quick", "brown", "fox"]


def test_a_stream(client: openai.OpenAI, harbour: Any) -> None:
    events = list(client.audio.transcriptions.create(file=harbour, model="whisper-tiny.en", stream=True))
    assert {event.type for event in events[:-1]} == {"transcript.text.delta"}
    assert events[-1].type == "transcript.text.done"
    assert "".join(event.delta for event in events[:-1]) == events[-1].text
    assert "railway" in events[-1].text


@old_to_openai
def test_translations(client: openai.OpenAI, berlin: Any) -> None:
    answer = client.audio.translations.create(file=berlin, model="whisper-1")
    assert re.search(r"good morning.*berlin.*train", answer.text, re.IGNORECASE), answer.text
    captions = client.audio.translations.create(file=berlin, model="whisper-1", response_format="vtt")
    assert captions.startswith("WEBVTT")


@old_to_openai
def test_only_the_multilingual_model_translates(client: openai.OpenAI, berlin: Any) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.audio.translations.create(file=berlin, model="whisper-tiny.en")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"language": "klingon"}, "language"),
        ({"temperature": 1.5}, "temperature"),
        ({"response_format": "diarized_json"}, "response_format"),
        ({"timestamp_granularities": ["word"]}, "timestamp_granularities"),
        ({"stream": True, "response_format": "srt"}, "stream"),
        ({"file": ("empty.wav", b"")}, "file"),
        ({"file": ("words.mp3", b"these are only words " * 99)}, "file"),
    ],
)
def test_refusals_name_the_field(client: openai.OpenAI, museum: Any, fields: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.transcriptions.create(**{"file": museum, "model": "whisper-tiny.en", **fields})
    assert caught.value.param == param


def test_a_truncated_file(client: openai.OpenAI, recoded: Callable[[str, str], bytes]) -> None:
    body = recoded("museum", "wav")
    with pytest.raises(openai.BadRequestError, match="truncated") as caught:
        client.audio.transcriptions.create(file=io.BytesIO(body[:50_000]), model="whisper-tiny.en")
    assert caught.value.param == "file"


def test_an_unknown_model(client: openai.OpenAI, museum: Any) -> None:
    with pytest.raises(openai.NotFoundError, match="whisper-base"):
        client.audio.transcriptions.create(file=museum, model="whisper-bass")


def test_a_form_without_a_file(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.post(
            "/audio/transcriptions",
            cast_to=object,
            body={"model": "whisper-1"},
            files={"other": ("x.wav", b"x")},
            options={"headers": {"content-type": "multipart/form-data"}},
        )
    assert caught.value.param == "file"


def test_json_is_no_form(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.post("/audio/transcriptions", cast_to=object, body={"model": "whisper-1"})
    assert caught.value.status_code == 415
