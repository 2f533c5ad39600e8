"""The service as its clients see it: served in a process of its own, asked by the official client."""

import base64
import json
import wave
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

FOLDER = Path(__file__).parents[1]
FOX = "The quick brown fox jumps over the lazy dog."
LONG = (
    "It was a bright cold day in April and the clocks were striking thirteen, and nobody in the street looked up. " * 8
)


@pytest.fixture(scope="module")
def url(serve: Any) -> Iterator[str]:
    with serve(FOLDER) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_ready_before_the_voice_is_in_memory(url: str) -> None:
    card = httpx.get(f"{url}/v1/metadata", trust_env=False).json()
    (model,) = card["models"]
    assert model["id"] == "piper-joe"
    assert model["on_demand"] is True
    assert "tts-1" in model["aliases"]
    (voice,) = (option for option in card["ui"]["options"] if option["key"] == "voice")
    assert "joe" in voice["values"]


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "wav"])
def test_create(client: openai.OpenAI, hear: Callable[[bytes], Any], format: Any) -> None:
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input=FOX, response_format=format)
    sound = hear(answer.content)
    assert 1.8 < sound.seconds < 4.5
    assert sound.loudness > 0.03


def test_the_default_is_mp3(client: openai.OpenAI, tmp_path: Path, hear: Callable[[bytes], Any]) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="joe", input=FOX, instructions="Whisper."
    ) as answer:
        assert answer.headers["content-type"] == "audio/mpeg"
        answer.stream_to_file(tmp_path / "fox.mp3")
    assert hear((tmp_path / "fox.mp3").read_bytes()).codec.startswith("mp3")


def test_bytes_come_in_many_parts(client: openai.OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1-hd", voice="verse", input=LONG, response_format="pcm"
    ) as answer:
        assert "content-length" not in answer.headers
        parts = list(answer.iter_bytes())
    assert len(parts) > 5
    assert len(b"".join(parts)) / 48000 > 30


def test_a_streamed_wav_is_read_by_the_standard_library(client: openai.OpenAI) -> None:
    body = client.audio.speech.create(model="tts-1", voice="joe", input="Hi.", response_format="wav").content
    with wave.open(BytesIO(body)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24000, 1, 2)
        assert len(file.readframes(10_000_000)) == len(body) - 44


def test_events(client: openai.OpenAI, hear: Callable[[bytes], Any]) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="joe", input=FOX, stream_format="sse"
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: ")]
    *deltas, done = map(json.loads, lines)
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert done["type"] == "speech.audio.done"
    assert done["usage"]["total_tokens"] > 40
    assert 1.8 < hear(b"".join(base64.b64decode(event["audio"]) for event in deltas)).seconds < 4.5


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": " \n\t"}, "input"),
        ({"input": "..."}, "input"),
        ({"input": "a" * 4097}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["a"]}, "input"),
        ({"input": None}, "input"),
        ({"voice": "unheard-of"}, "voice"),
        ({"voice": ""}, "voice"),
        ({"voice": {"id": "unheard-of"}}, "voice"),
        ({"voice": {"name": "joe"}}, "voice"),
        ({"voice": 7}, "voice"),
        ({"response_format": "ogg"}, "response_format"),
        ({"speed": 0}, "speed"),
        ({"speed": -1}, "speed"),
        ({"speed": 4.1}, "speed"),
        ({"speed": "fast"}, "speed"),
        ({"speed": True}, "speed"),
        ({"stream_format": "websocket"}, "stream_format"),
        ({"instructions": "x" * 4097}, "instructions"),
        ({"model": ""}, "model"),
    ],
)
def test_bad_input_is_refused_by_its_name(url: str, fields: dict[str, Any], param: str) -> None:
    body = {"model": "tts-1", "voice": "joe", "input": "Hi.", **fields}
    answer = httpx.post(f"{url}/v1/audio/speech", json=body, trust_env=False, timeout=60)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"].startswith(param)
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model": "tts-1", "input": "\\ud800 hi"}', b"\xff\xfe"])
def test_bodies_that_are_no_request(url: str, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = httpx.post(f"{url}/v1/audio/speech", content=body, headers=headers, trust_env=False, timeout=60)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


def test_errors_are_the_clients_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.speech.create(model="tts-1", voice="unheard-of", input="Hi.")
    assert caught.value.param == "voice"
    with pytest.raises(openai.NotFoundError):
        client.audio.speech.create(model="unheard-of", voice="joe", input="Hi.")


def test_too_large_a_body(url: str) -> None:
    body = {"model": "tts-1", "input": "a", "padding": "x" * 2_000_000}
    assert httpx.post(f"{url}/v1/audio/speech", json=body, trust_env=False, timeout=60).status_code == 413
