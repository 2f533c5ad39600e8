"""The probes: does it live, is it ready, what does it count, whose request is it."""

import time

from prometheus_client.parser import text_string_to_metric_families

from nexus.sdk.conformance.target import Target, require, require_json, skip

PROMPT_SECONDS = 1.0


def health(target: Target) -> None:
    """`GET /health` is 200 `{"status": "ok"}`.

    Why: restarts hang on it.
    """
    started = time.perf_counter()
    response = target.ask("GET", "/health")
    took = time.perf_counter() - started
    require(response.status_code == 200, f"/health answered {response.status_code}, not 200")
    value = require_json(response, "/health")
    require(isinstance(value, dict) and value.get("status") == "ok", '/health does not say {"status": "ok"}')
    require(took < PROMPT_SECONDS, f"/health took {took:.1f} s")


def readyz(target: Target) -> None:
    """`GET /readyz` is 200 with its checks, or 503 with a reason.

    Why: routing hangs on it.
    """
    response = target.ask("GET", "/readyz")
    require(response.status_code in (200, 503), f"/readyz answered {response.status_code}, neither 200 nor 503")
    value = require_json(response, "/readyz")
    require(isinstance(value, dict), "/readyz: the body is not a JSON object")
    if response.status_code == 200:
        require(value.get("status") == "ready", '/readyz answered 200 but its status is not "ready"')
        require(isinstance(value.get("checks"), dict), "/readyz tells no checks")
    else:
        told = value.get("reason") or value.get("error") or value.get("message")
        require(bool(told), "/readyz answered 503 without a reason")


def metrics(target: Target) -> None:
    """`GET /metrics`, if there, is in Prometheus' text format.

    Why: one bad line loses the whole scrape.
    """
    response = target.ask("GET", "/metrics")
    if response.status_code == 404:
        skip("it serves no /metrics")
    require(response.status_code == 200, f"/metrics answered {response.status_code}, not 200")
    try:
        families = list(text_string_to_metric_families(response.text))
    except ValueError as error:
        families = []
        require(False, f"/metrics is not in Prometheus' text format: {error}")
    require(bool(families), "/metrics is empty")


def request_id(target: Target) -> None:
    """`x-request-id` comes back as it was sent, or is made.

    Why: it joins the logs of all who had a part in a request.
    """
    given = target.ask("GET", "/health", headers={"x-request-id": "conformance-1"}).headers.get("x-request-id")
    require(given == "conformance-1", f"x-request-id came back as {given!r}, not as it was sent")
    made = target.ask("GET", "/health").headers.get("x-request-id")
    require(bool(made), "an answer to a request without x-request-id has none")
    odd = target.ask("GET", "/health", headers={"x-request-id": "a b" * 200}).headers.get("x-request-id", "")
    require(odd != "a b" * 200 and bool(odd), "a senseless x-request-id was not replaced")
