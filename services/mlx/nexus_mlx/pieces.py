"""What mlx_lm.server streams, read piece by piece (mlx-lm 0.32.2, `APIHandler.generate_response`).

Its events are OpenAI's but for this: every chunk repeats the role, reasoning is `reasoning`, the last text comes in the
chunk that has `finish_reason`, and the chunk with the usage says `"object": "chat.completion"`. When its generation
fails under way it hangs up: no `finish_reason`, no `[DONE]`.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from nexus.contract.errors import UPSTREAM_ERROR, ApiError

_DONE: Final = "[DONE]"


@dataclass(frozen=True, slots=True)
class Piece:
    """One event. `calls` are whole tool calls in OpenAI's shape; `finish` stands in an answer's last piece, `usage` may
    come after it."""

    id: str
    created: int
    fingerprint: str | None
    text: str = ""
    reasoning: str = ""
    calls: tuple[Mapping[str, Any], ...] = ()
    finish: str | None = None
    usage: Mapping[str, Any] | None = None


async def read_pieces(events: AsyncIterator[str]) -> AsyncIterator[Piece]:
    """The pieces of one answer. Raises ApiError (502) for what is no piece, and for an answer that was broken off."""
    finished = called = False
    async for data in events:
        if data == _DONE:
            break
        piece = read_piece(data)
        called = called or bool(piece.calls)
        finished = finished or piece.finish is not None
        if piece.finish == "tool_calls" and not called:
            # The server leaves out calls that it cannot parse, and says "tool_calls" all the same.
            raise ApiError(UPSTREAM_ERROR, "the model called a tool in a form that the engine cannot read")
        yield piece
    if not finished:
        raise ApiError(UPSTREAM_ERROR, "the engine ended before the answer was complete")


def read_piece(data: str) -> Piece:
    """One event's data. Raises ApiError (502) where it is an error or not what the server writes."""
    try:
        value = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _nonsense() from error
    if error := value.get("error"):
        raise ApiError(UPSTREAM_ERROR, f"the engine failed: {str(error)[:500]}")
    try:
        return _piece(value)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise _nonsense() from error


def _piece(value: Mapping[str, Any]) -> Piece:
    common = {"id": str(value["id"]), "created": int(value["created"]), "fingerprint": value.get("system_fingerprint")}
    if not value["choices"]:
        return Piece(**common, usage=dict(value["usage"]))
    choice = value["choices"][0]
    delta = choice["delta"] if "delta" in choice else {"content": choice["text"]}
    return Piece(
        **common,
        text=_text(delta, "content"),
        reasoning=_text(delta, "reasoning"),
        calls=tuple(dict(call) for call in delta.get("tool_calls") or ()),
        finish=choice.get("finish_reason"),
    )


def _text(delta: Mapping[str, Any], name: str) -> str:
    text = delta.get(name) or ""
    if not isinstance(text, str):
        raise TypeError(name)
    return text


def _nonsense() -> ApiError:
    return ApiError(UPSTREAM_ERROR, "the engine's answer is not what mlx_lm.server writes")
