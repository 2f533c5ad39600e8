"""How much is left to a caller, of requests and of tokens a minute, in the headers that OpenAI's clients know."""

from functools import lru_cache
from typing import Final

from nexus.policies.account import Account
from nexus.policies.policy import Policy
from nexus.policies.windows import SECONDS, Window

_LINES: Final = "\r\n".join(
    ("x-ratelimit-limit-{0}: {1}", "x-ratelimit-remaining-{0}: {2}", "x-ratelimit-reset-{0}: {3}", "")
)


def lines_after(policy: Policy, account: Account, now: float) -> bytes:
    """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, each with its CR LF, for a call that was just counted.

    `reset` is when nothing counts any more of what was used: a duration, as `1.5s` or `1m0s`.
    """
    lines = b""
    if policy.rpm:
        lines = _after_a_request(policy.rpm) % (policy.rpm - account.requests.total)
    if policy.tpm:
        lines += _told("tokens", policy.tpm, account.tokens, now).encode()
    return lines


def limit_headers(policy: Policy, account: Account, now: float) -> dict[str, str]:
    """The same by name, for who is not let in."""
    text = _told("requests", policy.rpm, account.requests, now) if policy.rpm else ""
    text += _told("tokens", policy.tpm, account.tokens, now) if policy.tpm else ""
    return dict(line.split(": ", 1) for line in text.split("\r\n") if line)


@lru_cache(maxsize=256)
def _after_a_request(limit: int) -> bytes:
    """The lines but for what remains: a request that has just been counted is forgotten in a minute."""
    return _LINES.format("requests", limit, "%d", duration(SECONDS)).encode()


def _told(kind: str, limit: int, window: Window, now: float) -> str:
    left = max(0, limit - window.count(now))
    return _LINES.format(kind, limit, left, duration(window.seconds_until_empty(now)))


def duration(seconds: float) -> str:
    """A duration as OpenAI writes it, to the tenth of a second."""
    minutes, rest = divmod(round(seconds, 1), 60)
    text = f"{rest:.1f}".removesuffix(".0")
    return f"{int(minutes)}m{text}s" if minutes else f"{text}s"
