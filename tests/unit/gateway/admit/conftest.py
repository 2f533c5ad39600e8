"""A gate before two models, with a clock that only the test moves."""

from collections.abc import Callable
from typing import Any

import pytest

from nexus.gateway.admit.gate import Gate
from nexus.gateway.admit.slots import Slots
from nexus.gateway.registry.index import build
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.policy import Policy
from nexus.policies.token import Bearer
from tests.servers.calls import make_call, make_instance
from tests.servers.clock import Clock
from tests.servers.door import Door


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def views() -> Views:
    operations = ("chat.completions", "embeddings")
    snapshot = build([make_instance(operations=operations, models=("m", "other"))], {"alias": "other"})
    return Views(lambda: snapshot)


@pytest.fixture
def slots() -> Slots:
    return Slots(3)


@pytest.fixture
def gate(slots: Slots, views: Views, clock: Clock) -> Door:
    return Door(Gate(slots, views, clock), clock)


@pytest.fixture
def call_of(clock: Clock) -> Callable[..., Call]:
    """`call_of(bearer or policy, model, body)`: a call that comes now."""

    def make(who: Bearer | Policy, model: str | None = "m", **fields: Any) -> Call:
        bearer = who if isinstance(who, Bearer) else Bearer("ada", who)
        return make_call(model, **fields, bearer=bearer, arrived=clock.now)

    return make
