"""What an answer cost in tokens, read from the shapes in which engines say it."""

from typing import Annotated, Any, Self

import msgspec


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens in and out of one answer. `estimated` marks counts that Nexus made because the engine gave none."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Self) -> "Usage":
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.estimated or other.estimated,
        )


_Count = Annotated[int, msgspec.Meta(ge=0)] | None


class _Counts(msgspec.Struct, gc=False):
    """Chat's names and those of the newer endpoints (`input_tokens`); which came decides."""

    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    input_tokens: _Count = None
    output_tokens: _Count = None


class _Carrier(msgspec.Struct, gc=False):
    usage: _Counts | None = None
    response: "_Carrier | None" = None


_decoder = msgspec.json.Decoder(_Carrier)
_any = msgspec.json.Decoder(msgspec.Raw)


def read_usage(body: bytes) -> Usage | None:
    """The usage that a JSON answer or event carries at its top or under `response`; None where it gives none.

    Bytes that are not JSON, or whose `usage` is of another shape, give None: usage is read in passing and
    never a reason to fail an answer.
    """
    try:
        return usage_in(body)
    except (msgspec.MsgspecError, RecursionError):
        return None


def usage_in(body: bytes) -> Usage | None:
    """The same, once all of it is known to be JSON. Raises msgspec.DecodeError or RecursionError where it is not."""
    try:
        carrier = _decoder.decode(body)
    except msgspec.ValidationError:  # it was read up to what is of another shape
        _any.decode(body)
        return None
    except UnicodeDecodeError:
        return None
    counts = carrier.usage
    if counts is not None and counts.prompt_tokens is not None and counts.completion_tokens is not None:
        return Usage(counts.prompt_tokens, counts.completion_tokens)
    return _usage_of(counts or (carrier.response.usage if carrier.response else None))


def read_counts(value: Any) -> Usage | None:
    """The usage that a decoded `usage` object gives; None where it is of another shape."""
    try:
        return _usage_of(msgspec.convert(value, _Counts))
    except msgspec.ValidationError:
        return None


def _usage_of(counts: _Counts | None) -> Usage | None:
    if counts is None:
        return None
    prompt = counts.prompt_tokens if counts.prompt_tokens is not None else counts.input_tokens
    completion = counts.completion_tokens if counts.completion_tokens is not None else counts.output_tokens
    if prompt is None and completion is None:
        return None
    return Usage(prompt or 0, completion or 0)
