"""The circuits of all instances, and of all models at them: told of outcomes, asked who may be tried.

What concerns the connection counts for the whole instance, everything else for its model alone. Those that do well
have no circuit at all, so that they cost nothing.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from nexus.gateway.health.circuit import Circuit, Failure, State
from nexus.gateway.registry.snapshot import Instance, Target

LONGEST_PAUSE: Final = 60.0  # seconds: a service that asks for more is asked again all the same, as the last choice
_FORGOTTEN: Final = 600.0  # seconds after which a circuit that nobody touched is forgotten
_OF_INSTANCE: Final = (Failure.REFUSED, Failure.CLOSED)

Key = tuple[str, str | None]
"""Whose circuit it is: an instance's URL and a model's name there, or `*` for the whole instance."""

_WHOLE: Final = "*"
_CLOSED: Final = Circuit()


class Health:
    """`troubled` is False as long as nobody has failed; `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.troubled = False
        self._circuits: dict[Key, Circuit] = {}
        self._touched: dict[Key, float] = {}

    def ok(self, target: Target) -> None:
        """It has answered, whole."""
        if not self.troubled:
            return
        now = self.clock()
        for key in _keys(target):
            circuit = self._circuits.get(key)
            if circuit is None:
                continue
            if circuit.paused_until > now:
                self._circuits[key] = Circuit(paused_until=circuit.paused_until)
            else:
                self._forget(key)

    def failed(self, target: Target, kind: Failure) -> None:
        """An attempt failed there."""
        url = target.instance.url
        key = (url, _WHOLE if kind in _OF_INSTANCE else target.model)
        now = self.clock()
        self._put(key, self._circuits.get(key, _CLOSED).failed(kind, now), now)

    def paused(self, target: Target, seconds: float) -> None:
        """It asked not to be asked again for so long; bounded."""
        key = (target.instance.url, target.model)
        now = self.clock()
        until = now + min(seconds, LONGEST_PAUSE)
        self._put(key, self._circuits.get(key, _CLOSED).paused(until), now)

    def asked(self, target: Target) -> None:
        """A call is sent there now."""
        if not self.troubled:
            return
        now = self.clock()
        for key in _keys(target):
            circuit = self._circuits.get(key)
            if circuit is not None:
                self._circuits[key] = _seen(circuit, target.instance).asked(now)

    def allows(self, target: Target, now: float) -> bool:
        """Whether it may be asked now."""
        return not self.troubled or not self.wait(target, now)

    def wait(self, target: Target, now: float) -> float:
        """Seconds until it may be asked; 0 if it may be now."""
        instance = target.instance
        longest = 0.0
        for key in _keys(target):
            circuit = self._circuits.get(key)
            if circuit is not None:
                longest = max(longest, _seen(circuit, instance).wait(now))
        return longest

    def state(self, instance: Instance) -> str:
        """The instance's own circuit, and those of its models: the worst of them, in a word."""
        now = self.clock()
        states = {_seen(one, instance).state(now) for (url, _), one in self._circuits.items() if url == instance.url}
        return next((state.value for state in (State.OPEN, State.HALF_OPEN) if state in states), State.CLOSED.value)

    def tripped(self) -> Iterator[tuple[str, str, State]]:
        """All circuits that are not closed: instance, model (`*` for the whole instance) and state."""
        now = self.clock()
        self._forget_the_untouched(now)
        for (url, model), circuit in self._circuits.items():
            state = circuit.state(now)
            if state is not State.CLOSED:
                yield url, model or "", state

    def _put(self, key: Key, circuit: Circuit, now: float) -> None:
        if key not in self._circuits:
            self._forget_the_untouched(now)
        self._circuits[key] = circuit
        self._touched[key] = now
        self.troubled = True

    def _forget_the_untouched(self, now: float) -> None:
        """Those of instances that are gone; whoever is still there and fails is asked more often."""
        for old in [one for one, at in self._touched.items() if now - at > _FORGOTTEN]:
            self._forget(old)

    def _forget(self, key: Key) -> None:
        if self._circuits.pop(key, None) is not None:
            del self._touched[key]
            self.troubled = bool(self._circuits)


def _keys(target: Target) -> tuple[Key, Key]:
    """The circuits that stand between a call and its target: that of the instance, and that of the model there."""
    url = target.instance.url
    return (url, _WHOLE), (url, target.model)


def _seen(circuit: Circuit, instance: Instance) -> Circuit:
    """The circuit as the prober's findings leave it: what came back after it had opened may be tried at once.

    Not where calls go elsewhere than probes do.
    """
    if instance.since > circuit.since and instance.data_path == instance.url:
        return circuit.half_opened(instance.since)
    return circuit
