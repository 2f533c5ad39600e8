"""Base URLs taken apart."""

import pytest

from nexus.gateway.upstream.address import Address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://box", Address("box", 80, False, "box", "")),
        ("http://box:8000", Address("box", 8000, False, "box:8000", "")),
        ("https://box", Address("box", 443, True, "box", "")),
        ("https://box:8443/engine/", Address("box", 8443, True, "box:8443", "/engine")),
        ("http://box/a/b", Address("box", 80, False, "box", "/a/b")),
        ("http://[::1]:8000", Address("::1", 8000, False, "[::1]:8000", "")),
        ("http://BOX:8000", Address("box", 8000, False, "BOX:8000", "")),
        ("http://user:secret@box:8000", Address("box", 8000, False, "box:8000", "")),
    ],
)
def test_where_a_base_url_leads(url: str, expected: Address) -> None:
    assert Address.of(url) == expected
