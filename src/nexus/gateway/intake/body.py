"""Reads the few fields of a body that routing needs, and refuses bodies that no service could read."""

import msgspec

from nexus.contract.errors import INVALID_REQUEST, UNSUPPORTED_MEDIA_TYPE, ApiError
from nexus.gateway.intake.multipart import read_fields
from nexus.gateway.values import Call, Request

_JSON = "json"
_FORM = "form"
_LONGEST_NAME = 256
_MEDIA_TYPES = {_JSON: "application/json", _FORM: "multipart/form-data"}


class _Peek(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None


_decoder = msgspec.json.Decoder(_Peek)


def read(request: Request) -> Call:
    """The call that a request makes. Raises ApiError (400, 415)."""
    endpoint = request.head.endpoint
    if not endpoint.bodies:
        return _read_any(request)
    kind = _JSON if request.head.content_type == b"application/json" else _kind(request.head.content_type)
    if kind not in endpoint.bodies:
        wanted = " or ".join(_MEDIA_TYPES[body] for body in endpoint.bodies)
        got = request.head.content_type.decode("latin-1") or "none"
        raise ApiError(UNSUPPORTED_MEDIA_TYPE, f"{endpoint.path} takes {wanted}, not the content type {got!r}.")
    call = _read_json(request) if kind == _JSON else _read_form(request)
    if call.model is None and endpoint.needs_model:
        raise ApiError(INVALID_REQUEST, "You must provide a model parameter.", param="model", code="missing_model")
    return call


def _kind(content_type: bytes) -> str:
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type == b"application/json" or not media_type or media_type.endswith(b"+json"):
        return _JSON
    return _FORM if media_type == b"multipart/form-data" else ""


def _read_json(request: Request) -> Call:
    try:
        peek = _decoder.decode(request.body)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        param = where.rstrip("`") or None
        raise ApiError(INVALID_REQUEST, f"{param or 'The body'}: {what}.", param=param) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(INVALID_REQUEST, f"The body is not valid JSON: {error}.") from error
    return Call(request, _named(peek.model), bool(peek.stream))


def _read_form(request: Request) -> Call:
    fields = read_fields(request.head.content_type, request.body, (b"model", b"stream"))
    model, stream = fields.get(b"model"), fields.get(b"stream")
    return Call(
        request,
        _named(model.text) if model else None,
        bool(stream and stream.text.lower() in ("true", "1")),
        model.span if model else None,
    )


def _read_any(request: Request) -> Call:
    """A service's own operation: its body is its own affair, but a model that it names is honoured."""
    if request.body and _kind(request.head.content_type) == _JSON and request.head.content_type:
        return _read_json(request)
    return Call(request, None, stream=False)


def _named(model: str | None) -> str | None:
    """The model's name, as long as one may be (see `contract.card`); to name none may be allowed. Raises ApiError."""
    if model is not None and not 0 < len(model) <= _LONGEST_NAME:
        fault = "is empty" if not model else f"is longer than {_LONGEST_NAME} characters"
        raise ApiError(INVALID_REQUEST, f"The model's name {fault}.", param="model")
    return model
