"""The service under check: asking it, and saying what is wrong with its answers."""

import contextlib
import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NoReturn

import httpx

from nexus.contract.card import Card, CardError, Endpoint, read_card
from nexus.contract.operations import BY_NAME
from nexus.sdk.conformance.sample import Sample, sample_of

ANSWER_SECONDS = 60.0


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

    @contextlib.contextmanager
    def streamed(self, endpoint: Endpoint, body: Any) -> Iterator[httpx.Response]:
        """An answer whose body is still on its way."""
        try:
            with self._client.stream(endpoint.method, endpoint.path, json=body) as response:
                yield response
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

    def json_endpoints(self) -> list[Endpoint]:
        """The endpoints that take JSON: those with a body, standard ones only where the table says so."""
        rows = [(endpoint, BY_NAME.get(endpoint.operation)) for endpoint in self.card.all_endpoints()]
        return [
            endpoint
            for endpoint, row in rows
            if endpoint.method in ("POST", "PUT", "PATCH") and (row is None or row.bodies[0] == "json")
        ]

    def sample(self, endpoint: Endpoint) -> Sample:
        """A request for the endpoint, made from its schema, with a ready model. Raises CheckSkippedError."""
        if not self.ready:
            skip("the service is not ready")
        try:
            sample = sample_of(endpoint.operation, endpoint.request_schema)
        except ValueError as error:
            raise CheckSkippedError(f"{endpoint.path}: no request can be made from its schema: {error}") from error
        model = next(
            (
                model.id
                for model in self.card.models
                if model.state == "ready" and endpoint.operation in (model.operations or (endpoint.operation,))
            ),
            None,
        )
        return Sample({**sample.body, "model": model}, sample.invented) if model else sample

    def samples(self) -> list[tuple[Endpoint, Sample]]:
        """The JSON endpoints for which a request can be made, with one. Raises CheckSkippedError if there are none."""
        found: list[tuple[Endpoint, Sample]] = []
        reason = "there is no endpoint that takes JSON"
        for endpoint in self.json_endpoints():
            try:
                found.append((endpoint, self.sample(endpoint)))
            except CheckSkippedError as skipped:
                reason = str(skipped)
        return found or skip(reason)


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
