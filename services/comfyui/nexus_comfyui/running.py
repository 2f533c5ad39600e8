"""`comfyui.run`: any workflow by its own inputs, and every file that it saves."""

import asyncio
import base64
import secrets
from contextlib import aclosing
from typing import Annotated, Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from nexus.contract.errors import INVALID_REQUEST, UPSTREAM_ERROR, ApiError
from nexus.sdk.engine import Call
from nexus.sdk.media.data_urls import read_data_url
from nexus.sdk.media.picture_files import GivenPicture, may_change, png, read_given
from nexus_comfyui.comfy import Comfy
from nexus_comfyui.outputs import SavedFile
from nexus_comfyui.pictures import mask_png, masked_png
from nexus_comfyui.progression import Step
from nexus_comfyui.recipes import Recipe
from nexus_comfyui.run import Files, Prompt, run
from nexus_comfyui.workflow import Workflow

_SEEDS: Final = 2**31


class RunRequest(BaseModel):
    """`model` is the workflow; `inputs` its own, by the schema at `/v1/models/{model}`. Pictures are data: URLs."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    inputs: Annotated[dict[str, Any], Field(examples=[{"prompt": "islands in the sea"}])]


async def ran(comfy: Comfy, recipe: Recipe, request: RunRequest, call: Call) -> dict[str, Any]:
    """The files of a run. Raises ApiError."""
    masked = request.inputs.get("mask") is not None
    given = sum(name.startswith("image") and value is not None for name, value in request.inputs.items())
    workflow = recipe.workflow("", given, masked=masked)
    _hold_against(workflow, request.inputs)
    values = recipe.settled(workflow, request.inputs) | await _sent(comfy, workflow, request.inputs)
    if "seed" in workflow.mapping.inputs:
        values.setdefault("seed", secrets.randbelow(_SEEDS))
    async with aclosing(run(comfy, Prompt(workflow, values))) as told:
        async for one in told:
            if isinstance(one, Step):
                call.report(one.fraction, one.message)
            elif isinstance(one, Files):
                outputs = [await _output(comfy, file) for file in one.saved]
                return {"object": "comfyui.run", "model": call.model.id, "outputs": outputs}
    raise ApiError(UPSTREAM_ERROR, "the engine told no end of the prompt")


def _hold_against(workflow: Workflow, inputs: dict[str, Any]) -> None:
    """Raises ApiError (400) that names the input which the workflow's schema does not allow."""
    error = best_match(Draft202012Validator(workflow.mapping.json_schema()).iter_errors(inputs))
    if error is None:
        return
    param = ".".join(["inputs", *(str(part) for part in error.absolute_path)])
    known = f" (it takes {', '.join(workflow.mapping.inputs)})" if param == "inputs" else ""
    raise ApiError(INVALID_REQUEST, f"{param}: {error.message}{known}", param=param)


async def _sent(comfy: Comfy, workflow: Workflow, inputs: dict[str, Any]) -> dict[str, str]:
    """The pictures among the inputs, at the engine."""
    read = {
        name: await asyncio.to_thread(_picture, inputs[name], f"inputs.{name}")
        for name, one in workflow.mapping.inputs.items()
        if one.is_picture and inputs.get(name) is not None
    }
    sent: dict[str, str] = {}
    change = None
    if "mask" in read:
        first = read.get("image", read["mask"])
        change = may_change(read.pop("mask"), first, "inputs.mask")
        if not workflow.mapping.inputs["mask"].in_alpha:
            sent["mask"] = await comfy.upload(await asyncio.to_thread(mask_png, change))
            change = None
    for name, picture in read.items():
        sent[name] = await comfy.upload(await asyncio.to_thread(_png, picture, change if name == "image" else None))
    return sent


def _picture(url: str, param: str) -> GivenPicture:
    return read_given(read_data_url(url, param).body, param)


def _png(picture: GivenPicture, change: Image.Image | None) -> bytes:
    return png(picture.opaque()) if change is None else masked_png(picture.opaque(), change)


async def _output(comfy: Comfy, file: SavedFile) -> dict[str, str]:
    body, media_type = await comfy.file(file)
    text = await asyncio.to_thread(base64.b64encode, body)
    return {
        "node": file.node,
        "filename": file.filename,
        "media_type": media_type,
        "b64_json": text.decode("ascii"),
    }
