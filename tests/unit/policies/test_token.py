"""A bearer without a policy has no bounds; each has an account of its own."""

from nexus.policies.token import Bearer, Token


def test_defaults() -> None:
    assert Bearer("ada").policy is None
    assert not Bearer("ada").lent
    assert Bearer("ada").account is not Bearer("ada").account
    assert Token(b"", "ada").expires is None
