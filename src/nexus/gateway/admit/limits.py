"""What callers are told that have come to one of their limits. `headers` say what is left, `wait` is in seconds."""

from collections.abc import Mapping

from nexus.contract.errors import CONCURRENCY_EXCEEDED, RATE_LIMIT_EXCEEDED, ApiError
from nexus.policies.policy import Policy
from nexus.policies.token import Bearer


def too_many_calls(bearer: Bearer, policy: Policy, headers: Mapping[str, str]) -> ApiError:
    """Nobody knows when one of them ends."""
    message = f"The token {bearer.name!r} has {policy.concurrency} calls running, which is as many as it may."
    return ApiError(CONCURRENCY_EXCEEDED, message, retry_after=1.0, more=headers)


def too_many_tokens(bearer: Bearer, policy: Policy, wait: float, headers: Mapping[str, str]) -> ApiError:
    """In the last minute."""
    message = f"The token {bearer.name!r} may use {policy.tpm} tokens a minute, and has."
    return ApiError(RATE_LIMIT_EXCEEDED, message, retry_after=wait, more=headers)


def too_many_requests(bearer: Bearer, policy: Policy, wait: float, headers: Mapping[str, str]) -> ApiError:
    """In the last minute."""
    message = f"The token {bearer.name!r} may make {policy.rpm} requests a minute, and has."
    return ApiError(RATE_LIMIT_EXCEEDED, message, retry_after=wait, more=headers)
