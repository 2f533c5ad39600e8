"""One streamed chat request after another, and the time until each one's first word."""

import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

_PATH: Final = "/v1/chat/completions"
_TIMEOUT_SECONDS: Final = 120.0
_DATA: Final = b"data: "


class BadStreamError(RuntimeError):
    """A chat request was refused, or its stream ended without a word or without its end."""


@dataclass(frozen=True, slots=True)
class Timing:
    """One stream. Milliseconds from sending the request to its first word, and to its end."""

    first_ms: float
    whole_ms: float


class Chat:
    """Asks for streams on one connection, as a client that keeps its connection does; not for several threads."""

    def __init__(self, url: str, token: str, model: str, tokens: int = 12) -> None:
        place = urlsplit(url)
        self._connection = http.client.HTTPConnection(place.netloc, timeout=_TIMEOUT_SECONDS)
        self._headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
        self._model = model
        self._tokens = tokens
        self._asked = time.time_ns() % 10**6 * 1000  # so that a second run asks for nothing that the first did

    def ask(self) -> Timing:
        """Ask once and read the stream to its end. Raises BadStreamError, OSError and HTTPException."""
        self._asked += 1
        body = chat_body(self._model, self._asked, self._tokens)
        began = time.perf_counter()
        self._connection.request("POST", _PATH, body, self._headers)
        answer = self._connection.getresponse()
        if answer.status != 200:
            raise BadStreamError(f"status {answer.status}: {answer.read()[:300]!r}")
        first = None
        for data in events(answer):
            if first is None and has_word(data):
                first = time.perf_counter()
        ended = time.perf_counter()
        if first is None:
            raise BadStreamError("the stream ended without a word")
        return Timing((first - began) * 1000, (ended - began) * 1000)

    def close(self) -> None:
        self._connection.close()


def chat_body(model: str, number: int, tokens: int) -> bytes:
    """The same short request each time, but for the number it begins with: no part of it can come from a cache."""
    request = {
        "model": model,
        "messages": [
            {"role": "system", "content": f"{number:09d} is the number of this talk. You answer in one sentence."},
            {"role": "user", "content": "Why is the sea salt, and the rain that falls on it is not?"},
        ],
        "temperature": 0,
        "max_tokens": tokens,
        "stream": True,
    }
    return json.dumps(request).encode()


def events(lines: Any) -> Iterator[bytes]:
    """The data of each event before `[DONE]`. Raises BadStreamError where that never comes."""
    whole = False
    for line in lines:
        data = line.strip().removeprefix(_DATA)
        whole = whole or data == b"[DONE]"
        if line.startswith(_DATA) and not whole:
            yield data
    if not whole:
        raise BadStreamError("the stream ended without [DONE]")


def has_word(data: bytes) -> bool:
    """Whether an event brings text: the first one may only tell whose turn it is. Raises BadStreamError on an error."""
    chunk = json.loads(data)
    if "error" in chunk:
        raise BadStreamError(f"an error in the stream: {chunk['error']}")
    return any(choice["delta"].get("content") for choice in chunk["choices"])
