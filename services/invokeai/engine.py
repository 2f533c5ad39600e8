"""The invokeai service's engine: OpenAI's images on an InvokeAI beside it, with the models that it has."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from nexus_invokeai.graphs import LARGEST
from nexus_invokeai.installing import installed
from nexus_invokeai.invoke import Invoke
from nexus_invokeai.offers import Palette, offers
from nexus_invokeai.painting import commissioned, events, whole_answer

from nexus.contract.errors import NO_READY_SERVICE, ApiError
from nexus.contract.wire.images import ImagesEditRequest, ImagesGenerationRequest
from nexus.sdk.engine import Call, Engine, Event, Form, Found, Model
from nexus.sdk.media.picture_requests import PicturesAsked, asked_edit, asked_generation, asked_variation

_SHOWN: Final = ("key", "name", "base", "type", "format", "description", "hash", "source", "file_size")
_Answer = dict[str, Any] | AsyncGenerator[Event, None]


class InvokeEngine(Engine):
    """One InvokeAI. Its models are found; it loads them itself, when a picture needs them."""

    _invoke: Invoke

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        self._palettes: dict[str, Palette] = {}

    async def open(self) -> None:
        self._invoke = Invoke(self.config["NEXUS_INVOKEAI_URL"], self.config["NEXUS_INVOKEAI_TOKEN"] or None)

    async def close(self) -> None:
        await self._invoke.close()

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found]:
        """The engine's SDXL models. Raises ApiError where it cannot be asked."""
        found = offers(await self._invoke.models(), wanted)
        self._palettes = {one.model.id: palette for one, palette in found if palette is not None}
        return [one for one, _ in found]

    async def unload(self, model: Model) -> None:
        """Empty the engine's cache of models: it knows no unloading of one alone."""
        await self._invoke.free()

    async def pull(self, name: str, call: Call) -> AsyncGenerator[Mapping[str, Any], None]:
        """Install a model from Hugging Face."""
        urls = bool(self.config["NEXUS_INVOKEAI_INSTALL_URLS"])
        async with aclosing(installed(self._invoke, name, urls=urls)) as progress:
            async for one in progress:
                yield one

    async def delete(self, model: Model) -> None:
        await self._invoke.remove(self._palette(model).key)

    async def show(self, model: Model) -> Mapping[str, Any]:
        record = await self._invoke.model(self._palette(model).key)
        return {"invokeai": {name: record[name] for name in _SHOWN if record.get(name) is not None}}

    async def images_generations(self, request: ImagesGenerationRequest, call: Call) -> _Answer:
        """Pictures of a prompt."""
        return await self._painted(asked_generation(request, LARGEST), call)

    async def images_edits(self, request: Form | ImagesEditRequest, call: Call) -> _Answer:
        """Given pictures changed as a prompt says."""
        return await self._painted(await asyncio.to_thread(asked_edit, request, LARGEST), call)

    async def images_variations(self, request: Form, call: Call) -> _Answer:
        """Others of a given picture's kind."""
        return await self._painted(await asyncio.to_thread(asked_variation, request, LARGEST), call)

    async def _painted(self, asked: PicturesAsked, call: Call) -> _Answer:
        if asked.stream:
            return self._streamed(asked, call)
        keep = bool(self.config["NEXUS_INVOKEAI_KEEP_IMAGES"])
        async with commissioned(self._invoke, self._palette(call.model), asked, keep=keep) as work:
            return await whole_answer(self._invoke, work, call)

    async def _streamed(self, asked: PicturesAsked, call: Call) -> AsyncGenerator[Event, None]:
        keep = bool(self.config["NEXUS_INVOKEAI_KEEP_IMAGES"])
        async with (
            commissioned(self._invoke, self._palette(call.model), asked, keep=keep) as work,
            aclosing(events(self._invoke, work, call)) as told,
        ):
            async for event in told:
                yield event

    def _palette(self, model: Model) -> Palette:
        palette = self._palettes.get(model.id)
        if palette is None:
            raise ApiError(NO_READY_SERVICE, f"the engine has {model.id} no more", retry_after=2)
        return palette
