"""What is told of limits."""

import pytest

from nexus.gateway.admit.headers import duration, headers_of, limit_headers, lines_after, lines_of
from nexus.gateway.shared.verdict import LET_IN, Verdict
from nexus.policies.account import Account
from nexus.policies.policy import Policy


def test_only_bounds_are_told() -> None:
    assert limit_headers(Policy("p", concurrency=5), Account(), 0.0) == {}


def test_limit_what_is_left_and_when_nothing_counts_any_more() -> None:
    account = Account()
    account.requests.add(1, 100.0)
    account.tokens.add(900, 100.0)
    assert limit_headers(Policy("p", rpm=5, tpm=800), account, 130.0) == {
        "x-ratelimit-limit-requests": "5",
        "x-ratelimit-remaining-requests": "4",
        "x-ratelimit-reset-requests": "30.5s",
        "x-ratelimit-limit-tokens": "800",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "30.5s",
    }
    assert limit_headers(Policy("p", rpm=5), Account(), 1.0)["x-ratelimit-reset-requests"] == "0s"


def told(policy: Policy, account: Account, now: float) -> bytes:
    """What a call is told with which the account came to what it is."""
    account.look(now)
    return lines_after(policy, account, account.requests.total, account.tokens.total + account.promised, now)


def test_lines_of_a_call_that_was_just_counted() -> None:
    account = Account()
    account.requests.add(2, 130.0)
    account.tokens.add(900, 100.0)
    account.promised = 30
    policy = Policy("p", rpm=5, tpm=1000)
    assert b"x-ratelimit-remaining-tokens: 970\r\n" in told(policy, account, 161.0)  # what was is forgotten


def test_lines_of_a_call_that_was_just_counted_after_others() -> None:
    account = Account()
    account.requests.add(2, 130.0)
    account.tokens.add(900, 100.0)
    assert account.tokens.count(130.0) == 900
    account.promised = 30
    policy = Policy("p", rpm=5, tpm=1000)
    assert told(policy, account, 130.0).decode().splitlines() == [
        "x-ratelimit-limit-requests: 5",
        "x-ratelimit-remaining-requests: 3",
        "x-ratelimit-reset-requests: 1m0s",
        "x-ratelimit-limit-tokens: 1000",
        "x-ratelimit-remaining-tokens: 70",
        "x-ratelimit-reset-tokens: 1m0s",
    ]
    account.promised = 0  # of a picture, whose request is no text
    assert told(policy, account, 130.0).decode().splitlines()[4:] == [
        "x-ratelimit-remaining-tokens: 100",
        "x-ratelimit-reset-tokens: 30.5s",
    ]
    account.promised = 2000
    assert b"x-ratelimit-remaining-tokens: 0\r\n" in told(policy, account, 130.0)
    edited = told(Policy("p", tpm=4000), account, 130.0)  # the account outlives the policy
    assert edited.startswith(b"x-ratelimit-limit-tokens: 4000\r\nx-ratelimit-remaining-tokens: 1100\r\n")
    assert told(Policy("p", concurrency=5), account, 130.0) == b""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (1.24, "1.2s"), (12, "12s"), (59.96, "1m0s"), (60.5, "1m0.5s"), (360, "6m0s")]
)
def test_durations_are_written_as_openais(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_same_by_what_all_gateways_have_counted() -> None:
    verdict = Verdict(LET_IN, 0, 3, 59_500, 900, 30_500, 0)
    policy = Policy("p", rpm=5, tpm=800)
    assert headers_of(policy, verdict) == {
        "x-ratelimit-limit-requests": "5",
        "x-ratelimit-remaining-requests": "2",
        "x-ratelimit-reset-requests": "59.5s",
        "x-ratelimit-limit-tokens": "800",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "30.5s",
    }
    assert b"x-ratelimit-remaining-requests: 2\r\nx-ratelimit-reset-requests: 1m0s\r\n" in lines_of(policy, verdict)
    assert lines_of(policy, verdict).endswith(b"x-ratelimit-reset-tokens: 30.5s\r\n")
    assert lines_of(Policy("p", concurrency=5), verdict) == b""
    assert headers_of(Policy("p", concurrency=5), verdict) == {}
