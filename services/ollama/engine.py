"""The ollama service's engine: an Ollama server's own API behind OpenAI's chat, completions and embeddings."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from nexus_ollama.chat import Chat
from nexus_ollama.completions import Completions
from nexus_ollama.embeddings import embed
from nexus_ollama.errors import broken, explain
from nexus_ollama.fetching import Fetcher
from nexus_ollama.known import Known, read_keep_alive
from nexus_ollama.pulling import pull
from nexus_ollama.shelf import Shelf, canonical
from nexus_ollama.steps import Tally

from nexus.contract.errors import MODEL_NOT_FOUND, PERMISSION_DENIED, ApiError
from nexus.contract.wire.chat import ChatRequest
from nexus.contract.wire.completions import CompletionRequest
from nexus.contract.wire.embeddings import EmbeddingsRequest
from nexus.sdk.chat.answers import Assembly, answer_async, new_assembly
from nexus.sdk.chat.heads import Answer
from nexus.sdk.engine import Call, Engine, Found, Model
from nexus.sdk.problems import ServiceError
from nexus.sdk.upstream import Upstream


class OllamaEngine(Engine):
    """One Ollama server. Its models are those of the service; it loads and unloads them by itself as well."""

    async def open(self) -> None:
        """Make the clients. Raises ServiceError for an address that is none."""
        url = str(self.config["NEXUS_OLLAMA_URL"]).rstrip("/")
        if not url.startswith(("http://", "https://")):
            raise ServiceError(f"NEXUS_OLLAMA_URL: {url!r} does not start with http:// or https://")
        self._upstream = Upstream(url, explain=explain)
        patterns = [part.strip() for part in str(self.config["NEXUS_OLLAMA_MODELS"]).split(",") if part.strip()]
        self._shelf = Shelf(self._upstream, patterns, read_keep_alive(self.config["NEXUS_OLLAMA_KEEP_ALIVE"]))
        self._fetcher = Fetcher() if self.config["NEXUS_OLLAMA_FETCH_IMAGES"] else None
        self._most_context = int(self.config["NEXUS_OLLAMA_MAX_CONTEXT"])
        self.base_url = url if self.config["NEXUS_OLLAMA_DIRECT"] else None

    async def close(self) -> None:
        """Let the connections go."""
        await self._upstream.close()
        if self._fetcher is not None:
            await self._fetcher.close()

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found]:
        """What Ollama has, and what of it is in memory."""
        return await self._shelf.look(wanted)

    async def load(self, model: Model) -> None:
        """Have Ollama load the model, as the calls on it will want it. Raises ApiError."""
        known = self._known(model)
        if known.keep_alive == 0:  # Ollama would take this for a wish to unload it
            return
        body = {**known.body(), "options": dict(known.options)}
        if known.can("completion"):
            answer = await self._upstream.send_json("POST", "/api/generate", json={**body, "stream": False})
            _expect(answer, "done_reason", "load")
        else:
            answer = await self._upstream.send_json("POST", "/api/embed", json={**body, "input": ""})
            _expect(answer, "model", known.name)

    async def unload(self, model: Model) -> None:
        """Have Ollama give the model's memory back, if it still has the model. Raises ApiError."""
        known = self._shelf.known.get(model.id)
        if known is None:
            return
        body = {"model": known.name, "keep_alive": 0, "stream": False}
        _expect(await self._upstream.send_json("POST", "/api/generate", json=body), "done_reason", "unload")

    async def pull(self, name: str, call: Call) -> AsyncGenerator[Mapping[str, Any], None]:
        """Fetch a model from Ollama's library; it stops where it stands when the caller leaves. Raises ApiError."""
        if not self._shelf.allows(name):
            raise ApiError(PERMISSION_DENIED, f"NEXUS_OLLAMA_MODELS does not let {name!r} be pulled", param="model")
        self._shelf.pulling.add(canonical(name))
        try:
            async with aclosing(pull(self._upstream, name)) as items:
                async for item in items:
                    yield item
        finally:
            self._shelf.pulling.discard(canonical(name))

    async def delete(self, model: Model) -> None:
        """Remove the model from Ollama's disk. Raises ApiError."""
        async with self._upstream.stream("DELETE", "/api/delete", json={"model": self._known(model).name}):
            pass  # the answer is an empty 200

    async def show(self, model: Model) -> Mapping[str, Any]:
        """What /api/show tells, but for long texts such as the licence; nothing of a model that is not there."""
        known = self._shelf.known.get(model.id)
        if known is None:
            return {}
        shown = await self._upstream.send_json("POST", "/api/show", json={"model": known.name})
        if not isinstance(shown, dict):
            raise broken("it is no object")
        kept = ("details", "capabilities", "parameters", "modified_at", "requires")
        info = shown.get("model_info") or {}
        short = {key: value for key, value in info.items() if isinstance(value, str | int | float)}
        return {"ollama": {**{key: shown[key] for key in kept if key in shown}, "model_info": short}}

    async def chat_completions(self, request: ChatRequest, call: Call) -> Answer | AsyncIterator[Answer]:
        """A whole answer, or its chunks when the request says `stream`."""
        tally = Tally()
        fetch = self._fetcher.fetch if self._fetcher else None
        chat = Chat(self._upstream, request, self._known(call.model), tally, fetch, self._most_context)
        return await answer_async(chat.steps(), _assembly(request, call), tally.usage)

    async def completions(self, request: CompletionRequest, call: Call) -> Answer | AsyncIterator[Answer]:
        """A whole completion, or its chunks when the request says `stream`."""
        tally = Tally()
        steps = Completions(self._upstream, request, self._known(call.model), tally, self._most_context).steps()
        return await answer_async(steps, _assembly(request, call), tally.usage)

    async def embeddings(self, request: EmbeddingsRequest, call: Call) -> dict[str, Any]:
        """The vectors of the request's texts, in their order."""
        return await embed(self._upstream, request, self._known(call.model), call.model.id)

    def _known(self, model: Model) -> Known:
        known = self._shelf.known.get(model.id)
        if known is None:
            raise ApiError(MODEL_NOT_FOUND, f"Ollama no longer has the model {model.id!r}", param="model")
        return known


def _expect(answer: Any, field: str, value: str) -> None:
    if not isinstance(answer, dict) or answer.get(field) != value:
        raise broken(f"its {field} is not {value!r}")


def _assembly(request: ChatRequest | CompletionRequest, call: Call) -> Assembly:
    return new_assembly(request, call.model.id, "fp_ollama")
