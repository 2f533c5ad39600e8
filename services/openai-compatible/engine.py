"""The openai-compatible service's engine: calls passed on to servers that speak OpenAI's API already."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from nexus_openai_compatible.relay import Items, form_passage, json_passage, streams
from nexus_openai_compatible.upstreams import Route, Upstreams

from nexus.contract.errors import MODEL_NOT_FOUND, ApiError
from nexus.contract.operations import OPERATIONS
from nexus.sdk.engine import Call, Content, Engine, Form, Found, Model

Answer = Content | Items
Fields = dict[str, Any]


class OpenAiCompatibleEngine(Engine):
    """Each manifest entry is one upstream; the models are theirs."""

    async def open(self) -> None:
        """Nothing is asked of anyone yet."""
        names = [row.name for row in OPERATIONS if row.engine_method in type(self).__dict__]
        self._upstreams = Upstreams(os.environ, names)

    async def close(self) -> None:
        """Let the connections go."""
        await self._upstreams.close()

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found]:
        """What the upstreams have; each is asked in its own time."""
        found = await self._upstreams.look(wanted, asyncio.get_running_loop().time())
        self.base_url = self._upstreams.direct_url()
        return found

    async def chat_completions(self, request: Fields, call: Call) -> Answer:
        """Chat."""
        return await self._pass_on("chat.completions", request, call)

    async def completions(self, request: Fields, call: Call) -> Answer:
        """Text without a chat template."""
        return await self._pass_on("completions", request, call)

    async def responses(self, request: Fields, call: Call) -> Answer:
        """OpenAI's newer shape of chat."""
        return await self._pass_on("responses", request, call)

    async def messages(self, request: Fields, call: Call) -> Answer:
        """Anthropic's shape of chat."""
        return await self._pass_on("messages", request, call)

    async def embeddings(self, request: Fields, call: Call) -> Answer:
        """Vectors of texts."""
        return await self._pass_on("embeddings", request, call)

    async def rerank(self, request: Fields, call: Call) -> Answer:
        """Documents by how well they fit a query."""
        return await self._pass_on("rerank", request, call)

    async def moderations(self, request: Fields, call: Call) -> Answer:
        """What is wrong with a text."""
        return await self._pass_on("moderations", request, call)

    async def images_generations(self, request: Fields, call: Call) -> Answer:
        """Pictures of a text."""
        return await self._pass_on("images.generations", request, call)

    async def images_edits(self, request: Form, call: Call) -> Answer:
        """Pictures changed."""
        return await self._pass_on("images.edits", request, call)

    async def images_variations(self, request: Form, call: Call) -> Answer:
        """Pictures like another."""
        return await self._pass_on("images.variations", request, call)

    async def audio_speech(self, request: Fields, call: Call) -> Answer:
        """A text spoken."""
        return json_passage("audio.speech", self._route(call), request).sound()

    async def audio_transcriptions(self, request: Form, call: Call) -> Answer:
        """What was said."""
        return await self._pass_on("audio.transcriptions", request, call)

    async def audio_translations(self, request: Form, call: Call) -> Answer:
        """What was said, in English."""
        return await self._pass_on("audio.translations", request, call)

    async def _pass_on(self, operation: str, request: Fields | Form, call: Call) -> Answer:
        route = self._route(call)
        if isinstance(request, Form):
            passage = form_passage(operation, route, request)
        else:
            passage = json_passage(operation, route, request)
        return passage.events() if streams(operation, request) else await passage.whole()

    def _route(self, call: Call) -> Route:
        route = self._upstreams.routes.get(call.model.id)
        if route is None:
            raise ApiError(MODEL_NOT_FOUND, f"no upstream has the model {call.model.id!r} any more", param="model")
        return route
