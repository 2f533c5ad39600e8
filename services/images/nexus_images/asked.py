"""From a request to what is to be painted: its pictures read, its size settled, one order for each picture wanted."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.images import (
    MOST_IMAGES,
    ImageReference,
    ImagesEditFields,
    ImagesEditRequest,
    ImagesGenerationRequest,
    ImagesVariationFields,
)
from nexus.sdk.engine import Form
from nexus.sdk.media.data_urls import read_data_url
from nexus_images.painter import Order
from nexus_images.pictures import LARGEST, SMALLEST, Picture, fitted, natural_size, read_mask, read_picture

_SEEDS: Final = 2**63
_RANDOM_SEEDS: Final = 2**31
_Fields = ImagesGenerationRequest | ImagesEditFields | ImagesVariationFields


@dataclass(frozen=True, slots=True)
class Asked:
    """A whole request: one order a picture, the file format, and, for a stream, what its events begin with."""

    orders: tuple[Order, ...]
    prompt: str
    file_format: str
    compression: int | None
    quality: str
    stream: bool = False
    event: str = "image_generation"

    @property
    def given(self) -> int:
        """How many pictures came with the request."""
        first = self.orders[0]
        return (first.base is not None) + len(first.references) + (first.mask is not None)


def asked_generation(request: ImagesGenerationRequest, native: int) -> Asked:
    """What a generation asks for; `native` is the painter's own size in pixels. Raises ApiError (400)."""
    width, height = _size(request.size) or (native, native)
    return _asked(request, Order(prompt=request.prompt, width=width, height=height, seed=_seed(request)))


def asked_edit(request: Form | ImagesEditRequest) -> Asked:
    """What an edit asks for, as a form or in JSON. Raises ApiError (400) that names the parameter."""
    if isinstance(request, Form):
        fields: ImagesEditFields = request.validated(ImagesEditFields)
        bodies = [(upload.body, "image") for upload in _uploads(request, "image")]
        mask = [(upload.body, "mask") for upload in request.uploads.get("mask", ())[-1:]]
    else:
        fields = request
        bodies = [_referred(one, f"images[{place}]") for place, one in enumerate(request.images)]
        mask = [_referred(request.mask, "mask")] if request.mask else []
    size = _size(fields.size)
    pictures = [read_picture(body, param) for body, param in bodies]
    base = pictures[0]
    may_change = read_mask(mask[0][0], base, mask[0][1]) if mask else None
    order = _order(fields, fields.prompt, base, size)
    order = replace(
        order,
        mask=None if may_change is None else fitted(may_change, (order.width, order.height)),
        references=tuple(picture.opaque() for picture in pictures[1:]),
    )
    return replace(_asked(fields, order), event="image_edit")


def asked_variation(request: Form) -> Asked:
    """What a variation asks for. Raises ApiError (400) that names the parameter."""
    fields = request.validated(ImagesVariationFields)
    size = _size(fields.size)
    base = read_picture(_uploads(request, "image")[0].body, "image")
    return _asked(fields, replace(_order(fields, fields.prompt or "", base, size), varied=True))


def _order(fields: _Fields, prompt: str, base: Picture, size: tuple[int, int] | None) -> Order:
    image = base.opaque()
    width, height = size or natural_size(image)
    return Order(prompt=prompt, width=width, height=height, seed=_seed(fields), base=fitted(image, (width, height)))


def _asked(fields: _Fields, first: Order) -> Asked:
    prompted = not isinstance(fields, ImagesVariationFields)
    stream = prompted and bool(fields.stream)
    first = replace(
        first,
        negative_prompt=fields.negative_prompt,
        steps=fields.steps,
        guidance_scale=fields.guidance_scale,
        strength=fields.strength,
        previews=(fields.partial_images or 0) if stream else 0,
    )
    orders = tuple(replace(first, seed=(first.seed + place) % _SEEDS) for place in range(fields.n or 1))
    quality = (fields.quality if prompted else None) or "auto"
    return Asked(orders, first.prompt, fields.output_format or "png", fields.output_compression, quality, stream)


def _seed(fields: _Fields) -> int:
    return secrets.randbelow(_RANDOM_SEEDS) if fields.seed is None else fields.seed


def _size(size: str | None) -> tuple[int, int] | None:
    """Width and height; None where the choice is left to the service."""
    match = re.fullmatch(r"(\d+)x(\d+)", size or "auto")
    if match is None:
        return None
    width, height = int(match[1]), int(match[2])
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise ApiError(INVALID_REQUEST, f"size: both sides must have {SMALLEST} to {LARGEST} pixels", param="size")
    return width, height


def _uploads(form: Form, name: str) -> Sequence:
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
