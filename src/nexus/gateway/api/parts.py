"""What the control plane needs of the rest of the gateway."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from nexus.gateway.admit.gate import Gate
from nexus.gateway.admit.together import Together
from nexus.gateway.background.desk import Desk
from nexus.gateway.config import Config
from nexus.gateway.edge.guard import Guard
from nexus.gateway.health.health import Health
from nexus.gateway.log import Log
from nexus.gateway.queue.turns import Turns
from nexus.gateway.registry.sources.announce import AnnounceSource
from nexus.gateway.registry.watcher import Registry
from nexus.gateway.settings import Settings
from nexus.gateway.storage import Store
from nexus.gateway.tokens import TokenBook
from nexus.gateway.users.people import People
from nexus.gateway.views import Views
from nexus.policies.spending import Spendings
from nexus.policies.token import Bearer


class RecordRequest(Protocol):
    """Takes one finished control-plane request. `path` is the route's template, `unmatched` where there is none."""

    def __call__(self, *, method: str, path: str, status: int, seconds: float, request_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class ApiParts:
    """The parts, each as narrow as it can be.

    `announce` is None where services may not announce themselves. `in_flight` gives the calls now at an instance,
    by its URL, `health` how it does, `turns` which calls wait. `check_token` tells who comes with an `authorization`
    header, or raises ApiError. `guard` knows who may ask at all, `gate` judges what is asked for, `counting` lets it in
    (the same gate, or that of several gateways), `views` are what callers may see of the registry. `instance` is this
    gateway's own instance id, `started` when it started in seconds since the epoch. `store` is where files are kept,
    `tokens` knows those that are let in, `spendings` what they use of their budgets, `desk` who knows of jobs.
    `base_url` tells, from the Host header that a client sent, how it reaches the gateway. `draining`: it is about to
    end. `pass_on` tells the other workers, if there are any (`gateway.siblings`). `people` is None where there are no
    users.
    """

    registry: Registry
    announce: AnnounceSource | None
    settings: Settings
    config: Callable[[], Config]
    metrics_text: Callable[[], Awaitable[bytes]]
    in_flight: Callable[[str], int]
    health: Health
    turns: Turns
    check_token: Callable[[bytes | None], Bearer]
    guard: Guard
    record: RecordRequest
    log: Log
    instance: str
    started: float
    store: Store
    tokens: TokenBook
    spendings: Spendings
    desk: Desk
    gate: Gate
    counting: Gate | Together
    views: Views
    base_url: Callable[[bytes], str]
    draining: Callable[[], bool]
    pass_on: Callable[[bytes], Awaitable[Collection[bytes]]]
    people: People | None = None
