"""How much is left to a caller, of requests and of tokens a minute, in the headers that OpenAI's clients know."""

from functools import lru_cache
from typing import Final

from nexus.policies.account import Account
from nexus.policies.policy import Policy
from nexus.policies.windows import Window

_LINES: Final = b"x-ratelimit-limit-%b: %d\r\nx-ratelimit-remaining-%b: %d\r\nx-ratelimit-reset-%b: %b\r\n"
_REQUESTS: Final = b"requests"
_TOKENS: Final = b"tokens"


def limit_lines(policy: Policy, account: Account, now: float) -> bytes:
    """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, each with its CR LF, for what the policy bounds.

    `reset` is when nothing counts any more of what was used: a duration, as `1.5s` or `1m0s`.
    """
    requests = _lines(_REQUESTS, policy.rpm, account.requests, now) if policy.rpm else b""
    return requests + _lines(_TOKENS, policy.tpm, account.tokens, now) if policy.tpm else requests


def limit_headers(policy: Policy, account: Account, now: float) -> dict[str, str]:
    """The same by name."""
    lines = limit_lines(policy, account, now).decode().split("\r\n")
    return dict(line.split(": ", 1) for line in lines if line)


def _lines(kind: bytes, limit: int, window: Window, now: float) -> bytes:
    left = limit - window.count(now)
    reset = duration(round(window.seconds_until_empty(now) * 10))
    return _LINES % (kind, limit, kind, left if left > 0 else 0, kind, reset)


@lru_cache(maxsize=1024)
def duration(tenths: int) -> bytes:
    """So many tenths of a second, as OpenAI writes durations."""
    minutes, rest = divmod(tenths, 600)
    text = f"{rest / 10:.1f}".removesuffix(".0")
    return (f"{minutes}m{text}s" if minutes else f"{text}s").encode()
