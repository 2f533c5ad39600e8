"""The service's folder on the import path, and the service in front of an engine's simulator."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

FOLDER = Path(__file__).parents[1]
sys.path[:0] = [str(FOLDER), str(FOLDER / "tests")]


@pytest.fixture(scope="session")
def client_of(serve: Any) -> Callable[..., AbstractContextManager[httpx.Client]]:
    """A context manager that serves the folder with some variables and gives a client of it."""

    @contextmanager
    def client(**environment: str) -> Iterator[httpx.Client]:
        with serve(FOLDER, **environment) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
            yield client

    return client
