"""May the caller ask for this operation?"""

from nexus.contract.errors import PERMISSION_DENIED, ApiError
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.policy import Policy
from nexus.policies.token import Bearer


def check_operation(call: Call, policy: Policy, _: Views) -> Call:
    """Raises ApiError (403)."""
    if not policy.operations.allows(call.request.head.endpoint.operation):
        raise forbidden(call.request.head.bearer, call.request.head.endpoint.operation)
    return call


def forbidden(bearer: Bearer, operation: str) -> ApiError:
    """The error for an operation that the policy leaves out."""
    return ApiError(PERMISSION_DENIED, f"The token {bearer.name!r} may not ask for {operation}.")
