"""What the upstream answers, as bytes that are ready to send."""

import json
from typing import Any, Final

MODEL: Final = "bench"
TOKEN_MARK: Final = b"tok "
ANSWER: Final = b"It rains on the sea."

HEALTH: Final = b'{"status":"ok"}'
READY: Final = b'{"status":"ready","checks":{}}'
CARD: Final = json.dumps(
    {
        "schema_version": "v1",
        "service": {"name": "bench", "version": "1"},
        "instance": "bench-1",
        "capabilities": {
            "domains": ["llm"],
            "operations": ["chat.completions"],
            "streaming": True,
            "max_concurrency": 4096,
            "max_queue": 4096,
        },
        "models": [{"id": MODEL, "operations": ["chat.completions"]}],
    }
).encode()
MODELS: Final = json.dumps(
    {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "bench"}]}
).encode()
CHAT: Final = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": ANSWER.decode()}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 120, "completion_tokens": 6, "total_tokens": 126},
    }
).encode()

GETS: Final[dict[str, bytes]] = {"/health": HEALTH, "/readyz": READY, "/v1/metadata": CARD, "/v1/models": MODELS}

_CHUNK: Final[dict[str, Any]] = {
    "id": "chatcmpl-bench",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": MODEL,
}
CHUNK_HEAD: Final = (
    json.dumps(_CHUNK)[:-1] + ', "choices": [{"index": 0, "delta": {"content": "'
).encode() + TOKEN_MARK
CHUNK_TAIL: Final = b' "}, "finish_reason": null}]}'
LAST_CHUNK: Final = json.dumps(
    {**_CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None}
).encode()
USAGE_CHUNK: Final = json.dumps(
    {**_CHUNK, "choices": [], "usage": {"prompt_tokens": 120, "completion_tokens": 6, "total_tokens": 126}}
).encode()


def token_chunk(sent_ns: int) -> bytes:
    """One token's event; its text carries the monotonic time of sending in nanoseconds, as 20 digits."""
    return b"data: %b%020d%b\n\n" % (CHUNK_HEAD, sent_ns, CHUNK_TAIL)


END_OF_STREAM: Final = b"data: %b\n\ndata: %b\n\ndata: [DONE]\n\n" % (LAST_CHUNK, USAGE_CHUNK)
