"""A bound on the calls that run at once, so that a flood ends in clear answers and not in exhausted memory."""

from typing import Final

from nexus.contract.errors import OVERLOADED, ApiError
from nexus.gateway.admit.spent import Spent
from nexus.gateway.values import Call

CALLS_AT_ONCE: Final = 10_000


class Slots:
    """Hands out permits, at most `limit` at once."""

    def __init__(self, limit: int = CALLS_AT_ONCE) -> None:
        self._limit = limit
        self._permit = Permit()

    @property
    def taken(self) -> int:
        """The permits that are out."""
        return self._permit.count

    def admit(self, call: Call) -> "Permit":
        """A permit for `call`. Raises ApiError (503) when all are out."""
        permit = self._permit
        if permit.count >= self._limit:
            message = (
                f"The gateway already has {self._limit} calls in flight; {call.request.endpoint.operation} must wait."
            )
            raise ApiError(OVERLOADED, message, retry_after=1)
        permit.count += 1
        return permit


class Permit:
    """Leave to go on; all calls share one object that counts them, as a permit says nothing but that it was given."""

    count = 0

    def release(self, _: Spent) -> None:
        """Give it back: exactly once a call, which is the story's law."""
        self.count -= 1

    def give_back(self) -> None:
        """The same where there was no call."""
        self.count -= 1
