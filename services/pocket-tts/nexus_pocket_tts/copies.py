"""Copies of what only one may use at a time: as many as are ever used at once, and not one more."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Copy = TypeVar("Copy")


class Copies(Generic[Copy]):
    """`make` makes one more copy. Safe to use from any thread; nobody waits but for the making."""

    def __init__(self, make: Callable[[], Copy]) -> None:
        self._make = make
        self._free: list[Copy] = []
        self._lock = threading.Lock()

    @contextmanager
    def borrowed(self) -> Iterator[Copy]:
        """A copy that nobody else has until it is given back. One that an error came out of is not used again."""
        with self._lock:
            copy = self._free.pop() if self._free else self._make()
        fit = True
        try:
            yield copy
        except Exception:
            fit = False
            raise
        finally:
            if fit:
                with self._lock:
                    self._free.append(copy)
