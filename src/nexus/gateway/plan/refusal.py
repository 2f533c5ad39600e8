"""Why nobody can be asked: the model is unknown, or known but not ready."""

from difflib import get_close_matches
from typing import Final

from nexus.contract.errors import MODEL_NOT_FOUND, NO_READY_SERVICE, ApiError
from nexus.gateway.registry.snapshot import Route, Snapshot, State
from nexus.gateway.values import Call

RETRY_SECONDS: Final = 2.0


def refusal(call: Call, route: Route, snapshot: Snapshot) -> ApiError:
    """The error for a call whose route has no ready target."""
    operation = call.request.endpoint.operation
    if route.waiting:
        return _not_ready(call.model or operation, route)
    if not snapshot.settled:
        return _unavailable("The gateway has just started and is still asking its services what they offer.")
    if call.model is None or (call.routed is not None and call.routed.within is not None):
        return _nobody(call, operation)
    elsewhere = sorted(name for name, model in snapshot.by_model if model == call.model)
    if elsewhere:
        message = f"The model {call.model!r} does not do {operation}; it does {', '.join(elsewhere)}."
        return ApiError(MODEL_NOT_FOUND, message, param="model")
    names = snapshot.names.get(operation, ())
    if not names and not snapshot.names:
        return _unavailable(f"No service for {operation} is there.")
    near = get_close_matches(call.model, names, n=3, cutoff=0.5)
    known = f"Did you mean {' or '.join(map(repr, near))}?" if near else _listing(operation, names)
    return ApiError(MODEL_NOT_FOUND, f"The model {call.model!r} does not exist. {known}", param="model")


def _nobody(call: Call, operation: str) -> ApiError:
    """No instance is there; a rule that leads to some instances alone may be why."""
    if call.routed is not None and call.routed.within is not None:
        return _unavailable(f"Nobody is there of those to whom the rule leads: {call.routed.why}.")
    return _unavailable(f"No service for {operation} is there.")


def _listing(operation: str, names: tuple[str, ...]) -> str:
    if not names:
        return f"No model for {operation} is there."
    return f"Models for {operation}: {', '.join(names[:10])}{' …' if len(names) > 10 else ''}."


def _not_ready(name: str, route: Route) -> ApiError:
    instance = route.waiting[0].instance
    why = instance.reason or (
        "no model that can answer is there" if instance.state is State.READY else instance.state.value
    )
    return _unavailable(f"{name!r} is not ready yet: {instance.service} says {why!r}.")


def _unavailable(message: str) -> ApiError:
    return ApiError(NO_READY_SERVICE, message, retry_after=RETRY_SECONDS)
