"""Reads the few fields of a body that routing needs, and refuses bodies that no service could read."""

from typing import Any, TypeVar

import msgspec

from nexus.contract.errors import INVALID_REQUEST, UNSUPPORTED_MEDIA_TYPE, ApiError
from nexus.gateway.intake.multipart import read_fields
from nexus.gateway.intake.prefer import respond_async, wait_seconds
from nexus.gateway.intake.wish import FIELD, without_wish_form, without_wish_json
from nexus.gateway.values import Call, Request

_JSON = "json"
_FORM = "form"
_LONGEST_NAME = 256
_FIELDS = (b"model", b"stream", b"background", b"response_format")
_YES = ("true", "1")
_WITH_BACKGROUNDS = "images."  # operations that know a `background` of their own, in words
T = TypeVar("T")
_MEDIA_TYPES = {_JSON: "application/json", _FORM: "multipart/form-data"}


class _Peek(msgspec.Struct, gc=False):
    model: str | None = None
    stream: bool | None = None


class _SlowPeek(_Peek):
    """What an operation that may run as a job can say besides."""

    background: bool | str | None = None
    response_format: Any = None


_decoder = msgspec.json.Decoder(_Peek)
_decode = _decoder.decode
_slow_decoder = msgspec.json.Decoder(_SlowPeek)


def read(request: Request) -> Call:
    """The call that a request makes. Raises ApiError (400, 415)."""
    endpoint = request.head.endpoint
    if endpoint.is_plain and request.head.content_type == b"application/json":
        try:
            peek = _decode(request.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            peek = decoded(request.body, _decoder)  # which says what is wrong
        model = peek.model
        if model is None or not 0 < len(model) <= _LONGEST_NAME:
            model = _named(model, needed=endpoint.needs_model)
        return Call(request, model, peek.stream is True)
    if not endpoint.bodies:
        return _read_any(request)
    kind = _kind(request.head.content_type)
    if kind not in endpoint.bodies:
        wanted = " or ".join(_MEDIA_TYPES[body] for body in endpoint.bodies)
        got = request.head.content_type.decode("latin-1") or "none"
        raise ApiError(UNSUPPORTED_MEDIA_TYPE, f"{endpoint.path} takes {wanted}, not the content type {got!r}.")
    call = _read_json(request) if kind == _JSON else _read_form(request)
    _named(call.model, needed=endpoint.needs_model)
    return call


def _kind(content_type: bytes) -> str:
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type == b"application/json" or not media_type or media_type.endswith(b"+json"):
        return _JSON
    return _FORM if media_type == b"multipart/form-data" else ""


def _read_json(request: Request) -> Call:
    if request.head.endpoint.job != "never":
        slow = decoded(request.body, _slow_decoder)
        if isinstance(slow.background, str) and not request.head.endpoint.operation.startswith(_WITH_BACKGROUNDS):
            message = f"background: true or false is expected, not {slow.background[:40]!r}."
            raise ApiError(INVALID_REQUEST, message, param=FIELD)
        wished = without_wish_json(request.body) if slow.background is True else None
        return _call(request, slow, wished, slow.response_format)
    peek = decoded(request.body, _decoder)
    return Call(request, _named(peek.model), bool(peek.stream))


def decoded(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """What a JSON body holds. Raises ApiError (400) that names the field, where it is one."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        param = where.rstrip("`") or None
        raise ApiError(INVALID_REQUEST, f"{param or 'The body'}: {what}.", param=param) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(INVALID_REQUEST, f"The body is not valid JSON: {error}.") from error


def _read_form(request: Request) -> Call:
    fields = read_fields(request.head.content_type, request.body, _FIELDS)
    said = {name: field.text for name, field in fields.items()}
    peek = _Peek(said.get(b"model"), said.get(b"stream", "").lower() in _YES)
    span = fields[b"model"].span if b"model" in fields else None
    wish = fields.get(b"background")
    wished = None
    if wish is not None and wish.text.lower() in _YES:
        wished = without_wish_form(request.head.content_type, request.body, wish.span)
    return _call(request, peek, wished, said.get(b"response_format"), span)


def _call(
    request: Request, peek: _Peek, wished: bytes | None, response_format: Any, span: tuple[int, int] | None = None
) -> Call:
    """The call, which may be one that runs as a job. `wished` is the body without the wish for it, where that was said.

    Raises ApiError (400).
    """
    stream = bool(peek.stream)
    prefer = request.head.prefer
    job_after: float | None = None
    prefers = bool(prefer) and not stream and respond_async(prefer)
    if request.head.endpoint.job == "wanted" and (wished is not None or prefers):
        if stream:
            message = "A stream cannot run in the background: ask for one of the two."
            raise ApiError(INVALID_REQUEST, message, param="background")
        job_after = wait_seconds(prefer) if prefers else 0.0
        if wished is not None:
            request, span = msgspec.structs.replace(request, body=wished), None  # it is read again when it runs
    wants_urls = response_format == "url" and not stream  # a stream is never held back
    return Call(request, _named(peek.model), stream, span, job_after, wants_urls)


def _read_any(request: Request) -> Call:
    """A service's own operation: its body is its own affair, but a model that it names is honoured."""
    if request.body and _kind(request.head.content_type) == _JSON and request.head.content_type:
        return _read_json(request)
    return _call(request, _Peek(), None, None)


def _named(model: str | None, *, needed: bool = False) -> str | None:
    """The model's name, as long as one may be (see `contract.card`); unless it is `needed`, none. Raises ApiError."""
    if model is None and needed:
        raise ApiError(INVALID_REQUEST, "You must provide a model parameter.", param="model", code="missing_model")
    if model is not None and not 0 < len(model) <= _LONGEST_NAME:
        fault = "is empty" if not model else f"is longer than {_LONGEST_NAME} characters"
        raise ApiError(INVALID_REQUEST, f"The model's name {fault}.", param="model")
    return model
