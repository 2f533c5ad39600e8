"""From the server's pieces to OpenAI's answers, under the ids that the server gives them."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.contract.wire.chat import ChatRequest
from nexus.contract.wire.completions import CompletionRequest
from nexus.sdk.chat.answers import Assembly, assembly
from nexus.sdk.chat.heads import Answer, Head
from nexus.sdk.chat.steps import Step
from nexus_mlx.pieces import Piece


async def answered(
    pieces: AsyncIterator[Piece], request: ChatRequest | CompletionRequest, model: str
) -> AsyncIterator[Answer]:
    """The chunks of a streamed answer, or the whole of one that is not, under the `model`'s id. Raises ApiError (502)
    for a whole answer whose usage the server forgot."""
    made: Assembly | None = None
    usage: Mapping[str, Any] | None = None
    async for piece in pieces:
        made = made or assembly(request, Head(piece.id, piece.created, model, piece.fingerprint))
        usage = piece.usage or usage
        for step in steps_of(piece):
            for item in made.take(step):
                yield item
    if made is not None and usage is not None:
        for item in made.end(dict(usage)):
            yield item
    elif not request.stream:
        raise ApiError(UPSTREAM_ERROR, "the engine's answer has no usage")


def steps_of(piece: Piece, index: int = 0) -> Iterator[Step]:
    """What the piece holds of choice `index`, one thing a step."""
    if piece.reasoning:
        yield Step(index, {"reasoning_content": piece.reasoning})
    if piece.text:
        yield Step(index, {"content": piece.text})
    if piece.calls:
        yield Step(index, {"tool_calls": list(piece.calls)})
    if piece.finish is not None:
        yield Step(index, finish=piece.finish)
