"""What is told of limits."""

import pytest

from nexus.gateway.admit.headers import (
    around_what_remains,
    duration,
    headers_of,
    limit_headers,
    limit_lines,
    lines_of,
)
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


def test_lines_of_an_account_are_the_same_line_by_line() -> None:
    account = Account()
    account.requests.add(2, 130.0)
    account.tokens.add(900, 100.0)
    policy = Policy("p", rpm=5, tpm=1000)
    lines = limit_lines(policy, account, 130.0).decode()
    assert lines.endswith("\r\n")
    assert dict(line.split(": ") for line in lines.split("\r\n")[:-1]) == limit_headers(policy, account, 130.0)
    assert limit_lines(Policy("p", concurrency=5), account, 130.0) == b""


def test_but_for_what_remains_the_lines_of_a_policy_are_always_the_same() -> None:
    before, between, behind = around_what_remains(Policy("p", rpm=5, tpm=1000))
    assert f"{before}R{between}T{behind}".splitlines() == [
        "x-ratelimit-limit-requests: 5",
        "x-ratelimit-remaining-requests: R",
        "x-ratelimit-reset-requests: 1m0s",
        "x-ratelimit-limit-tokens: 1000",
        "x-ratelimit-remaining-tokens: T",
        "x-ratelimit-reset-tokens: 1m0s",
    ]
    assert around_what_remains(Policy("p", tpm=4)) == (
        "x-ratelimit-limit-tokens: 4\r\nx-ratelimit-remaining-tokens: ",
        "",
        "\r\nx-ratelimit-reset-tokens: 1m0s\r\n",
    )
    assert around_what_remains(Policy("p", concurrency=5)) == ("", "", "")


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
