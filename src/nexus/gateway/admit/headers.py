"""How much is left to a caller, of requests and of tokens a minute, in the headers that OpenAI's clients know."""

from nexus.policies.account import Account
from nexus.policies.policy import Policy


def limit_headers(policy: Policy, account: Account, now: float) -> dict[str, str]:
    """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, for what the policy bounds.

    `reset` is when nothing counts any more of what was used: a duration, as `1.5s` or `1m0s`.
    """
    headers: dict[str, str] = {}
    for kind, limit, window in (("requests", policy.rpm, account.requests), ("tokens", policy.tpm, account.tokens)):
        if limit:
            headers[f"x-ratelimit-limit-{kind}"] = str(limit)
            headers[f"x-ratelimit-remaining-{kind}"] = str(max(0, limit - window.count(now)))
            headers[f"x-ratelimit-reset-{kind}"] = duration(window.seconds_until_empty(now))
    return headers


def duration(seconds: float) -> str:
    """A duration as OpenAI writes it, to the tenth of a second."""
    minutes, rest = divmod(round(seconds, 1), 60)
    text = f"{rest:.1f}".removesuffix(".0")
    return f"{int(minutes)}m{text}s" if minutes else f"{text}s"
