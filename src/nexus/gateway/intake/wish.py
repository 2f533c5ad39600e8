"""The wish that a call runs as a job, `background: true`, taken out of its body: it is said to the gateway alone.

To a service the word may mean something else: OpenAI's image operations have a `background` of their own.
"""

import msgspec
from python_multipart.multipart import parse_options_header

from nexus.contract.errors import INVALID_REQUEST, ApiError

FIELD = "background"


def without_wish_json(body: bytes) -> bytes:
    """A JSON object's text without the field, all else as it was written. Raises ApiError (400)."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except UnicodeDecodeError as error:  # a key that is no text, at which nobody has looked yet
        raise ApiError(INVALID_REQUEST, f"The body is not valid JSON: {error}.") from error
    fields.pop(FIELD, None)
    return msgspec.json.encode(fields)


def without_wish_form(content_type: bytes, body: bytes, span: tuple[int, int]) -> bytes:
    """A form without the part whose value lies at `span`."""
    delimiter = b"--" + parse_options_header(content_type)[1][b"boundary"]
    begin = body.rfind(delimiter, 0, span[0])
    end = body.find(b"\r\n" + delimiter, span[1]) + 2
    return body[:begin] + body[end:]
