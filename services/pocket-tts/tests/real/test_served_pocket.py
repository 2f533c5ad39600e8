"""The service with its engine and a model of random weights, asked by the official client."""

import base64
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from nexus.sdk.conformance.run import run_checks
from tests.recordings import encoded, tone

FOLDER = Path(__file__).parents[2]
TEXT = "The quick brown fox jumps over the lazy dog."
ENTRY = """
id = "tiny"
[source]
path = "{path}"
[load]
on_demand = true
[options]
voice = "hum"
"""


@pytest.fixture(scope="module")
def url(serve: Any, tiny_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    (models / "tiny.toml").write_text(ENTRY.format(path=tiny_file))
    variables = {"NEXUS_MODELS_DIR": str(models), "NEXUS_POCKET_TTS_VOICES": str(tiny_file.parent / "voices")}
    with serve(FOLDER, **variables, NEXUS_POCKET_TTS_CLONING="true", HF_HUB_OFFLINE="1") as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_the_contract_is_kept(serve: Any, tiny_file: Path, tmp_path: Path) -> None:
    """Without the entry whose weights cannot be fetched here, as checks ask the first model."""
    folder = shutil.copytree(FOLDER, tmp_path / "pocket-tts", ignore=shutil.ignore_patterns("tests", "english.toml"))
    (folder / "models" / "tiny.toml").write_text(ENTRY.format(path=tiny_file))
    voices = str(tiny_file.parent / "voices")
    with serve(folder, NEXUS_POCKET_TTS_VOICES=voices, HF_HUB_OFFLINE="1") as url:
        results = run_checks(url)
    assert [f"{one.check.name}: {one.reason}" for one in results if one.status == "fail"] == []
    assert "leavers-free-their-places" in {one.check.name for one in results if one.status == "pass"}


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "wav"])
def test_create(client: openai.OpenAI, seconds_of: Any, format: Any) -> None:
    body = client.audio.speech.create(model="tiny", voice="alloy", input=TEXT, response_format=format).content
    assert seconds_of(body) > 0.5


def test_streaming(client: openai.OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tiny", voice="hum", input=TEXT * 10, response_format="pcm"
    ) as answer:
        assert answer.headers["content-type"] == "audio/pcm"
        assert "content-length" not in answer.headers
        assert len(list(answer.iter_bytes())) > 5


def test_events(client: openai.OpenAI, seconds_of: Any) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tiny", voice="hum", input=TEXT, stream_format="sse"
    ) as answer:
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: ")]
    *deltas, done = map(json.loads, lines)
    assert done["type"] == "speech.audio.done"
    assert seconds_of(b"".join(base64.b64decode(event["audio"]) for event in deltas)) > 0.5


def test_who_leaves_frees_the_place_within_a_second(url: str, client: openai.OpenAI) -> None:
    leaving = []
    for _ in range(2):  # as many as may be answered at once
        answer = client.audio.speech.with_streaming_response.create(
            model="tiny", voice="hum", input=(TEXT + " ") * 90, response_format="pcm"
        )
        next(answer.__enter__().iter_bytes(4096))
        leaving.append(answer)
    for answer in leaving:
        answer.__exit__(None, None, None)
    left = time.monotonic()
    hello = {"model": "tiny", "input": "Hi.", "response_format": "pcm"}
    with httpx.stream("POST", f"{url}/v1/audio/speech", json=hello, trust_env=False) as answer:
        next(answer.iter_bytes())
    assert time.monotonic() - left < 1.5  # a second to stop, and the first frames of the next


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"voice": "https://example.com/a.wav"}, "voice"),
        ({"voice": "unheard-of"}, "voice"),
        ({"input": ""}, "input"),
        ({"input": "..."}, "input"),
        ({"input": "a" * 4097}, "input"),
        ({"speed": 5}, "speed"),
        ({"response_format": "ogg"}, "response_format"),
    ],
)
def test_refusals_name_the_field(client: openai.OpenAI, fields: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.speech.create(**{"model": "tiny", "voice": "hum", "input": TEXT, **fields})
    assert caught.value.param == param


def test_a_cloned_voice_over_http(url: str, seconds_of: Any) -> None:
    answer = httpx.post(
        f"{url}/v1/audio/speech/cloned",
        data={"model": "tiny", "input": TEXT, "response_format": "wav"},
        files={"file": ("me.mp3", encoded(tone(2), 48_000, "mp3"))},
        trust_env=False,
        timeout=60,
    )
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    assert seconds_of(answer.content) > 0.5


def test_the_embedded_entry_cannot_be_fetched_here_and_says_so(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="pocket-tts") as caught:
        client.audio.speech.create(model="pocket-tts", voice="alba", input=TEXT)
    assert caught.value.status_code == 503
