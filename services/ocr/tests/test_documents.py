"""Documents opened: formats, the right way up, and what is refused before it costs anything."""

import struct
import zlib

import numpy as np
import pytest
from drawing import packed, page
from PIL import Image

from nexus.contract.errors import ApiError
from nexus.sdk.media.documents import Limits, opened
from nexus.sdk.media.page_picture import Picture

LIMITS = Limits(dpi=150, most_pixels=1_000_000)
ENCRYPTED = (  # RC4, 40 bits, with a user password: one empty page
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]>>endobj\n"
    b"4 0 obj<</Filter/Standard/V 1/R 2/P -4/O<" + b"11" * 32 + b">/U<" + b"22" * 32 + b">>>endobj\n"
    b"trailer<</Root 1 0 R/Encrypt 4 0 R/Size 5/ID[<" + b"33" * 16 + b"><" + b"33" * 16 + b">]>>\nstartxref\n0\n%%EOF\n"
)


def pictures(body: bytes) -> list[Picture]:
    with opened(body, "document", LIMITS) as document:
        return [document.picture(index) for index in range(document.count)]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"])
def test_image_formats(form: str) -> None:
    image = Image.new("RGB", (40, 30), (250, 0, 0))
    (picture,) = pictures(packed(image, form))
    assert (picture.width, picture.height) == (40, 30)
    blue, green, red = picture.pixels[15, 20].tolist()
    assert red > 240
    assert max(blue, green) < 15


def test_every_frame_of_a_tiff_is_a_page_and_only_the_first_of_a_gif() -> None:
    frames = [Image.new("L", (40, 30), shade) for shade in (0, 100, 200)]
    several = {"save_all": True, "append_images": frames[1:]}
    assert [int(p.pixels[0, 0, 0]) for p in pictures(packed(frames[0], "TIFF", **several))] == [0, 100, 200]
    assert len(pictures(packed(frames[0], "GIF", **several))) == 1


def test_a_photo_is_turned_as_its_camera_says() -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste("black", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: right is up
    (picture,) = pictures(packed(image, "JPEG", exif=exif))
    assert (picture.width, picture.height) == (20, 40)
    assert picture.pixels[5].mean() < 20
    assert picture.pixels[35].mean() > 235


def test_transparency_is_white_and_16_bits_are_8() -> None:
    (clear,) = pictures(packed(Image.new("RGBA", (10, 10), (0, 0, 0, 0))))
    assert clear.pixels.min() == 255
    (deep,) = pictures(packed(Image.fromarray(np.full((10, 10), 0x8000, np.uint16))))
    assert deep.pixels.max() == 0x80
    assert deep.pixels.min() == 0x80


def test_the_resolution_is_the_files_own() -> None:
    assert pictures(packed(Image.new("L", (10, 10)), "PNG", dpi=(300, 300)))[0].dpi == 300
    assert pictures(packed(Image.new("L", (10, 10))))[0].dpi == 72


def test_a_pdf_is_drawn_page_by_page() -> None:
    first, second = Image.new("RGB", (144, 288), "white"), Image.new("RGB", (72, 72), "black")
    body = packed(first, "PDF", save_all=True, append_images=[second], resolution=72)
    one, two = pictures(b"\n" + body)
    assert (one.dpi, one.width, one.height) == (150, 300, 600)
    assert (two.width, two.height) == (150, 150)
    assert one.pixels.min() > 240
    assert two.pixels.max() < 15


def test_a_poster_is_drawn_at_fewer_dots() -> None:
    (picture,) = pictures(packed(Image.new("L", (9000, 100)), "PDF", resolution=72))
    assert picture.width == 5000
    assert picture.dpi == 40


def _bomb() -> bytes:
    """A PNG that says it has 60,000 by 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


NOISE = Image.effect_noise((200, 200), 90)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is empty"),
        (b"hello, I am not a picture", "neither a PDF nor an image"),
        (b"PK\x03\x04" + bytes(100), "neither a PDF nor an image"),
        (packed(NOISE)[:3000], "broken or was cut off"),
        (packed(NOISE, "JPEG")[:1000], "broken or was cut off"),
        (packed(NOISE, "TIFF")[:1000], "cannot be read|cut off|neither"),
        (packed(NOISE)[:20], "cannot be read|cut off|neither"),
        (packed(Image.new("L", (1001, 1000))), "1001x1000 pixels; at most 1 megapixels"),
        (_bomb(), "cannot be read|megapixels"),
        (b"%PDF-1.7\n", "the PDF is broken or was cut off"),
        (packed(page(["text"]), "PDF")[:900], "the PDF is broken or was cut off"),
        (ENCRYPTED, "encrypted and wants a password"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_parameter(body: bytes, reason: str) -> None:
    with pytest.raises(ApiError, match=reason) as caught:
        pictures(body)
    assert (caught.value.status, caught.value.param) == (400, "document")
    assert caught.value.message.startswith("document: ")
