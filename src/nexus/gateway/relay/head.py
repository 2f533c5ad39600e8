"""The header lines of a client's answer: the service's own, but for hop-by-hop fields, and the gateway's."""

from typing import Final

from nexus.gateway.values import Headers, Reply

# Hop-by-hop, framing (the relay frames anew) and what only one of the two may say.
_NOT_FORWARDED: Final = frozenset(
    (
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"upgrade",
        b"server",
        b"date",
        b"set-cookie",
        b"x-request-id",
    )
)


def answer_head(headers: Headers, request_id: str, reply: Reply) -> bytes:
    """The lines for an answer with the service's `headers`."""
    lines = [b"%b: %b\r\n" % header for header in headers if header[0] not in _NOT_FORWARDED]
    return b"".join(lines) + own_head(request_id, reply)


def own_head(request_id: str, reply: Reply) -> bytes:
    """What the gateway says of an answer: who gave it, as which model, at which attempt."""
    return b"x-request-id: %b\r\n%bx-nexus-attempts: %d\r\n" % (
        request_id.encode(),
        reply.target.head,
        reply.attempts,
    )
