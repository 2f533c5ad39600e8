"""The stack's frame: addresses and the lifeline. The stack as a whole is run by the system tests."""

import pytest

from nexus.stack.supervisor import Address


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
