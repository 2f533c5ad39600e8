"""The MLX service's engine: OpenAI's chat and completions in front of mlx_lm.server."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

from nexus_mlx.answer import answered
from nexus_mlx.asked import Body, chat_body, completion_body, smallest_body
from nexus_mlx.held import Tally, steps, takes_several
from nexus_mlx.pieces import Piece
from nexus_mlx.roster import Listed, allow_list
from nexus_mlx.server import DEAD, Path, Server
from nexus_mlx.turns import Turns

from nexus.contract.errors import (
    INVALID_REQUEST,
    MODEL_NOT_FOUND,
    NO_READY_SERVICE,
    UPSTREAM_ERROR,
    UPSTREAM_TIMEOUT,
    ApiError,
)
from nexus.contract.wire.chat import ChatRequest
from nexus.contract.wire.completions import CompletionRequest
from nexus.sdk.chat.answers import answer_async, new_assembly
from nexus.sdk.chat.heads import Answer
from nexus.sdk.engine import Call, Engine, Found, Model

_CHAT: Path = "/v1/chat/completions"
_TEXT: Path = "/v1/completions"


class MlxEngine(Engine):
    """One server, which holds one model at a time; the manifest's entries say which ones it may be asked for."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self._server = Server(config)
        self._turns = Turns()
        self._listed: Mapping[str, Listed] = {}

    async def open(self) -> None:
        """Start the server, if it is ours."""
        await self._server.open()

    async def close(self) -> None:
        """End the server, if it is ours."""
        await self._server.close()

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found]:
        """The models that may be asked for. Raises ApiError while the server cannot be used; a dead one of ours is
        started anew."""
        try:
            await self._server.check()
        except ApiError as error:
            self._turns.forget()
            if error.code == DEAD:
                self._server.restart()
            raise
        there = await self._server.downloaded()
        listed = allow_list(wanted, self.config["NEXUS_MLX_MODEL"] or "")
        self._listed = {entry.model.id: entry for entry in listed}
        return [entry.found(self._turns.current, there) for entry in listed]

    async def load(self, model: Model) -> None:
        """Have the server load the model, in the place of the one that it has."""
        async with self._answered(self._named(model), _TEXT, smallest_body(self._named(model).name)) as pieces:
            async for _ in pieces:
                pass

    async def chat_completions(self, request: ChatRequest, call: Call) -> Answer | AsyncIterator[Answer]:
        """A whole answer, or its chunks when the request says `stream`."""
        listed = self._named(call.model)
        body = chat_body(request, listed.name, self.config["NEXUS_MLX_MAX_TOKENS"])
        if takes_several(request):
            tally = Tally()
            several = steps(request, body, partial(self._answered, listed, _CHAT), tally)
            return await answer_async(several, new_assembly(request, call.model.id, None), tally.usage)
        return await self._answer(request, call.model, _CHAT, body)

    async def completions(self, request: CompletionRequest, call: Call) -> Answer | AsyncIterator[Answer]:
        """A whole completion, or its chunks when the request says `stream`."""
        body = completion_body(request, self._named(call.model).name, self.config["NEXUS_MLX_MAX_TOKENS"])
        return await self._answer(request, call.model, _TEXT, body)

    async def _answer(
        self, request: ChatRequest | CompletionRequest, model: Model, path: Path, body: Body
    ) -> Answer | AsyncIterator[Answer]:
        items = self._items(request, model, path, body)
        if request.stream:
            return items
        (whole,) = [item async for item in items]
        return whole

    async def _items(
        self, request: ChatRequest | CompletionRequest, model: Model, path: Path, body: Body
    ) -> AsyncGenerator[Answer]:
        async with (
            self._answered(self._named(model), path, body) as pieces,
            aclosing(answered(pieces, request, model.id)) as items,
        ):
            async for item in items:
                yield item

    @asynccontextmanager
    async def _answered(self, listed: Listed, path: Path, body: Body) -> AsyncIterator[AsyncIterator[Piece]]:
        """The server's pieces, once it is this model's turn; what the server's failures mean is told here."""
        async with self._turns.of(listed.name, listed.at_once) as swaps:
            try:
                async with self._server.pieces(path, body) as pieces:
                    yield pieces
            except ApiError as error:
                raise self._understood(error, swaps) from error

    def _understood(self, error: ApiError, swaps: bool) -> ApiError:
        if error.kind is UPSTREAM_TIMEOUT or error.code == DEAD:  # wedged (mlx-lm issue 1255), or dead
            self._turns.forget()
            self._server.restart()
        elif error.kind in (NO_READY_SERVICE, UPSTREAM_ERROR):  # it may be another process by now
            self._turns.forget()
        elif error.kind is MODEL_NOT_FOUND:
            if not swaps:  # the model had been loaded: it is the request that failed, in its chat template perhaps
                return ApiError(INVALID_REQUEST, error.message)
            self._turns.forget()
        return error

    def _named(self, model: Model) -> Listed:
        listed = self._listed.get(model.id)
        if listed is None or listed.problem:
            raise ApiError(NO_READY_SERVICE, f"the model {model.id} is not on the list any more", retry_after=2)
        return listed
