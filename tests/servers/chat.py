"""Chat requests as bytes, right and wrong, for tests that write to the socket themselves."""

import json

from tests.servers.gateway import TOKEN, chat_body
from tests.servers.raw import request

CHAT = "/v1/chat/completions"
BODY = json.dumps(chat_body()).encode()


def good(**options: object) -> bytes:
    """A whole, right chat request; `options` as for `raw.request`."""
    return request(CHAT, BODY, token=TOKEN, **options)  # type: ignore[arg-type]


def chunked(*pieces: bytes) -> bytes:
    """A chat request whose body comes in these chunks."""
    head = request(CHAT, b"", token=TOKEN, headers={"content-length": "", "transfer-encoding": "chunked"})
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def with_lines(*lines: bytes, path: bytes = CHAT.encode(), body: bytes = BODY) -> bytes:
    """A chat request with exactly these header lines beside host, authorization and content-type."""
    head = b"host: nexus.test\r\nauthorization: Bearer %b\r\ncontent-type: application/json\r\n" % TOKEN.encode()
    return b"POST %b HTTP/1.1\r\n%b%b\r\n" % (path, head, b"".join(line + b"\r\n" for line in lines)) + body


LENGTH = b"content-length: %d" % len(BODY)
