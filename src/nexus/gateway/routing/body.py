"""The body of a call, as routing needs it: with one model's name, or with another one."""

import msgspec
from msgspec.structs import replace
from python_multipart.multipart import parse_options_header

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.gateway.values import Call

_BEGIN = b'--%b\r\nContent-Disposition: form-data; name="model"\r\n\r\n'


def is_json(call: Call) -> bool:
    """Whether its body is taken for JSON: said to be, or said to be nothing."""
    kind = call.request.head.content_type.lower()
    return bool(call.request.body) and (b"json" in kind or not kind.strip())


def with_one_model(call: Call) -> Call:
    """The call with a body that names its model once: of two names, an engine could take the other one.

    Raises ApiError (400) for keys that are no text, which intake does not look at.
    """
    request = call.request
    body = request.body
    if call.form_model_span is not None or b"json" not in request.head.content_type.lower():
        return call
    if body.count(b'"model"') == (call.model is not None) and b"\\u00" not in body:  # letters can be written so, too
        return call
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except UnicodeDecodeError as error:
        raise ApiError(INVALID_REQUEST, f"The body is not valid JSON: {error}.") from error
    return replace(call, request=replace(request, body=msgspec.json.encode(fields)))


def rewritten(call: Call) -> Call:
    """The call with a body in which each field stands once, so that no engine reads another one than the rules did.

    Raises ApiError (400) for what is no JSON object.
    """
    if not is_json(call):
        return call
    request = call.request
    return replace(call, request=replace(request, body=msgspec.json.encode(_fields(request.body))))


def with_model(call: Call, model: str) -> Call:
    """The call for another model, its body naming that; one that has no place for a name stays as it is.

    Raises ApiError (400).
    """
    request = call.request
    endpoint = request.head.endpoint
    if is_json(call) and (endpoint.standard or call.model is not None):
        fields = _fields(request.body)
        fields["model"] = msgspec.Raw(msgspec.json.encode(model))
        return replace(call, model=model, request=replace(request, body=msgspec.json.encode(fields)))
    if call.form_model_span is not None:
        start, end = call.form_model_span
        return _in_form(call, model, request.body[:start], request.body[end:])
    if endpoint.standard and "form" in endpoint.bodies and not is_json(call):
        boundary = parse_options_header(request.head.content_type)[1].get(b"boundary", b"")
        return _in_form(call, model, _BEGIN % boundary, b"\r\n" + request.body)
    return replace(call, model=model)


def _in_form(call: Call, model: str, before: bytes, after: bytes) -> Call:
    name = model.encode()
    span = (len(before), len(before) + len(name))
    return replace(call, model=model, form_model_span=span, request=replace(call.request, body=before + name + after))


def _fields(body: bytes) -> dict[str, msgspec.Raw]:
    """A JSON object's fields, the last of a name. Raises ApiError (400)."""
    try:
        return msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(INVALID_REQUEST, f"The body is not valid JSON: {error}.") from error
