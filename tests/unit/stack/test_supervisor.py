"""The stack's frame: addresses and the lifeline. The stack as a whole is run by the system tests."""

import os

import pytest

from nexus.stack.supervisor import Address, lifeline


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (Address("127.0.0.1", 8800), "http://127.0.0.1:8800"),
        (Address("0.0.0.0", 8800), "http://127.0.0.1:8800"),
        (Address("::", 8800, "https"), "https://[::1]:8800"),
        (Address("gateway.example", 80), "http://gateway.example:80"),
    ],
)
def test_where_the_gateway_is_reached(address: Address, url: str) -> None:
    assert address.url == url
    assert address.endpoint.tls is (address.scheme == "https")


def test_the_lifeline_ends_with_its_holder() -> None:
    with lifeline() as read_end:
        kept = os.dup(read_end)
        os.set_blocking(kept, False)
        with pytest.raises(BlockingIOError):
            os.read(kept, 1)
        assert not os.get_inheritable(read_end)
    assert os.read(kept, 1) == b""
    os.close(kept)
