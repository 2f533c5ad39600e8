"""A service asks its gateway on behalf of its caller: what it sends, what it takes for an answer, when it gives up."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from nexus.sdk import asking
from nexus.sdk.engine import Call, Engine, Model

MANIFEST = """
[service]
name = "s"
engine = "engine:Asks"
uses = ["images.generations"]
[[endpoints]]
operation = "s.ask"
path = "/v1/s/ask"
[[endpoints]]
operation = "s.loop"
path = "/v1/s/loop"
[limits]
timeout_seconds = 20
"""


class Gateway(ThreadingHTTPServer):
    """A gateway that answers as it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.body = b'{"data":[]}'
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.left = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        if not self.server.hold.is_set():
            self.connection.settimeout(10)
            if self.connection.recv(1) == b"":
                self.server.left.set()
            return
        self.send_response(self.server.status)
        for name, value in {"content-length": str(len(self.server.body)), **self.server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(self.server.body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Asks(Engine):
    def s_ask(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return call.ask(request.get("operation", "images.generations"), request.get("body", {}))

    async def s_loop(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return call.ask("images.generations", {})


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def running(start):
    return start(Asks, MANIFEST).until_ready()


def ask(running: Any, gateway: Gateway, path: str = "/v1/s/ask", **body: Any) -> httpx.Response:
    headers = {"x-nexus-gateway": gateway.url, "x-nexus-delegation": "t0ken", "traceparent": "00-1-2-01"}
    return running.post(path, json=body, headers=headers)


def test_the_question_is_sent_as_the_callers(running, gateway) -> None:
    for _ in range(2):
        assert ask(running, gateway, body={"prompt": "é"}).json() == {"data": []}
    path, headers, body = gateway.asked[1]
    assert (path, body) == ("/v1/images/generations", {"prompt": "é"})
    assert headers["authorization"] == "Bearer t0ken"
    assert headers["content-type"] == "application/json"
    assert headers["traceparent"] == "00-1-2-01"
    assert "x-nexus-delegation" not in headers


def test_the_gateways_refusal_is_the_callers(running, gateway) -> None:
    gateway.status, gateway.headers = 429, {"retry-after": "7"}
    error = {"message": "too many", "type": "rate_limit_error", "param": "size", "code": "budget_exceeded"}
    gateway.body = json.dumps({"error": error}).encode()
    refused = ask(running, gateway)
    assert (refused.status_code, refused.json()["error"], refused.headers["retry-after"]) == (429, error, "7")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b"RIFF", "did not answer images.generations with a JSON object"),
        (200, b"[]", "did not answer images.generations with a JSON object"),
        (500, b"oh", "answered images.generations with status 500"),
        (404, b'{"error":"oh"}', "answered images.generations with status 404"),
    ],
)
def test_what_is_no_answer_is_a_502(running, gateway, status: int, body: bytes, words: str) -> None:
    gateway.status, gateway.body = status, body
    refused = ask(running, gateway)
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "upstream_error")
    assert words in refused.json()["error"]["message"]


def test_an_answer_has_a_largest_size(running, gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LARGEST_ANSWER", 1000)
    gateway.body = b" " * 1001
    refused = ask(running, gateway)
    assert refused.status_code == 502
    assert "larger than 1000 bytes" in refused.json()["error"]["message"]


def test_without_a_gateway_it_is_a_503_that_says_so(running) -> None:
    for headers in ({}, {"x-nexus-gateway": "file:///x", "x-nexus-delegation": "t"}, {"x-nexus-gateway": "http://x"}):
        refused = running.post("/v1/s/ask", json={}, headers=headers)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_ready_service")
        words = "this service asks the gateway for images.generations, and was not called through one"
        assert refused.json()["error"]["message"] == words
    bare = Call("id", Model("m"), {})
    with pytest.raises(asking.ApiError, match="not called through one"):
        bare.ask("images.generations", {})


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::", "http://x:99999999"])
def test_a_gateway_that_cannot_be_asked_is_a_502(running, url: str) -> None:
    headers = {"x-nexus-gateway": url, "x-nexus-delegation": "t"}
    refused = running.post("/v1/s/ask", json={}, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (502, "upstream_error")


def test_what_is_not_under_uses_or_would_block_the_loop_is_the_engines_fault(running, gateway) -> None:
    assert ask(running, gateway, operation="embeddings").status_code == 500
    assert ask(running, gateway, "/v1/s/loop").status_code == 500
    assert not gateway.asked


def test_a_cancelled_call_breaks_the_question_off(running, gateway) -> None:
    gateway.hold.clear()
    with pytest.raises(httpx.ReadTimeout):
        running.post(
            "/v1/s/ask",
            json={},
            headers={"x-nexus-gateway": gateway.url, "x-nexus-delegation": "t"},
            timeout=0.3,
        )
    assert gateway.left.wait(5)
    running.until(lambda: running.service.admission.in_flight == 0)


def test_a_gateway_that_does_not_answer_in_time_is_a_504(start, gateway) -> None:
    running = start(Asks, MANIFEST).until_ready()
    running.service.asker._timeout_seconds = 0.2
    gateway.hold.clear()
    refused = ask(running, gateway)
    assert (refused.status_code, refused.json()["error"]["code"]) == (504, "upstream_timeout")
    assert gateway.left.wait(5)
