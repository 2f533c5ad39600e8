"""A client's request id is kept if it is sane; every other request gets one of its own."""

import re

import pytest

from nexus.gateway.edge.identity import request_id


@pytest.mark.parametrize("sent", [b"a", b"req-1", b"A.b_c-9", b"x" * 128])
def test_a_sane_one_is_kept(sent: bytes) -> None:
    assert request_id(sent) == sent.decode()


@pytest.mark.parametrize(
    "sent", [None, b"", b"x" * 129, b"a b", b"a\n", b"a\r\nx: y", b"\xc3\xa9", b'"', b"{}", b"a/b"]
)
def test_any_other_is_replaced(sent: bytes | None) -> None:
    assert re.fullmatch(r"req-[0-9a-f]{24}", request_id(sent))


def test_no_two_are_alike() -> None:
    assert len({request_id(None) for _ in range(1000)}) == 1000
