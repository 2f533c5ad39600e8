"""Which models a service has and in which state; the event loop alone reads and changes it."""

import asyncio
import difflib
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from nexus.contract import card as contract
from nexus.contract.errors import MODEL_NOT_FOUND, NO_READY_SERVICE, ApiError
from nexus.sdk.calls import RunningCall
from nexus.sdk.engine import Found, Model
from nexus.sdk.models import ModelEntry
from nexus.sdk.problems import ManifestError

LOADING_RETRY_AFTER: Final = 2.0


@dataclass(eq=False)
class Resident:
    """One model: what was asked for (`entry`, None for the implicit model and for one that only the engine behind
    tells of), what the engine behind told last (`told`, None where it tells nothing), and what has come of it.

    `model` has its path and digest once its files were found; `reason` says why it failed; `calls` are those that it
    answers now. `loaded`: the engine holds it; `busy`: it is being loaded or unloaded; `gone`: nobody wants it now.
    `turned` is when (by time.monotonic) its state changed last, `since` that or when its last call ended.
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
    turned: float = 0.0
    told: Found | None = None

    @property
    def id(self) -> str:
        return self.model.id

    @property
    def on_demand(self) -> bool:
        return self.told is not None or (self.entry is not None and self.entry.load.on_demand)

    @property
    def held(self) -> bool:
        """Whether the engine has it in memory, as far as is known."""
        return self.loaded or (self.told is not None and self.told.state == "ready")

    @property
    def failed_here(self) -> bool:
        """Whether it failed when it was to be loaded, and not because the engine behind says so by itself."""
        return self.state == "failed" and (self.told is None or self.told.state != "failed")

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
        self.state, self.reason = state, reason
        self.since = self.turned = time.monotonic()

    def follow(self, found: Found, asked: float) -> None:
        """Become what the engine behind was found to say when it was `asked` (by time.monotonic).

        What is being loaded or unloaded, or was since then, keeps its state; so does what could not be loaded and is
        only said to be unloaded.
        """
        failed_here = self.failed_here
        path, digest = found.model.path or self.model.path, found.model.digest or self.model.digest
        self.model = replace(found.model, path=path, digest=digest)
        self.told = found
        if self.busy.locked() or self.turned > asked or (failed_here and found.state == "unloaded"):
            return
        if found.state == "unloaded":  # one that has failed may be in memory all the same
            self.loaded = False
        if (self.state, self.reason) != (found.state, found.reason):
            self.turn(found.state, found.reason)

    def on_card(self, operations: tuple[str, ...]) -> contract.Model:
        """The model as the card tells it; `operations` are the service's."""
        model = self.model
        return contract.Model(
            id=model.id,
            operations=tuple(name for name in operations if self.serves(name)),
            state=self.state,
            aliases=model.aliases,
            digest=model.digest,
            context_length=model.context_length,
            continuation=model.continuation,
            on_demand=self.on_demand,
            resources=contract.Resources(memory_mb=model.memory_mb, vram_mb=model.vram_mb),
        )

    def serves(self, operation: str) -> bool:
        return not self.model.operations or operation in self.model.operations


class Roster:
    """The models by id, in the manifest's or the engine's order, and what of either cannot be used (`problems` are
    entries, `refused` models of the engine's by name).

    `outage` is why the engine behind cannot be asked, None while it can.
    """

    def __init__(self, operations: tuple[str, ...]) -> None:
        self.operations = operations
        self.residents: dict[str, Resident] = {}
        self.problems: tuple[ManifestError, ...] = ()
        self.refused: Mapping[str, str] = {}
        self.outage: ApiError | None = None

    def reachable(self) -> None:
        """Raise what keeps the engine behind from being asked, if anything does (as an error of its own each time)."""
        if self.outage is not None:
            why = self.outage
            raise ApiError(why.kind, why.message, code=why.code, retry_after=why.retry_after or LOADING_RETRY_AFTER)

    def named(self, name: str) -> Resident | None:
        """The model of that id or alias."""
        if name in self.residents:
            return self.residents[name]
        return next((one for one in self.residents.values() if name in one.model.aliases), None)

    def choose(self, name: str | None, operation: str) -> Resident:
        """The model that can answer a request that names `name`, or none. Raises ApiError (404, 503, the outage)."""
        self.reachable()
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
        if resident.state != "ready" and (resident.told is None or not resident.can_answer):
            raise _unready(resident)
        resident.calls.add(running)
        try:
            yield
        finally:
            resident.calls.discard(running)
            resident.since = time.monotonic()

    def on_card(self) -> tuple[contract.Model, ...]:
        """The models as the card tells them; the implicit model is not one of them."""
        models = [one for one in self.residents.values() if one.entry is not None or one.told is not None]
        return tuple(one.on_card(self.operations) for one in models)

    def tools(self) -> Iterator[tuple[str, contract.Tool]]:
        """The tools that the engine's models bring, each with its model's id, as long as that can be asked for."""
        for one in self.residents.values():
            if one.told is not None and one.can_answer:
                yield from ((one.id, tool) for tool in one.told.tools)

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
