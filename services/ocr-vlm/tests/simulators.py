"""Two servers on loopback that speak as the engines do: vLLM's chat completions, and docling-serve 1.21's tasks.

What a page's colour says decides how it goes (`drawing.COLOURS`).
"""

import base64
import json
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from drawing import word_of

MODEL = "lightonai/LightOnOCR-2-1B"
SLOW_TOKENS = 3000


class Engine(ThreadingHTTPServer):
    """A server with what it was asked, and how often it noticed that its caller had left."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.asked: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.stopped = 0
        self.polled: list[float] = []
        self.most_at_once = 0
        self.running = 0
        self.tasks: dict[str, list[Any]] = {}
        self._connections: list[socket.socket] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.append(request)
        super().process_request(request, client_address)

    def die(self) -> None:
        """Listen no more, and hang up on everybody, as a process that ends does."""
        self.shutdown()
        self.server_close()
        for connection in self._connections:
            with suppress(OSError):  # it had ended already
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def running(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[Engine]:
    """The server while it runs."""
    engine = Engine(port, handler)
    thread = Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield engine
    finally:
        engine.die()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Engine

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def body(self) -> bytes:
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        return self.rfile.read(int(self.headers["content-length"]))

    def answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Vllm(Handler):
    """`vllm serve lightonai/LightOnOCR-2-1B --limit-mm-per-prompt '{"image":1}'`."""

    def do_GET(self) -> None:
        model = {
            "id": MODEL,
            "object": "model",
            "created": 1,
            "owned_by": "vllm",
            "root": MODEL,
            "max_model_len": 16384,
        }
        self.answer(200, {"object": "list", "data": [model]})

    def do_POST(self) -> None:
        request = json.loads(self.body())
        self.server.asked.append(request)
        pictures = [part for part in request["messages"][0]["content"] if part["type"] == "image_url"]
        if len(pictures) != 1:
            message = "At most 1 image(s) may be provided in one prompt."
            return self.answer(
                400, {"error": {"message": message, "type": "BadRequestError", "param": None, "code": 400}}
            )
        word, size = word_of(base64.b64decode(pictures[0]["image_url"]["url"].partition(",")[2]))
        if word == "refuse":
            message = "This model's maximum context length is 16384 tokens. However, you requested 20000 tokens."
            return self.answer(
                400, {"error": {"message": message, "type": "BadRequestError", "param": None, "code": 400}}
            )
        if word == "busy":
            return self.answer(
                503, {"error": {"message": "The engine is overloaded", "type": "Overloaded", "code": 503}}
            )
        self.server.running += 1
        self.server.most_at_once = max(self.server.most_at_once, self.server.running)
        try:
            return self._stream(word, size)
        except (BrokenPipeError, ConnectionResetError):
            self.server.stopped += 1
            self.close_connection = True
        finally:
            self.server.running -= 1

    def _stream(self, word: str, size: tuple[int, int]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.chunk({"role": "assistant", "content": ""})
        pieces = ["```markdown\n"] * (word == "fenced") + ["# A page\n\n", f"of {size[0]} by {size[1]}"]
        for piece in [*pieces, *(["\n```"] if word == "fenced" else [])]:
            time.sleep(0.03)
            self.chunk({"content": piece})
        if word == "cut":
            self.close_connection = True
            return
        if word == "error":
            self.event(json.dumps({"error": {"message": "EngineCore encountered an issue", "type": "x", "code": 500}}))
        if word == "nonsense":
            self.event('{"hello": "world"}')
        for _ in range(SLOW_TOKENS if word == "slow" else 0):
            time.sleep(0.02)
            self.chunk({"content": "and "})
        self.chunk({"content": ""}, "length" if word == "length" else "stop")
        self.event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, delta: Any, finish: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
        self.event(json.dumps({**head, "choices": [choice]}))

    def event(self, data: str) -> None:
        event = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
        self.wfile.flush()


class Docling(Handler):
    """docling-serve's tasks. A task is started at its first look and ends at the second."""

    def do_GET(self) -> None:
        if self.path == "/health":
            return self.answer(200, {"status": "ok"})
        _, _, kind, *rest = self.path.partition("?")[0].split("/")
        if rest[-1] not in self.server.tasks:
            return self.answer(404, {"detail": "Task not found."})
        word, size, looks = self.server.tasks[rest[-1]]
        if kind == "status":
            self.server.polled.append(time.monotonic())
            self.server.tasks[rest[-1]][2] += 1
            if word == "slow":
                time.sleep(0.2)
            ended = "failure" if word == "error" else "success"
            return self._status(rest[-1], "started" if looks == 0 or word == "slow" else ended)
        if word == "nonsense":
            return self.answer(200, {"hello": "world"})
        status = "partial_success" if word == "partial" else "success"
        errors = [{"component_type": "pipeline", "module_name": "ocr", "error_message": "OCR gave up"}]
        document = {
            "filename": "page.png",
            "md_content": f"## A page\n\nof {size[0]} by {size[1]}\n",
            "json_content": None,
        }
        whole = {"document": document, "status": status, "processing_time": 0.1, "timings": {}}
        return self.answer(200, {**whole, "errors": errors if word == "partial" else []})

    def do_POST(self) -> None:
        fields, png = _form(self.headers["content-type"], self.body())
        self.server.asked.append(fields)
        word, size = word_of(png)
        if word == "refuse":
            return self.answer(
                422, {"detail": [{"loc": ["body", "files"], "msg": "Input is not valid", "type": "value"}]}
            )
        task = str(uuid.uuid4())
        self.server.tasks[task] = [word, size, 0]
        return self._status(task, "pending")

    def _status(self, task: str, status: str) -> None:
        self.answer(200, {"task_id": task, "task_type": "convert", "task_status": status, "task_position": 1})


def _form(media_type: str, body: bytes) -> tuple[dict[str, str], bytes]:
    message = BytesParser(policy=HTTP).parsebytes(f"content-type: {media_type}\r\n\r\n".encode() + body)
    fields: dict[str, str] = {}
    file = b""
    for part in message.iter_parts():
        content = part.get_payload(decode=True) or b""
        if part.get_filename():
            file = bytes(content)
        else:
            fields[str(part.get_param("name", header="content-disposition"))] = bytes(content).decode()
    return fields, file
