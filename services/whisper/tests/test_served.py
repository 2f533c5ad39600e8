"""The service in front of the simulated server, asked by the official client."""

import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from nexus.sdk.conformance.run import run_checks

FOLDER = Path(__file__).parents[1]
old_to_openai = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # so is its method for translations


@pytest.fixture
def served(serve: Any, whisper_cpp: Callable[..., Any]) -> Callable[..., Any]:
    """The service in front of a server with these arguments: that server, the service's URL, and a client."""

    @contextmanager
    def start(*arguments: str) -> Iterator[Any]:
        running = whisper_cpp(*arguments)
        variables = {
            "NEXUS_WHISPER_URL": running.url,
            "NEXUS_WHISPER_WINDOW_SECONDS": "5",
            "NEXUS_WHISPER_MAX_SECONDS": "60",
        }
        with (
            serve(FOLDER, **variables) as url,
            openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
        ):
            yield running, url, client

    return start


def ready(url: str) -> int:
    return httpx.get(f"{url}/readyz", trust_env=False, timeout=10).status_code


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_contract_is_kept(one: tuple[str, openai.OpenAI]) -> None:
    results = run_checks(one[0])
    assert [f"{found.check.name}: {found.reason}" for found in results if found.status == "fail"] == []


@old_to_openai
def test_every_way_to_ask(
    served: Callable[..., Any], tones: Callable[..., bytes], conforms: Callable[[str, Any], None]
) -> None:
    with served() as (_, _, client):
        assert [model.id for model in client.models.list()] == ["whisper.cpp"]
        ask: Any = client.audio.transcriptions.create
        sound = ("tones.mp3", tones(400, 300, 0, 500, 400, 500, 300, kind="mp3"))
        answer = ask(file=sound, model="whisper-1")
        assert re.fullmatch(r"at 400 hertz\. at 300 hertz\. .*at 300 hertz\.", answer.text)
        assert answer.usage.seconds == pytest.approx(7, abs=0.2)
        verbose = ask(
            file=sound, model="whisper.cpp", response_format="verbose_json", timestamp_granularities=["word", "segment"]
        )
        conforms("CreateTranscriptionResponseVerboseJson", verbose.model_dump(exclude_none=True))
        assert (verbose.language, len(verbose.segments) > 1) == ("english", True)
        assert [word.word for word in verbose.words][:3] == ["at", "400", "hertz."]
        assert verbose.words[-1].end <= verbose.duration
        assert ask(file=sound, model="whisper-1", response_format="text").endswith("hertz.\n")
        assert ask(file=sound, model="whisper-1", response_format="vtt").startswith("WEBVTT\n\n00:00:00.000 --> ")
        assert ask(file=sound, model="whisper-1", response_format="srt").startswith("1\n00:00:00,000 --> ")
        german = ask(file=("high.ogg", tones(900, 900, kind="ogg")), model="whisper-1", response_format="verbose_json")
        assert german.language == "german"
        told = client.audio.translations.create(
            file=("high.flac", tones(900, kind="flac")), model="whisper-1", response_format="verbose_json"
        )
        assert (told.language, told.model_extra["task"]) == ("english", "translate")
        silent = ask(file=("silence.wav", tones(0, 0)), model="whisper-1", response_format="verbose_json")
        assert (silent.text, silent.segments, silent.language) == ("", [], "unknown")


def test_a_stream_comes_window_by_window(served: Callable[..., Any], tones: Callable[..., bytes]) -> None:
    with served("--pace", "0.1") as (_, _, client):
        stream = client.audio.transcriptions.create(
            file=("long.wav", tones(*[400, 500] * 10)), model="whisper-1", stream=True
        )
        started = time.monotonic()
        events = [(time.monotonic() - started, event) for event in stream]
    assert {event.type for _, event in events[:-1]} == {"transcript.text.delta"}
    assert len(events) > 4
    assert events[-1][0] - events[0][0] > 0.5
    assert "".join(event.delta for _, event in events[:-1]) == events[-1][1].text
    assert events[-1][1].type == "transcript.text.done"


@pytest.mark.parametrize("stream", [True, False])
def test_who_leaves_ends_the_servers_work_within_a_second(
    served: Callable[..., Any], tones: Callable[..., bytes], stream: bool
) -> None:
    with served("--pace", "5") as (running, url, _):
        form = {"model": "whisper-1", "stream": str(stream).lower()}
        leave = threading.Event()

        def ask() -> None:
            with httpx.Client(trust_env=False, timeout=0.5) as client, pytest.raises(httpx.ReadTimeout):
                client.post(f"{url}/v1/audio/transcriptions", data=form, files={"file": ("a.wav", tones(400, 500))})
            leave.set()

        threading.Thread(target=ask).start()
        running.wait_for("processing", 10)
        assert leave.wait(5)
        left = time.monotonic()
        running.wait_for("client disconnected", 2)
        assert time.monotonic() - left < 1


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
        ({"file": "truncated"}, "file"),
        ({"file": "too long"}, "file"),
    ],
)
def test_refusals_name_the_field(
    one: tuple[str, openai.OpenAI], tones: Callable[..., bytes], fields: dict[str, Any], param: str
) -> None:
    _, client = one
    made = {
        "truncated": lambda: ("cut.wav", tones(400, 400)[:40_000]),
        "too long": lambda: ("long.flac", tones(*[400] * 61, kind="flac")),
    }
    if fields.get("file") in ("truncated", "too long"):
        fields = {"file": made[fields["file"]]()}
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.transcriptions.create(**{"file": ("a.wav", tones(400)), "model": "whisper-1", **fields})
    assert caught.value.param == param


def test_an_unknown_model_and_too_large_a_file(one: tuple[str, openai.OpenAI], tones: Callable[..., bytes]) -> None:
    url, client = one
    with pytest.raises(openai.NotFoundError, match=r"whisper\.cpp"):
        client.audio.transcriptions.create(file=("a.wav", tones(400)), model="whisper.cp")
    with closing(http.client.HTTPConnection("127.0.0.1", httpx.URL(url).port, timeout=10)) as connection:
        connection.putrequest("POST", "/v1/audio/transcriptions")
        connection.putheader("content-type", "multipart/form-data; boundary=x")
        connection.putheader("content-length", "300000000")
        connection.endheaders()
        assert connection.getresponse().status == 413


@old_to_openai
def test_a_model_of_english_alone(served: Callable[..., Any], tones: Callable[..., bytes]) -> None:
    with served("--english-only") as (_, _, client):
        with pytest.raises(openai.BadRequestError) as caught:
            client.audio.translations.create(file=("a.wav", tones(400)), model="whisper-1")
        assert caught.value.param == "model"


def test_death_return_and_nonsense(served: Callable[..., Any], tones: Callable[..., bytes]) -> None:
    with served() as (running, url, client):
        sound = ("a.wav", tones(400))
        assert ready(url) == 200
        running.kill()
        wait_until(lambda: ready(url) == 503)
        assert "cannot be reached" in httpx.get(f"{url}/readyz", trust_env=False).text
        with pytest.raises(openai.InternalServerError, match="cannot be reached") as caught:
            client.audio.transcriptions.create(file=sound, model="whisper-1")
        assert (caught.value.status_code, caught.value.code) == (503, "no_ready_service")
        running.start()
        wait_until(lambda: ready(url) == 200)
        assert client.audio.transcriptions.create(file=sound, model="whisper-1").text == "at 400 hertz."
        (running.control / "answer").write_text("<html>")
        with pytest.raises(openai.InternalServerError) as caught:
            client.audio.transcriptions.create(file=sound, model="whisper-1")
        assert (caught.value.status_code, caught.value.code) == (502, "upstream_error")
        (running.control / "answer").unlink()
        assert client.audio.transcriptions.create(file=sound, model="whisper-1").text == "at 400 hertz."


def test_death_in_the_middle_of_a_stream_is_told_in_it(served: Callable[..., Any], tones: Callable[..., bytes]) -> None:
    with served("--pace", "0.3") as (running, _, client):
        stream = client.audio.transcriptions.create(
            file=("long.wav", tones(*[400, 500] * 15)), model="whisper-1", stream=True
        )
        assert next(iter(stream)).type == "transcript.text.delta"
        running.kill()
        with pytest.raises(openai.APIError, match="engine"):
            list(stream)
