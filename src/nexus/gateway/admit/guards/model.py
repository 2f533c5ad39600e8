"""May the caller use the model that the name stands for, or any model at all, where the call names none?"""

import msgspec
from msgspec.structs import replace

from nexus.contract.errors import INVALID_REQUEST, PERMISSION_DENIED, ApiError
from nexus.gateway.registry.snapshot import Route
from nexus.gateway.routes import route_of
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.policy import Policy


def check_model(call: Call, policy: Policy, views: Views) -> Call:
    """Raises ApiError (403) where somebody could answer, but nobody whom the policy allows.

    What nobody has at all is left to planning, which says 404.
    """
    if policy.models.everything:
        return call
    call = _with_one_model(call)
    if _is_empty(route_of(call, views.of(policy))) and not _is_empty(route_of(call, views.whole())):
        what = f"the model {call.model!r}" if call.model is not None else "a model that would answer this"
        name = call.request.head.token
        raise ApiError(PERMISSION_DENIED, f"The token {name!r} may not use {what}.", param="model")
    return call


def _with_one_model(call: Call) -> Call:
    """The call with a body that names its model once: of two names, an engine could take the other one.

    Raises ApiError (400) for keys that are no text, which intake does not look at.
    """
    request = call.request
    body = request.body
    if call.form_model_span is not None or b"json" not in request.head.content_type.lower():
        return call
    if body.count(b'"model"') == (call.model is not None) and b"\\u00" not in body:  # letters can be written so, too
        return call
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except UnicodeDecodeError as error:
        raise ApiError(INVALID_REQUEST, f"The body is not valid JSON: {error}.") from error
    return replace(call, request=replace(request, body=msgspec.json.encode(fields)))


def _is_empty(route: Route) -> bool:
    return not (route.ready or route.waiting)
