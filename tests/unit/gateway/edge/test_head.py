"""Heads that are not everyday ones: what is let through, and as what."""

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.edge.context import Limits
from nexus.gateway.edge.head import head_too_large, inspect_head, origin_form, without_nominated

LIMITS = Limits(head_bytes=200)
HOST = (b"host", b"x")


def test_an_everyday_head_passes_as_it_is() -> None:
    assert inspect_head(b"/v1/models?x=1", [HOST], "1.1", LIMITS) == b"/v1/models?x=1"


@pytest.mark.parametrize(("headers", "version"), [([], "1.1"), ([HOST, HOST], "1.1"), ([HOST, (b"host", b"y")], "1.0")])
def test_one_host_is_needed_and_not_two(headers: list[tuple[bytes, bytes]], version: str) -> None:
    with pytest.raises(ApiError, match="one Host header") as caught:
        inspect_head(b"/", headers, version, LIMITS)
    assert caught.value.status == 400


def test_http_1_0_needs_no_host() -> None:
    assert inspect_head(b"/", [], "1.0", LIMITS) == b"/"


@pytest.mark.parametrize("version", ["0.9", "1.2", "2.0", "9.9"])
def test_other_versions_are_refused(version: str) -> None:
    with pytest.raises(ApiError, match=rf"HTTP/{version} is not spoken here"):
        inspect_head(b"/", [HOST], version, LIMITS)


@pytest.mark.parametrize(("size", "fits"), [(191, True), (192, False)])
def test_a_head_is_bounded_by_all_of_its_bytes(size: int, fits: bool) -> None:
    """The target, and each line with its colon, its space and its end, as far as they are known to be there."""
    url = b"/" + b"a" * (size - 1)
    if fits:
        assert inspect_head(url, [HOST], "1.1", LIMITS) == url
        return
    with pytest.raises(ApiError) as caught:
        inspect_head(url, [HOST], "1.1", LIMITS)
    assert (caught.value.status, caught.value.code) == (431, "headers_too_large")
    assert str(LIMITS.head_bytes) in caught.value.message


def test_the_bound_is_told() -> None:
    assert "200 bytes" in head_too_large(LIMITS).message


@pytest.mark.parametrize(
    ("url", "target"),
    [
        (b"http://host/v1/models", b"/v1/models"),
        (b"https://host:8800/v1/models?a=b&c", b"/v1/models?a=b&c"),
        (b"http://host/", b"/"),
    ],
)
def test_an_absolute_target_is_read_as_its_path(url: bytes, target: bytes) -> None:
    assert origin_form(url) == target
    assert inspect_head(url, [HOST], "1.1", LIMITS) == target


@pytest.mark.parametrize("url", [b"*", b"host:443", b"http://host", b"", b"v1/models", b"http://[/", b"\xff"])
def test_other_forms_of_a_target_are_refused(url: bytes) -> None:
    with pytest.raises(ApiError, match="must be a path or an absolute URL") as caught:
        inspect_head(url, [HOST], "1.1", LIMITS)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("connection", "left"),
    [
        (b"close", [b"host", b"x-one", b"x-two"]),
        (b"x-one", [b"host", b"x-two"]),
        (b" X-One ,keep-alive, x-TWO", [b"host"]),
        (b"", [b"host", b"x-one", b"x-two"]),
    ],
)
def test_fields_that_are_for_this_hop_alone_are_left_out(connection: bytes, left: list[bytes]) -> None:
    headers = [HOST, (b"x-one", b"1"), (b"x-two", b"2")]
    assert [name for name, _ in without_nominated(headers, connection)] == left
