"""The table: what is done about which failure of what."""

from itertools import product

import pytest

from nexus.contract.operations import OPERATIONS
from nexus.gateway.dispatch.retries import LONGEST_WAIT, Kind, Step, Trouble, kind_of, pause, step
from nexus.gateway.endpoints import Endpoint, standard
from nexus.gateway.health.circuit import Failure

FAILURES = {
    Failure.REFUSED: "other other other",
    Failure.CLOSED: "any stop stop",
    Failure.LATE: "other stop stop",
    Failure.BROKEN: "any stop stop",
    Failure.CUT: "any stop stop",
    Failure.STALLED: "other stop stop",
}
STATUSES = {
    400: "stop stop stop",
    401: "stop stop stop",
    404: "stop stop stop",
    408: "stop stop stop",
    422: "stop stop stop",
    429: "any any stop",
    500: "any stop stop",
    501: "stop stop stop",
    502: "any stop stop",
    503: "any stop stop",
    504: "other stop stop",
}


@pytest.mark.parametrize("failure", FAILURES)
def test_failures(failure: Failure) -> None:
    steps = [step(Trouble(failure, "x"), kind).value for kind in Kind]
    assert " ".join(steps) == FAILURES[failure]


@pytest.mark.parametrize("status", STATUSES)
def test_statuses(status: int) -> None:
    steps = [step(Trouble(Failure.STATUS, "x", status), kind).value for kind in Kind]
    assert " ".join(steps) == STATUSES[status]


@pytest.mark.parametrize(("code", "steps"), [("no_ready_service", "any any stop"), ("overloaded", "any any stop")])
def test_what_was_not_begun_may_be_asked_again_whatever_it_is(code: str, steps: str) -> None:
    assert " ".join(step(Trouble(Failure.STATUS, "x", 503, code), kind).value for kind in Kind) == steps


def test_what_is_too_long_is_for_a_larger_one() -> None:
    for kind, wanted in zip(Kind, (Step.LARGER, Step.LARGER, Step.STOP), strict=True):
        assert step(Trouble(Failure.STATUS, "x", 400, too_long=True), kind) is wanted


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_what_may_be_repeated(operation: object) -> None:
    slow = {"images.generations", "images.edits", "images.variations", "music.generations", "videos"}
    endpoint = standard(operation)  # type: ignore[arg-type]
    assert kind_of(endpoint) is (Kind.ONCE if endpoint.operation in slow else Kind.AGAIN)


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint("models.load", "POST", "/v1/models/m/load", service="s", itself=True, model="m"),
        Endpoint("service.page", "GET", "/readyz", service="s", itself=True),
        Endpoint("greeter.greet", "POST", "/v1/greetings"),
    ],
)
def test_what_the_contract_does_not_know_is_not_repeated(endpoint: Endpoint) -> None:
    assert kind_of(endpoint) is Kind.OWN


def test_pauses_grow_are_bounded_and_differ() -> None:
    trouble = Trouble(Failure.STATUS, "x", 500)
    longest = [pause(trouble, attempts, 1.0) for attempts in range(1, 8)]
    assert longest == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    for attempts, draw in product(range(1, 8), (0.0, 0.5)):
        assert 0.1 <= (pause(trouble, attempts, draw) or 0) < (longest[attempts - 1] or 0)


def test_a_service_is_left_alone_as_long_as_it_wants_up_to_a_bound() -> None:
    assert pause(Trouble(Failure.STATUS, "x", 429, retry_after=LONGEST_WAIT), 1, 0.0) == LONGEST_WAIT
    assert pause(Trouble(Failure.STATUS, "x", 429, retry_after=LONGEST_WAIT + 0.1), 1, 0.0) is None
    assert (pause(Trouble(Failure.STATUS, "x", 429, retry_after=1), 1, 1.0) or 0) > 1
