"""A server that speaks as mlx_lm.server 0.32.2 does, and can be made to fail in the ways that the real one does only in
the field. Run it as that is run: `python simulator.py --host 127.0.0.1 --port 8080 --model org/name`.

What the last message says decides how it goes: see `Handler._generate` and `Writer.write`. `GET /seen` tells what it
was asked, which is not a path of the real one.
"""

import argparse
import json
import os
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

WORDS = ("One ", "fine ", "answer.")
CALL = '{"city": "Zürich"}'


class Seen:
    """What happened so far. `loaded` names the models in the order in which they came into memory."""

    def __init__(self, model: str | None) -> None:
        self.own = model
        self.dead = False
        self.wedged = False
        self.lock = Lock()
        self.told: dict[str, Any] = {"pid": os.getpid(), "requests": [], "loaded": [], "stopped": 0, "running": []}

    def note(self, key: str, value: Any) -> None:
        with self.lock:
            self.told[key].append(value)

    def load(self, name: str) -> None:
        wanted = self.own if name == "default_model" else name
        if wanted is None or "missing" in wanted:
            raise RuntimeError(f"Repository Not Found for url: {wanted}")
        with self.lock:
            if not self.told["loaded"] or self.told["loaded"][-1] != wanted:
                if self.told["running"]:
                    raise AssertionError("a model was swapped while another one answered")
                self.told["loaded"].append(wanted)


def handler(seen: Seen) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """HTTP/1.0, as the class has it by default: one request a connection, its end the end of the answer."""

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/health":
                self._json(503 if seen.dead else 200, {"status": "unavailable" if seen.dead else "ok"})
            elif self.path.startswith("/v1/models"):
                self._json(200, None)  # no cache folder: the error comes after the headers, and no body
            elif self.path == "/seen":
                self._json(200, seen.told)
            else:
                self._text(404, b"Not Found")

        def do_POST(self) -> None:
            if self.path not in ("/v1/completions", "/v1/chat/completions", "/chat/completions"):
                return self._text(404, b"Not Found")
            if self.headers.get("content-length") is None:
                return self._json(411, {"error": "Content-Length header is required"})
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seen.note("requests", body)
            if seen.dead:
                return self._json(404, {"error": "generation thread died"})
            try:
                seen.load(body.get("model", "default_model"))
            except RuntimeError as error:
                return self._json(404, {"error": str(error)})
            seen.note("running", body["model"])
            try:
                self._generate(body, _said(body))
            except (BrokenPipeError, ConnectionResetError):
                with seen.lock:
                    seen.told["stopped"] += 1
            finally:
                with seen.lock:
                    seen.told["running"].remove(body["model"])

        def _generate(self, body: Any, said: str) -> None:
            if said == "template":
                return self._json(404, {"error": "Conversation roles must alternate"})
            if said == "bad":
                return self._json(400, {"error": "'str' object has no attribute 'get'"})
            seen.wedged = seen.wedged or said == "wedge"
            if seen.wedged:
                time.sleep(600)
            if said == "kill":
                os._exit(3)
            if said == "thread":
                seen.dead = True
                return self._json(404, {"error": "generation thread died"})
            self.send_response(200)
            self.send_header("Content-type", "text/event-stream")
            self.send_header("Cache-Control", "no-cache")
            self.end_headers()
            answer = Writer(self, body, "chat" in self.path)
            self.wfile.write(b": keepalive 0/7\n\n: keepalive 7/7\n\n")
            self.wfile.flush()
            return answer.write(said)

        def _json(self, status: int, value: Any) -> None:
            self._text(status, b"" if value is None else json.dumps(value).encode())

        def _text(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-type", "application/json")
            self.end_headers()
            self.wfile.write(body)

    return Handler


class Writer:
    """One answer as `APIHandler.handle_completion` streams it."""

    def __init__(self, to: BaseHTTPRequestHandler, body: Any, chat: bool) -> None:
        self.to, self.body, self.chat = to, body, chat
        self.made = 0
        self.id = f"{'chatcmpl' if chat else 'cmpl'}-{uuid.uuid4()}"

    def write(self, said: str) -> None:
        if said == "gibberish":
            return self.send("{not json")
        if said == "nonsense":
            return self.send(json.dumps({"hello": "world"}))
        if said == "think":
            self.chunk(reasoning="Let me see. ")
        instructed = _instructed(self.body)
        for word in instructed or WORDS * (100_000 if said == "long" else 1):
            if self.made == self.body["max_tokens"]:
                return self.end(finish="length")
            self.chunk(word)
            if said in ("long", "slowly"):
                time.sleep(0.02)
            if said == "cut":
                return None
            if said == "stall":
                time.sleep(60)
        if said == "call":
            function = {"name": "get_weather", "arguments": CALL}
            self.chunk("", "tool_calls", calls=[{"function": function, "type": "function", "id": "c1", "index": 0}])
        elif said == "broken call":
            self.chunk("", "tool_calls")
        elif instructed:
            self.chunk("", "stop")
        elif self.made == self.body["max_tokens"]:
            return self.end(finish="length")
        else:
            self.chunk(" Done.", "stop")
        return self.end()

    def end(self, finish: str | None = None) -> None:
        if finish:
            self.chunk("", finish)
        if self.body["stream_options"]["include_usage"]:
            usage = {"prompt_tokens": 7, "completion_tokens": self.made, "total_tokens": 7 + self.made}
            usage["prompt_tokens_details"] = {"cached_tokens": 2}  # type: ignore[assignment]
            self.send(json.dumps({**self.head("chat.completion"), "choices": [], "usage": usage}))
        return self.send("[DONE]")

    def chunk(self, text: str = "", finish: str | None = None, reasoning: str = "", calls: Any = None) -> None:
        self.made += bool(text or reasoning or calls)
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        if self.chat:
            delta: dict[str, Any] = {"role": "assistant"}
            delta.update({"content": text} if text else {})
            delta.update({"reasoning": reasoning} if reasoning else {})
            delta.update({"tool_calls": calls} if calls else {})
            choice["delta"] = delta
        else:
            choice["text"] = text
        kind = "chat.completion.chunk" if self.chat else "text_completion"
        self.send(json.dumps({**self.head(kind), "choices": [choice]}))

    def head(self, kind: str) -> dict[str, Any]:
        model = self.body.get("model", "default_model")
        return {"id": self.id, "system_fingerprint": "sim", "object": kind, "model": model, "created": 1700000000}

    def send(self, data: str) -> None:
        self.to.wfile.write(f"data: {data}\n\n".encode())
        self.to.wfile.flush()


def _instructed(body: Any) -> tuple[str, ...]:
    """What a model writes that does as it is told: JSON by the schema in the last message, a few letters at a time.

    One that was told `sloppily` does so only once it was told that its words were not right, and then in a fence;
    `stubbornly`: never.
    """
    said = _said(body)
    if "fits this JSON Schema" not in said or "stubbornly" in str(body["messages"]):
        return ()
    if "sloppily" in str(body["messages"]) and "This is not right" not in said:
        return ()
    text = json.dumps(_instance(json.loads(said.rpartition("\n")[2])))
    text = f"```json\n{text}\n```" if "sloppily" in str(body["messages"]) else text
    return tuple(text[at : at + 5] for at in range(0, len(text), 5))


def _instance(schema: Any) -> Any:
    """Something that fits a simple schema."""
    if "enum" in schema:
        return schema["enum"][-1]
    kinds = {"string": "Ålesund", "integer": 36, "array": [], "boolean": True}
    if schema.get("type") in kinds:
        return kinds[schema["type"]]
    return {name: _instance(part) for name, part in schema.get("properties", {}).items()}


def _said(body: Any) -> str:
    """What the last message, or the prompt, says."""
    return str(body["messages"][-1]["content"] if "messages" in body else body["prompt"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--model")
    given = parser.parse_args()
    ThreadingHTTPServer((given.host, given.port), handler(Seen(given.model))).serve_forever()


if __name__ == "__main__":
    main()
