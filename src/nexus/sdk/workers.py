"""Threads for an engine's blocking code: bounded in number, never the loop's default ones, with back-pressure.

The law of this file: whoever asked for a thread's work and is cancelled waits, all the same, until the thread is
through. So a place in the admission queue is free again only when a thread is, and nothing runs on unseen.
"""

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

T = TypeVar("T")
MAX_ITEMS: Final = 16
_END: Final = object()


class Workers:
    """A pool of `threads` threads. Work that is cancelled is told so by whoever cancels (`Call.cancelled`)."""

    def __init__(self, threads: int, name: str = "engine") -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, function: Callable[[], T]) -> T:
        """What `function` returns or raises, computed in a thread. Cancelled: waits for the thread, then raises."""
        context = contextvars.copy_context()
        future = asyncio.get_running_loop().run_in_executor(self._executor, context.run, function)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await settled(future)
            raise

    async def iterate(self, items: Iterator[T]) -> AsyncGenerator[T, None]:
        """The items, computed in one thread, at most MAX_ITEMS of them ahead of the reader.

        Closed before its end, it closes `items` at its next step (a generator sees GeneratorExit) and waits for that.
        """
        pipe = _Pipe(asyncio.get_running_loop())
        context = contextvars.copy_context()
        thread = asyncio.get_running_loop().run_in_executor(self._executor, context.run, _pump, items, pipe)
        try:
            while (item := await pipe.get()) is not _END:
                yield item
        finally:
            pipe.close()
            await settled(thread)
        thread.result()

    def close(self) -> None:
        """Take no further work; threads that are at work are left to end by themselves."""
        self._executor.shutdown(wait=False, cancel_futures=True)


async def settled(future: asyncio.Future[Any]) -> None:
    """Wait until `future` is done, whatever its result, and even if the waiter is cancelled meanwhile."""
    cancelled = False
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError:
            cancelled = True
    if not future.cancelled():
        future.exception()  # seen: asyncio need not complain that nobody looked
    if cancelled:
        raise asyncio.CancelledError


def _pump(items: Iterator[Any], pipe: "_Pipe") -> None:
    try:
        for item in items:
            if not pipe.put(item):
                break
    finally:
        try:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        finally:
            pipe.put_end()


class _Pipe:
    """A bounded queue from one thread to the event loop; whichever side waits is woken by the other."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: deque[Any] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._ready = asyncio.Event()

    def put(self, item: Any) -> bool:
        """In the thread: hand over one item, waiting while the pipe is full. False once nobody reads any more."""
        with self._changed:
            while len(self._items) >= MAX_ITEMS and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self._items.append(item)
        self._wake()
        return True

    def put_end(self) -> None:
        with self._changed:
            self._items.append(_END)
        self._wake()

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ready.set)

    async def get(self) -> Any:
        """On the loop: the next item, or _END."""
        while True:
            with self._changed:
                if self._items:
                    self._changed.notify()
                    return self._items.popleft()
                self._ready.clear()
            await self._ready.wait()

    def close(self) -> None:
        """On the loop: read no more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
