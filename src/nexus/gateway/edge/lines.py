"""The header lines of a request that go on to the service: all but those for this hop and those the gateway says."""

from collections.abc import Iterable
from typing import Final

# Hop-by-hop (RFC 9110, 7.6.1), what the gateway says itself, and what concerns client and gateway alone.
# accept-encoding: a compressed stream could be neither read in passing nor cut at events.
NOT_FORWARDED: Final = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"upgrade",
        b"http2-settings",
        b"expect",
        b"authorization",
        b"x-api-key",
        b"cookie",
        b"x-csrf-token",
        b"accept-encoding",
        b"x-request-id",
        b"prefer",
        b"x-nexus-gateway",
        b"x-nexus-delegation",
        b"x-nexus-timeout",
        b"x-nexus-deadline",
    )
)


def forwarded(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The lines, each with its CR LF, for (lower-case name, value) pairs."""
    return b"".join([b"%b: %b\r\n" % header for header in headers if header[0] not in NOT_FORWARDED])
