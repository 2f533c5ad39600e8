"""What a token has used."""

from nexus.policies.account import Account


def test_requests_tokens_and_calls_are_counted_apart() -> None:
    account = Account()
    account.requests.add(1, 5.0)
    account.tokens.add(20, 5.0)
    account.running += 1
    assert (account.requests.count(6.0), account.tokens.count(6.0), account.running) == (1, 20, 1)
    assert Account().requests.count(6.0) == 0
