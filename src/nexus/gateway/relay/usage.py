"""What an answer cost whose parts were given by several attempts."""

from typing import Any

from nexus.contract.usage import Usage, read_counts


def parted(usage: Any, delivered: int) -> tuple[Any, Usage | None]:
    """The usage of the whole answer, as a chunk tells it and as the gateway counts it.

    `delivered` tokens of the answer were given before and read by the last attempt as part of its prompt: they are
    moved to where they belong: the prompt is counted once, and all that was delivered is counted. As engines do not
    tell where tokens end, they are the chunks that brought them, which is an estimate. With 0 nothing is moved.
    """
    counts = read_counts(usage)
    if counts is None or not delivered:
        return usage, counts
    moved = min(delivered, counts.prompt_tokens)
    prompt, completion = counts.prompt_tokens - moved, counts.completion_tokens + moved
    whole = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return whole, Usage(prompt, completion, estimated=True)
