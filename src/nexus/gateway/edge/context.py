"""What all connections of one gateway share: limits, keys, guard, the story to tell and the set of open connections."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from nexus.gateway.drive import Signal
from nexus.gateway.edge.auth import Keyring
from nexus.gateway.edge.guard import Guard
from nexus.gateway.edge.visitors import Visitors
from nexus.gateway.endpoints import Endpoint
from nexus.gateway.values import Client, Outcome, Request

Story = Callable[[Request, Client], Coroutine[Signal, None, None]]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the server side; sizes in bytes, times in seconds.

    `upload_bytes` is for bodies with a file to be kept, which goes to disk as it comes; `body_bytes` for all others.
    """

    head_bytes: int = 65_536
    head_seconds: float = 10.0
    body_bytes: int = 67_108_864
    upload_bytes: int = 537_001_984
    body_idle_seconds: float = 30.0
    keep_alive_seconds: float = 75.0
    linger_seconds: float = 2.0
    queued_requests: int = 16


@dataclass(frozen=True, slots=True)
class Edge:
    """`find` gives the lane's row for (method, path), None where FastAPI serves; `record` takes refusals.

    `visitors` are those who are signed in, None where there are no users.
    """

    limits: Limits
    keyring: Keyring
    guard: Guard
    find: Callable[[bytes, bytes], Endpoint | None]
    story: Story
    record: Callable[[Outcome], None]
    visitors: Visitors | None = None
    connections: set[Any] = field(default_factory=set)
