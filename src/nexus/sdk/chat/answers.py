"""From an engine's steps to what its method returns: a whole answer, or the chunks of a streamed one."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Protocol

from nexus.contract.wire.chat import ChatRequest
from nexus.contract.wire.completions import CompletionRequest
from nexus.sdk.chat.chats import ChatChunks, WholeChat
from nexus.sdk.chat.completions import CompletionChunks, WholeCompletion
from nexus.sdk.chat.heads import Answer, Head, new_head
from nexus.sdk.chat.steps import Step

Steps = AsyncGenerator[Step, None]


class Assembly(Protocol):
    """What answers are made with; the whole of one that is not `streamed` comes at the end."""

    @property
    def streamed(self) -> bool: ...

    def take(self, step: Step) -> Iterator[Answer]: ...

    def end(self, usage: Answer) -> Iterator[Answer]: ...


def new_assembly(request: ChatRequest | CompletionRequest, model: str, fingerprint: str | None) -> Assembly:
    """What makes the answer that the request asks for, beginning now, under the model's id."""
    prefix = "chatcmpl" if isinstance(request, ChatRequest) else "cmpl"
    return assembly(request, new_head(prefix, model, fingerprint))


def assembly(request: ChatRequest | CompletionRequest, head: Head) -> Assembly:
    """The same where the engine itself gives answers their ids."""
    with_usage = bool(request.stream_options and request.stream_options.include_usage)
    if isinstance(request, ChatRequest):
        return ChatChunks(head, with_usage=with_usage) if request.stream else WholeChat(head)
    top = request.logprobs
    return CompletionChunks(head, top, with_usage=with_usage) if request.stream else WholeCompletion(head, top)


def answer(steps: Iterable[Step], made: Assembly, usage: Callable[[], Answer]) -> Answer | Iterator[Answer]:
    """The answer at the steps' pace; `usage` is asked at their end."""
    items = _items(steps, made, usage)
    if made.streamed:
        return items
    (whole,) = items
    return whole


async def answer_async(steps: Steps, made: Assembly, usage: Callable[[], Answer]) -> Answer | AsyncIterator[Answer]:
    """The same for asynchronous steps, which are closed when the answer ends or is given up."""
    items = _async_items(steps, made, usage)
    if made.streamed:
        return items
    (whole,) = [item async for item in items]
    return whole


def _items(steps: Iterable[Step], made: Assembly, usage: Callable[[], Answer]) -> Iterator[Answer]:
    for step in steps:
        yield from made.take(step)
    yield from made.end(usage())


async def _async_items(steps: Steps, made: Assembly, usage: Callable[[], Answer]) -> AsyncIterator[Answer]:
    async with aclosing(steps):
        async for step in steps:
            for item in made.take(step):
                yield item
    for item in made.end(usage()):
        yield item
