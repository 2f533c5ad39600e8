"""A gate as its tests stand before it: what a call has used is told when it ends, by the clock of the test."""

from collections.abc import Callable

from nexus.gateway.admit.gate import Gate, Permit
from nexus.gateway.admit.slots import Slots
from nexus.gateway.admit.together import Together
from nexus.gateway.admit.treasurer import Timed
from nexus.gateway.relay.result import Relayed
from nexus.gateway.routing.router import Router
from nexus.gateway.values import Call, Request
from nexus.policies.policy import Policy
from nexus.policies.token import Bearer


class Held:
    """A permit that was given for a request."""

    def __init__(self, permit: Permit, request: Request, spent: Relayed, clock: Callable[[], float]) -> None:
        self.permit = permit
        self._request = request
        self._spent = spent
        self._clock = clock

    def release(self, became: Relayed) -> None:
        """The call ends now; it is told what has `become` of it, and tells of an estimate."""
        spent = self._spent
        spent.status, spent.usage = became.status, became.usage
        spent.bytes_out, spent.events, spent.ended = became.bytes_out, became.events, self._clock()
        self.permit.release(self._request, spent)
        became.usage = spent.usage


def held(given: tuple[Call, Permit, bytes], spent: Relayed, clock: Callable[[], float]) -> tuple[Call, Held, bytes]:
    """What was given, with a permit that the test can release."""
    call, permit, lines = given
    return call, Held(permit, call.request, spent, clock), lines


class Door:
    """Before a gate that decides alone."""

    def __init__(self, gate: Gate, clock: Callable[[], float]) -> None:
        self.gate = gate
        self._clock = clock

    @property
    def router(self) -> Router:
        return self.gate.router

    def admit(self, call: Call, lease: Timed | None = None) -> tuple[Call, Held, bytes]:
        spent = Relayed()
        return held(self.gate.admit(call, spent, lease), spent, self._clock)

    async def admit_outside(self, call: Call) -> tuple[Call, Held, bytes]:
        spent = Relayed()
        return held(await self.gate.admit_outside(call, spent), spent, self._clock)

    def place(self, call: Call, bearer: Bearer, policy: Policy) -> Slots:
        return self.gate.place(call, bearer, policy)

    def counted(self, call: Call, bearer: Bearer, policy: Policy, prompt: int | None) -> Held:
        spent = Relayed()
        return Held(self.gate.counted(bearer, policy, prompt, spent), call.request, spent, self._clock)

    async def count(self, bearer: Bearer, operation: str) -> None:
        await self.gate.count(bearer, operation)


class DoorOfMany:
    """Before a gate that counts together with others."""

    def __init__(self, together: Together, clock: Callable[[], float]) -> None:
        self._together = together
        self._clock = clock

    async def admit(self, call: Call) -> tuple[Call, Held, bytes]:
        spent = Relayed()
        return held(await self._together.admit(call, spent), spent, self._clock)

    async def admit_outside(self, call: Call) -> tuple[Call, Held, bytes]:
        spent = Relayed()
        return held(await self._together.admit_outside(call, spent), spent, self._clock)

    async def count(self, bearer: Bearer, operation: str) -> None:
        await self._together.count(bearer, operation)
