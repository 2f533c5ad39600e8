"""Reading what a client put into a `data:` URL (RFC 2397), the only kind of URL that a service reads."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from nexus.contract.errors import INVALID_REQUEST, ApiError

_DEFAULT_MEDIA_TYPE: Final = "text/plain"  # RFC 2397, section 2
_SPACE: Final = re.compile(r"[ \t\r\n]+")
_TO_STANDARD: Final = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class DataUrl:
    """What a data URL holds; `media_type` is in lower case and without its parameters."""

    media_type: str
    body: bytes


def read_data_url(text: str, param: str, most_bytes: int | None = None) -> DataUrl:
    """The content of a `data:` URL. Raises ApiError (400) that names `param`, also beyond `most_bytes`."""
    scheme, colon, rest = text.strip().partition(":")
    if not colon or scheme.lower() != "data":
        raise ApiError(INVALID_REQUEST, _other_scheme(scheme.lower() if colon else "", param), param=param)
    head, comma, payload = rest.partition(",")
    if not comma:
        raise ApiError(INVALID_REQUEST, f"{param}: the data: URL has no comma before its content", param=param)
    media_type, *parameters = (part.strip().lower() for part in head.split(";"))
    if "base64" in parameters:
        # Four characters hold three bytes: what is far too long is refused before it is decoded.
        _refuse_beyond(most_bytes, len(payload) * 3 // 4 - 2, param)
        body = read_base64(unquote_to_bytes(payload).decode("latin-1") if "%" in payload else payload, param)
    else:
        body = unquote_to_bytes(payload)
    _refuse_beyond(most_bytes, len(body), param)
    return DataUrl(media_type or _DEFAULT_MEDIA_TYPE, body)


def read_base64(text: str, param: str) -> bytes:
    """The bytes of base64 in either alphabet, padded or not, line breaks allowed. Raises ApiError (400) by `param`."""
    plain = _SPACE.sub("", text).translate(_TO_STANDARD).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiError(INVALID_REQUEST, f"{param}: the base64 content cannot be decoded", param=param) from error


def _other_scheme(scheme: str, param: str) -> str:
    if scheme in ("http", "https"):
        return (
            f"{param}: this service fetches nothing from the network; "
            "send the content as a data: URL, or upload a file and give its id"
        )
    return f"{param}: expected a data: URL such as data:image/png;base64,..."


def _refuse_beyond(most_bytes: int | None, size: int, param: str) -> None:
    if most_bytes is not None and size > most_bytes:
        raise ApiError(INVALID_REQUEST, f"{param}: the content is larger than {most_bytes} bytes", param=param)
