"""From the server's pieces to OpenAI's answers: the chunks of a streamed one, or the whole of one that is not."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus_mlx.pieces import Piece

Answer = dict[str, Any]
Kind = Literal["chat", "text"]
_WHOLE: Final[Mapping[Kind, str]] = {"chat": "chat.completion", "text": "text_completion"}
_CHUNK: Final[Mapping[Kind, str]] = {"chat": "chat.completion.chunk", "text": "text_completion"}


@dataclass(frozen=True, slots=True)
class Shape:
    """What an answer looks like: of which endpoint, under which model's name, and (in a stream) with usage or not."""

    kind: Kind
    model: str
    usage: bool = False


async def chunks(pieces: AsyncIterator[Piece], shape: Shape) -> AsyncIterator[Answer]:
    """A streamed answer: in chat the role once, in the first chunk; the finish in a chunk of its own; then usage."""
    begun = False
    async for piece in pieces:
        if not begun and shape.kind == "chat":
            yield _chunk(piece, shape, {"role": "assistant", "content": "", "refusal": None})
        begun = True
        for delta in _deltas(piece, shape.kind):
            yield _chunk(piece, shape, delta)
        if piece.finish is not None:
            yield _chunk(piece, shape, {}, piece.finish)
        if piece.usage is not None and shape.usage:
            yield {**_head(piece, shape, _CHUNK), "choices": [], "usage": piece.usage}


async def whole(pieces: AsyncIterator[Piece], shape: Shape) -> Answer:
    """A whole answer. Raises ApiError (502) where the server forgot its usage."""
    gathered = [piece async for piece in pieces]
    usage = next((piece.usage for piece in gathered if piece.usage is not None), None)
    finish = next((piece.finish for piece in gathered if piece.finish is not None), None)
    if usage is None or finish is None:
        raise ApiError(UPSTREAM_ERROR, "the engine's answer has no usage")
    choice = _chat_choice(gathered) if shape.kind == "chat" else {"text": _joined(gathered), "logprobs": None}
    return {
        **_head(gathered[0], shape, _WHOLE),
        "choices": [{"index": 0, **choice, "finish_reason": finish}],
        "usage": usage,
    }


def _deltas(piece: Piece, kind: Kind) -> list[Answer]:
    if kind == "text":
        return [{"content": piece.text}] if piece.text else []
    return [
        delta
        for delta in (
            {"reasoning_content": piece.reasoning} if piece.reasoning else None,
            {"content": piece.text} if piece.text else None,
            {"tool_calls": list(piece.calls)} if piece.calls else None,
        )
        if delta
    ]


def _chunk(piece: Piece, shape: Shape, delta: Answer, finish: str | None = None) -> Answer:
    said = {"delta": delta} if shape.kind == "chat" else {"text": delta.get("content", "")}
    choice = {"index": 0, **said, "logprobs": None, "finish_reason": finish}
    return {**_head(piece, shape, _CHUNK), "choices": [choice], **({"usage": None} if shape.usage else {})}


def _chat_choice(pieces: list[Piece]) -> Answer:
    text = _joined(pieces)
    reasoning = "".join(piece.reasoning for piece in pieces)
    calls = [_without_index(call) for piece in pieces for call in piece.calls]
    message: Answer = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
    if reasoning:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = calls
    return {"message": message, "logprobs": None}


def _without_index(call: Mapping[str, Any]) -> Answer:
    """A call as whole answers have it; the index is for those that put a stream together."""
    return {key: value for key, value in call.items() if key != "index"}


def _joined(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def _head(piece: Piece, shape: Shape, kinds: Mapping[Kind, str]) -> Answer:
    return {
        "id": piece.id,
        "object": kinds[shape.kind],
        "created": piece.created,
        "model": shape.model,
        "system_fingerprint": piece.fingerprint,
    }
