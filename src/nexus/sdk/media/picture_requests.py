"""From OpenAI's requests for images to what is to be painted: pictures read, the size and the seeds settled."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

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
from nexus.sdk.media.picture_files import may_change, read_given
from nexus.sdk.media.picture_fitting import SMALLEST, fitted, natural_size

SEEDS: Final = 2**63
_RANDOM_SEEDS: Final = 2**31
_Fields = ImagesGenerationRequest | ImagesEditFields | ImagesVariationFields


@dataclass(frozen=True, slots=True)
class PicturesAsked:
    """A whole request for pictures, one for each seed.

    `size` is None where it is the model's to choose, which it never is where there are `images` (in RGB). `mask` has
    the size of the first of them and is white where that may change. `previews` is how many unfinished states of each
    picture are wanted. What else is None is the engine's to choose.
    """

    kind: Literal["generation", "edit", "variation"]
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

    @property
    def given(self) -> int:
        """How many pictures came with the request."""
        return len(self.images) + (self.mask is not None)

    def kept(self, picture: Image.Image) -> Image.Image:
        """The picture, in which nothing has changed where the mask forbids it."""
        if self.mask is None:
            return picture
        return Image.composite(picture, fitted(self.images[0], picture.size), fitted(self.mask, picture.size))


def asked_generation(request: ImagesGenerationRequest, largest: int) -> PicturesAsked:
    """What a generation asks for; `largest` is the longest side that is made, in pixels. Raises ApiError (400)."""
    return _asked("generation", request, request.prompt, largest)


def asked_edit(request: Form | ImagesEditRequest, largest: int) -> PicturesAsked:
    """What an edit asks for, as a form or in JSON. Raises ApiError (400) that names the parameter."""
    if isinstance(request, Form):
        fields: ImagesEditFields = request.validated(ImagesEditFields)
        bodies = [(upload.body, "image") for upload in _uploads(request, "image")]
        masks = [(upload.body, "mask") for upload in request.uploads.get("mask", ())[-1:]]
    else:
        fields = request
        bodies = [_referred(one, f"images[{place}]") for place, one in enumerate(request.images)]
        masks = [_referred(request.mask, "mask")] if request.mask else []
    return _with_pictures(_asked("edit", fields, fields.prompt, largest), bodies, masks, largest)


def asked_variation(request: Form, largest: int) -> PicturesAsked:
    """What a variation asks for. Raises ApiError (400) that names the parameter."""
    fields = request.validated(ImagesVariationFields)
    body = _uploads(request, "image")[0].body
    return _with_pictures(_asked("variation", fields, fields.prompt or "", largest), [(body, "image")], [], largest)


def read_size(size: str | None, largest: int) -> tuple[int, int] | None:
    """Width and height in pixels; None where the choice is left to the model. Raises ApiError (400)."""
    match = re.fullmatch(r"(\d+)x(\d+)", size or "auto")
    if match is None:
        return None
    width, height = int(match[1]), int(match[2])
    if not (SMALLEST <= width <= largest and SMALLEST <= height <= largest):
        raise ApiError(INVALID_REQUEST, f"size: both sides must have {SMALLEST} to {largest} pixels", param="size")
    return width, height


def _asked(
    kind: Literal["generation", "edit", "variation"], fields: _Fields, prompt: str, largest: int
) -> PicturesAsked:
    prompted = None if isinstance(fields, ImagesVariationFields) else fields
    stream = bool(prompted and prompted.stream)
    first = secrets.randbelow(_RANDOM_SEEDS) if fields.seed is None else fields.seed
    return PicturesAsked(
        kind=kind,
        prompt=prompt,
        seeds=tuple((first + place) % SEEDS for place in range(fields.n or 1)),
        size=read_size(fields.size, largest),
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


_Bodies = Sequence[tuple[bytes, str]]  # each with the parameter to blame for it


def _with_pictures(asked: PicturesAsked, bodies: _Bodies, masks: _Bodies, largest: int) -> PicturesAsked:
    pictures = [read_given(body, param, largest) for body, param in bodies]
    allowed = [may_change(read_given(body, param, largest), pictures[0], param) for body, param in masks]
    return replace(
        asked,
        images=tuple(picture.opaque() for picture in pictures),
        mask=allowed[0] if allowed else None,
        size=asked.size or natural_size(pictures[0].image, largest),
    )


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
