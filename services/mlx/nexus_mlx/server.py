"""The one seam to mlx_lm.server: its process, if it is ours, and its HTTP API (mlx-lm 0.32.2).

It speaks HTTP/1.0 and wants a content length. Errors are `{"error": "text"}`: 400 for a bad request, and 404 for
whatever fails before an answer begins: a model that cannot be loaded, a template that refuses the messages, a
generation thread that has died. That thread is what `/health` tells of (503); nothing but a new process brings it back.
"""

import asyncio
import shlex
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Literal

import msgspec

from nexus.contract.errors import (
    INVALID_REQUEST,
    MODEL_NOT_FOUND,
    NO_READY_SERVICE,
    REQUEST_TOO_LARGE,
    UPSTREAM_ERROR,
    ApiError,
)
from nexus.sdk.child import EngineProcess
from nexus.sdk.environment import child_environment
from nexus.sdk.upstream import Upstream
from nexus_mlx.pieces import Piece, read_pieces

Path = Literal["/v1/chat/completions", "/v1/completions"]
DEAD: Final = "generation_thread_died"
"""The code of the errors that only a new process ends."""
_DIED: Final = "generation thread died"
_MOST_MODELS_BYTES: Final = 4 * 1024 * 1024
_LISTEN: Final = "127.0.0.1"
_RESTART_SECONDS: Final = 5.0
"""Between two restarts at least: a model that cannot be loaded kills the thread each time."""


class Server:
    """The server, wherever it runs. Its calls raise ApiError."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._process: EngineProcess | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._renewed = float("-inf")
        url = (config["NEXUS_MLX_URL"] or "").rstrip("/")
        if not url:
            port = _free_port()
            url = f"http://{_LISTEN}:{port}"
            self._process = EngineProcess(
                _command(config, port),
                env=child_environment({"PYTHONUNBUFFERED": "1"}),
                ready=self._answers,
                name="mlx_lm.server",
            )
        self._upstream = Upstream(
            url,
            first_byte=config["NEXUS_MLX_FIRST_BYTE_SECONDS"],
            idle=config["NEXUS_MLX_IDLE_SECONDS"],
            explain=explained,
        )

    async def open(self) -> None:
        """Start the process, if it is ours. Raises ApiError where it cannot be."""
        if self._process is not None:
            await self._process.start()

    async def close(self) -> None:
        """Let go of the connections and end the process, if it is ours."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait({self._renewing})
        await self._upstream.close()
        if self._process is not None:
            await self._process.stop()

    def restart(self) -> None:
        """Have the process ended and another one started, soon after and once for all who ask; nothing where it is not
        ours."""
        if self._process is None:
            return
        if self._renewing is None or self._renewing.done():
            pause = max(0.0, self._renewed + _RESTART_SECONDS - time.monotonic())
            self._renewing = asyncio.create_task(self._renew(self._process, pause))

    async def _renew(self, process: EngineProcess, pause: float) -> None:
        await asyncio.sleep(pause)
        self._renewed = time.monotonic()
        await process.stop()
        with suppress(ApiError):  # `check` tells of it
            await process.start()

    def _refuse_while_renewed(self) -> None:
        if self._renewing is not None and not self._renewing.done():
            raise ApiError(NO_READY_SERVICE, "mlx_lm.server is being started anew", retry_after=_RESTART_SECONDS)

    async def _answers(self) -> bool:
        """Whether the server can be asked; a dead thread is found by `check`, and so is a model that is no good."""
        try:
            await self._upstream.get_json("/health")
        except ApiError as error:
            return error.code == DEAD
        return True

    async def check(self) -> None:
        """Raises ApiError where the server cannot be reached or its generation thread has died."""
        self._refuse_while_renewed()
        if self._process is not None and not self._process.running:
            raise ApiError(
                NO_READY_SERVICE, f"mlx_lm.server does not run: {self._process.reason or 'it starts'}", retry_after=1
            )
        await self._upstream.get_json("/health")

    async def downloaded(self) -> tuple[str, ...]:
        """The models that the server has at hand, as far as it knows. Empty where it does not say: without a cache
        folder it answers 200 with an empty body (the error comes after the headers)."""
        body, _ = await self._upstream.get_bytes("/v1/models", limit=_MOST_MODELS_BYTES)
        return models_listed(body)

    @asynccontextmanager
    async def pieces(self, path: Path, body: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[Piece]]:
        """The pieces of one answer. When the context ends, so does the connection: by that the server learns that
        nobody waits, and stops at its next token."""
        self._refuse_while_renewed()
        async with self._upstream.stream("POST", path, json=body) as response:
            yield read_pieces(event.data async for event in response.events())


def models_listed(body: bytes) -> tuple[str, ...]:
    """The ids in an answer of `/v1/models`. Raises ApiError (502) where it is neither a list nor empty."""
    if not body.strip():
        return ()
    try:
        return tuple(str(model["id"]) for model in msgspec.json.decode(body)["data"])
    except (msgspec.MsgspecError, UnicodeError, RecursionError, KeyError, TypeError) as error:
        raise ApiError(UPSTREAM_ERROR, "the engine's list of models is not one") from error


def explained(status: int, body: bytes) -> ApiError:
    """The error that one of the server's refusals is to the caller."""
    told = _told(body)
    if _DIED in told or status == 503:
        message = "mlx_lm.server can generate no more: its thread has died"
        return ApiError(NO_READY_SERVICE, message, code=DEAD, retry_after=5)
    match status:
        case 400:
            return ApiError(INVALID_REQUEST, f"the engine refuses the request: {told}")
        case 404:
            return ApiError(MODEL_NOT_FOUND, f"the engine cannot use the model: {told}", param="model")
        case 413:
            return ApiError(REQUEST_TOO_LARGE, f"the engine refuses the request: {told}")
    return ApiError(UPSTREAM_ERROR, f"the engine answered {status}: {told}")


def _told(body: bytes) -> str:
    """The words of `{"error": "text"}`, or whatever else it says ("Not Found")."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        value = body.decode("utf-8", "replace")
    if isinstance(value, dict):
        value = value.get("error") or value
    return str(value)[:500]


def _command(config: Mapping[str, Any], port: int) -> list[str]:
    own = shlex.split(config["NEXUS_MLX_COMMAND"] or "") or [sys.executable, "-m", "mlx_lm", "server"]
    model = ["--model", config["NEXUS_MLX_MODEL"]] if config["NEXUS_MLX_MODEL"] else []
    return [*own, "--host", _LISTEN, "--port", str(port), *model, *shlex.split(config["NEXUS_MLX_ARGS"] or "")]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LISTEN, 0))
        return int(probe.getsockname()[1])
