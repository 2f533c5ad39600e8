"""How much is left to a caller, of requests and of tokens a minute, in the headers that OpenAI's clients know."""

from typing import Final

from nexus.gateway.shared.verdict import Verdict
from nexus.policies.account import Account
from nexus.policies.policy import Policy
from nexus.policies.windows import SECONDS

_LINES: Final = "\r\n".join(
    ("x-ratelimit-limit-{0}: {1}", "x-ratelimit-remaining-{0}: {2}", "x-ratelimit-reset-{0}: {3}", "")
)


def limit_lines(policy: Policy, account: Account, now: float) -> bytes:
    """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, each with its CR LF, as an account is at `now`.

    `reset` is when nothing counts any more of what was used: a duration, as `1.5s` or `1m0s`.
    """
    return _lines(policy, account, now).encode()


def around_what_remains(policy: Policy) -> tuple[str, str, str]:
    """The same for a call that was just counted, cut where the numbers are that remain; without limits it is empty.

    Before the first number, between both (nothing where only one is bounded), and behind the last. What was just
    counted is forgotten in a minute.
    """
    limits = (("requests", policy.rpm), ("tokens", policy.tpm))
    reset = duration(SECONDS)
    text = "".join(_LINES.format(kind, limit, "\0", reset) for kind, limit in limits if limit)
    before, *rest = text.split("\0")
    *between, behind = rest or [""]
    return before, "".join(between), behind


def limit_headers(policy: Policy, account: Account, now: float) -> dict[str, str]:
    """The same by name, for who is not let in."""
    return _by_name(_lines(policy, account, now))


def lines_of(policy: Policy, verdict: Verdict) -> bytes:
    """`limit_lines`, by what all gateways together have counted."""
    return _lines_of(policy, verdict, SECONDS).encode()


def headers_of(policy: Policy, verdict: Verdict) -> dict[str, str]:
    """`limit_headers`, by what all gateways together have counted."""
    return _by_name(_lines_of(policy, verdict, verdict.requests_reset / 1000))


def _lines(policy: Policy, account: Account, now: float) -> str:
    lines, requests, tokens = "", account.requests, account.tokens
    if policy.rpm:
        lines = _written("requests", policy.rpm, requests.count(now), requests.seconds_until_empty(now))
    if policy.tpm:
        lines += _written("tokens", policy.tpm, tokens.count(now), tokens.seconds_until_empty(now))
    return lines


def _lines_of(policy: Policy, verdict: Verdict, requests_reset: float) -> str:
    """A request that has just been counted is forgotten in a minute."""
    lines = _written("requests", policy.rpm, verdict.requests, requests_reset) if policy.rpm else ""
    if policy.tpm:
        lines += _written("tokens", policy.tpm, verdict.tokens, verdict.tokens_reset / 1000)
    return lines


def _written(kind: str, limit: int, used: int, reset: float) -> str:
    return _LINES.format(kind, limit, max(0, limit - used), duration(reset))


def _by_name(text: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text.split("\r\n") if line)


def duration(seconds: float) -> str:
    """A duration as OpenAI writes it, to the tenth of a second."""
    minutes, rest = divmod(round(seconds, 1), 60)
    text = f"{rest:.1f}".removesuffix(".0")
    return f"{int(minutes)}m{text}s" if minutes else f"{text}s"
