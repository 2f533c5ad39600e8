"""The service as its clients see it: served in a process of its own, on heartlib's stand-in."""

import io
import json
import socket
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from nexus.sdk.conformance.run import run_checks

FOLDER = Path(__file__).parents[1]
PATH = "/v1/music/generations"
MODEL = "heartmula"


@pytest.fixture(scope="module")
def client(serve: Any, environment: dict[str, str]) -> Iterator[httpx.Client]:
    with serve(FOLDER, **environment) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        yield client


def noted(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def test_it_keeps_the_contract(client: httpx.Client) -> None:
    results = run_checks(str(client.base_url))
    assert [(one.check.name, one.reason) for one in results if one.status == "fail"] == []


def test_a_song(client: httpx.Client, heartlib_log: Path) -> None:
    body = {"model": MODEL, "lyrics": "[Verse]\nOh", "tags": ["Piano", "sad"], "duration": 3, "seed": 7, "top_k": 9}
    answer = client.post(PATH, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    with wave.open(io.BytesIO(answer.content)) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (48_000, 2)
        assert sound.getnframes() == pytest.approx(48_000 * 3, abs=48_000 * 0.08)
    told = noted(heartlib_log)[-1]
    assert (told["lyrics"], told["tags"], told["seed"], told["topk"]) == ("[verse]\noh", "piano,sad", 7, 9)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("format", ["mp3", "opus", "flac"])
def test_other_formats(client: httpx.Client, format: str, stream: bool) -> None:
    answer = client.post(PATH, json={"lyrics": "x", "duration": 2, "response_format": format, "stream": stream})
    assert answer.headers["content-type"].startswith("audio/")
    with av.open(io.BytesIO(answer.content)) as file:
        samples = sum(frame.samples for frame in file.decode(audio=0))
    assert samples == pytest.approx(48_000 * 2, rel=0.1)


def test_the_card_says_what_it_takes(client: httpx.Client) -> None:
    card = client.get("/v1/metadata").json()
    assert card["resources"]["gpu"] == {"required": True, "vram_mb": 14336}
    assert card["models"][0]["resources"]["vram_mb"] == 14336
    assert card["endpoints"][0]["job"] is True


def test_progress_can_be_asked_for(client: httpx.Client) -> None:
    seen: list[dict[str, Any]] = []
    asking = threading.Thread(
        target=client.post,
        args=(PATH,),
        kwargs={"json": {"lyrics": "slow", "duration": 3}, "headers": {"x-request-id": "song-1"}},
    )
    asking.start()
    while asking.is_alive():
        answer = client.get("/v1/calls/song-1")
        if answer.status_code == 200:
            seen.append(answer.json())
        time.sleep(0.02)
    fractions = {told["progress"] for told in seen}
    assert len({fraction for fraction in fractions if 0 < fraction < 1}) > 5
    assert any(told["message"].startswith("second 1 of at most 2") for told in seen)


def test_a_client_that_leaves_reaches_heartlib_within_a_second(client: httpx.Client, heartlib_log: Path) -> None:
    left = ask_and_leave(client, heartlib_log, "slow leaver")
    while noted(heartlib_log)[-1].get("interruption") is None:
        assert time.time() < left + 5
        time.sleep(0.01)
    broken_off = noted(heartlib_log)[-1]
    assert broken_off["interruption"] == "Interrupted"
    assert broken_off["at"] - left < 1
    assert client.post(PATH, json={"lyrics": "x", "duration": 1}).status_code == 200


def test_a_worker_that_heeds_nothing_is_replaced(client: httpx.Client, heartlib_log: Path) -> None:
    left = ask_and_leave(client, heartlib_log, "stubborn leaver")
    assert client.post(PATH, json={"lyrics": "x", "duration": 1}).status_code == 200  # one song at a time
    assert time.time() < left + 10


def ask_and_leave(client: httpx.Client, log: Path, lyrics: str) -> float:
    """Ask for a song, hang up once heartlib sings it, and say when."""
    body = json.dumps({"lyrics": lyrics, "duration": 200}).encode()
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as leaving:
        leaving.sendall(head.encode() + body)
        while not any(told.get("lyrics") == lyrics for told in noted(log)):
            time.sleep(0.01)
        if "slow" in lyrics:
            time.sleep(0.3)  # in the middle of its bar
    return time.time()


def test_a_death_is_told_and_the_next_song_is_made_by_another(client: httpx.Client) -> None:
    answer = client.post(PATH, json={"lyrics": "crash"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (502, "upstream_error")
    assert "Segmentation fault" in error["message"]
    assert client.post(PATH, json={"lyrics": "x", "duration": 1}).status_code == 200


def test_what_heartlib_refuses(client: httpx.Client) -> None:
    assert client.post(PATH, json={"lyrics": "refuse"}).status_code == 502
    short_of_memory = client.post(PATH, json={"lyrics": "memory"})
    assert (short_of_memory.status_code, short_of_memory.headers["retry-after"]) == (503, "30")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"lyrics": "x", "duration": 0}, "duration"),
        ({"lyrics": "x", "duration": 301}, "duration"),
        ({"lyrics": "x", "temperature": 0}, "temperature"),
        ({"lyrics": "x", "top_k": 0}, "top_k"),
        ({"lyrics": "x", "cfg_scale": -1}, "cfg_scale"),
        ({"lyrics": "x", "seed": 1.5}, "seed"),
        ({"lyrics": "x", "response_format": "midi"}, "response_format"),
        ({"lyrics": "x", "tempo": 90, "bpm": 91}, "bpm"),
    ],
)
def test_bad_input(client: httpx.Client, body: Any, param: str) -> None:
    answer = client.post(PATH, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_an_unknown_model(client: httpx.Client) -> None:
    assert client.post(PATH, json={"model": "unheard-of", "lyrics": "x"}).status_code == 404


def test_a_full_queue(client: httpx.Client) -> None:
    card = client.get("/v1/metadata").json()["capabilities"]
    statuses: list[int] = []
    leaving = [socket.create_connection((client.base_url.host, client.base_url.port or 80)) for _ in range(17)]
    try:
        body = json.dumps({"lyrics": "slow", "duration": 100}).encode()
        head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        for connection in leaving:
            connection.sendall(f"{head}\r\n".encode() + body)
        assert card["max_concurrency"] + card["max_queue"] == len(leaving)
        deadline = time.monotonic() + 10
        while 429 not in statuses and time.monotonic() < deadline:
            try:
                statuses.append(client.post(PATH, json={"lyrics": "x"}, timeout=0.3).status_code)
            except httpx.TimeoutException:
                continue
        assert 429 in statuses
    finally:
        for connection in leaving:
            connection.close()
    deadline = time.monotonic() + 10
    while (answer := client.post(PATH, json={"lyrics": "x", "duration": 1})).status_code == 429:
        assert time.monotonic() < deadline  # those who left free their places
    assert answer.status_code == 200
