"""Pictures opened with care: formats and modes, the right way up, bounded before they are decoded, refused by name."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nexus.contract.errors import ApiError
from nexus.sdk.media.pictures import FORMATS, MOST_PIXELS, PictureFile, opaque, read_picture

HOUSE = Image.radial_gradient("L").convert("RGB").resize((96, 64))


def packed(image: Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **how)
    return target.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to have very many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100_000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def refused(body: bytes, **how: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read_picture(body, "images[2].image_url", **how)
    assert (caught.value.status, caught.value.param) == (400, "images[2].image_url")
    return caught.value


@pytest.mark.parametrize("kind", FORMATS)
def test_formats(kind: str) -> None:
    picture = read_picture(packed(HOUSE, kind), "image")
    assert (picture.mode, picture.size) == ("RGB", HOUSE.size)
    assert np.abs(np.asarray(picture, int) - np.asarray(HOUSE, int)).mean() < 5


def test_a_format_that_was_not_asked_for_is_refused() -> None:
    assert "(png, jpeg)" in refused(packed(HOUSE, "GIF"), formats=("PNG", "JPEG")).message
    assert "no image that can be read" in refused(packed(HOUSE, "ICO")).message
    with pytest.raises(ApiError, match=r"neither a PDF nor an image that can be read \(tiff\)"):
        PictureFile(packed(HOUSE), "document", ("TIFF",), unlike="neither a PDF nor an image")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_modes(mode: str) -> None:
    grey = Image.new("L", (80, 70), 128)
    deep = Image.fromarray(np.full((70, 80), 128 * 257, np.uint16))
    given = deep if mode == "I;16" else grey.convert("RGB").convert(mode)
    picture = opaque(read_picture(packed(given, "JPEG" if mode == "CMYK" else "PNG"), "image"))
    assert picture.mode == "RGB"
    assert abs(np.asarray(picture).mean() - 128) < (20 if mode == "1" else 3)


@pytest.mark.parametrize(("given", "seen"), [(0, 0), (0x8000, 0x80), (0xFFFF, 255)])
def test_sixteen_bits_become_eight(given: int, seen: int) -> None:
    picture = read_picture(packed(Image.fromarray(np.full((4, 4), given, np.uint16))), "image")
    assert picture.getextrema() == ((seen, seen),) * 3


def test_what_is_transparent_is_kept_until_it_is_laid_on_white() -> None:
    picture = read_picture(packed(Image.new("RGBA", (4, 4), (10, 20, 30, 0))), "image")
    assert picture.mode == "RGBA"
    assert opaque(picture).getpixel((1, 1)) == (255, 255, 255)
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    assert opaque(half).getpixel((1, 1)) == (127, 127, 127)


def test_a_photo_is_turned_as_its_camera_said() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert read_picture(packed(HOUSE, "JPEG", exif=exif), "image").size == (64, 96)


def test_each_frame_is_a_picture() -> None:
    frames = [Image.new("L", (40, 30), shade) for shade in (0, 100, 200)]
    body = packed(frames[0], "TIFF", save_all=True, append_images=frames[1:], dpi=(300, 300))
    with PictureFile(body, "document") as file:
        assert (file.format, file.count) == ("TIFF", 3)
        assert [file.picture(index).getpixel((0, 0))[0] for index in (2, 0, 1)] == [200, 0, 100]  # type: ignore[index]
        assert file.picture().info["dpi"] == (300, 300)
    assert read_picture(body, "document").getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize("size", [(10_000, 5_001), (10_000, 10_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_what_is_too_large_is_not_decoded(size: tuple[int, int]) -> None:
    assert size[0] * size[1] > MOST_PIXELS
    assert "pixels; at most 50 megapixels" in refused(bomb(*size)).message


def test_another_bound() -> None:
    reason = "the image has 1001x1000 pixels; at most 1 megapixels are read"
    assert reason in refused(packed(Image.new("1", (1001, 1000))), most_pixels=1_000_000).message
    assert read_picture(packed(Image.new("1", (1000, 1000))), "image", most_pixels=1_000_000).size == (1000, 1000)


def test_what_is_no_picture_or_not_all_of_one() -> None:
    png = packed(HOUSE)
    broken = [b"", b"x", b"not an image", png[:40], png[: len(png) // 2], png[:8] + png[9:], bomb(90, 90)[:60]]
    broken += [
        packed(HOUSE, "JPEG")[:400],
        packed(HOUSE, "WEBP")[:60],
        packed(HOUSE, "BMP")[:90],
        b"<svg/>",
        b"%PDF-1.7",
    ]
    broken += [packed(HOUSE, "TIFF")[:-100], packed(HOUSE, "GIF")[:200]]
    for body in broken:
        assert refused(body).message.startswith("images[2].image_url: ")
    assert "the file is empty" in refused(b"").message
