"""What a client has been given of a stream of chunks: its own bytes for the time being, folded into texts now and then.

As long as nothing breaks, keeping a transcript is one entry in a list for each read; a stream that goes on for long is
folded, so that what is kept is its text and not the JSON around each token of it.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from nexus.gateway.relay.chunks import events_in, is_done

LIMIT: Final = 1_048_576
"""Characters of answers that are kept; a stream that is longer is not recovered."""

_FOLD_AT: Final = 16_384
"""Bytes of events that are kept as they are."""

Track = tuple[str, int]
"""One text that grows piece by piece: a field of the delta; for tool calls with the call's index, else with -1."""

FIELDS: Final = ("content", "refusal", "reasoning_content", "reasoning")
"""The fields of a chat's delta that are texts."""

_TEXT: Final[Track] = ("text", -1)
_CONTENT: Final[Track] = ("content", -1)


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    """Those after `tool_calls` are of no known growth: an answer with one of them cannot be joined with another."""

    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: Any = None
    audio: Any = None
    images: Any = None
    reasoning_details: Any = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Any = None


class _Chunk(msgspec.Struct):
    id: str | None = None
    created: int | None = None
    choices: list[_Choice] | None = None
    usage: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


class Said(msgspec.Struct, frozen=True):
    """What was given of one choice. `last` is the track that grew last; `calls` are the tool calls that were begun."""

    tracks: Mapping[Track, str] = {}
    last: Track | None = None
    calls: frozenset[int] = frozenset()
    role: bool = False
    finished: bool = False


class Delivered(msgspec.Struct, frozen=True):
    """What was given in all; it never changes. `pieces` are the chunks that brought text, about as many as tokens.

    `joinable` is False where another answer cannot be compared with it: probabilities, sounds, a shape that is not
    known, or more than is kept. `counted`: its usage was given. `done`: it was said to be whole.
    """

    id: str | None = None
    created: int | None = None
    choices: Mapping[int, Said] = {}
    pieces: int = 0
    counted: bool = False
    joinable: bool = True
    done: bool = False


class Transcript:
    """Give it every whole event that the client is given. `delivered` says what came together."""

    def __init__(self) -> None:
        self._raw: list[bytes] = []
        self._size = 0
        self._folded = Delivered()

    def add(self, data: bytes) -> None:
        """Whole events have been sent."""
        self._raw.append(data)
        self._size += len(data)
        if self._size > _FOLD_AT:
            self._fold()

    def delivered(self) -> Delivered:
        """All that was given so far."""
        if self._raw:
            self._fold()
        return self._folded

    def _fold(self) -> None:
        data, self._raw, self._size = b"".join(self._raw), [], 0
        if self._folded.joinable:
            folded = _Fold(self._folded).fold(data)
            self._folded = folded if folded.joinable else Delivered(joinable=False)


class _Fold:
    """Adds events to what was given before them."""

    def __init__(self, before: Delivered) -> None:
        self._before = before
        self._id, self._created = before.id, before.created
        self._choices = {index: _Growing(said) for index, said in before.choices.items()}
        self._pieces = before.pieces
        self._counted = before.counted
        self._joinable = True
        self._done = before.done

    def fold(self, data: bytes) -> Delivered:
        for _, payload in events_in(data):
            if not payload:
                continue
            if is_done(payload):
                self._done = True
                continue
            try:
                self._take(_decode(payload))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                self._joinable = False
        choices = {index: growing.said() for index, growing in self._choices.items()}
        size = sum(len(text) for said in choices.values() for text in said.tracks.values())
        joinable = self._joinable and size <= LIMIT
        return Delivered(self._id, self._created, choices, self._pieces, self._counted, joinable, self._done)

    def _take(self, chunk: _Chunk) -> None:
        self._id = self._id or chunk.id
        self._created = self._created if self._created is not None else chunk.created
        self._counted = self._counted or bool(chunk.usage)
        for choice in chunk.choices or ():
            growing = self._choices.get(choice.index)
            if growing is None:
                growing = self._choices[choice.index] = _Growing(Said())
            self._pieces += growing.take(choice)
            self._joinable = self._joinable and growing.joinable


class _Growing:
    """One choice while pieces are added to it."""

    def __init__(self, said: Said) -> None:
        self._parts: dict[Track, list[str]] = {track: [text] for track, text in said.tracks.items()}
        self._last, self._role, self._finished = said.last, said.role, said.finished
        self._calls = set(said.calls)
        self.joinable = True

    def take(self, choice: _Choice) -> bool:
        """Add what a chunk brought; True if that was text."""
        grown = bool(choice.text) and self._grow(_TEXT, choice.text)
        delta = choice.delta
        if delta is not None:
            self._role = self._role or bool(delta.role)
            if delta.content:
                grown = self._grow(_CONTENT, delta.content)
            if delta.refusal or delta.reasoning_content or delta.reasoning:
                for field in FIELDS[1:]:
                    grown = self._grow((field, -1), getattr(delta, field)) or grown
            for call in delta.tool_calls or ():
                grown = self._take_call(call) or grown
            if delta.function_call or delta.audio or delta.images or delta.reasoning_details:
                self.joinable = False
        if choice.logprobs:
            self.joinable = False
        self._finished = self._finished or bool(choice.finish_reason)
        return grown

    def _take_call(self, call: _ToolCall) -> bool:
        self._calls.add(call.index)
        if call.function is None:
            return False
        named = self._grow(("name", call.index), call.function.name)
        return self._grow(("arguments", call.index), call.function.arguments) or named

    def _grow(self, track: Track, piece: str | None) -> bool:
        if not piece:
            return False
        self._parts.setdefault(track, []).append(piece)
        self._last = track
        return True

    def said(self) -> Said:
        tracks = {track: "".join(parts) for track, parts in self._parts.items()}
        return Said(tracks, self._last, frozenset(self._calls), self._role, self._finished)
