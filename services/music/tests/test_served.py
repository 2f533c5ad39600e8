"""The service as its clients see it: served in a process of its own, asked over HTTP."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sound import heard, loudness

FOLDER = Path(__file__).parents[1]
PATH = "/v1/music/generations"


@pytest.fixture(scope="module")
def client(serve: Any) -> Iterator[httpx.Client]:
    with serve(FOLDER) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        yield client


def test_a_piece(client: httpx.Client) -> None:
    answer = client.post(PATH, json={"model": "composer", "prompt": "calm piano waltz", "duration": 12, "seed": 5})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    sound = heard(answer.content)
    assert (sound.rate, sound.samples.shape[1]) == (44100, 2)
    assert sound.seconds == pytest.approx(12, abs=0.05)
    assert (loudness(sound.samples) > 0.004).all()


def test_lyrics_alone_and_mp3(client: httpx.Client) -> None:
    lyrics = "[Verse]\nThe rain is on the roof\n[Chorus]\nAnd we sing"
    answer = client.post(PATH, json={"lyrics": lyrics, "duration": 3, "response_format": "mp3"})
    assert answer.headers["content-type"] == "audio/mpeg"
    assert heard(answer.content).seconds == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize("format", ["wav", "mp3", "flac", "opus", "aac"])
def test_a_stream_comes_in_pieces(client: httpx.Client, format: str) -> None:
    body = {"prompt": "techno", "duration": 9, "seed": 2, "response_format": format, "stream": True}
    with client.stream("POST", PATH, json=body) as answer:
        pieces = list(answer.iter_raw())
    assert answer.headers["content-type"].startswith("audio/")
    assert len(pieces) > 2
    sound = heard(b"".join(pieces))
    assert sound.seconds == pytest.approx(9, abs=0.1)
    assert np.abs(sound.samples).max() > 0.2


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": "x" * 9000}, "prompt"),
        ({"prompt": "x", "duration": 0}, "duration"),
        ({"prompt": "x", "duration": -3}, "duration"),
        ({"prompt": "x", "duration": 301}, "duration"),
        ({"prompt": "x", "duration": "30"}, "duration"),
        ({"prompt": "x", "response_format": "midi"}, "response_format"),
        ({"prompt": "x", "seed": -1}, "seed"),
        ({"prompt": "x", "seed": 1.5}, "seed"),
        ({"prompt": "x", "bpm": 0}, "bpm"),
        ({"prompt": "x", "tempo": -90}, "tempo"),
        ({"prompt": "x", "key": "Q"}, "key"),
        ({"tags": {"a": 1}}, "tags"),
        ({"tags": ["fine", 1]}, "tags"),
        ({"prompt": "x", "stream": "yes"}, "stream"),
        ({"prompt": "x", "temperature": -1}, "temperature"),
    ],
)
def test_bad_input(client: httpx.Client, body: Any, param: str) -> None:
    answer = client.post(PATH, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_bad_bodies(client: httpx.Client) -> None:
    assert client.post(PATH, content=b'{"prompt": "x', headers={"content-type": "application/json"}).status_code == 400
    assert client.post(PATH, content=b"x", headers={"content-type": "audio/wav"}).status_code == 415
    assert client.post(PATH, json={"lyrics": "x" * 2_000_000}).status_code == 413
    assert client.post(PATH, json={"model": "unheard-of", "prompt": "x"}).status_code == 404


def test_a_client_that_leaves_frees_the_engine(client: httpx.Client) -> None:
    body = b'{"prompt": "pop", "duration": 300, "response_format": "opus"}'
    head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    address = (client.base_url.host, client.base_url.port)
    with socket.create_connection(address) as leaving:
        leaving.sendall(head.encode() + body)
        while not _busy(client):
            pass
    left = time.monotonic()
    assert client.post(PATH, json={"prompt": "x", "duration": 1}).status_code == 200  # one call runs at a time
    assert time.monotonic() - left < 1.5


def test_the_card_is_honest(client: httpx.Client) -> None:
    card = client.get("/v1/metadata").json()
    assert "no neural model" in card["service"]["description"]
    assert "no neural model" in card["ui"]["title"]
    assert card["endpoints"][0]["streaming"] == "bytes"


def _busy(client: httpx.Client) -> bool:
    return "nexus_service_in_flight 1.0" in client.get("/metrics").text
