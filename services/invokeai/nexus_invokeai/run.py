"""One picture from its graph to its file, told as it goes; given up at the engine when nobody waits."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from nexus.contract.errors import NO_READY_SERVICE, OVERLOADED, UPSTREAM_ERROR, ApiError
from nexus_invokeai.graphs import Drawing, graph, weights
from nexus_invokeai.invoke import Invoke, Item
from nexus_invokeai.progression import FINISHED, Ended, Preview, Progression, Step, Told
from nexus_invokeai.refusals import failed
from nexus_invokeai.socket import Events, HungUpError

T = TypeVar("T")
CANCEL_SECONDS: Final = 1.0
_SILENCE_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.5
_LATE_SECONDS: Final = 0.2
_LATE_LOOKS: Final = 10


async def run(invoke: Invoke, drawing: Drawing, *, keep: bool = False) -> AsyncGenerator[Step | Preview | bytes, None]:
    """What is told of the picture while it is made, and last its file. Raises ApiError.

    The socket is open before the graph goes out, so that nothing is missed. Where the engine takes none, or it breaks
    off, the item is asked after instead. Item and picture are deleted at the engine, unless they are to be kept.
    """
    built = graph(drawing)
    over = False
    async with invoke.listen() as events:
        submitting = asyncio.ensure_future(invoke.enqueue(built))
        try:
            item_id = await asyncio.shield(submitting)
            async for told in _told(invoke, item_id, Progression(item_id, weights(built)), events):
                if isinstance(told, Ended):
                    over = True
                    _succeeded(told)
                else:
                    yield told
            name = await _picture(invoke, item_id)
            body = await invoke.image(name)
        finally:
            if not over:
                await bounded(_given_up(invoke, submitting))
    if not keep:
        await bounded(_cleared(invoke, item_id, name))
    yield body


def _succeeded(ended: Ended) -> None:
    if ended.status == "failed":
        raise failed(ended.reason, ended.kind)
    if ended.status == "canceled":
        message = "the engine gave the picture up: it was restarted, or somebody else cancelled it"
        raise ApiError(OVERLOADED, message, retry_after=1)


async def _told(invoke: Invoke, item_id: int, progression: Progression, events: Events | None) -> AsyncIterator[Told]:
    """Everything until the item has ended. When nothing comes for a while, the item is asked after."""
    while events is not None:
        try:
            event = await events.heard(_SILENCE_SECONDS)
        except HungUpError:
            break
        if event is None:
            if (await _standing(invoke, item_id)).status in FINISHED:
                break
            continue
        for one in _read(progression, *event):
            yield one
            if isinstance(one, Ended):
                return
    async for one in _polled(invoke, item_id):
        yield one


def _read(progression: Progression, event: str, data: Any) -> list[Told]:
    try:
        return progression.feed(event, data)
    except ValueError as error:
        raise ApiError(UPSTREAM_ERROR, f"the engine said what is no event of its queue: {error}") from error


async def _polled(invoke: Invoke, item_id: int) -> AsyncIterator[Step | Ended]:
    while True:
        item = await _standing(invoke, item_id)
        if item.status in FINISHED:
            yield Ended(item.status, item.error_message, item.error_type)
            return
        yield Step(0.0, "waiting in the engine's queue" if item.status == "pending" else "running")
        await asyncio.sleep(_POLL_SECONDS)


async def _standing(invoke: Invoke, item_id: int) -> Item:
    item = await _again(lambda: invoke.item(item_id))
    if item is None:
        raise ApiError(NO_READY_SERVICE, "the engine has lost the picture's place in its queue", retry_after=2)
    return item


async def _picture(invoke: Invoke, item_id: int) -> str:
    """The name of the picture, which can be told a little later than that the item is completed."""
    for _ in range(_LATE_LOOKS):
        item = await _standing(invoke, item_id)
        if item.image is not None:
            return item.image
        await asyncio.sleep(_LATE_SECONDS)
    raise ApiError(UPSTREAM_ERROR, "the engine finished and tells no picture")


async def _again(look: Callable[[], Awaitable[T]]) -> T:
    """What a look tells; one that breaks off is taken once more, as it may have met an engine just being restarted."""
    try:
        return await look()
    except ApiError as error:
        if error.kind is not UPSTREAM_ERROR:
            raise
        await asyncio.sleep(_POLL_SECONDS)
        return await look()


async def _given_up(invoke: Invoke, submitting: "asyncio.Future[int]") -> None:
    """Cancel the item, once it is certain which it is."""
    await invoke.cancel(await submitting)


async def _cleared(invoke: Invoke, item_id: int, name: str) -> None:
    await invoke.forget(item_id)
    await invoke.drop(name)


async def bounded(work: Coroutine[Any, Any, None]) -> None:
    """Have something done, and wait a second for it at most; its failure is no one's."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.wait({task}, timeout=CANCEL_SECONDS)
