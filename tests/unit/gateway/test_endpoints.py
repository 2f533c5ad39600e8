"""Which requests are the lane's: the standard paths, what cards add, and services under their names."""

import pytest

from nexus.contract.operations import OPERATIONS, Operation
from nexus.gateway.endpoints import STANDARD, Endpoint, find
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import Instance, Snapshot, State
from nexus.gateway.siding import WITH_FILES
from tests.servers.calls import make_instance

EMPTY = Snapshot()
GREET = {"operation": "greeter.greet", "method": "POST", "path": "/v1/greet"}
PEEK = {"operation": "greeter.peek", "method": "GET", "path": "/v1/peek"}
GREETER = make_instance("greeter", operations=(), endpoints=(GREET, PEEK))


def page(path: str) -> Endpoint:
    return Endpoint("service.page", "GET", path, service="greeter", itself=True)


ON_THE_LANE = [operation for operation in OPERATIONS if operation.job != "always"]


@pytest.mark.parametrize("operation", ON_THE_LANE, ids=lambda operation: operation.name)
def test_each_standard_operation_is_at_its_path(operation: Operation) -> None:
    found = find(operation.method.encode(), operation.path.encode(), EMPTY)
    assert found is not None
    assert (found.operation, found.method, found.path) == (operation.name, operation.method, operation.path)
    assert (found.bodies, found.needs_model, found.done_marker) == (
        operation.bodies,
        operation.needs_model,
        operation.done_marker,
    )
    assert found.service is None
    assert found.verb == operation.method.encode()


@pytest.mark.parametrize("operation", ON_THE_LANE, ids=lambda operation: operation.name)
def test_of_a_plain_call_nothing_waits_outside_the_lane(operation: Operation) -> None:
    found = find(operation.method.encode(), operation.path.encode(), EMPTY)
    assert found is not None
    assert found.is_plain is (operation.job == "never" and operation.bodies == ("json",))
    assert not (found.is_plain and operation.name in WITH_FILES)


@pytest.mark.parametrize(
    ("endpoint", "replayable", "text"),
    [
        (Endpoint("chat.completions", "POST", "/v1/chat/completions"), True, True),
        (Endpoint("chat.completions", "POST", "/v1/chat/completions", service="svc"), True, True),
        (Endpoint("ocr", "POST", "/v1/ocr", job="running"), True, False),
        (Endpoint("images.generations", "POST", "/v1/images/generations"), False, False),
        (Endpoint("greeter.greet", "POST", "/v1/greet"), False, False),
        (Endpoint("models.load", "POST", "/v1/models/m/load", itself=True), False, False),
        (page("/metrics"), True, False),
    ],
    ids=str,
)
def test_what_may_be_asked_again_and_what_is_text(endpoint: Endpoint, replayable: bool, text: bool) -> None:
    assert (endpoint.is_replayable, endpoint.is_text) == (replayable, text)


def test_a_standard_path_is_the_lanes_with_every_method() -> None:
    for method in (b"GET", b"PUT", b"BREW"):
        assert find(method, b"/v1/chat/completions", EMPTY) is STANDARD[b"/v1/chat/completions"]


@pytest.mark.parametrize(
    "path",
    [b"/", b"/v1/models", b"/v1/chat/completions/", b"/v1/chat", b"/V1/chat/completions", b"/health", b"/v1/gr\xffet"],
)
def test_everything_else_is_not(path: bytes) -> None:
    assert find(b"POST", path, EMPTY) is None


def test_an_operation_from_a_card_is_served_with_its_own_method_and_any_body() -> None:
    snapshot = build([GREETER], {})
    assert find(b"POST", b"/v1/greet", snapshot) == Endpoint("greeter.greet", "POST", "/v1/greet")
    assert find(b"GET", b"/v1/peek", snapshot) == Endpoint("greeter.peek", "GET", "/v1/peek")
    assert find(b"GET", b"/v1/greet", snapshot) is None


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        (b"POST", b"/v1/services/greeter/v1/greet", Endpoint("greeter.greet", "POST", "/v1/greet", service="greeter")),
        (b"GET", b"/v1/services/greeter/v1/peek", Endpoint("greeter.peek", "GET", "/v1/peek", service="greeter")),
        (b"GET", b"/v1/services/greeter/health", page("/health")),
        (b"GET", b"/v1/services/greeter/metrics", page("/metrics")),
        (b"GET", b"/v1/services/greeter/v1/models", page("/v1/models")),
        (b"POST", b"/v1/services/greeter/health", None),
        (b"GET", b"/v1/services/greeter/v1/greet", None),
        (b"GET", b"/v1/services/greeter/etc/passwd", None),
        (b"GET", b"/v1/services/greeter/../health", None),
        (b"GET", b"/v1/services/greeter/", None),
        (b"GET", b"/v1/services/greeter", None),
        (b"GET", b"/v1/services/", None),
        (b"GET", b"/v1/services/nobody/health", None),
    ],
)
def test_a_services_own_endpoints_and_pages_are_under_its_name(
    method: bytes, path: bytes, expected: Endpoint | None
) -> None:
    assert find(method, path, build([GREETER], {})) == expected


@pytest.mark.parametrize(
    ("method", "rest", "operation", "model"),
    [
        ("POST", "m/load", "models.load", "m"),
        ("POST", "hf.co/org/m:Q4_K_M/unload", "models.unload", "hf.co/org/m:Q4_K_M"),
        ("POST", "org%2Fm/pull", "models.pull", "org/m"),
        ("POST", "load/load", "models.load", "load"),
        ("GET", "org/m", "models.show", "org/m"),
        ("GET", "m/load", "models.show", "m/load"),
        ("DELETE", "org/m", "models.delete", "org/m"),
    ],
)
def test_every_service_has_the_verbs_on_models(method: str, rest: str, operation: str, model: str) -> None:
    path = f"/v1/models/{rest}"
    expected = Endpoint(operation, method, path, service="greeter", itself=True, model=model)
    assert find(method.encode(), f"/v1/services/greeter{path}".encode(), build([GREETER], {})) == expected
    assert find(method.encode(), f"/v1/services/nobody{path}".encode(), build([GREETER], {})) is None
    assert find(method.encode(), path.encode(), build([GREETER], {})) is None


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("POST", b"m"),
        ("POST", b"load"),
        ("POST", b"/load"),
        ("POST", b"m/push"),
        ("PUT", b"m"),
        ("PATCH", b"m/load"),
        ("HEAD", b"m"),
        ("GET", b""),
        ("DELETE", b"a//b"),
        ("POST", b"../../admin/load"),
        ("GET", b"%2e%2e/%2E%2E/metrics"),
        ("GET", b"a%2F..%2Fb"),
        ("GET", b"m\xff"),
        ("DELETE", b"m" * 513),
    ],
)
def test_what_is_no_verb_on_a_model_goes_nowhere(method: str, rest: bytes) -> None:
    assert find(method.encode(), b"/v1/services/greeter/v1/models/" + rest, build([GREETER], {})) is None


def test_a_card_may_have_such_a_path_as_its_own() -> None:
    own = {"operation": "greeter.load", "method": "POST", "path": "/v1/models/m/load"}
    snapshot = build([make_instance("greeter", operations=(), endpoints=(GREET, own))], {})
    found = find(b"POST", b"/v1/services/greeter/v1/models/m/load", snapshot)
    assert found == Endpoint("greeter.load", "POST", "/v1/models/m/load", service="greeter")


def test_standard_operations_are_under_a_services_name_too() -> None:
    found = find(b"POST", b"/v1/services/svc/v1/chat/completions", build([make_instance()], {}))
    assert found == Endpoint("chat.completions", "POST", "/v1/chat/completions", service="svc")


def test_an_instance_without_a_card_has_pages_only() -> None:
    snapshot = build([Instance("http://box:8000", "static", State.UNREACHABLE)], {})
    assert find(b"GET", b"/v1/services/box:8000/health", snapshot) is not None
    assert find(b"POST", b"/v1/services/box:8000/v1/greet", snapshot) is None


def test_an_operation_from_a_card_may_be_a_job_where_it_is_posted() -> None:
    given = [{**GREET, "job": True}, {**PEEK, "job": True}]
    snapshot = build([make_instance("greeter", operations=(), endpoints=given)], {})
    posted, got = find(b"POST", b"/v1/greet", snapshot), find(b"GET", b"/v1/peek", snapshot)
    assert (posted and posted.job, got and got.job) == ("wanted", "never")
    under_its_name = find(b"POST", b"/v1/services/greeter/v1/greet", snapshot)
    assert under_its_name is not None
    assert under_its_name.job == "never"


def test_standard_rows_say_whether_they_may_be_jobs() -> None:
    for operation in ON_THE_LANE:
        assert STANDARD[operation.path.encode()].job == operation.job
    assert b"/v1/videos" not in STANDARD
