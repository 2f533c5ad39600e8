"""The comfyui service's engine: OpenAI's images and videos, and any workflow of the operator's, on a ComfyUI."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from nexus_comfyui.comfy import Comfy
from nexus_comfyui.filming import filmed
from nexus_comfyui.library import Folder
from nexus_comfyui.offers import Bench, bench, offers
from nexus_comfyui.painting import commissioned, events, whole_answer
from nexus_comfyui.pictures import LARGEST
from nexus_comfyui.recipes import Recipe
from nexus_comfyui.running import RunRequest, ran

from nexus.contract.errors import NO_READY_SERVICE, OVERLOADED, ApiError
from nexus.contract.wire.images import ImagesEditRequest, ImagesGenerationRequest
from nexus.contract.wire.videos import VideosRequest
from nexus.sdk.engine import Call, Engine, Event, Form, Found, Model
from nexus.sdk.media.picture_requests import PicturesAsked, asked_edit, asked_generation, asked_variation

_NODES_SECONDS: Final = 30.0


class ComfyEngine(Engine):
    """One ComfyUI. Its models are found; it loads them itself, when a prompt needs them."""

    _comfy: Comfy
    _bench: Bench

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__(config)
        folder = config["NEXUS_COMFYUI_WORKFLOWS"]
        self._folder = Folder(Path(folder) if folder else None)
        self._recipes: dict[str, Recipe] = {}
        self._nodes: dict[str, Mapping[str, Any] | None] = {}
        self._nodes_until = 0.0

    async def open(self) -> None:
        self._bench = bench()
        self._comfy = Comfy(self.config["NEXUS_COMFYUI_URL"])

    async def close(self) -> None:
        await self._comfy.close()

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found]:
        """The checkpoints, and the workflows that the engine can run. Raises ApiError where it cannot be asked."""
        try:
            checkpoints = await self._comfy.checkpoints()
            shelf = self._folder.look()
            classes = {
                node["class_type"]
                for workflow in (*self._bench.all, *shelf.workflows)
                for node in workflow.graph.values()
            }
            await self._look_at(classes)
        except ApiError:
            self._nodes_until = 0.0  # it may come back as another
            raise
        found = offers(self._bench, shelf, checkpoints, self._nodes, wanted)
        self._recipes = {one.model.id: recipe for one, recipe in found if recipe is not None}
        return [one for one, _ in found]

    async def unload(self, model: Model) -> None:
        """Have the engine free its memory: it knows no unloading of one model alone."""
        await self._comfy.free()

    async def show(self, model: Model) -> Mapping[str, Any]:
        """The inputs of a model's workflow, which `comfyui.run` takes."""
        recipe = self._recipes.get(model.id)
        if recipe is None:
            return {}
        mapping = recipe.workflows[0].mapping
        return {"title": mapping.title, "description": mapping.description, "input_schema": recipe.json_schema()}

    async def images_generations(
        self, request: ImagesGenerationRequest, call: Call
    ) -> dict[str, Any] | AsyncGenerator[Event, None]:
        """Pictures of a prompt."""
        return await self._painted("images.generations", asked_generation(request, LARGEST), call)

    async def images_edits(
        self, request: Form | ImagesEditRequest, call: Call
    ) -> dict[str, Any] | AsyncGenerator[Event, None]:
        """Given pictures changed as a prompt says."""
        return await self._painted("images.edits", await asyncio.to_thread(asked_edit, request, LARGEST), call)

    async def images_variations(self, request: Form, call: Call) -> dict[str, Any] | AsyncGenerator[Event, None]:
        """Others of a given picture's kind."""
        return await self._painted(
            "images.variations", await asyncio.to_thread(asked_variation, request, LARGEST), call
        )

    async def videos(self, request: Form | VideosRequest, call: Call) -> dict[str, Any]:
        """A video of a prompt, and of a picture that it starts from."""
        recipe = await self._recipe(call)
        return await filmed(self._comfy, recipe, request, call)

    async def comfyui_run(self, request: RunRequest, call: Call) -> dict[str, Any]:
        """Any workflow by its own inputs."""
        recipe = await self._recipe(call)
        return await ran(self._comfy, recipe, request, call)

    async def _painted(
        self, operation: str, asked: PicturesAsked, call: Call
    ) -> dict[str, Any] | AsyncGenerator[Event, None]:
        recipe = await self._recipe(call)
        work = await commissioned(self._comfy, recipe, operation, asked)
        if asked.stream:
            return events(self._comfy, work, call)
        return await whole_answer(self._comfy, work, call)

    async def _recipe(self, call: Call) -> Recipe:
        """The recipe of the call's model, with room in the engine's queue. Raises ApiError (503)."""
        recipe = self._recipes.get(call.model.id)
        if recipe is None:
            raise ApiError(NO_READY_SERVICE, f"the engine cannot run {call.model.id} any more", retry_after=2)
        most = int(self.config["NEXUS_COMFYUI_MAX_WAITING"])
        if (waiting := await self._comfy.waiting()) >= most:
            raise ApiError(OVERLOADED, f"the engine's queue is full: {waiting} prompts wait there", retry_after=5)
        return recipe

    async def _look_at(self, classes: set[str]) -> None:
        """What the engine says of kinds of nodes: anew twice a minute, as files come and go, and for new ones."""
        if time.monotonic() < self._nodes_until and classes <= set(self._nodes):
            return
        self._nodes = {name: await self._comfy.node(name) for name in sorted(classes)}
        self._nodes_until = time.monotonic() + _NODES_SECONDS
