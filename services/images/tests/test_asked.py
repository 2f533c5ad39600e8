"""From requests to orders: sizes, seeds, counts, pictures; and every refusal by its parameter."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from nexus_images.asked import Asked, asked_edit, asked_generation, asked_variation
from PIL import Image

from nexus.contract.errors import ApiError
from nexus.contract.wire.images import ImagesEditRequest, ImagesGenerationRequest
from nexus.sdk.engine import Form

FileOf = Callable[..., bytes]
FormOf = Callable[..., Form]


def generation(**fields: Any) -> Asked:
    return asked_generation(ImagesGenerationRequest.model_validate_json(json.dumps({"prompt": "x", **fields})), 512)


def data_url(body: bytes) -> dict[str, str]:
    return {"image_url": f"data:image/png;base64,{base64.b64encode(body).decode()}"}


def json_edit(**fields: Any) -> Asked:
    return asked_edit(ImagesEditRequest.model_validate_json(json.dumps({"prompt": "x", **fields})))


def param_of(do: Callable[[], Any]) -> str | None:
    with pytest.raises(ApiError) as caught:
        do()
    assert (caught.value.status, caught.value.kind.type) == (400, "invalid_request_error")
    return caught.value.param


def test_what_is_not_said_is_chosen() -> None:
    (order,) = generation().orders
    assert (order.width, order.height, order.previews, order.base) == (512, 512, 0, None)
    assert generation().orders[0].seed != generation().orders[0].seed
    asked = generation()
    assert (asked.file_format, asked.compression, asked.quality, asked.stream) == ("png", None, "auto", False)


def test_what_is_said_is_kept() -> None:
    asked = generation(
        n=3, size="2048x64", seed=2**63 - 1, steps=5, guidance_scale=1, negative_prompt="no", stream=True
    )
    assert [order.seed for order in asked.orders] == [2**63 - 1, 0, 1]
    first = asked.orders[0]
    assert (first.width, first.height, first.steps, first.guidance_scale) == (2048, 64, 5, 1)
    assert (first.negative_prompt, asked.stream) == ("no", True)


def test_previews_are_for_streams_only() -> None:
    assert generation(partial_images=2).orders[0].previews == 0
    assert generation(partial_images=2, stream=True).orders[0].previews == 2


@pytest.mark.parametrize("size", ["0x0", "63x64", "64x63", "2049x64", "64x99999", "00064x1"])
def test_sizes_out_of_bounds(size: str) -> None:
    assert param_of(lambda: generation(size=size)) == "size"


def test_edits_in_json_and_as_a_form_are_the_same(house: Image.Image, file_of: FileOf, form_of: FormOf) -> None:
    mask = file_of(Image.new("RGBA", house.size))
    body = file_of(house)
    form = asked_edit(form_of({"prompt": "x", "n": "2", "seed": "7", "stream": ""}, image=[body, body], mask=mask))
    plain = json_edit(images=[data_url(body)] * 2, mask=data_url(mask), n=2, seed=7)
    for asked in (form, plain):
        assert asked.event == "image_edit"
        assert [order.seed for order in asked.orders] == [7, 8]
        first = asked.orders[0]
        assert (first.width, first.height, asked.given, len(first.references)) == (192, 160, 3, 1)
        assert first.base is not None
        assert first.mask is not None
        assert first.mask.getextrema() == (255, 255)
    assert form.orders[0].base == plain.orders[0].base


def test_an_edit_of_another_size_fits_picture_and_mask(house: Image.Image, file_of: FileOf, form_of: FormOf) -> None:
    form = form_of({"prompt": "x", "size": "96x128"}, image=file_of(house), mask=file_of(Image.new("RGBA", house.size)))
    (order,) = asked_edit(form).orders
    assert order.base is not None
    assert order.mask is not None
    assert order.base.size == order.mask.size == (order.width, order.height) == (96, 128)


def test_variations_need_no_prompt(house: Image.Image, file_of: FileOf, form_of: FormOf) -> None:
    asked = asked_variation(form_of({"n": "2", "response_format": "url"}, image=file_of(house)))
    assert (len(asked.orders), asked.orders[0].varied, asked.prompt, asked.stream) == (2, True, "", False)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"prompt": "x", "n": "0"}, "n"),
        ({"prompt": "x", "n": "two"}, "n"),
        ({"prompt": "x", "size": "-1x5"}, "size"),
        ({"prompt": "x", "size": "4096x4096"}, "size"),
        ({"prompt": "x", "output_format": "tiff"}, "output_format"),
        ({"prompt": "x", "partial_images": "9"}, "partial_images"),
    ],
)
def test_bad_fields_of_a_form(
    fields: dict[str, str], param: str, house: Image.Image, file_of: FileOf, form_of: FormOf
) -> None:
    assert param_of(lambda: asked_edit(form_of(fields, image=file_of(house)))) == param
    if param not in ("prompt", "partial_images"):
        assert param_of(lambda: asked_variation(form_of(fields, image=file_of(house)))) == param


def test_bad_pictures_of_a_form(house: Image.Image, file_of: FileOf, form_of: FormOf) -> None:
    good = file_of(house)
    assert param_of(lambda: asked_edit(form_of({"prompt": "x"}))) == "image"
    assert param_of(lambda: asked_variation(form_of({}))) == "image"
    assert param_of(lambda: asked_edit(form_of({"prompt": "x"}, image=[good] * 17))) == "image"
    assert param_of(lambda: asked_edit(form_of({"prompt": "x"}, image=[good, b"text"]))) == "image"
    assert param_of(lambda: asked_edit(form_of({"prompt": "x"}, image=good[:200]))) == "image"
    assert param_of(lambda: asked_edit(form_of({"prompt": "x"}, image=good, mask=b""))) == "mask"


def test_bad_pictures_in_json(house: Image.Image, file_of: FileOf) -> None:
    good = data_url(file_of(house))
    assert param_of(lambda: json_edit(images=[{"image_url": "https://example.com/a.png"}])) == "images[0].image_url"
    assert (
        param_of(lambda: json_edit(images=[good, {"image_url": "data:image/png;base64,%%%"}])) == "images[1].image_url"
    )
    assert param_of(lambda: json_edit(images=[good, data_url(b"text")])) == "images[1].image_url"
    assert param_of(lambda: json_edit(images=[{"file_id": "file-1"}])) == "images[0].file_id"
    assert param_of(lambda: json_edit(images=[good], mask=data_url(b"no"))) == "mask.image_url"
