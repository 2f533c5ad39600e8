"""Requests that go on while a stack is changed under them, and what became of each."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.containers.compose import Project

CALLERS = 3


@dataclass
class Traffic:
    """`instances` counts who answered; `failures` are statuses and errors of requests that were not answered by 200."""

    instances: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


@contextmanager
def embeddings_under_way(stack: Project) -> Iterator[Traffic]:
    """Callers that ask for embeddings, one request after another, until the block ends."""
    traffic, over, token = Traffic(), threading.Event(), stack.token()

    def ask() -> None:
        with httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {token}"}, timeout=60) as http:
            while not over.is_set():
                try:
                    answer = http.post("/v1/embeddings", json={"model": "minilm", "input": "on and on"})
                except httpx.HTTPError as error:
                    traffic.failures.append(repr(error))
                    continue
                if answer.status_code == 200:
                    traffic.instances[answer.headers["x-nexus-instance"]] += 1
                else:
                    traffic.failures.append(f"{answer.status_code} {answer.text[:200]}")

    threads = [threading.Thread(target=ask) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield traffic
    finally:
        over.set()
        for thread in threads:
            thread.join(90)
