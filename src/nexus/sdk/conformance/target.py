"""The service under check: asking it, and saying what is wrong with its answers."""

import contextlib
import json
import time
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NoReturn

import httpx

from nexus.contract.card import Card, CardError, Endpoint, read_card
from nexus.contract.operations import BY_NAME
from nexus.sdk.conformance.sample import Sample, sample_of

ANSWER_SECONDS = 60.0
SLOW_SECONDS = 30.0
REFUSED = (400, 404, 422)


class CheckFailedError(Exception):
    """The service does not keep the contract here; the message says how."""


class CheckSkippedError(Exception):
    """This cannot be checked on this service; the message says why."""


class Target:
    """One service by its base URL."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.Client(base_url=self.url, timeout=ANSWER_SECONDS, trust_env=False)

    def close(self) -> None:
        self._client.close()

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One whole answer. Raises CheckFailedError when there is none."""
        try:
            return self._client.request(method, path, **request)
        except httpx.HTTPError as error:
            fail(f"{method} {path}: no answer: {error or type(error).__name__}")

    def ask_sample(self, endpoint: Endpoint, sample: Sample) -> httpx.Response:
        """The whole answer to a sample. Raises CheckSkippedError where it takes long and may, or lacks something."""
        try:
            response = self._client.request(
                endpoint.method, endpoint.path, json=sample.body, timeout=self._seconds(endpoint, sample)
            )
        except httpx.TimeoutException:
            self._give_up(endpoint, sample)
        except httpx.HTTPError as error:
            fail(f"{endpoint.method} {endpoint.path}: no answer: {error or type(error).__name__}")
        self._require_means(endpoint, response)
        return response

    @contextlib.contextmanager
    def streamed(self, endpoint: Endpoint, sample: Sample) -> Iterator[Iterator[bytes]]:
        """The body of a sample's answer as it comes, the answer being a stream of events that has begun.

        Raises CheckSkippedError as `ask_sample` does, and where an invented request was refused.
        """
        seconds = self._seconds(endpoint, sample)
        body = {**sample.body, "stream": True}
        try:
            with self._client.stream(endpoint.method, endpoint.path, json=body, timeout=seconds) as response:
                self._require_means(endpoint, response)
                if sample.invented and response.status_code in REFUSED:
                    skip(invented(endpoint))
                require(response.status_code == 200, f"{endpoint.path}: streaming answered {response.status_code}")
                media_type = response.headers.get("content-type", "").partition(";")[0]
                require(media_type == "text/event-stream", f"{endpoint.path}: a stream of {media_type}, not of events")
                yield self._in_time(response.iter_bytes(), endpoint, sample, time.monotonic() + seconds)
        except httpx.TimeoutException:
            self._give_up(endpoint, sample)
        except httpx.HTTPError as error:
            fail(f"{endpoint.path}: the stream broke off: {error or type(error).__name__}")

    @cached_property
    def card(self) -> Card:
        """The card, read once. Raises CheckFailedError."""
        response = self.ask("GET", "/v1/metadata")
        require(response.status_code == 200, f"/v1/metadata answered {response.status_code}, not 200")
        try:
            return read_card(response.content)
        except CardError as error:
            fail(f"the card is not valid: {error}")

    @property
    def ready(self) -> bool:
        try:
            return self._client.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def body_endpoints(self) -> list[Endpoint]:
        """The endpoints that take a body."""
        return [endpoint for endpoint in self.card.all_endpoints() if endpoint.method in ("POST", "PUT", "PATCH")]

    def json_endpoints(self) -> list[Endpoint]:
        """Those of them that take JSON."""
        return [endpoint for endpoint in self.body_endpoints() if _takes_json(endpoint)]

    def sample(self, endpoint: Endpoint, *, jobs: bool = False) -> Sample:
        """A request for the endpoint, made from its schema, with a model that can answer.

        Raises CheckSkippedError, also where the answer would be a job, which may take minutes, unless `jobs`.
        """
        if not self.ready:
            skip("the service is not ready")
        if not _takes_json(endpoint):
            skip(f"{endpoint.path}: it takes a form, and no form is made here")
        if _is_job(endpoint) and not jobs:
            skip(f"{endpoint.path}: it is for jobs, which may take long")
        try:
            sample = sample_of(endpoint.operation, endpoint.request_schema)
        except ValueError as error:
            raise CheckSkippedError(f"{endpoint.path}: no request can be made from its schema: {error}") from error
        able = [
            model
            for model in self.card.models
            if (model.state == "ready" or (model.on_demand and model.state != "failed"))
            and endpoint.operation in (model.operations or (endpoint.operation,))
        ]
        chosen = next((model for model in able if model.state == "ready"), able[0] if able else None)
        return Sample({**sample.body, "model": chosen.id}, sample.invented) if chosen else sample

    def samples(self, *, jobs: bool = False) -> list[tuple[Endpoint, Sample]]:
        """The JSON endpoints for which a request can be made, with one. Raises CheckSkippedError if there are none."""
        found: list[tuple[Endpoint, Sample]] = []
        reason = "there is no endpoint that takes JSON"
        for endpoint in self.json_endpoints():
            try:
                found.append((endpoint, self.sample(endpoint, jobs=jobs)))
            except CheckSkippedError as skipped:
                reason = str(skipped)
        return found or skip(reason)

    def may_be_slow(self, endpoint: Endpoint, sample: Sample) -> bool:
        """Whether the operation's work is heavy, or the request's model has to be loaded for it."""
        row = BY_NAME.get(endpoint.operation)
        lazy = any(model.on_demand for model in self.card.models if model.id == sample.body.get("model"))
        return lazy or (row is not None and row.job != "never")

    def _seconds(self, endpoint: Endpoint, sample: Sample) -> float:
        return SLOW_SECONDS if self.may_be_slow(endpoint, sample) else ANSWER_SECONDS

    def _give_up(self, endpoint: Endpoint, sample: Sample) -> NoReturn:
        """The answer has not come in time: a fault only where the work is light. The service is left to notice."""
        where = f"{endpoint.path}: no answer within {self._seconds(endpoint, sample):g} s"
        if self.may_be_slow(endpoint, sample):
            skip(f"{where}, which its work may take")
        fail(where)

    def _require_means(self, endpoint: Endpoint, response: httpx.Response) -> None:
        """Go on only if the service has what it answers with. Raises CheckSkippedError."""
        if response.status_code != 503:
            return
        uses = self.card.capabilities.uses
        if uses:
            skip(f"{endpoint.path}: it asks the gateway for {', '.join(uses)}, and there is none here")
        if not self.card.models and b'"no_ready_service"' in response.read():
            skip(f"{endpoint.path}: the engine behind has no model")

    def _in_time(self, chunks: Iterator[bytes], endpoint: Endpoint, sample: Sample, deadline: float) -> Iterator[bytes]:
        for chunk in chunks:
            if time.monotonic() > deadline:
                self._give_up(endpoint, sample)
            yield chunk


def invented(endpoint: Endpoint) -> str:
    """Why the refusal of an invented request says nothing."""
    return f"{endpoint.path}: an invented request was refused; give examples in the request's schema"


def _takes_json(endpoint: Endpoint) -> bool:
    """By the table for standard operations; where that leaves it open, a schema on the card says that it does."""
    row = BY_NAME.get(endpoint.operation)
    if row is None or len(row.bodies) > 1:
        return bool(endpoint.request_schema)
    return row.bodies == ("json",)


def _is_job(endpoint: Endpoint) -> bool:
    row = BY_NAME.get(endpoint.operation)
    return endpoint.job or (row is not None and row.job == "always")


def fail(reason: str) -> NoReturn:
    """End the check: the contract is not kept."""
    raise CheckFailedError(reason)


def skip(reason: str) -> NoReturn:
    """End the check: it does not apply here."""
    raise CheckSkippedError(reason)


def require(held: bool, otherwise: str) -> None:
    """Go on only if it held."""
    if not held:
        fail(otherwise)


def require_json(response: httpx.Response, where: str) -> Any:
    """The answer's JSON value. Raises CheckFailedError."""
    media_type = response.headers.get("content-type", "").partition(";")[0].strip()
    require(media_type == "application/json", f"{where}: the content-type is {media_type or 'missing'}, not JSON")
    try:
        return json.loads(response.content)
    except ValueError:
        fail(f"{where}: the body is not JSON")


def require_error(response: httpx.Response, where: str, status: int, code: str | None = None) -> None:
    """The answer is the error envelope with this status (and code). Raises CheckFailedError."""
    require(response.status_code == status, f"{where}: answered {response.status_code}, not {status}")
    value = require_json(response, where)
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict):
        fail(f"{where}: the body is not the error envelope")
    missing = [key for key in ("message", "type", "param", "code") if key not in error]
    require(not missing, f"{where}: the envelope lacks {', '.join(missing)}")
    require(bool(error["message"]), f"{where}: the envelope's message is empty")
    require("Traceback" not in response.text, f"{where}: the answer shows a traceback")
    if code is not None:
        require(error["code"] == code, f"{where}: the code is {error['code']!r}, not {code!r}")
