"""Is the request as small as the caller's have to be?"""

from nexus.contract.errors import REQUEST_TOO_LARGE, ApiError
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.policy import Policy


def check_size(call: Call, policy: Policy, _: Views) -> Call:
    """Raises ApiError (413)."""
    most = policy.max_request_bytes
    if most and len(call.request.body) > most:
        name = call.request.head.token
        raise ApiError(REQUEST_TOO_LARGE, f"A request of the token {name!r} may have {most} bytes.")
    return call
