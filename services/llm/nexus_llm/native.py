"""llama.cpp's server engine in this process: one model loaded, its generations as iterators of its own chunks."""

import http.client
import json
import queue
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import xllamacpp

from nexus.contract.errors import INTERNAL_ERROR, INVALID_REQUEST, ApiError
from nexus.sdk.engine import Call
from nexus_llm.options import Options

FINGERPRINT: Final = f"xllamacpp-{xllamacpp.__version__}"
_ERRORS_ONLY: Final = 1
_KV_TYPES: Final = {"f16": "GGML_TYPE_F16", "q8_0": "GGML_TYPE_Q8_0"}

Chunk = dict[str, Any]
_Handler = Callable[[dict[str, Any], Callable[[Chunk], bool]], Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """How one model is run: threads that compute, sequences at once, tokens of context for each sequence."""

    threads: int
    parallel: int
    context: int
    options: Options


class Native:
    """One loaded model. `knows_tools` says whether its chat template has a place for tools."""

    def __init__(self, path: Path, settings: Settings) -> None:
        key = secrets.token_hex(16)  # the engine always opens a port on loopback: nobody else gets in
        self._server: Any = xllamacpp.Server(_params(path, settings, key))
        self.settings = settings
        self.knows_tools = _template_knows_tools(self._server.listening_address, key)

    def chat(self, body: dict[str, Any], call: Call) -> Iterator[Chunk]:
        """The chunks of a chat generation, as `generate` gives them."""
        return generate(self._server.handle_chat_completions, body, call, "messages")

    def text(self, body: dict[str, Any], call: Call) -> Iterator[Chunk]:
        """The chunks of a plain continuation, as `generate` gives them."""
        return generate(self._server.handle_completions, body, call, "prompt")

    def close(self) -> None:
        """Let the model go; its memory is free once the generations that still run have ended."""
        self._server = None


def generate(handler: _Handler, body: dict[str, Any], call: Call, prompt: str) -> Iterator[Chunk]:
    """Run one generation in a thread of its own and give its chunks as they come.

    `prompt` names the part of the request that is too long when the context is. Closing the iterator, or cancelling
    the call, stops the engine at its next token or prompt batch. Raises ApiError when the engine refuses or fails,
    or when the call was cancelled.
    """
    chunks: queue.SimpleQueue[Chunk | Exception | None] = queue.SimpleQueue()
    stopped = threading.Event()

    def take(chunk: Chunk) -> bool:
        chunks.put(chunk)
        return stopped.is_set() or call.cancelled

    def run() -> None:
        try:
            result = handler({**body, "stream": True, "timings_per_token": True, "return_progress": True}, take)
            if isinstance(result, dict) and "error" in result:
                chunks.put(result)
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread that waits has to hear of it
            chunks.put(error)
        finally:
            chunks.put(None)

    call.on_cancel(lambda: chunks.put(None))
    thread = threading.Thread(target=run, name="generation", daemon=True)
    thread.start()
    try:
        while (chunk := chunks.get()) is not None:
            if isinstance(chunk, Exception):
                raise _refusal(str(chunk)) from chunk
            if "error" in chunk:
                raise _engine_error(chunk["error"], prompt)
            yield chunk
        call.go_on()
    finally:
        stopped.set()
        thread.join()  # the call's place is free only when the engine's is


def _params(path: Path, settings: Settings, key: str) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel = settings.parallel
    params.n_ctx = settings.context * settings.parallel  # the engine divides it among the sequences
    params.n_batch = max(settings.options.prompt_batch, settings.parallel)
    params.cpuparams.n_threads = settings.threads
    params.cache_ram_mib = 0  # its default would keep up to 8 GB of old prompts
    kv_type = getattr(xllamacpp.ggml_type, _KV_TYPES[settings.options.kv_cache])
    params.cache_type_k = kv_type
    params.cache_type_v = kv_type
    if settings.options.gpu_layers is not None:
        params.n_gpu_layers = settings.options.gpu_layers
    if settings.options.chat_template is not None:
        params.chat_template = settings.options.chat_template
    params.use_jinja = True
    params.ui = False
    params.endpoint_slots = False
    params.api_keys = [key]
    params.verbosity = _ERRORS_ONLY
    return params


def _template_knows_tools(address: str, key: str) -> bool:
    """What the engine found out about the chat template, from its own properties endpoint."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    try:
        connection.request("GET", "/props", headers={"authorization": f"Bearer {key}"})
        properties = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return bool(properties.get("chat_template_caps", {}).get("supports_tools"))


def _engine_error(error: Any, prompt: str) -> ApiError:
    message = str(error.get("message", error)) if isinstance(error, dict) else str(error)
    if isinstance(error, dict) and error.get("type") == "exceed_context_size_error":
        tokens, context = error.get("n_prompt_tokens"), error.get("n_ctx")
        message = f"the request has {tokens} tokens; the model's context is {context} tokens"
        return ApiError(INVALID_REQUEST, message, param=prompt, code="context_length_exceeded")
    if isinstance(error, dict) and error.get("code") == 400:
        return ApiError(INVALID_REQUEST, message)
    return ApiError(INTERNAL_ERROR, f"the engine failed: {message}")


def _refusal(message: str) -> ApiError:
    """An exception from the engine's own reading of the request: it is raised before anything is generated."""
    return ApiError(INVALID_REQUEST, f"the engine refuses the request: {message}")
