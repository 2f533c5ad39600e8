"""May the caller use the model that the name stands for, or any model at all, where the call names none?"""

from nexus.contract.errors import PERMISSION_DENIED, ApiError
from nexus.gateway.registry.snapshot import Route
from nexus.gateway.routes import route_of
from nexus.gateway.routing.body import with_one_model
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.policy import Policy


def check_model(call: Call, policy: Policy, views: Views) -> Call:
    """Raises ApiError (403) where somebody could answer, but nobody whom the policy allows.

    What nobody has at all is left to planning, which says 404.
    """
    if policy.models.everything:
        return call
    call = with_one_model(call)
    if _is_empty(route_of(call, views.of(policy))) and not _is_empty(route_of(call, views.whole())):
        what = f"the model {call.model!r}" if call.model is not None else "a model that would answer this"
        name = call.request.head.token
        raise ApiError(PERMISSION_DENIED, f"The token {name!r} may not use {what}.", param="model")
    return call


def _is_empty(route: Route) -> bool:
    return not (route.ready or route.waiting)
