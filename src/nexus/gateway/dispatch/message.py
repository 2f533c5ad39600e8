"""The bytes of the request that a service gets: the client's own, but for hop-by-hop fields and the model's name."""

from math import inf

import msgspec

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.upstream.address import Address
from nexus.gateway.values import Call


def body_for(call: Call, target: Target) -> bytes:
    """The client's body, or the one to continue by; where the instance knows the model under another name, with that.

    Raises ApiError (400) for keys that are no text, which intake does not look at.
    """
    body = call.request.body if call.continued is None or not target.continues else call.continued
    if target.model == call.model or target.model is None or call.model is None:
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


def head_for(call: Call, target: Target, address: Address, length: int, until: float, more: str = "") -> bytes:
    """Request line and header lines for a body of `length` bytes, with the empty line after them.

    `until` is the Unix time after which nobody waits for the answer, which the service is told so that it stops; `more`
    are further lines, each with its CR LF.
    """
    head = call.request.head
    method = head.endpoint.method
    authorization = target.instance.authorization
    own = "" if authorization is None else f"authorization: {authorization}\r\n"
    framing = f"content-length: {length}\r\n" if length or method != "GET" else ""
    deadline = f"x-nexus-deadline: {until:.3f}\r\n" if until < inf else ""
    start = (
        f"{method} {address.prefix}{head.target} HTTP/1.1\r\n"
        f"host: {address.authority}\r\nx-request-id: {call.request.request_id}\r\n"
    )
    return b"%b%b%b\r\n" % (start.encode("latin-1"), head.lines, f"{own}{more}{deadline}{framing}".encode("latin-1"))
