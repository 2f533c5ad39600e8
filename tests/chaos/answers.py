"""The whole answers that are known beforehand, one an operation, in the pieces that an engine would send them in."""

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

TOKENS: Final = tuple(f"w{number:02d} " for number in range(60))
TEXT: Final = "".join(TOKENS)
OTHER_TOKENS: Final = tuple(f"v{number:02d} " for number in range(60))
OTHER_TEXT: Final = "".join(OTHER_TOKENS)
BIG: Final = "x" * (64 * 1024 * 1024)
PROMPT_TOKENS: Final = 7
SPEECH: Final = b"".join(hashlib.sha256(b"%d" % number).digest() * 32 for number in range(60))
PICTURE: Final = base64.b64encode(SPEECH[:6000]).decode()
UPLOAD: Final = hashlib.sha256(b"upload").digest() * 8192
"""What callers send to be transcribed; a service that gets other bytes says so."""

OPERATIONS: Final = {
    "/v1/chat/completions": "chat",
    "/v1/audio/speech": "speech",
    "/v1/images/generations": "image",
    "/v1/audio/transcriptions": "transcription",
}
"""Path → the short word for what is asked; a chat that is streamed is a `stream`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Joined, `pieces` and then `tail` are the whole body; `tail` is what a stream says after its last token."""

    content_type: str
    pieces: tuple[bytes, ...]
    tail: tuple[bytes, ...] = ()

    @property
    def body(self) -> bytes:
        return b"".join((*self.pieces, *self.tail))


def answer(operation: str, model: str, tokens: tuple[str, ...] = TOKENS, prefill: int = 0) -> Answer:
    """The whole answer of `model` to a call of `operation`, whose prompt ended with so many tokens of an answer."""
    if operation == "stream":
        return _stream(model, tokens, prefill)
    if operation == "speech":
        return Answer("audio/pcm", _split(SPEECH))
    return Answer("application/json", _split(json.dumps(_document(operation, model, "".join(tokens))).encode()))


def event(value: dict[str, Any]) -> bytes:
    """One event of a stream."""
    return f"data: {json.dumps(value)}\n\n".encode()


def usage(tokens: int, prefill: int = 0) -> dict[str, int]:
    """The usage of an answer of so many tokens."""
    prompt = PROMPT_TOKENS + prefill
    return {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}


def _stream(model: str, tokens: tuple[str, ...], prefill: int) -> Answer:
    def chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
        named = {"id": f"chatcmpl-{model}", "object": "chat.completion.chunk", "created": 1, "model": model}
        return event({**named, "choices": choices, **more})

    def delta(fields: dict[str, str], reason: str | None = None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": fields, "finish_reason": reason}]

    role = {"role": "assistant"}
    words = tuple(chunk(delta({**(role if at == 0 else {}), "content": token})) for at, token in enumerate(tokens))
    told = usage(len(tokens), prefill)
    return Answer("text/event-stream", words, (chunk(delta({}, "stop")), chunk([], usage=told), b"data: [DONE]\n\n"))


def _document(operation: str, model: str, text: str) -> dict[str, Any]:
    if operation == "image":
        return {"created": 1, "data": [{"b64_json": PICTURE if text in (TEXT, OTHER_TEXT) else text}]}
    if operation == "transcription":
        return {"text": text}
    message = {"role": "assistant", "content": text}
    return {
        "id": f"chatcmpl-{model}",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage(len(TOKENS)),
    }


def _split(body: bytes) -> tuple[bytes, ...]:
    """Sixty pieces, as many as there are tokens."""
    size = -(-len(body) // len(TOKENS))
    return tuple(body[start : start + size] for start in range(0, len(body), size))
