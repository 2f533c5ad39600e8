"""Data URLs: what they hold, and what is refused by the parameter it came in."""

import base64

import pytest

from nexus.contract.errors import ApiError
from nexus.sdk.media.data_urls import DataUrl, read_base64, read_data_url

BODY = bytes(range(256)) + b">>>???"


def packed(body: bytes = BODY) -> str:
    return base64.b64encode(body).decode()


@pytest.mark.parametrize(
    ("text", "media_type"),
    [
        (f"data:image/png;base64,{packed()}", "image/png"),
        (f"DATA:Image/PNG;name=a.png;BASE64,{packed()}", "image/png"),
        (f"  data:image/png; base64,{packed()}\n", "image/png"),
        (f"data:;base64,{packed()}", "text/plain"),
        (f"data:image/png;base64,{packed().replace('+', '%2B').replace('=', '%3D')}", "image/png"),
        (f"data:image/png;base64,{packed().rstrip('=')}", "image/png"),
        (f"data:image/png;base64,{base64.urlsafe_b64encode(BODY).decode()}", "image/png"),
        (f"data:image/png;base64,{base64.encodebytes(BODY).decode()}", "image/png"),
    ],
)
def test_base64_is_read_as_clients_write_it(text: str, media_type: str) -> None:
    assert read_data_url(text, "image") == DataUrl(media_type, BODY)


def test_content_without_base64_is_percent_encoded() -> None:
    assert read_data_url("data:,a%20b%ff", "image") == DataUrl("text/plain", b"a b\xff")
    assert read_data_url("data:text/plain;charset=utf-8,a,b", "image").body == b"a,b"


@pytest.mark.parametrize("text", ["https://example.com/a.png", "HTTP://example.com/a.png"])
def test_the_network_is_never_asked(text: str) -> None:
    with pytest.raises(ApiError, match=r"fetches nothing.*data: URL, or upload a file") as caught:
        read_data_url(text, "document.image_url")
    assert (caught.value.status, caught.value.param) == (400, "document.image_url")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a data: URL"),
        ("/etc/passwd", "expected a data: URL"),
        ("file:///etc/passwd", "expected a data: URL"),
        ("ftp://example.com/a", "expected a data: URL"),
        ("data:image/png;base64", "no comma"),
        ("data:image/png;base64,!!!!", "base64 content cannot be decoded"),
        ("data:image/png;base64,AAAAA", "base64 content cannot be decoded"),
        ("data:image/png;base64,AA=AA", "base64 content cannot be decoded"),
        ("data:image/png;base64,ä", "base64 content cannot be decoded"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_parameter(text: str, reason: str) -> None:
    with pytest.raises(ApiError, match=reason) as caught:
        read_data_url(text, "image")
    assert (caught.value.status, caught.value.param) == (400, "image")
    assert "image" in caught.value.message


@pytest.mark.parametrize("text", [f"data:;base64,{packed(b'x' * 101)}", "data:," + "x" * 101])
def test_too_much_is_refused(text: str) -> None:
    assert len(read_data_url(text, "image", most_bytes=101).body) == 101
    with pytest.raises(ApiError, match="larger than 100 bytes") as caught:
        read_data_url(text, "image", most_bytes=100)
    assert (caught.value.status, caught.value.param) == (400, "image")


def test_far_too_much_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ApiError, match="larger than"):
        read_data_url("data:;base64," + "!" * 1000, "image", most_bytes=100)


def test_bare_base64() -> None:
    assert read_base64(packed(), "image") == BODY
    assert read_base64("", "image") == b""
    with pytest.raises(ApiError) as caught:
        read_base64("not base64!", "image")
    assert caught.value.param == "image"
