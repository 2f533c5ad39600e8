"""The family of errors, and the one envelope that every one of them is told in.

The envelope is OpenAI's: `{"error": {"message", "type", "param", "code"}}`. `code` is the precise word,
`type` the family that official clients print; the HTTP status decides which exception class they raise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from nexus.contract.surrogates import mended


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """One row of the family: the word, the HTTP status that goes with it and OpenAI's type."""

    code: str
    status: int
    type: str


INVALID_REQUEST: Final = ErrorKind("invalid_request_error", 400, "invalid_request_error")
INVALID_API_KEY: Final = ErrorKind("invalid_api_key", 401, "authentication_error")
PERMISSION_DENIED: Final = ErrorKind("permission_denied", 403, "permission_error")
NOT_FOUND: Final = ErrorKind("not_found", 404, "not_found_error")
MODEL_NOT_FOUND: Final = ErrorKind("model_not_found", 404, "not_found_error")
METHOD_NOT_ALLOWED: Final = ErrorKind("method_not_allowed", 405, "invalid_request_error")
REQUEST_TIMEOUT: Final = ErrorKind("request_timeout", 408, "invalid_request_error")
CONFLICT: Final = ErrorKind("conflict", 409, "invalid_request_error")
REQUEST_TOO_LARGE: Final = ErrorKind("request_too_large", 413, "invalid_request_error")
UNSUPPORTED_MEDIA_TYPE: Final = ErrorKind("unsupported_media_type", 415, "invalid_request_error")
RANGE_NOT_SATISFIABLE: Final = ErrorKind("range_not_satisfiable", 416, "invalid_request_error")
EXPECTATION_FAILED: Final = ErrorKind("expectation_failed", 417, "invalid_request_error")
RATE_LIMIT_EXCEEDED: Final = ErrorKind("rate_limit_exceeded", 429, "rate_limit_error")
CONCURRENCY_EXCEEDED: Final = ErrorKind("concurrency_exceeded", 429, "rate_limit_error")
BUDGET_EXCEEDED: Final = ErrorKind("budget_exceeded", 429, "rate_limit_error")
HEADERS_TOO_LARGE: Final = ErrorKind("headers_too_large", 431, "invalid_request_error")
INTERNAL_ERROR: Final = ErrorKind("internal_error", 500, "server_error")
UPSTREAM_ERROR: Final = ErrorKind("upstream_error", 502, "server_error")
NO_READY_SERVICE: Final = ErrorKind("no_ready_service", 503, "server_error")
OVERLOADED: Final = ErrorKind("overloaded", 503, "server_error")
UPSTREAM_TIMEOUT: Final = ErrorKind("upstream_timeout", 504, "server_error")
INSUFFICIENT_STORAGE: Final = ErrorKind("insufficient_storage", 507, "server_error")

STORAGE_UNAVAILABLE: Final = "storage_unavailable"
"""The more precise code of an OVERLOADED whose storage is what cannot be used just now."""

KINDS: Final[tuple[ErrorKind, ...]] = (
    INVALID_REQUEST,
    INVALID_API_KEY,
    PERMISSION_DENIED,
    NOT_FOUND,
    MODEL_NOT_FOUND,
    METHOD_NOT_ALLOWED,
    REQUEST_TIMEOUT,
    CONFLICT,
    REQUEST_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    RANGE_NOT_SATISFIABLE,
    EXPECTATION_FAILED,
    RATE_LIMIT_EXCEEDED,
    CONCURRENCY_EXCEEDED,
    BUDGET_EXCEEDED,
    HEADERS_TOO_LARGE,
    INTERNAL_ERROR,
    UPSTREAM_ERROR,
    NO_READY_SERVICE,
    OVERLOADED,
    UPSTREAM_TIMEOUT,
    INSUFFICIENT_STORAGE,
)


class ApiError(Exception):
    """A request that ends in an answer other than the one asked for.

    `retry_after` is in seconds and becomes the `retry-after` header; `param` names the offending part of
    the request; `code` may be more precise than the kind's own word; `allow` names the methods that a 405 path takes.
    `more` are further headers of the answer.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        allow: str | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.param = param
        self.code = code or kind.code
        self.retry_after = retry_after
        self.allow = allow
        self.more = more or {}

    @property
    def status(self) -> int:
        return self.kind.status

    def envelope(self) -> dict[str, Any]:
        """The JSON value that clients read."""
        return {"error": {"message": self.message, "type": self.kind.type, "param": self.param, "code": self.code}}

    def body(self) -> bytes:
        """The envelope as UTF-8 JSON."""
        try:
            return msgspec.json.encode(self.envelope())
        except UnicodeEncodeError:  # words that are not the program's own
            return msgspec.json.encode(mended(self.envelope()))

    def headers(self) -> dict[str, str]:
        """The response headers that belong to this error; `retry-after` is in whole seconds, rounded up."""
        headers = dict(self.more) if self.allow is None else {**self.more, "allow": self.allow}
        if self.retry_after is not None:
            headers["retry-after"] = str(max(1, int(-(-self.retry_after // 1))))
        return headers


def kind_of_status(status: int) -> ErrorKind:
    """The row that fits an HTTP status best: the first of that status, else the family's most general one."""
    for kind in KINDS:
        if kind.status == status:
            return kind
    return INVALID_REQUEST if 400 <= status < 500 else INTERNAL_ERROR
