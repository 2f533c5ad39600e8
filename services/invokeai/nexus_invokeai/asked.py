"""From OpenAI's requests for images to what is asked of the engine: pictures read, the size and the seeds settled."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from PIL import Image

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.images import (
    MOST_IMAGES,
    ImageReference,
    ImagesEditFields,
    ImagesEditRequest,
    ImagesGenerationRequest,
    ImagesVariationFields,
)
from nexus.sdk.engine import Form, Upload
from nexus.sdk.media.data_urls import read_data_url
from nexus.sdk.media.pictures import opaque
from nexus_invokeai.pictures import LARGEST, SMALLEST, may_change, natural_size, read

SEEDS: Final = 2**63
_RANDOM_SEEDS: Final = 2**31
_Fields = ImagesGenerationRequest | ImagesEditFields | ImagesVariationFields


@dataclass(frozen=True, slots=True)
class Asked:
    """A whole request for pictures, one for each seed.

    `size` is None where it is the model's to choose; `images` are as they came; `mask` is white where the first may
    change. `previews` is how many unfinished states of each picture are wanted. `event` begins the names of events.
    """

    prompt: str
    seeds: tuple[int, ...]
    size: tuple[int, int] | None = None
    images: tuple[Image.Image, ...] = ()
    mask: Image.Image | None = None
    negative_prompt: str | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    strength: float | None = None
    file_format: str = "png"
    compression: int | None = None
    quality: str = "auto"
    stream: bool = False
    previews: int = 0
    event: str = "image_generation"


def asked_generation(request: ImagesGenerationRequest) -> Asked:
    """What a generation asks for. Raises ApiError (400)."""
    return _asked(request, request.prompt)


def asked_edit(request: Form | ImagesEditRequest) -> Asked:
    """What an edit asks for, as a form or in JSON. Raises ApiError (400) that names the parameter."""
    if isinstance(request, Form):
        fields: ImagesEditFields = request.validated(ImagesEditFields)
        bodies = [(upload.body, "image") for upload in _uploads(request, "image")]
        masks = [(upload.body, "mask") for upload in request.uploads.get("mask", ())[-1:]]
    else:
        fields = request
        bodies = [_referred(one, f"images[{place}]") for place, one in enumerate(request.images)]
        masks = [_referred(request.mask, "mask")] if request.mask else []
    images = [read(body, param) for body, param in bodies]
    masked = [may_change(read(body, param), images[0].size, param) for body, param in masks]
    return _with_images(_asked(fields, fields.prompt), images, masked[0] if masked else None, "image_edit")


def asked_variation(request: Form) -> Asked:
    """What a variation asks for. Raises ApiError (400) that names the parameter."""
    fields = request.validated(ImagesVariationFields)
    image = read(_uploads(request, "image")[0].body, "image")
    return _with_images(_asked(fields, fields.prompt or ""), [image], None, "image_edit")


def _with_images(asked: Asked, images: Sequence[Image.Image], mask: Image.Image | None, event: str) -> Asked:
    size = asked.size or natural_size(images[0])
    return replace(asked, images=tuple(opaque(image) for image in images), mask=mask, size=size, event=event)


def _asked(fields: _Fields, prompt: str) -> Asked:
    prompted = None if isinstance(fields, ImagesVariationFields) else fields
    stream = bool(prompted and prompted.stream)
    first = secrets.randbelow(_RANDOM_SEEDS) if fields.seed is None else fields.seed
    return Asked(
        prompt=prompt,
        seeds=tuple((first + place) % SEEDS for place in range(fields.n or 1)),
        size=read_size(fields.size),
        negative_prompt=fields.negative_prompt,
        steps=fields.steps,
        guidance_scale=fields.guidance_scale,
        strength=fields.strength,
        file_format=fields.output_format or "png",
        compression=fields.output_compression,
        quality=(prompted and prompted.quality) or "auto",
        stream=stream,
        previews=(prompted and stream and prompted.partial_images) or 0,
    )


def read_size(size: str | None) -> tuple[int, int] | None:
    """Width and height in pixels; None where the choice is left to the model. Raises ApiError (400)."""
    match = re.fullmatch(r"(\d+)x(\d+)", size or "auto")
    if match is None:
        return None
    width, height = int(match[1]), int(match[2])
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise ApiError(INVALID_REQUEST, f"size: both sides must have {SMALLEST} to {LARGEST} pixels", param="size")
    return width, height


def _uploads(form: Form, name: str) -> Sequence[Upload]:
    uploads = form.uploads.get(name, ())
    if not 1 <= len(uploads) <= MOST_IMAGES:
        raise ApiError(INVALID_REQUEST, f"{name}: send 1 to {MOST_IMAGES} files, not {len(uploads)}", param=name)
    return uploads


def _referred(reference: ImageReference, param: str) -> tuple[bytes, str]:
    """The bytes of a referred image, and the parameter to blame for them."""
    if reference.image_url is None:
        raise ApiError(INVALID_REQUEST, f"{param}.file_id: this service holds no files", param=f"{param}.file_id")
    param = f"{param}.image_url"
    return read_data_url(reference.image_url, param).body, param
