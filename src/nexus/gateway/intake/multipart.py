"""Finds text fields in a multipart/form-data body (RFC 7578), and where they stand in it. Seam of python-multipart."""

import msgspec
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from nexus.contract.errors import INVALID_REQUEST, ApiError


class Field(msgspec.Struct, frozen=True):
    """A field's text, and the span of its bytes in the body; for no text, an empty span at the front."""

    text: str
    span: tuple[int, int]


class _Reader:
    """Collects the wanted fields while the parser walks over the body."""

    def __init__(self, wanted: tuple[bytes, ...]) -> None:
        self.found: dict[bytes, Field] = {}
        self._wanted = wanted
        self._header = b""
        self._value = b""
        self._name = b""
        self._parts: list[bytes] = []
        self._start = self._end = 0

    def part_begin(self) -> None:
        self._name, self._parts, self._start, self._end = b"", [], 0, 0

    def header_begin(self) -> None:
        self._header = self._value = b""

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            if b"filename" not in options:
                self._name = options.get(b"name", b"")

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name in self._wanted:
            self._start = self._start if self._parts else start
            self._end = end
            self._parts.append(data[start:end])

    def part_end(self) -> None:
        if self._name in self._wanted:
            text = b"".join(self._parts).decode("utf-8", "replace")
            self.found[self._name] = Field(text, (self._start, self._end))


def read_fields(content_type: bytes, body: bytes, wanted: tuple[bytes, ...]) -> dict[bytes, Field]:
    """The wanted text fields of `body`; the last of a name wins. Raises ApiError (400)."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise ApiError(INVALID_REQUEST, "The content type multipart/form-data gives no boundary.")
    reader = _Reader(wanted)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": reader.part_begin,
                "on_header_begin": reader.header_begin,
                "on_header_field": reader.header_field,
                "on_header_value": reader.header_value,
                "on_header_end": reader.header_end,
                "on_part_data": reader.part_data,
                "on_part_end": reader.part_end,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise ApiError(INVALID_REQUEST, f"The body is not valid multipart/form-data: {error}.") from error
    return reader.found
