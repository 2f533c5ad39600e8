"""Which header lines of a request go on to the service."""

import pytest

from nexus.gateway.edge.lines import forwarded


@pytest.mark.parametrize(
    "name",
    [b"host", b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"te", b"trailer", b"upgrade",
     b"http2-settings", b"expect", b"proxy-authorization", b"proxy-connection", b"authorization", b"x-api-key",
     b"cookie", b"accept-encoding", b"x-request-id"],
)  # fmt: skip
def test_what_concerns_client_and_gateway_alone_stays_here(name: bytes) -> None:
    assert forwarded([(name, b"x")]) == b""


def test_the_rest_goes_on_in_its_order_as_often_as_it_came() -> None:
    headers = [(b"x-a", b"1"), (b"host", b"h"), (b"traceparent", b"00-\xe9"), (b"x-a", b"2")]
    assert forwarded(headers) == b"x-a: 1\r\ntraceparent: 00-\xe9\r\nx-a: 2\r\n"
