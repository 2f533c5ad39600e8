"""What callers are told that have come to one of their limits."""

from nexus.gateway.admit.limits import too_many_calls, too_many_requests, too_many_tokens
from nexus.policies.policy import Policy
from nexus.policies.token import Bearer

POLICY = Policy("p", rpm=3, tpm=50, concurrency=2)
ADA = Bearer("ada", POLICY)
HEADERS = {"x-ratelimit-remaining-requests": "0"}


def test_each_names_the_token_and_its_bound() -> None:
    calls = too_many_calls(ADA, POLICY, HEADERS)
    assert (calls.status, calls.code, calls.retry_after) == (429, "concurrency_exceeded", 1.0)
    assert "'ada' has 2 calls" in calls.message
    tokens = too_many_tokens(ADA, POLICY, 12.0, HEADERS)
    assert (tokens.status, tokens.code, tokens.retry_after) == (429, "rate_limit_exceeded", 12.0)
    assert "50 tokens a minute" in tokens.message
    requests = too_many_requests(ADA, POLICY, 7.5, HEADERS)
    assert (requests.code, requests.headers()) == ("rate_limit_exceeded", {**HEADERS, "retry-after": "8"})
    assert "3 requests a minute" in requests.message
