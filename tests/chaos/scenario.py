"""What the scenarios beside the table share: short timeouts, and callers in threads that count what they get."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.chaos.answers import TEXT
from tests.servers.gateway import TOKEN
from tests.servers.raw import Answer, ClosedError, RawClient, fetch, request

DEFAULTS: Final[dict[str, Any]] = {
    "timeouts": {"connect": 1, "first_byte": 2, "idle": 2, "total": 15},
    "retries": {"max_attempts": 3, "budget_ratio": 1.0},
    "stream_recovery": "resume",
}
_CHAT: Final = "/v1/chat/completions"


def write_config(folder: Path, **keys: Any) -> None:
    """nexus.yaml with the defaults of these scenarios, and `keys` in their place; JSON is YAML."""
    (folder / "nexus.yaml").write_text(json.dumps({**DEFAULTS, **keys}))


def body(model: str, *, stream: bool = False) -> dict[str, Any]:
    """A chat request."""
    return {"model": model, "messages": [{"role": "user", "content": "Count."}], "stream": stream}


def chat(port: int, model: str, *, token: str = TOKEN, timeout: float = 30.0, **options: Any) -> Answer:
    """One chat on a connection of its own."""
    return fetch(port, _CHAT, body(model), token=token, timeout=timeout, **options)


def is_whole(answer: Answer) -> bool:
    """Whether this is the known answer, streamed or not."""
    if answer.status != 200:
        return False
    if b'"chat.completion.chunk"' not in answer.body:
        return bool(answer.json()["choices"][0]["message"]["content"] == TEXT)
    events = [line[6:] for line in answer.body.split(b"\n") if line.startswith(b"data: ")]
    if events[-1] != b"[DONE]":
        return False
    chunks = [json.loads(event) for event in events[:-1]]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c.get("choices")) == TEXT


@dataclass(frozen=True, slots=True)
class Ended:
    """How one call ended: `how` is `whole`, an error's code, or why there was no answer. Times are monotonic."""

    how: str
    began: float
    seconds: float
    service: str = ""
    model: str = ""


class Load:
    """Callers, each asking again and again on a connection of its own, until it is told to stop. `fresh`: each call has
    a new connection, for addresses behind which others answer from time to time."""

    def __init__(
        self,
        port: int,
        model: str,
        *,
        token: str = TOKEN,
        stream: bool = False,
        timeout: float = 30,
        fresh: bool = False,
    ) -> None:
        self._port = port
        self._fresh = fresh
        self._timeout = timeout
        self._data = request(_CHAT, body(model, stream=stream), token=token)
        self._stopping = threading.Event()
        self.ended: list[Ended] = []

    @contextmanager
    def flowing(self, callers: int) -> Iterator["Load"]:
        """Traffic as long as the block runs."""
        with ThreadPoolExecutor(callers) as pool:
            running = [pool.submit(self._run) for _ in range(callers)]
            try:
                yield self
            finally:
                self._stopping.set()
                for one in running:
                    one.result()

    @property
    def count(self) -> Counter[str]:
        """How the calls ended."""
        return Counter(one.how for one in self.ended)

    def whole_between(self, begin: float, end: float) -> list[Ended]:
        """The good ones that ended between two moments."""
        return [one for one in self.ended if one.how == "whole" and begin <= one.began + one.seconds < end]

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with RawClient(self._port, self._timeout) as client:
                    while not self._stopping.is_set():
                        self._ask(client)
                        if self._fresh:
                            break
            except OSError:  # told of in `ended`; another connection is tried
                continue

    def _ask(self, client: RawClient) -> None:
        began = time.monotonic()
        try:
            client.send(self._data)
            answer = client.answer()
        except (OSError, ClosedError) as error:
            self.ended.append(Ended(f"broken: {type(error).__name__}", began, time.monotonic() - began))
            raise
        how = "whole" if is_whole(answer) else _code(answer)
        service, model = answer.header("x-nexus-service") or "", answer.header("x-nexus-model") or ""
        self.ended.append(Ended(how, began, time.monotonic() - began, service, model))
        if answer.status in (429, 503):  # a caller that is told when to come again
            self._stopping.wait(float(answer.header("retry-after") or "0.1"))
        if how == "cut" or answer.header("connection") == "close":
            raise ClosedError("as announced, or as is right after an answer that was cut")


def _code(answer: Answer) -> str:
    if answer.status == 200:
        return "cut" if b'"error"' in answer.body and b"[DONE]" not in answer.body else f"LIE: {answer.body[-200:]!r}"
    return str(answer.error["code"])


def quantile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie; infinity of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")
