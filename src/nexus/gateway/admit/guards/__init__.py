"""What a call must pass before anything is counted: one guard a file, all of them in visible lists.

A guard gives the call, changed where its policy changes calls, or raises ApiError. To add one: a file, and a line here.
"""

from collections.abc import Callable
from typing import Final

from nexus.gateway.admit.guards.model import check_model
from nexus.gateway.admit.guards.operation import check_operation
from nexus.gateway.admit.guards.parameters import rule_parameters
from nexus.gateway.admit.guards.size import check_size
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.policy import Policy

Guard = Callable[[Call, Policy, Views], Call]

WHEN_ASKED: Final[tuple[Guard, ...]] = (check_operation, check_size)
"""Before the rules of `routes` lead it: what may be asked at all."""

WHEN_LED: Final[tuple[Guard, ...]] = (check_model, rule_parameters)
"""After that: the model that is used is one that the caller may use, and asked as its rules want."""

WHEN_RUN: Final[tuple[Guard, ...]] = (check_operation, check_model)
"""For the run of a job, whose call has passed the others: what its caller may do can have changed since."""
