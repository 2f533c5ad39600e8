"""What all connections of one gateway share: limits, keys, guard, the story to tell and the set of open connections."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Protocol

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


@dataclass(slots=True)
class Edge:
    """`find` gives the lane's row for (method, path), None where FastAPI serves; `record` takes refusals.

    `visitors` are those who are signed in, None where there are no users.
    `draining`: the gateway is about to end, and each answer is the last one on its connection.
    """

    limits: Limits
    keyring: Keyring
    guard: Guard
    find: Callable[[bytes, bytes], Endpoint | None]
    story: Story
    record: Callable[[Outcome], None]
    visitors: Visitors | None = None
    connections: set["Connection"] = field(default_factory=set)
    draining: bool = False

    def begin_drain(self) -> None:
        """Close each connection after its next answer. May be called again."""
        if not self.draining:
            self.draining = True
            self.keyring.void()  # heads that are known say nothing of the connection's end: they are to be read anew

    def break_off(self) -> None:
        """End the answers that are still going on: the gateway ends now."""
        for connection in tuple(self.connections):
            connection.break_off()


class Connection(Protocol):
    """One client's, as what it shares with the others sees it."""

    def sweep(self, now: float) -> None:
        """End what has taken too long by loop time `now`."""

    def break_off(self) -> None:
        """End what is being answered by an error that says why."""
