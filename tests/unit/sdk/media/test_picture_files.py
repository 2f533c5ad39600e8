"""Pictures that come, every format and mode, bounded, and what cannot be one; and pictures that go as files."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nexus.contract.errors import ApiError
from nexus.sdk.media.picture_files import from_engine, may_change, png, read_given, written

FileOf = Callable[..., bytes]


def refusal(do: Callable[[], Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        do()
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_formats(file_format: str, house: Image.Image, file_of: FileOf) -> None:
    picture = read_given(file_of(house, file_format), "image")
    assert (picture.size, picture.opaque().mode) == (house.size, "RGB")
    difference = np.abs(np.asarray(picture.opaque(), int) - np.asarray(house, int))
    assert difference.mean() < 5


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16", "CMYK"])
def test_modes(mode: str, file_of: FileOf) -> None:
    grey = Image.new("L", (80, 70), 128)
    if mode == "I;16":
        given = Image.fromarray(np.full((70, 80), 128 * 257, np.uint16))
    else:
        given = grey.convert("RGB").convert(mode)
    picture = read_given(file_of(given, "JPEG" if mode == "CMYK" else "PNG"), "image").opaque()
    assert picture.mode == "RGB"
    assert abs(np.asarray(picture).mean() - 128) < (20 if mode == "1" else 3)


def test_transparent_parts_are_white_and_kept_for_masks(file_of: FileOf) -> None:
    picture = read_given(file_of(Image.new("RGBA", (64, 64), (10, 20, 30, 0))), "image")
    assert picture.opaque().getpixel((5, 5)) == (255, 255, 255)
    assert picture.image.getpixel((5, 5))[3] == 0


def test_a_photo_is_turned_as_its_camera_said(file_of: FileOf) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_given(file_of(Image.new("RGB", (100, 70)), "JPEG", exif=exif), "image").size == (70, 100)


def test_a_large_picture_is_brought_down_but_its_size_known(file_of: FileOf) -> None:
    body = file_of(Image.new("RGB", (4000, 1000)))
    picture = read_given(body, "image", 2048)
    assert (picture.image.size, picture.size) == ((2048, 512), (4000, 1000))
    assert read_given(body, "image", 4000).image.size == read_given(body, "image").image.size == (4000, 1000)


def test_what_is_no_picture_is_refused(house: Image.Image, file_of: FileOf) -> None:
    png = file_of(house)
    broken = [b"", b"x", b"not an image", png[:40], png[: len(png) // 2], png[:8] + png[9:]]
    broken += [file_of(house, "JPEG")[:400], file_of(house, "WEBP")[:60], file_of(house, "BMP"), b"<svg/>", b"%PDF-1.7"]
    for body in broken:
        assert refusal(lambda body=body: read_given(body, "image")).param == "image"


def test_a_masks_transparent_parts_may_change(house: Image.Image, file_of: FileOf) -> None:
    base = read_given(file_of(house), "image")
    mask = Image.new("RGBA", house.size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 50, 50))
    read = may_change(read_given(file_of(mask), "mask"), base, "mask")
    assert (read.getpixel((10, 10)), read.getpixel((100, 100))) == (255, 0)


def test_masks_that_cannot_be(house: Image.Image, file_of: FileOf) -> None:
    base = read_given(file_of(house), "image")
    small = read_given(file_of(Image.new("RGBA", (64, 64))), "mask")
    other = refusal(lambda: may_change(small, base, "mask"))
    assert (other.param, "64x64" in other.message, "192x160" in other.message) == ("mask", True, True)
    assert refusal(lambda: may_change(base, base, "mask")).param == "mask"


def test_a_mask_of_a_large_picture_fits_it(file_of: FileOf) -> None:
    base = read_given(file_of(Image.new("RGB", (3000, 100))), "image", 2048)
    mask = read_given(file_of(Image.new("RGBA", (3000, 100))), "mask", 2048)
    assert may_change(mask, base, "mask").size == base.image.size == (2048, 68)
    as_large = read_given(file_of(Image.new("RGBA", base.image.size)), "mask", 2048)
    assert "2048x68, not the 3000x100" in refusal(lambda: may_change(as_large, base, "mask")).message


@pytest.mark.parametrize(("file_format", "name"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_pictures_are_written(file_format: str, name: str, house: Image.Image) -> None:
    with Image.open(io.BytesIO(written(house, file_format, None))) as read:
        assert (read.format, read.size) == (name, house.size)
    if file_format != "png":
        assert len(written(house, file_format, 0)) < len(written(house, file_format, 100))


def test_what_an_engine_takes_and_makes(house: Image.Image) -> None:
    assert from_engine(png(house)).tobytes() == house.tobytes()
    with pytest.raises(ApiError) as caught:
        from_engine(b"nothing")
    assert (caught.value.status, "the engine's picture" in caught.value.message) == (502, True)
