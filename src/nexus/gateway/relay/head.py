"""The header lines of a client's answer: the service's own, but for hop-by-hop fields, and the gateway's."""

from typing import Final

from nexus.gateway.upstream.connection import Lines
from nexus.gateway.values import Reply

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
        b"x-nexus-service",
        b"x-nexus-instance",
        b"x-nexus-model",
        b"x-nexus-attempts",
    )
)


def answer_head(headers: Lines, request_id: str, reply: Reply) -> bytes:
    """The lines for an answer with the service's `headers`."""
    lines = [line for name, line in headers if name not in _NOT_FORWARDED]
    lines.append(own_head(request_id, reply))
    return b"\r\n".join(lines)


def own_head(request_id: str, reply: Reply) -> bytes:
    """What the gateway says of an answer: who gave it, as which model, at which attempt."""
    return b"x-request-id: %b\r\n%bx-nexus-attempts: %d\r\n" % (
        request_id.encode(),
        reply.target.head,
        reply.attempts,
    )
