"""From requests to what is asked: sizes, seeds, counts, pictures; and every refusal by its parameter."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from nexus.contract.errors import ApiError
from nexus.contract.wire.images import ImagesEditRequest, ImagesGenerationRequest
from nexus.sdk.engine import Form
from nexus.sdk.media.picture_requests import PicturesAsked, asked_edit, asked_generation, asked_variation

FileOf = Callable[..., bytes]
FormOf = Callable[..., Form]


def generation(**fields: Any) -> PicturesAsked:
    return asked_generation(ImagesGenerationRequest.model_validate_json(json.dumps({"prompt": "x", **fields})), 2048)


def data_url(body: bytes) -> dict[str, str]:
    return {"image_url": f"data:image/png;base64,{base64.b64encode(body).decode()}"}


def json_edit(**fields: Any) -> PicturesAsked:
    return asked_edit(ImagesEditRequest.model_validate_json(json.dumps({"prompt": "x", **fields})), 2048)


def param_of(do: Callable[[], Any]) -> str | None:
    with pytest.raises(ApiError) as caught:
        do()
    assert (caught.value.status, caught.value.kind.type) == (400, "invalid_request_error")
    return caught.value.param


def test_what_is_not_said_is_chosen() -> None:
    asked = generation()
    assert (asked.kind, asked.size, asked.images, asked.previews, asked.given) == ("generation", None, (), 0, 0)
    assert asked.seeds != generation().seeds
    assert (asked.file_format, asked.compression, asked.quality, asked.stream) == ("png", None, "auto", False)


def test_what_is_said_is_kept() -> None:
    asked = generation(
        n=3, size="2048x64", seed=2**63 - 1, steps=5, guidance_scale=1, negative_prompt="no", stream=True
    )
    assert asked.seeds == (2**63 - 1, 0, 1)
    assert (asked.size, asked.steps, asked.guidance_scale) == ((2048, 64), 5, 1)
    assert (asked.negative_prompt, asked.stream) == ("no", True)


def test_previews_are_for_streams_only() -> None:
    assert generation(partial_images=2).previews == 0
    assert generation(partial_images=2, stream=True).previews == 2


@pytest.mark.parametrize("size", ["0x0", "63x64", "64x63", "2049x64", "64x99999", "00064x1"])
def test_sizes_out_of_bounds(size: str) -> None:
    assert param_of(lambda: generation(size=size)) == "size"


def test_edits_in_json_and_as_a_form_are_the_same(house: Image.Image, file_of: FileOf, form_of: FormOf) -> None:
    mask = file_of(Image.new("RGBA", house.size))
    body = file_of(house)
    fields = {"prompt": "x", "n": "2", "seed": "7", "stream": ""}
    form = asked_edit(form_of(fields, image=[body, body], mask=[b"", mask]), 2048)
    plain = json_edit(images=[data_url(body)] * 2, mask=data_url(mask), n=2, seed=7)
    for asked in (form, plain):
        assert (asked.kind, asked.seeds, asked.size, asked.given) == ("edit", (7, 8), house.size, 3)
        assert [image.tobytes() for image in asked.images] == [house.tobytes()] * 2
        assert asked.mask is not None
        assert asked.mask.getextrema() == (255, 255)


def test_a_size_that_is_said_goes_before_the_pictures_own(house: Image.Image, file_of: FileOf, form_of: FormOf) -> None:
    asked = asked_edit(form_of({"prompt": "x", "size": "96x128"}, image=file_of(house)), 2048)
    assert (asked.size, asked.images[0].size) == ((96, 128), house.size)


def test_large_pictures_are_brought_within_bounds(file_of: FileOf, form_of: FormOf) -> None:
    large = Image.new("RGBA", (400, 200))
    asked = asked_edit(form_of({"prompt": "x"}, image=file_of(large), mask=file_of(large)), 256)
    assert asked.mask is not None
    assert asked.images[0].size == asked.mask.size == asked.size == (256, 128)


def test_where_the_mask_forbids_it_nothing_changes(house: Image.Image, file_of: FileOf, form_of: FormOf) -> None:
    mask = Image.new("RGBA", house.size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 96, 160))
    asked = asked_edit(form_of({"prompt": "x"}, image=file_of(house), mask=file_of(mask)), 2048)
    made = asked.kept(Image.new("RGB", house.size, "red"))
    assert made.crop((96, 0, 192, 160)).tobytes() == house.crop((96, 0, 192, 160)).tobytes()
    assert made.crop((0, 0, 96, 160)).getcolors() == [(96 * 160, (255, 0, 0))]
    assert asked.kept(Image.new("RGB", (64, 64))).size == (64, 64)


def test_variations_need_no_prompt(house: Image.Image, file_of: FileOf, form_of: FormOf) -> None:
    asked = asked_variation(form_of({"n": "2", "response_format": "url"}, image=file_of(house)), 2048)
    assert (asked.kind, len(asked.seeds), asked.prompt, asked.stream) == ("variation", 2, "", False)
    assert (len(asked.images), asked.size) == (1, house.size)


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
    assert param_of(lambda: asked_edit(form_of(fields, image=file_of(house)), 2048)) == param
    if param not in ("prompt", "partial_images"):
        assert param_of(lambda: asked_variation(form_of(fields, image=file_of(house)), 2048)) == param


def test_bad_pictures_of_a_form(house: Image.Image, file_of: FileOf, form_of: FormOf) -> None:
    good = file_of(house)
    assert param_of(lambda: asked_edit(form_of({"prompt": "x"}), 2048)) == "image"
    assert param_of(lambda: asked_variation(form_of({}), 2048)) == "image"
    assert param_of(lambda: asked_edit(form_of({"prompt": "x"}, image=[good] * 17), 2048)) == "image"
    assert param_of(lambda: asked_edit(form_of({"prompt": "x"}, image=[good, b"text"]), 2048)) == "image"
    assert param_of(lambda: asked_edit(form_of({"prompt": "x"}, image=good[:200]), 2048)) == "image"
    assert param_of(lambda: asked_edit(form_of({"prompt": "x"}, image=good, mask=b""), 2048)) == "mask"


def test_bad_pictures_in_json(house: Image.Image, file_of: FileOf) -> None:
    good = data_url(file_of(house))
    assert param_of(lambda: json_edit(images=[{"image_url": "https://example.com/a.png"}])) == "images[0].image_url"
    assert (
        param_of(lambda: json_edit(images=[good, {"image_url": "data:image/png;base64,%%%"}])) == "images[1].image_url"
    )
    assert param_of(lambda: json_edit(images=[good, data_url(b"text")])) == "images[1].image_url"
    assert param_of(lambda: json_edit(images=[{"file_id": "file-1"}])) == "images[0].file_id"
    assert param_of(lambda: json_edit(images=[good], mask=data_url(b"no"))) == "mask.image_url"
