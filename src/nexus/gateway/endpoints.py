"""The table of what the lane serves: path, operation, encodings of the body, where a model must be named."""

from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import unquote

import msgspec
from msgspec.structs import force_setattr

from nexus.contract.operations import BY_NAME, OPERATIONS, JobKind, Operation
from nexus.gateway.registry.snapshot import Snapshot

SERVICE_PREFIX: Final = "/v1/services/"
_OWN_PAGES: Final = ("/health", "/readyz", "/metrics", "/v1/metadata", "/v1/models")
_MODELS: Final = "/v1/models/"
_LONGEST_MODEL: Final = 512
_TEXT: Final = ("llm", "embedding", "rerank", "moderation")  # domains
_SAFE: Final = ("GET", "HEAD")  # methods by which nothing is done
_VERBS: Final[Mapping[tuple[str, str], str]] = {
    ("GET", ""): "models.show",
    ("DELETE", ""): "models.delete",
    ("POST", "load"): "models.load",
    ("POST", "unload"): "models.unload",
    ("POST", "pull"): "models.pull",
}
"""What can be done about a model: method and last part of the path → operation."""


class Endpoint(msgspec.Struct, frozen=True):
    """One row. `bodies` empty means: whatever the service takes. `service`, when set, is the only one to be asked.

    `path` is the path at the service. `events`: a streamed answer is one of server-sent events. `done_marker`: a whole
    event stream ends with `data: [DONE]`. `standard`: it is
    there whatever the services say. `job`: whether a call may become a durable job, or is the run of one.
    `itself`: it is the service's own affair, never that of the engine behind it; `model`: what model the path names.
    Facts that follow from these: `is_plain`: it is standard, takes JSON and never runs as a job; `is_replayable`: a
    call may be made again although the first one may have been executed; `is_text`: what is asked is text.
    """

    operation: str
    method: str
    path: str
    bodies: tuple[str, ...] = ()
    needs_model: bool = False
    done_marker: bool = False
    service: str | None = None
    standard: bool = False
    job: JobKind | Literal["running"] = "never"
    itself: bool = False
    model: str | None = None
    events: bool = False
    is_plain: bool = False
    is_replayable: bool = False
    is_text: bool = False

    def __post_init__(self) -> None:
        """Every call asks for the facts: they are no properties."""
        known = BY_NAME.get(self.operation)
        repeatable = known is not None and known.repeatable and not self.itself
        force_setattr(self, "is_plain", self.standard and self.job == "never" and self.bodies == ("json",))
        force_setattr(self, "is_replayable", repeatable or self.method in _SAFE)
        force_setattr(self, "is_text", known is not None and known.domain in _TEXT)

    @property
    def verb(self) -> bytes:
        """The method as it goes over the wire."""
        return self.method.encode()


def standard(operation: Operation) -> Endpoint:
    """The row of a standard operation."""
    return Endpoint(
        operation.name,
        operation.method,
        operation.path,
        operation.bodies,
        operation.needs_model,
        operation.done_marker,
        standard=True,
        job=operation.job,
        events=operation.stream == "sse",
    )


STANDARD: Final[dict[bytes, Endpoint]] = {
    operation.path.encode(): standard(operation)
    for operation in OPERATIONS
    if operation.job != "always"  # the control plane's: there is nothing to relay
}


def find(method: bytes, path: bytes, snapshot: Snapshot) -> Endpoint | None:
    """The row for a request, or None where the path is not the lane's.

    The caller compares the row's method: a standard path with another method is the lane's too (405).
    """
    endpoint = STANDARD.get(path)
    if endpoint is not None:
        return endpoint
    verb, where = method.decode("ascii", "replace"), path.decode("ascii", "replace")
    dynamic = snapshot.endpoints.get((verb, where))
    if dynamic is not None:
        may_wait = dynamic.job and dynamic.method == "POST"  # a job is run by POST
        return Endpoint(dynamic.operation, dynamic.method, dynamic.path, job="wanted" if may_wait else "never")
    if where.startswith(SERVICE_PREFIX):
        return _of_service(verb, where, snapshot)
    return None


def _of_service(method: str, path: str, snapshot: Snapshot) -> Endpoint | None:
    """A service's own endpoint, or what every service has: pages and verbs on models; under `/v1/services/{name}/…`."""
    name, slash, rest = path.removeprefix(SERVICE_PREFIX).partition("/")
    if not slash:
        return None
    rest = "/" + rest
    instances = snapshot.of_service(name)
    for instance in instances:
        for endpoint in instance.card.all_endpoints() if instance.card else ():
            if endpoint.path == rest and endpoint.method == method:
                return Endpoint(endpoint.operation, method, rest, service=name)
    if instances and method == "GET" and rest in _OWN_PAGES:
        return Endpoint("service.page", method, rest, service=name, itself=True)
    return _of_model(method, rest, name) if instances and rest.startswith(_MODELS) else None


def _of_model(method: str, path: str, service: str) -> Endpoint | None:
    """A verb on a model, `/v1/models/{id}[/…]`; the id may hold slashes."""
    name, verb = path.removeprefix(_MODELS), ""
    if method == "POST":
        name, _, verb = name.rpartition("/")
    operation = _VERBS.get((method, verb))
    model = unquote(name)
    if operation is None or len(name) > _LONGEST_MODEL or not path.isascii():
        return None
    if not {"", ".", ".."}.isdisjoint(model.split("/")):  # some servers take such a path for another one
        return None
    return Endpoint(operation, method, path, service=service, itself=True, model=model)
