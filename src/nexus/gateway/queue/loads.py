"""Has models loaded that are asked for while they are not in memory, each once at a time."""

import asyncio
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import msgspec

from nexus.contract.errors import NO_READY_SERVICE, ApiError
from nexus.gateway.log import Log
from nexus.gateway.registry.fetch import BadAnswerError, Fetcher, NoAnswerError
from nexus.gateway.registry.snapshot import Target

AGAIN_SECONDS: Final = 5.0  # after a load has ended until there may be another one
_LIMIT: Final = 65_536  # bytes of an answer
_NO_VERB: Final = (404, 405, 501)

Key = tuple[str, str]


class Loads:
    """`ended` is told of each load that has ended: by which target, and why it failed, if it did.

    `seconds` is how long a load may take, by the model's name. It goes on when those who asked for it have left.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        seconds: Callable[[str], float],
        ended: Callable[[Target, ApiError | None], None],
        log: Log,
        now: Callable[[], float],
    ) -> None:
        self._fetcher = fetcher
        self._seconds = seconds
        self._ended = ended
        self._log = log
        self._now = now
        self._running: dict[Key, asyncio.Task[None]] = {}
        self._ends: dict[Key, tuple[float, ApiError | None]] = {}

    def running(self) -> tuple[Key, ...]:
        """What is being loaded: URLs of instances and models."""
        return tuple(self._running)

    def begin(self, target: Target) -> None:
        """Have the target's model loaded, unless it is or has just been. Raises ApiError where it has just failed."""
        key = _key(target)
        if key in self._running:
            return
        ended = self._ends.get(key)
        if ended is not None and self._is_fresh(ended):
            if ended[1] is not None:
                raise ended[1]
            return
        self._running[key] = asyncio.get_running_loop().create_task(self._load(target, key), name="load a model")

    async def close(self) -> None:
        """Wait for no load any more."""
        tasks = tuple(self._running.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _load(self, target: Target, key: Key) -> None:
        try:
            error = await self._asked(target)
        finally:
            del self._running[key]
        self._ends = {one: ended for one, ended in self._ends.items() if self._is_fresh(ended)}
        self._ends[key] = self._now(), error
        reason = "" if error is None else error.message
        level = "info" if error is None else "warning"
        service = target.instance.service
        self._log(level, "model_loaded", service=service, url=key[0], model=key[1], ok=error is None, reason=reason)
        self._ended(target, error)

    def _is_fresh(self, ended: tuple[float, ApiError | None]) -> bool:
        return self._now() < ended[0] + AGAIN_SECONDS

    async def _asked(self, target: Target) -> ApiError | None:
        """Ask the service itself; why it could not, if it could not."""
        instance, model = target.instance, target.model or ""
        seconds = self._seconds(model)
        url = f"{instance.url}/v1/models/{quote(model, safe='/')}/load"
        try:
            async with asyncio.timeout(seconds):
                page = await self._fetcher.post(url, limit=_LIMIT, authorization=instance.own_authorization)
        except (NoAnswerError, BadAnswerError) as error:
            return _failed(target, str(error))
        except TimeoutError:
            return _failed(target, f"it took longer than {seconds:g} s")
        if page.status == 200:
            return None
        if page.status in _NO_VERB:
            return _failed(target, "it is not in memory, and the service has no way to be told to load it")
        return _failed(target, _said(page.body) or f"it was answered {page.status}")


def _key(target: Target) -> Key:
    return target.instance.url, target.model or ""


def _failed(target: Target, reason: str) -> ApiError:
    message = f"{target.instance.service} could not load {target.model!r}: {reason}."
    return ApiError(NO_READY_SERVICE, message, retry_after=AGAIN_SECONDS)


class _Error(msgspec.Struct):
    message: str = ""


class _Envelope(msgspec.Struct):
    error: _Error = msgspec.field(default_factory=_Error)


def _said(body: bytes) -> str:
    """The message of an envelope, in one line."""
    try:
        told = msgspec.json.decode(body, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return " ".join(told.error.message.split())[:300].rstrip(".")
