"""The head of a service's answer, read from its own bytes once the parser has found it valid."""

import re
from typing import Final

import msgspec

BODILESS: Final = (204, 304)
_FIELD: Final = re.compile(rb"([^:\r\n]+):[ \t]*([^\r\n]*?)[ \t]*\r\n")
# Hop-by-hop, framing (the gateway frames anew) and what only one of the two may say.
_KEPT_BACK: Final = frozenset(
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


class AnswerHead(msgspec.Struct, frozen=True):
    """What the head of an answer says. `status` is 0 as long as none has come.

    `forwarded` are the header lines that go on to the client, as they came, each with its CR LF. `is_good`: its status
    is one of success. `framed`: the answer itself tells where its body ends. `recurs`: there is a body, and the head
    may well be said again for another one.
    `media_type` is in lower case, without parameters; empty where none is given.
    """

    status: int = 0
    forwarded: bytes = b""
    is_json: bool = False
    is_events: bool = False
    is_good: bool = False
    framed: bool = False
    recurs: bool = False
    media_type: bytes = b""

    def lines(self) -> list[tuple[bytes, bytes]]:
        """The forwarded lines, each behind its lower-case name."""
        return [(line.partition(b":")[0].lower(), line) for line in self.forwarded.splitlines(keepends=True)]


def read_head(status: int, head: bytes) -> tuple[AnswerHead, int | None]:
    """What the header lines in `head`, each with its CR LF, say; and the length of the body where they tell it."""
    fields = _FIELD.findall(head.lower())
    values = dict(fields)
    length = int(values[b"content-length"]) if b"content-length" in values else None
    lines = [
        line for field, line in zip(fields, head.splitlines(keepends=True), strict=True) if field[0] not in _KEPT_BACK
    ]
    framed = length is not None or b"transfer-encoding" in values or status in BODILESS
    recurs = length is not None and status not in BODILESS and b"x-request-id" not in values
    media_type = values.get(b"content-type", b"")
    is_json = media_type.startswith(b"application/json")
    is_events = media_type.startswith(b"text/event-stream") and status not in BODILESS
    return AnswerHead(
        status, b"".join(lines), is_json, is_events, 200 <= status < 300, framed, recurs, media_type.partition(b";")[0]
    ), length
