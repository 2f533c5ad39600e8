"""The refusals: whatever is wrong with a request is told in the error envelope, with the right status."""

from collections.abc import Iterator

import httpx

from nexus.sdk.conformance.target import Target, require_error, skip

LARGEST_SENT = 64 * 1024 * 1024
NOWHERE = "/v1/nexus-conformance-no-such-path"
NO_MODEL = "nexus-conformance-no-such-model"


def unknown_path(target: Target) -> None:
    """An unknown path is 404 in the error envelope.

    Why: clients read the envelope, whatever went wrong.
    """
    require_error(target.ask("GET", NOWHERE), f"GET {NOWHERE}", 404)


def wrong_method(target: Target) -> None:
    """A wrong method is 405 in the error envelope.

    Why: clients read the envelope, whatever went wrong.
    """
    endpoints = target.card.all_endpoints()
    for path in dict.fromkeys(endpoint.path for endpoint in endpoints):
        known = {endpoint.method for endpoint in endpoints if endpoint.path == path}
        method = next(method for method in ("DELETE", "PATCH", "PUT", "OPTIONS") if method not in known)
        require_error(target.ask(method, path), f"{method} {path}", 405)


def bad_json(target: Target) -> None:
    """A body that is no JSON object is 400 in the error envelope.

    Why: it is the caller's fault, and must not look like the service's.
    """
    for body in (b"{", b"[1]", b"\xff\xfe", b""):
        for path, response in _sent(target, body, "application/json"):
            require_error(response, f"{path} given {body!r}", 400)


def wrong_content_type(target: Target) -> None:
    """A body that is said not to be JSON is 415 in the error envelope.

    Why: guessing at a body goes wrong in silence.
    """
    for path, response in _sent(target, b"<a/>", "application/xml"):
        require_error(response, f"{path} given XML", 415)


def unknown_model(target: Target) -> None:
    """An unknown model is 404 `model_not_found`.

    Why: another model's answer would be a wrong one.
    """
    if not target.card.models:
        skip("it has no models")
    for endpoint, sample in target.samples(jobs=True):
        response = target.ask(endpoint.method, endpoint.path, json={**sample.body, "model": NO_MODEL})
        require_error(response, f"{endpoint.path} asked for an unknown model", 404, "model_not_found")


def oversize(target: Target) -> None:
    """A body over the card's limit is 413 in the error envelope.

    Why: memory is bounded only if bodies are.
    """
    limit = target.card.limits.max_request_bytes
    if limit is None:
        skip("the card gives no limits.max_request_bytes")
    if limit > LARGEST_SENT:
        skip(f"the limit of {limit} bytes is too large to try")
    for path, response in _sent(target, b" " * (limit + 1), "application/json"):
        require_error(response, f"{path} given {limit + 1} bytes", 413)


def _sent(target: Target, body: bytes, media_type: str) -> Iterator[tuple[str, httpx.Response]]:
    """The answers of every endpoint that takes JSON to this body, by path. Raises CheckSkippedError."""
    if not target.ready:
        skip("the service is not ready")
    endpoints = target.json_endpoints() or skip("there is no endpoint that takes JSON")
    for endpoint in endpoints:
        headers = {"content-type": media_type}
        yield endpoint.path, target.ask(endpoint.method, endpoint.path, content=body, headers=headers)
