"""A server that speaks OpenAI's API without a model, with the habits of several that do; tests change its state.

`fail midway`, `break off`, `end early`, `garbage`, `silent end` and `slowly` in the last message steer its streams.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

EVERY_JSON_ROUTE = (
    "chat/completions",
    "completions",
    "responses",
    "messages",
    "embeddings",
    "rerank",
    "moderations",
    "images/generations",
    "audio/speech",
)
JSON_ROUTES = ("chat/completions", "completions", "responses", "embeddings", "images/generations", "audio/speech")
FORM_ROUTES = ("audio/transcriptions", "audio/translations", "images/edits", "images/variations")
WAV = b"RIFF" + bytes(60)
_NAMED = {
    "responses": ("response.created", "response.completed"),
    "messages": ("message_start", "message_stop"),
    "images/generations": ("image_generation.partial_image", "image_generation.completed"),
}
_PLAIN: dict[str, Any] = {
    "responses": {"id": "resp_1", "object": "response", "status": "completed", "output": []},
    "messages": {"id": "msg_1", "type": "message", "content": []},
    "images/generations": {"created": 1, "data": [{"b64_json": "aGk="}]},
    "rerank": {"results": [{"index": 0, "relevance_score": 0.5}]},
    "moderations": {"id": "m", "results": [{"flagged": False}]},
}


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Upstream:
    """What the server has and does; `asked` is every call, probes (whose bodies are no JSON) are in `probes`."""

    models: list[dict[str, Any]] = field(default_factory=lambda: [{"id": "small"}, {"id": "text-embedding-x"}])
    routes: tuple[str, ...] = (*JSON_ROUTES, "audio/transcriptions", "images/edits")
    key: str | None = None
    catch_all: int | None = None
    failure: tuple[int, Any, dict[str, str]] | None = None
    usage_chunk: bool = True
    listing: Any = None
    asked: list[Asked] = field(default_factory=list)
    probes: list[str] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    async def answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            return _error(
                401, f"Incorrect API key provided: {request.headers.get('authorization', '')[-4:]}", "invalid_api_key"
            )
        if path == "models":
            return self._listing()
        if path not in self.routes:
            return (
                _error(self.catch_all, "what is this?")
                if self.catch_all
                else JSONResponse({"detail": "Not Found"}, 404)
            )
        if path in FORM_ROUTES:
            return await self._form(request, path)
        try:
            body = await request.json()
        except ValueError:
            self.probes.append(path)
            return _error(400, "We could not parse the JSON body of your request.")
        self.asked.append(Asked(path, dict(request.headers), body))
        if self.failure:
            status, told, headers = self.failure
            return JSONResponse(told, status, headers)
        return self._json(path, body)

    def _listing(self) -> Response:
        if self.listing is not None:
            return Response(self.listing, media_type="application/json")
        return JSONResponse({"object": "list", "data": [{"object": "model", **model} for model in self.models]})

    async def _form(self, request: Request, path: str) -> Response:
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            self.probes.append(path)
            return JSONResponse({"detail": [{"loc": ["body", "file"], "msg": "Field required"}]}, 422)
        async with request.form() as form:
            told = [
                (name, value if isinstance(value, str) else (value.filename, await value.read()))
                for name, value in form.multi_items()
            ]
        self.asked.append(Asked(path, dict(request.headers), told))
        fields = dict(told)
        if fields.get("stream") == "true":
            return StreamingResponse(
                _named_events("transcript.text.delta", "transcript.text.done"), media_type="text/event-stream"
            )
        if fields.get("response_format") == "srt":
            return PlainTextResponse("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
        return JSONResponse({"text": "hello"} if path.startswith("audio") else {"created": 1, "data": []})

    def _json(self, path: str, body: dict[str, Any]) -> Response:
        if path == "embeddings":
            data = [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]
            return JSONResponse({"object": "list", "data": data, "model": body["model"], "usage": _usage(1, 0)})
        if path == "audio/speech":
            return StreamingResponse(_sound(), media_type="audio/wav")
        if path in _NAMED and body.get("stream"):
            return StreamingResponse(_named_events(*_NAMED[path]), media_type="text/event-stream")
        if path in _PLAIN:
            return JSONResponse(_PLAIN[path])
        if "messages" not in body and "prompt" not in body:
            return _error(400, "messages: Field required", "missing", "messages")
        said = str(body["messages"][-1]["content"] if "messages" in body else body["prompt"])
        if body.get("stream"):
            return StreamingResponse(self._chunks(path, body, said), media_type="text/event-stream")
        return JSONResponse(_whole(path, body))

    async def _chunks(self, path: str, body: dict[str, Any], said: str) -> AsyncIterator[bytes]:
        wants_usage = bool((body.get("stream_options") or {}).get("include_usage")) and self.usage_chunk
        try:
            yield b": keepalive 1/1\n\n"
            for number in range(400 if "slowly" in said else 4):
                if "slowly" in said:
                    await asyncio.sleep(0.05)
                if number == 2:
                    if "fail midway" in said:
                        yield _event({"error": {"message": "CUDA out of memory", "type": "server_error", "code": 500}})
                        return
                    if "break off" in said:
                        raise ConnectionError("cut")
                    if "end early" in said:
                        return
                    if "garbage" in said:
                        yield b"data: {\n\n"
                yield _event(_chunk(path, body, f"w{number} ", None))
            yield _event(_chunk(path, body, "", "stop"))
            if wants_usage:
                yield _event({**_chunk(path, body, "", None), "choices": [], "usage": _usage(2, 4)})
            if "silent end" not in said:
                yield b"data: [DONE]\n\n"
        finally:
            self.left.set()


def _chunk(path: str, body: dict[str, Any], text: str, finish: str | None) -> dict[str, Any]:
    head = {"id": "c1", "created": 1, "model": body["model"]}
    if path == "completions":
        return {**head, "object": "text_completion", "choices": [{"index": 0, "text": text, "finish_reason": finish}]}
    delta = {"content": text} if text else {}
    choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish, "vendor": "own"}
    return {**head, "object": "chat.completion.chunk", "choices": [choice]}


def _whole(path: str, body: dict[str, Any]) -> dict[str, Any]:
    head = {"id": "c1", "created": 1, "model": body["model"], "usage": _usage(2, 4)}
    if path == "completions":
        return {**head, "object": "text_completion", "choices": [{"index": 0, "text": "w0", "finish_reason": "stop"}]}
    message = {"role": "assistant", "content": "w0 w1", "reasoning": "own field"}
    return {**head, "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def _usage(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


async def _named_events(*names: str) -> AsyncIterator[bytes]:
    for number, name in enumerate(names):
        yield f"event: {name}\n".encode() + _event({"type": name, "sequence_number": number})


async def _sound() -> AsyncIterator[bytes]:
    for _ in range(3):
        yield WAV


def _error(status: int, message: str, code: str | None = None, param: str | None = None) -> Response:
    return JSONResponse({"error": {"message": message, "type": "x", "param": param, "code": code}}, status)


class _Quiet(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """Signals are the test's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def serving(upstream: Upstream) -> Iterator[Upstream]:
    """The upstream listening, on its port of before if it has had one."""
    app = Starlette(routes=[Route("/v1/{path:path}", upstream.answer, methods=["GET", "POST"])])
    config = uvicorn.Config(app, port=upstream.port, log_config=None, lifespan="off", timeout_graceful_shutdown=0)
    server = _Quiet(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    upstream.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.should_exit = server.force_exit = True
        thread.join(5)
