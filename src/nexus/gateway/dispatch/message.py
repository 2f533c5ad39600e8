"""The bytes of the request that a service gets: the client's own, but for hop-by-hop fields and the model's name."""

from math import inf

import msgspec

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.upstream.address import Address
from nexus.gateway.values import Call, Head, Written


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
    request = call.request
    head = request.head
    written = head.written
    if written.target is not target:
        _write(written, head, target, address)
    before, identity, behind = written.before, request.request_id.encode(), written.behind
    if length and until < inf and not more:
        everyday = b"%b%b%bx-nexus-deadline: %.3f\r\ncontent-length: %d\r\n\r\n"
        return everyday % (before, identity, behind, until, length)
    deadline = f"x-nexus-deadline: {until:.3f}\r\n" if until < inf else ""
    framing = f"content-length: {length}\r\n" if length or head.endpoint.method != "GET" else ""
    return b"%b%b%b%b\r\n" % (before, identity, behind, f"{more}{deadline}{framing}".encode("latin-1"))


def _write(written: Written, head: Head, target: Target, address: Address) -> None:
    """Keep what is the same for all requests with this head to this target: the lines before and after its id."""
    authorization = target.instance.authorization
    own = "" if authorization is None else f"authorization: {authorization}\r\n"
    start = f"{head.endpoint.method} {address.prefix}{head.target} HTTP/1.1\r\nhost: {address.authority}\r\n"
    written.target = target
    written.before = f"{start}x-request-id: ".encode("latin-1")
    written.behind = b"\r\n%b%b" % (head.lines, own.encode("latin-1"))
