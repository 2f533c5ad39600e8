"""Traffic that flows while something else happens, and what came of it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.raw import Answer, RawClient, request


class Traffic:
    """Chat requests from a few threads, one after another in each, until it is stopped; keeps every answer."""

    def __init__(self, gateway: Gateway, **fields: Any) -> None:
        self._gateway = gateway
        self._data = request("/v1/chat/completions", chat_body(**fields), token=TOKEN)
        self._stopping = threading.Event()
        self.answers: list[Answer] = []

    @property
    def failed(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status != 200]

    def count(self, instance: str) -> int:
        """How many answers `instance` gave."""
        return sum(answer.header("x-nexus-instance") == instance for answer in self.answers)

    @contextmanager
    def flowing(self, threads: int = 3) -> Iterator[None]:
        """Traffic as long as the block runs. A connection that breaks is an error of the block."""
        with ThreadPoolExecutor(threads) as pool:
            running = [pool.submit(self._run) for _ in range(threads)]
            try:
                yield
            finally:
                self._stopping.set()
                for one in running:
                    one.result()

    def _run(self) -> None:
        with RawClient(self._gateway.port) as client:
            while not self._stopping.is_set():
                client.send(self._data)
                self.answers.append(client.answer())
