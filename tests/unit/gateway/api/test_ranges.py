import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.api.ranges import parse_range


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=10-", 10, 100),
        ("bytes=90-500", 90, 100),
        ("bytes=-10", 90, 100),
        ("bytes=-500", 0, 100),
        ("BYTES = 5-6", 5, 7),
    ],
)
def test_a_single_range_of_a_hundred_bytes(header: str, start: int, end: int) -> None:
    span = parse_range(header, 100)
    assert span is not None
    assert (span.start, span.end, span.content_range) == (start, end, f"bytes {start}-{end - 1}/100")


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", f"bytes={10**18}-"])
def test_what_lies_outside_is_a_416(header: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_range(header, 100)
    assert caught.value.status == 416


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=0-1,3-4",
        "items=0-1",
        "bytes=99999999999999999999-",
        "0-1",
        "bytes=٣-٤",
    ],
)
def test_other_headers_are_as_none(header: str | None) -> None:
    assert parse_range(header, 100) is None


def test_nothing_has_no_ranges() -> None:
    for header in ("bytes=0-", "bytes=-5", "bytes=0-0"):
        with pytest.raises(ApiError):
            parse_range(header, 0)
