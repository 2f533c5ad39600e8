"""Images opened: formats and modes, and the bound on their size."""

import io

import pytest
from nexus_moderation.images import opened_image
from PIL import Image

from nexus.contract.errors import ApiError


def packed(image: Image.Image, form: str) -> bytes:
    target = io.BytesIO()
    image.save(target, form)
    return target.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_formats(form: str) -> None:
    image = opened_image(packed(Image.new("L", (30, 20), 200), form), "input")
    assert (image.mode, image.size) == ("RGB", (30, 20))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "I;16"])
def test_modes(mode: str) -> None:
    assert opened_image(packed(Image.new(mode, (30, 20)), "PNG"), "input").mode == "RGB"


def test_what_is_too_large_is_not_decoded() -> None:
    with pytest.raises(ApiError, match="more than 50 megapixels") as caught:
        opened_image(packed(Image.new("1", (8000, 6300)), "PNG"), "input")
    assert (caught.value.status, caught.value.param) == (400, "input")


def test_other_formats_are_refused() -> None:
    with pytest.raises(ApiError, match="no image that can be read"):
        opened_image(packed(Image.new("L", (9, 9)), "ICO"), "input")
