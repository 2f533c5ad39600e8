"""A bound on the calls that run at once, so that a flood ends in clear answers and not in exhausted memory."""

from typing import Final

from nexus.contract.errors import OVERLOADED, ApiError
from nexus.gateway.admit.spent import Spent
from nexus.gateway.values import Call, Request

CALLS_AT_ONCE: Final = 10_000


class Slots:
    """Hands itself out, at most `limit` times at once: a permit says nothing but that it was given.

    `taken` are those that are out; who is in a hurry counts them itself.
    """

    __slots__ = ("limit", "taken")

    def __init__(self, limit: int = CALLS_AT_ONCE) -> None:
        self.limit = limit
        self.taken = 0

    def admit(self, call: Call) -> "Slots":
        """A permit for `call`. Raises ApiError (503) when all are out."""
        if self.taken >= self.limit:
            message = (
                f"The gateway already has {self.limit} calls in flight; {call.request.endpoint.operation} must wait."
            )
            raise ApiError(OVERLOADED, message, retry_after=1)
        self.taken += 1
        return self

    def release(self, _: Request, __: Spent) -> None:
        """Give it back: exactly once a call, which is the story's law."""
        self.taken -= 1

    def give_back(self) -> None:
        """The same where there was no call."""
        self.taken -= 1
