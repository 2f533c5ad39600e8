"""Every check can fail: a sound service with one fault put in front of it is found out by the check for that fault."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nexus.sdk.conformance.run import CHECKS, run_checks

Wrap = Callable[[ASGIApp], ASGIApp]
Change = Callable[[dict[str, Any]], Any]
BY_NAME = {check.name: check for check in CHECKS}
COMPLETIONS = "/v1/completions"


def answers(path: str, status: int, body: Any, method: str = "", media_type: str = "application/json") -> Wrap:
    """That path (or every path that ends so) answers this, whatever is asked."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def wrap(app: ASGIApp) -> ASGIApp:
        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            if not scope["path"].endswith(path) or method not in ("", scope["method"]):
                await app(scope, receive, send)
                return
            headers = [(b"content-type", media_type.encode()), (b"x-request-id", b"x")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": content})

        return faulty

    return wrap


def card_with(change: Change) -> Wrap:
    """The card is changed on its way out."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            async def changed(message: Message) -> None:
                if message["type"] == "http.response.start":
                    headers = [pair for pair in message["headers"] if pair[0] != b"content-length"]
                    message = {**message, "headers": headers}
                else:
                    card = json.loads(message["body"])
                    change(card)
                    message = {**message, "body": json.dumps(card).encode()}
                await send(message)

            await app(scope, receive, changed if scope["path"] == "/v1/metadata" else send)

        return faulty

    return wrap


def events_with(old: bytes, new: bytes) -> Wrap:
    """Bodies are changed on their way out."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            async def changed(message: Message) -> None:
                if message["type"] == "http.response.body":
                    message = {**message, "body": message["body"].replace(old, new)}
                await send(message)

            await app(scope, receive, changed if scope["path"] == COMPLETIONS else send)

        return faulty

    return wrap


def headers_without(name: bytes) -> Wrap:
    def wrap(app: ASGIApp) -> ASGIApp:
        async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
            async def changed(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [pair for pair in message["headers"] if pair[0] != name]}
                await send(message)

            await app(scope, receive, changed)

        return faulty

    return wrap


def count_up() -> Change:
    numbers = itertools.count()
    return lambda card: card.update(instance=f"sound-{next(numbers)}")


ENVELOPE = {"error": {"message": "no", "type": "x", "param": None, "code": "x"}}
FAULTS: list[tuple[str, Wrap]] = [
    ("health", answers("/health", 200, {"status": "fine"})),
    ("health", answers("/health", 500, {"status": "ok"})),
    ("readyz", answers("/readyz", 503, {"status": "loading"})),
    ("readyz", answers("/readyz", 200, {"status": "ready"})),
    ("readyz", answers("/readyz", 204, b"")),
    ("card-valid", answers("/v1/metadata", 200, {"schema_version": "v2"})),
    ("card-valid", answers("/v1/metadata", 200, b"<card/>", media_type="text/xml")),
    ("card-small-and-fast", card_with(lambda card: card.update(padding="x" * 2_000_000))),
    ("card-steady", card_with(count_up())),
    ("schemas-sound", card_with(lambda card: card["endpoints"][0].update(request_schema={"type": 5}))),
    ("models-consistent", card_with(lambda card: card["models"].append(card["models"][0]))),
    ("models-consistent", card_with(lambda card: card["models"][0].update(operations=["embeddings"]))),
    ("models-listed", answers("/v1/models", 200, {"object": "list", "data": []})),
    ("models-listed", answers("/v1/models", 200, [])),
    ("models-listed", answers("/v1/models/small", 404, ENVELOPE)),
    ("tools-sound", card_with(lambda card: card["tools"][0].update(path="/v1/elsewhere"))),
    ("tools-sound", card_with(lambda card: card["tools"][0].update(description=""))),
    ("endpoints-exist", card_with(lambda card: card["endpoints"].append({"operation": "x", "path": "/v1/x"}))),
    ("unknown-path", answers("-path", 404, b"Not Found", media_type="text/plain")),
    ("unknown-path", answers("-path", 200, {})),
    ("wrong-method", answers(COMPLETIONS, 404, ENVELOPE, "DELETE")),
    ("bad-json", answers(COMPLETIONS, 500, ENVELOPE)),
    ("wrong-content-type", answers(COMPLETIONS, 200, {})),
    ("unknown-model", answers(COMPLETIONS, 200, {})),
    ("unknown-model", answers(COMPLETIONS, 404, ENVELOPE)),
    ("oversize", answers(COMPLETIONS, 200, {})),
    ("request-id", headers_without(b"x-request-id")),
    ("request-id", answers("/health", 200, {"status": "ok"})),
    ("samples-succeed", answers(COMPLETIONS, 400, ENVELOPE)),
    ("samples-succeed", answers(COMPLETIONS, 200, b"{")),
    ("streams-end", answers(COMPLETIONS, 200, {})),
    ("streams-end", events_with(b"data: [DONE]\n\n", b"")),
    ("streams-end", events_with(b'{"text":"upon"}', b'{"text":"up')),
    ("streams-end", events_with(b'{"text":"upon"}', json.dumps(ENVELOPE).encode())),
    ("leavers-free-their-places", answers(COMPLETIONS, 429, ENVELOPE)),
    ("leavers-free-their-places", answers(COMPLETIONS, 500, ENVELOPE)),
    ("metrics", answers("/metrics", 200, b"nexus_requests{ 1", media_type="text/plain")),
    ("metrics", answers("/metrics", 200, b"", media_type="text/plain")),
]


def test_there_is_a_fault_for_every_check() -> None:
    assert {name for name, _ in FAULTS} == BY_NAME.keys()


@pytest.mark.parametrize(("name", "wrap"), FAULTS, ids=[f"{name}-{number}" for number, (name, _) in enumerate(FAULTS)])
def test_the_fault_is_found(sound, monkeypatch: pytest.MonkeyPatch, name: str, wrap: Wrap) -> None:
    monkeypatch.setattr("nexus.sdk.conformance.answers.FREED_SECONDS", 0.1)
    with sound(wrap) as url:
        (result,) = run_checks(url, 0 if name == "readyz" else 10, [BY_NAME[name]])
    assert result.status == "fail", result
    assert "\n" not in result.reason


def test_a_card_that_cannot_be_read_fails_the_checks_that_need_it(sound) -> None:
    with sound(answers("/v1/metadata", 200, {"schema_version": "v2"})) as url:
        results = {result.check.name: result.status for result in run_checks(url, 10)}
    assert results["card-valid"] == results["endpoints-exist"] == "fail"
    assert results["health"] == results["unknown-path"] == "pass"
