"""Operations over HTTP: the four ways of answering, refusals, the queue, deadlines, and callers that leave."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.sdk.engine import Call, Content, Engine, Form, Model

MANY = 100_000


class Message(BaseModel):
    role: str
    content: str


class Chat(BaseModel):
    messages: list[Message]


class Ask(BaseModel):
    how: str = "value"
    n: int = 3


class Probe(Engine):
    """Every way in which an engine can answer, and what it saw."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.seen: list[str] = []
        self.go = threading.Event()
        self.produced = 0
        Probe.last = self

    async def chat_completions(self, request: Chat, call: Call) -> AsyncIterator[dict[str, Any]]:
        for message in request.messages:
            if message.content == "break":
                raise RuntimeError("secret detail")
            yield {"text": message.content}

    def probe_ask(self, request: Ask, call: Call) -> Any:
        return getattr(self, request.how)(request, call)

    def value(self, request: Ask, call: Call) -> Any:
        return {"thread": threading.current_thread().name, "n": request.n, "id": call.request_id, "m": call.model.id}

    def items(self, request: Ask, call: Call) -> Iterator[dict[str, int]]:
        return ({"n": number} for number in range(request.n))

    def nothing(self, request: Ask, call: Call) -> Iterator[dict[str, int]]:
        return iter(())

    def late(self, request: Ask, call: Call) -> Iterator[dict[str, int]]:
        yield {"n": 0}
        raise ApiError(INVALID_REQUEST, "late")

    def early(self, request: Ask, call: Call) -> Iterator[dict[str, int]]:
        raise ApiError(INVALID_REQUEST, "early", param="how")
        yield {}

    def broken(self, request: Ask, call: Call) -> Any:
        raise RuntimeError("secret detail")

    def odd(self, request: Ask, call: Call) -> Any:
        return object()

    def resigned(self, request: Ask, call: Call) -> Any:
        raise asyncio.CancelledError

    def content(self, request: Ask, call: Call) -> Content:
        return Content(b"\x00\x01", "image/png")

    def wait(self, request: Ask, call: Call) -> Any:
        """Works until it is cancelled or let go."""
        self.seen.append("begun")
        while not call.cancelled and not self.go.wait(0.005):
            pass
        self.seen.append("cancelled" if call.cancelled else "done")
        return {"done": True}

    def endless(self, request: Ask, call: Call) -> Iterator[dict[str, Any]]:
        try:
            while True:
                self.produced += 1
                yield {"filling": "x" * 5000}
        finally:
            self.seen.append("closed")

    async def probe_bytes(self, request: dict[str, Any], call: Call) -> AsyncIterator[bytes]:
        try:
            yield b"RIFF"
            if request.get("break"):
                raise RuntimeError("secret detail")
            if request.get("wait"):
                await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise

    async def probe_form(self, request: Form, call: Call) -> dict[str, Any]:
        upload = request.files["file"]
        lists = {name: list(values) for name, values in request.lists.items()}
        return {"name": upload.filename, "size": len(upload.body), "fields": dict(request.fields), "lists": lists}

    async def probe_get(self, request: Ask, call: Call) -> dict[str, int]:
        return {"n": request.n}


Probe.last = None  # type: ignore[attr-defined]


@pytest.fixture
def running(start):
    return start(Probe).until_ready()


def engine() -> Probe:
    return Probe.last  # type: ignore[attr-defined]


def code(response: httpx.Response) -> tuple[int, str]:
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "secret" not in response.text
    return response.status_code, error["code"]


def test_a_blocking_value_runs_in_a_thread_of_the_engines_pool(running) -> None:
    answer = running.post("/v1/probe/ask", json={"n": 7}, headers={"x-request-id": "abc"})
    assert answer.json()["n"] == 7
    assert answer.json()["id"] == "abc"
    assert answer.json()["m"] == "probe"
    assert answer.json()["thread"].startswith("engine")


def test_a_blocking_iterator_is_streamed_without_done(running) -> None:
    answer = running.ask(how="items")
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.text == 'data: {"n":0}\n\ndata: {"n":1}\n\ndata: {"n":2}\n\n'


def test_an_async_generator_of_a_standard_operation_ends_with_done(running) -> None:
    answer = running.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "a"}]})
    assert answer.text == 'data: {"text":"a"}\n\ndata: [DONE]\n\n'


def test_an_empty_stream_is_a_stream(running) -> None:
    assert running.ask(how="nothing").text == ""
    assert running.post("/v1/chat/completions", json={"messages": []}).text == "data: [DONE]\n\n"


def test_content_is_sent_as_it_is(running) -> None:
    answer = running.ask(how="content")
    assert (answer.content, answer.headers["content-type"]) == (b"\x00\x01", "image/png")


def test_bytes_are_streamed_with_the_endpoints_type(running) -> None:
    answer = running.post("/v1/probe/bytes", json={})
    assert (answer.content, answer.headers["content-type"]) == (b"RIFF", "audio/wav")


def test_a_form_is_read_whole(running) -> None:
    answer = running.post(
        "/v1/probe/form", files={"file": ("a.wav", b"x" * 100)}, data={"language": "en", "tag[]": ["a", "b"]}
    )
    assert answer.json() == {"name": "a.wav", "size": 100, "fields": {"language": "en"}, "lists": {"tag": ["a", "b"]}}


def test_a_query_is_a_request(running) -> None:
    assert running.get("/v1/probe/get", params={"n": 9}).json() == {"n": 9}
    assert code(running.get("/v1/probe/get", params={"n": "x"})) == (400, "invalid_request_error")


def test_an_error_before_the_first_item_is_a_real_one(running) -> None:
    answer = running.ask(how="early")
    assert code(answer) == (400, "invalid_request_error")
    assert answer.json()["error"]["param"] == "how"


def test_an_error_in_a_stream_is_its_last_event(running) -> None:
    first, last = running.ask(how="late").text.strip().split("\n\n")
    assert first == 'data: {"n":0}'
    assert json.loads(last.removeprefix("data: "))["error"]["message"] == "late"
    broken = running.post(
        "/v1/chat/completions",
        json={"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "break"}]},
    )
    assert "[DONE]" not in broken.text
    assert "internal_error" in broken.text
    assert "secret" not in broken.text
    assert 'operation="chat.completions",status="500"} 1.0' in running.get("/metrics").text


def test_a_broken_stream_of_bytes_is_cut_off(running) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        running.post("/v1/probe/bytes", json={"break": True})


@pytest.mark.parametrize("how", ["broken", "odd"])
def test_an_engines_fault_is_a_500_without_details(running, how: str) -> None:
    assert code(running.ask(how=how)) == (500, "internal_error")


def test_an_engine_that_gives_up_by_itself_is_a_500(running) -> None:
    assert code(running.ask(how="resigned")) == (500, "internal_error")


def test_a_caller_that_leaves_in_its_request_is_no_fault(running) -> None:
    caller = socket.create_connection(("127.0.0.1", running.port), timeout=10)
    caller.sendall(b"POST /v1/probe/ask HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
    caller.close()
    running.until(lambda: 'operation="probe.ask",status="499"} 1.0' in running.get("/metrics").text)


def test_requests_are_refused_in_the_envelope(running) -> None:
    json_type = {"content-type": "application/json"}
    post = running.post
    assert code(post("/v1/probe/ask", content=b"{", headers=json_type)) == (400, "invalid_request_error")
    assert code(post("/v1/probe/bytes", content=b"[]", headers=json_type)) == (400, "invalid_request_error")
    assert code(post("/v1/probe/ask", content=b"a=b", headers={"content-type": "text/plain"}))[0] == 415
    assert code(post("/v1/probe/form", json={}))[0] == 415
    assert code(post("/v1/probe/form", content=b"x", headers={"content-type": "multipart/form-data"}))[0] == 400
    assert code(post("/v1/probe/ask", json={"model": "prob"})) == (404, "model_not_found")
    assert code(post("/v1/probe/ask", json={"model": 1}))[0] == 400
    assert code(running.get("/v1/probe/ask"))[0] == 405
    bad = post("/v1/chat/completions", json={"messages": [{"role": "user"}]})
    assert code(bad)[0] == 400
    assert bad.json()["error"]["param"] == "messages[0].content"


def test_bodies_over_the_limit_are_refused_declared_or_not(running) -> None:
    assert code(running.post("/v1/probe/ask", json={"how": "x" * 3000})) == (413, "request_too_large")

    def chunks() -> Iterator[bytes]:
        yield from [b" " * 900] * 3

    answer = running.post("/v1/probe/ask", content=chunks(), headers={"content-type": "application/json"})
    assert code(answer) == (413, "request_too_large")
    assert running.ask().status_code == 200


def request_bytes(path: str, body: dict[str, Any]) -> bytes:
    text = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
    return head.encode() + text


def send_raw(running, body: dict[str, Any], path: str = "/v1/probe/ask") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", running.port), timeout=10)
    connection.sendall(request_bytes(path, body))
    return connection


def received_until(connection: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        piece = connection.recv(4096)
        assert piece, data
        data += piece
    return data


def test_the_queue_is_bounded_and_a_leaver_gives_its_place_back(running) -> None:
    admission = running.service.admission
    holders = [send_raw(running, {"how": "wait"}) for _ in range(2)]
    running.until(lambda: engine().seen.count("begun") == 2)
    waiting = send_raw(running, {"how": "wait"})
    running.until(lambda: admission.queued == 1)
    refused = running.ask()
    assert code(refused) == (429, "concurrency_exceeded")
    assert int(refused.headers["retry-after"]) >= 1
    waiting.close()
    running.until(lambda: admission.queued == 0)
    assert engine().seen.count("begun") == 2
    engine().go.set()
    for holder in holders:
        assert b'{"done":true}' in received_until(holder, b"}")
        holder.close()
    assert running.ask().status_code == 200
    assert (admission.in_flight, len(running.service.calls)) == (0, 0)


def test_a_caller_that_leaves_while_it_is_computed_for_is_noticed_within_a_second(running) -> None:
    caller = send_raw(running, {"how": "wait"})
    running.until(lambda: engine().seen == ["begun"])
    started = time.monotonic()
    caller.close()
    running.until(lambda: engine().seen == ["begun", "cancelled"])
    assert time.monotonic() - started < 1
    running.until(lambda: running.service.admission.in_flight == 0)


def test_a_caller_that_leaves_a_blocking_stream_closes_its_generator(running) -> None:
    caller = send_raw(running, {"how": "endless"})
    assert caller.recv(100)
    caller.close()
    running.until(lambda: "closed" in engine().seen)
    running.until(lambda: running.service.admission.in_flight == 0)


def test_a_caller_that_leaves_an_async_stream_cancels_it(running) -> None:
    caller = send_raw(running, {"wait": True}, "/v1/probe/bytes")
    assert b"200 OK" in caller.recv(100)
    caller.close()
    running.until(lambda: engine().seen == ["cancelled"])


def test_a_reader_that_stalls_stalls_the_generator(running) -> None:
    caller = send_raw(running, {"how": "endless"})
    assert caller.recv(100)
    last = -1

    def stands() -> bool:
        nonlocal last
        before, last = last, engine().produced
        for _ in range(10):  # in that time, a generator that nothing holds would make thousands more
            running.get("/health")
        return before == last

    running.until(stands)
    assert last < MANY
    caller.close()
    running.until(lambda: "closed" in engine().seen)


def test_a_call_that_takes_too_long_is_a_504_and_is_cancelled(start) -> None:
    running = start(Probe, change=("timeout_seconds = 20", "timeout_seconds = 0.2")).until_ready()
    assert code(running.ask(how="wait")) == (504, "upstream_timeout")
    running.until(lambda: engine().seen == ["begun", "cancelled"])
    with pytest.raises(httpx.RemoteProtocolError):
        running.post("/v1/probe/bytes", json={"wait": True})
    running.until(lambda: engine().seen[-1] == "cancelled")
    slow = socket.create_connection(("127.0.0.1", running.port), timeout=10)
    slow.sendall(b"POST /v1/probe/ask HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
    answer = b""
    while piece := slow.recv(1000):  # to the end: the connection is closed
        answer += piece
    assert b" 408 " in answer
    assert b'"request_timeout"' in answer
    slow.close()


def test_a_call_whose_deadline_passes_is_stopped(running) -> None:
    headers = {"x-nexus-deadline": str(time.time() + 0.3)}
    answer = running.post("/v1/probe/ask", json={"how": "wait"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")
    running.until(lambda: engine().seen == ["begun", "cancelled"])
    answer = running.post("/v1/probe/ask", json={"how": "wait"}, headers=headers)
    assert (answer.status_code, engine().seen) == (504, ["begun", "cancelled"])


def test_while_nothing_is_ready_the_answer_is_a_503_to_try_again(start) -> None:
    release = threading.Event()

    def slowly() -> type[Engine]:
        release.wait(10)
        return Slow

    class Slow(Probe):
        def load(self, model: Model) -> None:
            self.go.wait(10)

    running = start(slowly)
    starting = running.ask()
    assert code(starting) == (503, "no_ready_service")
    assert starting.headers["retry-after"]
    assert running.get("/health").json() == {"status": "ok"}
    assert running.get("/v1/metadata").json()["service"]["name"] == "probe"
    release.set()
    running.until(lambda: "model probe" in running.get("/readyz").json()["checks"])
    assert running.get("/readyz").status_code == 503
    assert code(running.ask()) == (503, "no_ready_service")
    engine().go.set()
    running.until_ready()
    assert running.ask().status_code == 200
