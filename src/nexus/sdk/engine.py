"""What a service author writes: an engine with `load`, `unload` and one method an operation.

The method's name is the operation's with dots turned into underscores (`chat.completions` → `chat_completions`).
It takes the request and the call, and is called in one of four ways, chosen by how it is written:

- `async def` … `return value`: awaited on the event loop; cancelled when the caller leaves.
- `async def` … `yield item`: an async generator; closed when the caller leaves.
- `def` … `return value`: run in a worker thread; `call.cancelled` is set when the caller leaves.
- `def` … `yield item`: iterated in a worker thread; closed (GeneratorExit) at the next item when the caller leaves.

A plain method may also return an (async) iterator instead of a value: so one method serves streaming and not.
The annotation of the first parameter decides what the request is: a pydantic model (validated, and its JSON
Schema goes on the card), `dict[str, Any]` (any JSON object) or `Form` (multipart fields and files).
Values are pydantic models, dicts or `Content` (bytes with a media type); items of a stream are pydantic models
or dicts (sent as events; `Event` gives one a name) or bytes (sent as they are); in a stream of bytes the first may be
`Content`, to say the media type. `data: [DONE]` is never an engine's to send: it is added after a whole stream where
the operation has it.
"""

import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nexus.contract.card import ModelState, Tool
from nexus.contract.errors import INVALID_REQUEST, NO_READY_SERVICE, NOT_FOUND, OVERLOADED, ApiError
from nexus.contract.forms import Request, read_form


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the model manifest, with its file found (or fetched) and its digest known.

    `path` is the model's file or folder, None where the entry gives no source. `options` is the entry's own
    `[options]` table, for the engine alone.
    """

    id: str
    path: Path | None = None
    aliases: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    context_length: int | None = None
    continuation: bool = False
    digest: str | None = None
    memory_mb: int = 0
    vram_mb: int = 0
    licence: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """One model that the engine behind a service has (see `Engine.discover`).

    `ready`: it is in the engine's memory, or needs no load. `unloaded` and `loading`: it can be asked for all the same,
    the first call or the engine itself loads it. `failed`: it cannot be asked for, by the `reason`. `tools` are on the
    card as long as it can be asked for; each `path` is one of the service's endpoints, each `input_schema` that of the
    body of a POST to it.
    """

    model: Model
    state: ModelState = "ready"
    reason: str = ""
    tools: tuple[Tool, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """An answer that is not JSON: bytes with their media type."""

    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Event:
    """One item of a stream with an `event:` line of its own; `value` is a pydantic model or a dict.

    OpenAI names the events of images and responses so, by the `type` that their data has as well.
    """

    name: str
    value: Any

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable():
            raise ValueError(f"{self.name!r} is not the name of an event: one line of text")


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a multipart request, whole."""

    filename: str
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart request: the text fields (the last of a name wins, `name[]` gathers) and the files.

    `files` has the last file of a name, `uploads` all of them in their order; `name[]` counts as `name`.
    """

    fields: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]]
    files: Mapping[str, Upload]
    uploads: Mapping[str, tuple[Upload, ...]] = field(default_factory=dict)

    def validated(self, kind: type[Request]) -> Request:
        """The text fields as the request that JSON would have made. Raises ApiError (400) that names the field."""
        return read_form(kind, self.fields, self.lists)

    def file(self, name: str) -> Upload:
        """The file of this name. Raises ApiError (400) where there is none, or nothing in it."""
        upload = self.files.get(name)
        if upload is None:
            raise ApiError(INVALID_REQUEST, f"{name}: send it as a file of the form", param=name)
        if not upload.body:
            raise ApiError(INVALID_REQUEST, f"{name}: the file is empty", param=name)
        return upload


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call is: `fraction` from 0 to 1, and in a few words what is being done."""

    fraction: float = 0.0
    message: str = ""


class Call:
    """One call while it is answered: which model, whose request, and whether anyone still waits for the answer."""

    def __init__(self, request_id: str, model: Model, headers: Mapping[str, str], asker: "Asks | None" = None) -> None:
        self.request_id = request_id
        self.model = model
        self.headers = headers
        self.progress = Progress()
        self._asker = asker
        self._cancelled = threading.Event()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """True once the caller has left or the service drains: stop working. Safe to read from any thread."""
        return self._cancelled.is_set()

    def go_on(self) -> None:
        """Look whether anyone still waits, before each step of long work. Raises ApiError (503) once nobody does."""
        if self.cancelled:
            raise ApiError(OVERLOADED, "the call was cancelled before its answer was complete")

    def report(self, fraction: float, message: str = "") -> None:
        """Say how far the work is: whoever waits for a job is told. Safe to call from any thread, and cheap."""
        self.progress = Progress(min(1.0, max(0.0, fraction)), message[:200])

    def ask(self, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask the gateway for an operation on the caller's behalf; its JSON answer. `service.uses` has to name it.

        Blocks, and ends promptly when the call is cancelled: for plain methods alone, which run in a thread. Raises
        ApiError, the gateway's own where it refuses.
        """
        if self._asker is None:
            message = f"this service asks the gateway for {operation}, and was not called through one"
            raise ApiError(NO_READY_SERVICE, message)
        return self._asker(self, operation, body)

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once when the call is cancelled; at once if it already is. It must not block."""
        self._callbacks.append(callback)
        if self.cancelled:
            self.cancel()

    def off_cancel(self, callback: Callable[[], None]) -> None:
        """Take back a callback that `on_cancel` was given; one that was called already is no error."""
        with suppress(ValueError):
            self._callbacks.remove(callback)

    def cancel(self) -> None:
        """Tell the engine that nobody waits any more."""
        self._cancelled.set()
        while self._callbacks:
            self._callbacks.pop()()


Asks = Callable[[Call, str, Mapping[str, Any]], dict[str, Any]]


class Engine:
    """Base of all engines. `config` holds the service's validated environment, by variable name.

    What stands here may be left as it is. `open` and what follows it are for a service that stands in front of an
    engine of its own: another process, reached over HTTP.
    """

    base_url: str | None = None
    """Set in `open` where the gateway may go to the engine directly: it becomes `backend.base_url` on the card."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def load(self, model: Model) -> Any:
        """Make `model` ready to answer. May be `async def`; a plain one runs in a worker thread.

        A service whose manifest folder is empty has one implicit model, named after the service.
        """

    def unload(self, model: Model) -> Any:
        """Give back what `load` took. May be `async def`; a plain one runs in a worker thread."""

    async def open(self) -> None:
        """Open what the engine needs: HTTP clients, a process. Called once, before anything else is asked of it.

        An engine that is not there yet is no failure of this (see `discover`); what is one ends the service.
        """

    async def close(self) -> None:
        """Close what `open` opened, also where that failed half way. Called once, at the end of the drain."""

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found] | None:
        """The models that the engine behind has now; None where the manifest's entries alone say which there are.

        `wanted` are the models of those entries, without their files. Each that is returned is made of one of them, by
        `dataclasses.replace`, or new. Asked every two seconds, and to be answered within five. Raises ApiError where
        the engine cannot be reached or answers nonsense: calls are refused by it until a later look goes well.
        """
        return None

    def pull(self, name: str, call: Call) -> AsyncIterator[Mapping[str, Any]]:
        """Fetch a model to the engine; best an async generator, which is closed when the caller leaves.

        Items are `{"status": str, "completed": int | None, "total": int | None, "digest": str | None}`, in bytes.
        """
        raise ApiError(NOT_FOUND, "this service cannot pull models")

    async def delete(self, model: Model) -> None:
        """Remove a model from the engine's disk."""
        raise ApiError(NOT_FOUND, "this service cannot delete models")

    async def show(self, model: Model) -> Mapping[str, Any]:
        """What else there is to say of a model: goes into `GET /v1/models/{id}`, beside what the card says."""
        return {}


__all__ = [
    "INVALID_REQUEST",
    "ApiError",
    "Call",
    "Content",
    "Engine",
    "Event",
    "Form",
    "Found",
    "Model",
    "Progress",
    "Tool",
    "Upload",
]
