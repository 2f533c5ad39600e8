"""Servers that misbehave, many of them in one thread, so that tests can be written without an event loop."""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.chaos.fault_server import Book, FaultServer, Nature
from tests.chaos.proxy import Link, Proxy

T = TypeVar("T")


class Fleet:
    """Use as a context manager. All its servers write into one `book`."""

    def __init__(self) -> None:
        self.book = Book()
        self.servers: list[FaultServer] = []
        self._proxies: list[Proxy] = []

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in (*self._proxies, *self.servers):
            self.run(one.stop())
        self.run(self._cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def urls(self) -> list[str]:
        return [server.url for server in self.servers]

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run something in the fleet's loop; its value."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def add(self, name: str, models: Sequence[str], **nature: Any) -> FaultServer:
        """One more instance, serving at once; `nature` as for `Nature`."""
        server = FaultServer(Nature(name, tuple(models), **nature), self.book)
        self.run(server.start())
        self.servers.append(server)
        return server

    def behind(self, server: FaultServer, link: Link) -> Proxy:
        """A link to a server."""
        proxy = Proxy(server.port, link)
        self.run(proxy.start())
        self._proxies.append(proxy)
        return proxy

    def stop(self, server: FaultServer) -> None:
        """As if it was killed."""
        self.run(server.stop())

    def restart(self, server: FaultServer) -> None:
        """It is there again, at its old port."""
        self.run(server.start())

    async def _cancel_all(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
