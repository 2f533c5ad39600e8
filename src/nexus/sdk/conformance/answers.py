"""The answers: what is advertised is there, requests made from the schemas succeed, streams end as they should."""

import contextlib
import json
import socket
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from nexus.contract import sse
from nexus.contract.card import Endpoint
from nexus.contract.operations import BY_NAME
from nexus.sdk.conformance.sample import STANDARD, Sample
from nexus.sdk.conformance.target import (
    REFUSED,
    CheckSkippedError,
    Target,
    fail,
    invented,
    require,
    require_json,
    skip,
)

LEAVERS = 64
FREED_SECONDS = 10.0
LARGEST_EVENT = 64 * 1024 * 1024


def endpoints_exist(target: Target) -> None:
    """Every endpoint on the card answers to its method.

    Why: what the card promises is routed and shown.
    """
    for endpoint in target.card.all_endpoints():
        status = target.ask(endpoint.method, endpoint.path, **_harmless(endpoint)).status_code
        where = f"{endpoint.method} {endpoint.path}"
        require(status not in (404, 405), f"{where} is on the card but answered {status}")
        require(status != 500, f"{where} answered 500 to an empty request")


def samples_succeed(target: Target) -> None:
    """Requests made from the card's schemas succeed.

    Why: a schema that says less than the truth misleads agents and forms.
    """
    left_out: list[str] = []
    for endpoint in target.body_endpoints() or skip("there is no endpoint that takes a body"):
        try:
            sample = target.sample(endpoint)
            response = target.ask_sample(endpoint, sample)
        except CheckSkippedError as skipped:
            left_out.append(str(skipped))
            continue
        if sample.invented and response.status_code in REFUSED:
            left_out.append(invented(endpoint))
            continue
        told = f"{response.status_code} to {json.dumps(sample.body)[:200]}: {response.text[:200]}"
        require(response.status_code == 200, f"{endpoint.path} answered {told}")
        if response.headers.get("content-type", "").startswith("application/json"):
            require_json(response, endpoint.path)
    if left_out:
        skip("; ".join(dict.fromkeys(left_out)))


def streams_end(target: Target) -> None:
    """Streams are whole JSON events, and `[DONE]` ends those whose operation has it.

    Why: a cut answer must be told from a finished one.
    """
    for endpoint, sample in _streaming(target):
        with target.streamed(endpoint, sample) as chunks:
            events = _events(chunks)
        row = BY_NAME.get(endpoint.operation)
        done = bool(events) and events[-1].data == sse.DONE
        if row is not None:
            require(done == row.done_marker, f"{endpoint.path}: {'no ' if not done else ''}[DONE] at the stream's end")
        for event in events[:-1] if done else events:
            _require_whole(event, endpoint)


def leavers_free_their_places(target: Target) -> None:
    """Callers that leave free their places.

    Why: else the queue fills up with nobody, for ever.
    """
    endpoint, sample = min(target.samples(), key=lambda pair: target.may_be_slow(*pair))
    capabilities = target.card.capabilities
    body = json.dumps({**sample.body, **({"stream": True} if _can_stream(endpoint) else {})}).encode()
    for _ in range(min(LEAVERS, 2 * (capabilities.max_concurrency + capabilities.max_queue))):
        _ask_and_leave(target.url, endpoint, body)
    deadline = time.monotonic() + FREED_SECONDS
    while (response := target.ask_sample(endpoint, sample)).status_code in (429, 503):
        require(time.monotonic() < deadline, f"{endpoint.path}: still {response.status_code} long after callers left")
        time.sleep(0.1)
    if response.status_code >= 500:
        fail(f"{endpoint.path} answered {response.status_code} after callers had left")


def _harmless(endpoint: Endpoint) -> dict[str, Any]:
    """A request that starts no work: an empty object where something is required, else one that is cut off."""
    if endpoint.method in ("GET", "DELETE"):
        return {}
    schema = endpoint.request_schema
    if schema.get("required") or (not schema and endpoint.operation in STANDARD):
        return {"json": {}}
    return {"content": b"{", "headers": {"content-type": "application/json"}}


def _streaming(target: Target) -> list[tuple[Endpoint, Sample]]:
    found = [(endpoint, sample) for endpoint, sample in target.samples() if _can_stream(endpoint)]
    return found or skip("no endpoint streams events on request")


def _can_stream(endpoint: Endpoint) -> bool:
    told = "stream" in endpoint.request_schema.get("properties", {}) or endpoint.operation in BY_NAME
    return endpoint.streaming in ("sse", True) and told


def _events(chunks: Iterable[bytes]) -> list[sse.Event]:
    parser = sse.SseParser(LARGEST_EVENT)
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return events + parser.close()


def _require_whole(event: sse.Event, endpoint: Endpoint) -> None:
    try:
        value = json.loads(event.data)
    except ValueError:
        fail(f"{endpoint.path}: an event is not JSON: {event.data[:80]!r}")
    require("error" not in value, f"{endpoint.path}: the stream ended with an error: {event.data[:200]!r}")


def _ask_and_leave(url: str, endpoint: Endpoint, body: bytes) -> None:
    """Send one whole request and hang up without waiting for the answer."""
    address = urlsplit(url)
    head = (
        f"{endpoint.method} {endpoint.path} HTTP/1.1\r\nhost: {address.netloc}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with (
        contextlib.suppress(OSError),
        socket.create_connection((address.hostname or "127.0.0.1", address.port or 80), timeout=5) as connection,
    ):
        connection.sendall(head.encode() + body)
