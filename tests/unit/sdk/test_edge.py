"""The edge: ids, log lines, and an answer even when the application has none."""

import logging
from typing import Any

import pytest

from nexus.sdk.edge import Edge, choose_request_id


async def through(app: Any, path: str = "/x", headers: Any = ()) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": path, "headers": list(headers)}
    await Edge(app)(scope, receive, send)
    return sent


async def fine(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["state"]["request_id"].encode()})


async def faulty(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("secret detail")


async def half(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("secret detail")


async def test_the_id_is_given_on_and_back(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "nexus.sdk.edge"):
        sent = await through(fine, headers=[(b"x-request-id", b"abc")])
    assert sent[0]["headers"] == [(b"x-request-id", b"abc")]
    assert sent[1]["body"] == b"abc"
    assert [(record.path, record.status) for record in caplog.records] == [("/x", 200)]  # type: ignore[attr-defined]


async def test_probes_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "nexus.sdk.edge"):
        await through(fine, "/health")
        await through(fine, "/v1/calls/abc")
    assert not caplog.records


async def test_a_fault_is_a_500_in_the_envelope(caplog: pytest.LogCaptureFixture) -> None:
    sent = await through(faulty)
    assert sent[0]["status"] == 500
    assert b"secret" not in sent[1]["body"]
    assert "secret detail" in caplog.text


async def test_a_fault_in_an_answer_leaves_it_unfinished() -> None:
    assert len(await through(half)) == 1


@pytest.mark.parametrize("value", [b"", b"a b", b"x" * 129, b"a\xff", b"<x>"])
def test_senseless_ids_are_replaced(value: bytes) -> None:
    assert choose_request_id([(b"x-request-id", value)]) != value.decode("latin-1")
    assert choose_request_id([]) != choose_request_id([])
