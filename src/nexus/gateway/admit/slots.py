"""A bound on the calls that run at once, so that a flood ends in clear answers and not in exhausted memory."""

from typing import Final

from nexus.contract.errors import OVERLOADED, ApiError
from nexus.gateway.values import Call

CALLS_AT_ONCE: Final = 10_000


class Slots:
    """Hands out permits, at most `limit` at once."""

    def __init__(self, limit: int = CALLS_AT_ONCE) -> None:
        self._limit = limit
        self._taken = 0

    @property
    def taken(self) -> int:
        return self._taken

    def admit(self, call: Call) -> "Permit":
        """A permit for `call`. Raises ApiError (503) when all are out."""
        if self._taken >= self._limit:
            message = (
                f"The gateway already has {self._limit} calls in flight; {call.request.endpoint.operation} must wait."
            )
            raise ApiError(OVERLOADED, message, retry_after=1)
        self._taken += 1
        return Permit(self)

    def give_back(self) -> None:
        """For `Permit` alone."""
        self._taken -= 1


class Permit:
    """Leave to go on. `release` gives it back, once, however often it is called."""

    __slots__ = ("_slots",)

    def __init__(self, slots: Slots) -> None:
        self._slots: Slots | None = slots

    def release(self) -> None:
        if self._slots is not None:
            self._slots.give_back()
            self._slots = None
