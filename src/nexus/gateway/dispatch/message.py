"""The bytes of the request that a service gets: the client's own, but for hop-by-hop fields and the model's name."""

from typing import Final

import msgspec

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.upstream.address import Address
from nexus.gateway.values import Call

# Hop-by-hop (RFC 9110, 7.6.1), what the gateway says itself, and what concerns client and gateway alone.
# accept-encoding: a compressed stream could be neither read in passing nor cut at events.
_NOT_FORWARDED: Final = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"upgrade",
        b"http2-settings",
        b"expect",
        b"authorization",
        b"x-api-key",
        b"cookie",
        b"accept-encoding",
        b"x-request-id",
    )
)


def body_for(call: Call, target: Target) -> bytes:
    """The client's body; where the instance knows the model under another name, with that name in its place.

    Raises ApiError (400) for keys that are no text, which intake does not look at.
    """
    body = call.request.body
    if target.model is None or call.model is None or target.model == call.model:
        return body
    if call.form_model_span is not None:
        start, end = call.form_model_span
        return body[:start] + target.model.encode() + body[end:]
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except UnicodeDecodeError as error:
        raise ApiError(INVALID_REQUEST, f"The body is not valid JSON: {error}.") from error
    fields["model"] = msgspec.Raw(msgspec.json.encode(target.model))
    return msgspec.json.encode(fields)


def head_for(call: Call, target: Target, address: Address, length: int) -> bytes:
    """Request line and header lines for a body of `length` bytes, with the empty line after them."""
    request = call.request
    endpoint = request.endpoint
    lines = [b"%b: %b\r\n" % header for header in request.headers if header[0] not in _NOT_FORWARDED]
    if target.instance.authorization is not None:
        lines.append(b"authorization: %b\r\n" % target.instance.authorization.encode())
    if length or endpoint.method != "GET":
        lines.append(b"content-length: %d\r\n" % length)
    query = f"?{request.query.decode('latin-1')}" if request.query else ""
    start = (
        f"{endpoint.method} {address.prefix}{endpoint.path}{query} HTTP/1.1\r\n"
        f"host: {address.authority}\r\nx-request-id: {request.request_id}\r\n"
    )
    return b"%b%b\r\n" % (start.encode("latin-1"), b"".join(lines))
