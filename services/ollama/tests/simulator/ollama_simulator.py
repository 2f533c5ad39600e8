"""An Ollama server's wire format without a model: its routes, lines, errors and quirks, as engines' facts record them.

What it answers is steered by the last message: `count N` writes N words, `slowly` waits between them, `fail midway`
ends with an error line, `break off` with half of a chunk, `end early` with no `done`, `garbage` with a line that is no
JSON, `call twice` calls a tool twice. Run it by itself: `python ollama_simulator.py PORT`.
"""

import asyncio
import hashlib
import sys
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ollama_wire import Answer, Asked, Lines, Whole, WireServer

BUSY = "server busy, please try again.  maximum pending requests exceeded"
TOO_LONG = "the input length exceeds the context length"
GIB = 1024**3
FOREVER = datetime(2318, 1, 1, tzinfo=UTC)


@dataclass
class SimModel:
    capabilities: tuple[str, ...] = ("completion", "tools")
    size: int = 2 * GIB
    context: int = 32768
    family: str = "qwen3"
    remote_host: str = ""
    broken: bool = False

    def digest(self, name: str) -> str:
        return hashlib.sha256(name.encode()).hexdigest()


@dataclass
class Running:
    expires: datetime
    context: int


@dataclass
class Simulator:
    """The server with its state; tests change the state and look at `wire.asked`."""

    models: dict[str, SimModel] = field(default_factory=dict)
    running: dict[str, Running] = field(default_factory=dict)
    pulled_bytes: dict[str, int] = field(default_factory=dict)
    queue_full: bool = False
    levels: bool = False
    tags_tell_capabilities: bool = True
    port: int = 0

    def __post_init__(self) -> None:
        self.wire = WireServer(self._handle, self.port)

    def bodies(self, path: str) -> list[Any]:
        """What was asked at a path, oldest first."""
        return [asked.body for asked in self.wire.asked if asked.path == path]

    async def _handle(self, asked: Asked) -> Answer:
        routes = {
            ("GET", "/api/version"): self._version,
            ("GET", "/api/tags"): self._tags,
            ("GET", "/api/ps"): self._ps,
            ("POST", "/api/show"): self._show,
            ("POST", "/api/chat"): self._chat,
            ("POST", "/api/generate"): self._generate,
            ("POST", "/api/embed"): self._embed,
            ("POST", "/api/pull"): self._pull,
            ("DELETE", "/api/delete"): self._delete,
        }
        route = routes.get((asked.method, asked.path))
        return Whole(404, {"error": "404 page not found"}) if route is None else await route(asked.body or {})

    async def _version(self, _: Any) -> Answer:
        return Whole(200, {"version": "0.33.0"})

    async def _tags(self, _: Any) -> Answer:
        return Whole(200, {"models": [self._listed(name) for name in self.models] or None})

    async def _ps(self, _: Any) -> Answer:
        now = datetime.now(UTC)
        self.running = {name: one for name, one in self.running.items() if one.expires > now and name in self.models}
        listed = []
        for name, one in self.running.items():
            entry = {key: value for key, value in self._listed(name).items() if key != "modified_at"}
            entry["size"] = self.models[name].size + GIB // 2
            entry |= {"expires_at": _stamp(one.expires), "size_vram": self.models[name].size}
            listed.append({**entry, "context_length": one.context})
        return Whole(200, {"models": listed})

    def _listed(self, name: str) -> dict[str, Any]:
        model = self.models[name]
        entry: dict[str, Any] = {"name": name, "model": name}
        if model.remote_host:
            entry |= {"remote_model": name, "remote_host": model.remote_host}
        entry |= {"modified_at": "2026-08-20T10:11:12.123456789Z", "size": model.size, "digest": model.digest(name)}
        entry["details"] = {
            "parent_model": "",
            "format": "gguf",
            "family": model.family,
            "families": [model.family],
            "parameter_size": "4.0B",
            "quantization_level": "Q4_K_M",
        }
        return entry | ({"capabilities": list(model.capabilities)} if self.tags_tell_capabilities else {})

    async def _show(self, body: dict[str, Any]) -> Answer:
        name = self._named(body)
        if name is None:
            return _missing(body)
        model = self.models[name]
        return Whole(
            200,
            {
                "license": "long text" * 100,
                "modelfile": "# Modelfile",
                "parameters": "stop <|im_end|>",
                "template": "{{ .Prompt }}",
                "details": self._listed(name)["details"],
                "model_info": {
                    "general.architecture": model.family,
                    f"{model.family}.context_length": model.context,
                    "tokenizer.ggml.tokens": None,
                },
                "capabilities": list(model.capabilities),
                "modified_at": "2026-08-20T10:11:12.123456789Z",
            },
        )

    async def _chat(self, body: dict[str, Any]) -> Answer:
        name, refusal = self._scheduled(body, "completion", "chat")
        if refusal:
            return refusal
        messages = body.get("messages") or []
        if not messages:
            return Whole(200, {**_head(body), "message": _said(""), **self._kept(name, body, "load", "unload")})
        last = str(messages[-1].get("content", ""))
        prompt = sum(len(str(message.get("content", "")).split()) for message in messages)
        return await self._generated(body, name, last, prompt, lambda delta: {"message": {**_said(""), **delta}})

    async def _generate(self, body: dict[str, Any]) -> Answer:
        name, refusal = self._scheduled(body, "completion", "generate")
        if refusal:
            return refusal
        prompt = body.get("prompt") or ""
        if not prompt:
            return Whole(200, {**_head(body), "response": "", **self._kept(name, body, "load", "unload")})

        def written(delta: dict[str, Any]) -> dict[str, Any]:
            thought = {"thinking": delta["thinking"]} if "thinking" in delta else {}
            return {"response": delta.get("content", ""), **thought}

        return await self._generated(body, name, prompt, len(prompt.split()), written)

    def _kept(self, name: str, body: dict[str, Any], loaded: str, unloaded: str) -> dict[str, Any]:
        if body.get("keep_alive") == 0:
            self.running.pop(name, None)
            return {"done": True, "done_reason": unloaded}
        self._touch(name, body)
        return {"done": True, "done_reason": loaded}

    def _scheduled(self, body: dict[str, Any], capability: str, verb: str) -> tuple[str, Answer | None]:
        """The model, or the refusal that the real one's scheduler gives."""
        name = self._named(body)
        if name is None:
            return "", _missing(body)
        model = self.models[name]
        asked_for = body.get("think")
        if not (body.get("messages") or body.get("prompt")) and body.get("keep_alive") == 0:
            return name, None
        if capability not in model.capabilities:
            return name, Whole(400, {"error": f'"{body["model"]}" does not support {verb}'})
        if body.get("tools") and "tools" not in model.capabilities:
            return name, Whole(400, {"error": f"registry.ollama.ai/library/{name} does not support tools"})
        if asked_for and "thinking" not in model.capabilities:
            return name, Whole(400, {"error": f'"{body["model"]}" does not support thinking'})
        if isinstance(asked_for, str) and not self.levels:
            return name, Whole(400, {"error": f'think value "{asked_for}" is not supported for this model'})
        if self.queue_full:
            return name, Whole(503, {"error": BUSY})
        if model.broken:
            blob = f"/root/.ollama/models/blobs/sha256-{model.digest(name)}"
            return name, Whole(500, {"error": f"unable to load model: {blob}"})
        return name, None

    async def _generated(self, body: dict[str, Any], name: str, last: str, prompt: int, shape: Any) -> Answer:
        context = int(body.get("options", {}).get("num_ctx", 4096))
        if prompt > context and body.get("truncate") is False:
            return Whole(400, {"error": TOO_LONG})
        self._touch(name, body)
        lines = self._lines(body, name, last, prompt, shape)
        if body.get("stream", True):
            return Lines(lines)
        raise AssertionError("the service streams every generation")

    async def _lines(
        self, body: dict[str, Any], name: str, last: str, prompt: int, shape: Any
    ) -> AsyncIterator[dict[str, Any] | bytes | None]:
        options = body.get("options", {})
        head, deltas = _head(body), _deltas(body, self.models[name], last)
        limit = options.get("num_predict", len(deltas))
        sent = 0
        for delta in deltas[:limit]:
            if "slowly" in last:
                await asyncio.sleep(0.05)
            if sent == 2 and "fail midway" in last:
                yield {"error": "llama runner process has terminated: exit status 2"}
                return
            if sent == 2 and "break off" in last:
                yield None
            if sent == 2 and "garbage" in last:
                yield b'{"model":"x","message":\n'
            yield {**head, **shape(delta), "done": False, **_logprobs(body, delta)}
            sent += 1
        if "end early" in last:
            return
        reason = "length" if limit < len(deltas) else "stop"
        last_line = {**head, **shape({}), "done": True, "done_reason": reason, "total_duration": 5_000_000}
        counts = {"prompt_eval_count": prompt, "prompt_eval_duration": 1000, "eval_count": sent, "eval_duration": 1000}
        yield {**last_line, "load_duration": 1000, **{key: value for key, value in counts.items() if value}}

    async def _embed(self, body: dict[str, Any]) -> Answer:
        name, refusal = self._scheduled({**body, "messages": ["x"]}, "embedding", "embed")
        if refusal:
            return refusal
        given = body.get("input")
        texts = ([given] if given else []) if isinstance(given, str) else given
        if any(len(text.split()) > 512 for text in texts) and body.get("truncate") is False:
            return Whole(400, {"error": TOO_LONG})
        self._touch(name, body)
        size = body.get("dimensions") or 8
        vectors = [[round(byte / 255 - 0.5, 6) for byte in hashlib.sha256(t.encode()).digest()[:size]] for t in texts]
        answer = {"model": body["model"], "embeddings": vectors, "total_duration": 1000, "load_duration": 1000}
        tokens = sum(len(text.split()) for text in texts)
        return Whole(200, {**answer, **({"prompt_eval_count": tokens} if tokens else {})})

    async def _pull(self, body: dict[str, Any]) -> Answer:
        return Lines(self._pulling(str(body["model"])))

    async def _pulling(self, given: str) -> AsyncIterator[dict[str, Any] | None]:
        """`halfway` breaks off once, and goes on from there when it is asked for again; `unfinished` just ends."""
        yield {"status": "pulling manifest"}
        if "nosuch" in given:
            yield {"error": "pull model manifest: file does not exist"}
            return
        name = given if ":" in given else f"{given}:latest"
        digest, total = f"sha256:{SimModel().digest(name)}", 400
        layer = {"status": f"pulling {digest[7:19]}", "digest": digest, "total": total}
        begun = self.pulled_bytes.get(name, 0)
        if not begun:
            yield layer  # `completed` is 0, and left out
        for completed in range(begun + 100, total + 1, 100):
            await asyncio.sleep(0.02)
            self.pulled_bytes[name] = completed
            yield {**layer, "completed": completed}
            if "halfway" in given and completed == 200 and begun < 200:
                yield None
        if "unfinished" in given:
            return
        yield {"status": "verifying sha256 digest"}
        yield {"status": "writing manifest"}
        self.models[name] = SimModel()
        yield {"status": "success"}

    async def _delete(self, body: dict[str, Any]) -> Answer:
        name = self._named(body)
        if name is None:
            return _missing(body)
        del self.models[name]
        self.running.pop(name, None)
        return Whole(200, None)

    def _named(self, body: dict[str, Any]) -> str | None:
        given = str(body.get("model", ""))
        name = given if ":" in given else f"{given}:latest"
        return name if name in self.models else None

    def _touch(self, name: str, body: dict[str, Any]) -> None:
        kept = body.get("keep_alive", "5m")
        context = int(body.get("options", {}).get("num_ctx", 4096))
        self.running[name] = Running(_expiry(kept), context)
        if kept == 0:
            self.running.pop(name)


def _expiry(kept: str | float) -> datetime:
    units = {"s": 1, "m": 60, "h": 3600}
    seconds = float(kept[:-1]) * units[kept[-1]] if isinstance(kept, str) else kept
    return FOREVER if seconds < 0 else datetime.now(UTC) + timedelta(seconds=seconds)


def _deltas(body: dict[str, Any], model: SimModel, last: str) -> list[dict[str, Any]]:
    thinks = "thinking" in model.capabilities and body.get("think") is not False
    thoughts = [{"content": "", "thinking": word} for word in ("Let", " me", " see.")] if thinks else []
    if body.get("format") and "disobey" not in last:
        import json

        schema = body["format"] if isinstance(body["format"], dict) else {"properties": {"answer": {"type": "string"}}}
        text = json.dumps(_instance(schema, last))
        return thoughts + [{"content": text[at : at + 7]} for at in range(0, len(text), 7)]
    if body.get("tools") and "call" in last:
        function = body["tools"][0]["function"]
        arguments = _instance(function["parameters"], last)
        times = 2 if "call twice" in last else 1
        # The index of each of several calls has been 0 (issue 15457), and the arguments are an object.
        call = {"function": {"index": 0, "name": function["name"], "arguments": arguments}}
        return thoughts + [
            {"content": "", "tool_calls": [{"id": f"call_{time.monotonic_ns() % 10**8:08d}", **call}]}
            for _ in range(times)
        ]
    words = last.split()
    count = int(words[words.index("count") + 1]) if "count" in words else 4
    pieces = [{"content": word if at == 0 else f" {word}"} for at, word in enumerate(f"w{n}" for n in range(count))]
    for stop in body.get("options", {}).get("stop", ()):
        pieces = next((pieces[:at] for at, piece in enumerate(pieces) if stop in piece["content"]), pieces)
    return thoughts + pieces


def _instance(schema: dict[str, Any], last: str) -> Any:
    """Something that fits a simple schema."""
    if "enum" in schema:
        return next((one for one in schema["enum"] if str(one) in last), schema["enum"][0])
    if "properties" in schema or schema.get("type") == "object":
        return {key: _instance(part, last) for key, part in schema.get("properties", {}).items()}
    kinds: dict[str, Any] = {"integer": 3, "number": 1.5, "boolean": True, "array": [], "null": None}
    return kinds.get(str(schema.get("type")), "Ålesund <&>")


def _logprobs(body: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    text = delta.get("content")
    if not body.get("logprobs") or not text:
        return {}
    entry: dict[str, Any] = {"token": text, "logprob": -0.25, "bytes": list(text.encode())}
    if body.get("top_logprobs"):
        entry["top_logprobs"] = [{"token": text, "logprob": -0.25, "bytes": list(text.encode())}]
    return {"logprobs": [entry]}


def _said(content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def _head(body: dict[str, Any]) -> dict[str, Any]:
    return {"model": body["model"], "created_at": _stamp(datetime.now(UTC))}


def _stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _missing(body: dict[str, Any]) -> Answer:
    return Whole(404, {"error": f"model '{body.get('model')}' not found"})


def stocked(port: int = 0) -> Simulator:
    """A server with a model of each kind."""
    return Simulator(
        port=port,
        models={
            "qwen3:4b": SimModel(),
            "deepseek-r1:8b": SimModel(capabilities=("completion", "tools", "thinking"), context=8192),
            "gemma3:latest": SimModel(capabilities=("completion", "vision", "audio"), family="gemma3"),
            "nomic-embed-text:latest": SimModel(capabilities=("embedding",), family="nomic-bert", size=GIB // 4),
        },
    )


if __name__ == "__main__":
    stocked(int(sys.argv[1]))
    threading.Event().wait()
