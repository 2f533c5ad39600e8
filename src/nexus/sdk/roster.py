"""Which models a service has and in which state; the event loop alone reads and changes it."""

import asyncio
import difflib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from nexus.contract import card as contract
from nexus.contract.errors import MODEL_NOT_FOUND, NO_READY_SERVICE, ApiError
from nexus.sdk.calls import RunningCall
from nexus.sdk.engine import Model
from nexus.sdk.models import ModelEntry
from nexus.sdk.problems import ManifestError

LOADING_RETRY_AFTER: Final = 2.0


@dataclass(eq=False)
class Resident:
    """One model: what was asked for (`entry`, None for the implicit model) and what has come of it.

    `model` has its path and digest once its files were found; `reason` says why it failed; `calls` are those that it
    answers now. `loaded`: the engine holds it; `busy`: it is being loaded or unloaded; `gone`: nobody wants it now.
    `since` is when (by time.monotonic) its last call ended, or its state changed last.
    """

    model: Model
    entry: ModelEntry | None
    state: contract.ModelState = "loading"
    reason: str = ""
    calls: set[RunningCall] = field(default_factory=set)
    loaded: bool = False
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    gone: threading.Event = field(default_factory=threading.Event)
    since: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        return self.model.id

    @property
    def on_demand(self) -> bool:
        return self.entry is not None and self.entry.load.on_demand

    @property
    def can_answer(self) -> bool:
        """Whether calls may come: it is ready, or the first of them will load it."""
        return self.state == "ready" or (self.on_demand and self.state in ("unloaded", "loading"))

    @property
    def idle(self) -> bool:
        """Whether it is in memory only on demand, and nobody has asked for it long enough."""
        if self.entry is None or not self.entry.load.idle_seconds or self.state != "ready" or self.calls:
            return False
        return time.monotonic() - self.since >= self.entry.load.idle_seconds

    def turn(self, state: contract.ModelState, reason: str = "") -> None:
        """Change the state."""
        self.state, self.reason, self.since = state, reason, time.monotonic()

    def serves(self, operation: str) -> bool:
        return not self.model.operations or operation in self.model.operations


class Roster:
    """The models by id, in the manifest's order, and the manifest's entries that cannot be used."""

    def __init__(self, operations: tuple[str, ...]) -> None:
        self.operations = operations
        self.residents: dict[str, Resident] = {}
        self.problems: tuple[ManifestError, ...] = ()

    def named(self, name: str) -> Resident | None:
        """The model of that id or alias."""
        if name in self.residents:
            return self.residents[name]
        return next((one for one in self.residents.values() if name in one.model.aliases), None)

    def choose(self, name: str | None, operation: str) -> Resident:
        """The model that can answer a request that names `name`, or none. Raises ApiError (404, 503)."""
        if name is None:
            return self._first(operation)
        resident = self.named(name)
        if resident is None or not resident.serves(operation):
            raise self._unknown(name, operation)
        if not resident.can_answer:
            raise _unready(resident)
        return resident

    @contextmanager
    def lease(self, resident: Resident, running: RunningCall) -> Iterator[None]:
        """Hold the model while a call runs on it, so that it is not unloaded under the call. Raises ApiError (503)."""
        if resident.state != "ready":
            raise _unready(resident)
        resident.calls.add(running)
        try:
            yield
        finally:
            resident.calls.discard(running)
            resident.since = time.monotonic()

    def on_card(self) -> tuple[contract.Model, ...]:
        """The models as the card tells them; the implicit model is not one of them."""
        return tuple(
            one.entry.on_card(self.operations, one.state, one.model.digest)
            for one in self.residents.values()
            if one.entry is not None
        )

    def _first(self, operation: str) -> Resident:
        able = [one for one in self.residents.values() if one.serves(operation)]
        for resident in able:
            if resident.can_answer:
                return resident
        if able:
            raise _unready(able[0])
        raise ApiError(NO_READY_SERVICE, f"no model for {operation} is there", retry_after=LOADING_RETRY_AFTER)

    def _unknown(self, name: str, operation: str) -> ApiError:
        names = [
            word for one in self.residents.values() if one.serves(operation) for word in (one.id, *one.model.aliases)
        ]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"; did you mean {' or '.join(repr(word) for word in near)}?" if near else ""
        return ApiError(MODEL_NOT_FOUND, f"the model {name!r} does not exist for {operation}{hint}", param="model")


def _unready(resident: Resident) -> ApiError:
    reason = f": {resident.reason}" if resident.reason else ""
    return ApiError(
        NO_READY_SERVICE, f"the model {resident.id!r} is {resident.state}{reason}", retry_after=LOADING_RETRY_AFTER
    )
