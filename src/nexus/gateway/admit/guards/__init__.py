"""What a call must pass before anything is counted: one guard a file, all of them in two visible lists.

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

WHEN_ASKED: Final[tuple[Guard, ...]] = (check_operation, check_size, check_model, rule_parameters)

WHEN_RUN: Final[tuple[Guard, ...]] = (check_operation, check_model)
"""For the run of a job, whose call has passed the others: what its caller may do can have changed since."""
