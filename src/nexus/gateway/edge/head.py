"""Looks at heads that are not everyday ones: too large, without a host, in absolute form, of another version."""

import httptools

from nexus.contract.errors import HEADERS_TOO_LARGE, INVALID_REQUEST, METHOD_NOT_ALLOWED, ApiError
from nexus.gateway.edge.context import Limits
from nexus.gateway.endpoints import Endpoint
from nexus.gateway.values import Headers


def inspect_head(url: bytes, headers: Headers, version: str, limits: Limits) -> bytes:
    """The head's target in origin form: path and query. Raises ApiError (400, 431)."""
    if len(url) + sum(len(name) + len(value) + 4 for name, value in headers) > limits.head_bytes:
        raise head_too_large(limits)
    if version not in ("1.0", "1.1"):
        raise ApiError(INVALID_REQUEST, f"HTTP/{version} is not spoken here; HTTP/1.1 is.")
    hosts = sum(name == b"host" for name, _ in headers)
    if hosts > 1 or (not hosts and version == "1.1"):
        raise ApiError(INVALID_REQUEST, "An HTTP/1.1 request needs one Host header.")
    return url if url[:1] == b"/" else origin_form(url)


def head_too_large(limits: Limits) -> ApiError:
    """The error for a head past its bound."""
    return ApiError(HEADERS_TOO_LARGE, f"The request's head is larger than {limits.head_bytes} bytes.")


def origin_form(url: bytes) -> bytes:
    """Path and query of an absolute-form target. Raises ApiError for any other form than `http(s)://host/path`."""
    try:
        parsed = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError:
        parsed = None
    if parsed is None or not parsed.schema or not parsed.path:
        raise ApiError(INVALID_REQUEST, "The request's target must be a path or an absolute URL.")
    query: bytes = b"?" + parsed.query if parsed.query else b""
    return bytes(parsed.path) + query


def without_nominated(headers: Headers, connection: bytes) -> Headers:
    """The headers but for those that `connection` says are for this hop alone (RFC 9110, 7.6.1)."""
    nominated = {token.strip().lower() for token in connection.split(b",")}
    return [header for header in headers if header[0] not in nominated]


def check_method(method: bytes, endpoint: Endpoint) -> None:
    """Raises ApiError (405)."""
    if method != endpoint.verb:
        message = f"{endpoint.path} takes {endpoint.method} only."
        raise ApiError(METHOD_NOT_ALLOWED, message, allow=endpoint.method)
