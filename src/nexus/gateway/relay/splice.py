"""Joins another answer to what a client was given already: events of the new stream in, those that are to be sent out.

Laws: nothing comes out before the new stream has said everything again, letter by letter, however it is cut into
chunks; what comes out goes on under the first stream's id, says no role twice and no end twice; an answer that differs,
or is over too early, is a DivergedError and never a shorter answer.
"""

from typing import Any, Final

from nexus.contract.sse import DONE
from nexus.contract.usage import Usage
from nexus.gateway.relay.chunks import encoded, events_in, is_done, value_of
from nexus.gateway.relay.transcript import FIELDS, LIMIT, Delivered, Said, Track
from nexus.gateway.relay.usage import parted

_THOUGHTS: Final = ("reasoning_content", "reasoning")
_KNOWN: Final = frozenset((*FIELDS, "role", "tool_calls"))


class DivergedError(Exception):
    """The new stream does not go on from what was delivered."""


class Splice:
    """`continued`: the new stream begins where the delivered one broke off, and does not say it again.

    `farewell` goes out right before the last event. `usage` is what the new stream said the whole answer cost.
    """

    def __init__(self, delivered: Delivered, farewell: bytes, *, continued: bool) -> None:
        self._before = delivered
        self._farewell = farewell
        self._continued = continued
        self._at: dict[tuple[int, Track], int] = {}
        self._behind = 0
        for index, said in delivered.choices.items():
            for track, text in said.tracks.items():
                self._at[index, track] = len(text) if continued else 0
                self._behind += not continued
        self._roles = {index for index, said in delivered.choices.items() if said.role}
        self._open = {index for index, said in delivered.choices.items() if not said.finished}
        self._ended: set[int] = set()
        self._calls = {(index, call) for index, said in delivered.choices.items() for call in said.calls}
        self._was_behind = False
        self._held: list[bytes] = []
        self._held_size = 0
        self.usage: Usage | None = None
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """The events to send for these whole ones. Raises DivergedError."""
        out = []
        for _, payload in events_in(data):
            if not payload:
                continue
            event = self._last() if is_done(payload) else self._event(payload)
            if self._behind:
                self._hold(event)
            else:
                out += self._held
                self._held = []
                out.append(event)
        return b"".join(out)

    def _hold(self, event: bytes) -> None:
        if event:
            self._held.append(event)
            self._held_size += len(event)
            if self._held_size > LIMIT:
                raise DivergedError("it says too much before it says what was said")

    def _last(self) -> bytes:
        if self._behind or self._open:
            raise DivergedError("it is over before it has said everything")
        self.done = True
        return self._farewell + b"data: " + DONE + b"\n\n"

    def _event(self, payload: bytes) -> bytes:
        value = value_of(payload)
        choices = None if value is None else value.get("choices")
        if value is None or not isinstance(choices, list | None):
            raise DivergedError("its chunks are of another shape")
        self._was_behind = self._behind > 0
        kept: list[dict[str, Any]] = []
        ends = False
        for choice in choices or ():
            if not isinstance(choice, dict) or not isinstance(choice.get("index", 0), int):
                raise DivergedError("its chunks are of another shape")
            ends = ends or bool(choice.get("finish_reason"))
            rest = self._rest(choice)
            if rest is not None:
                kept.append(rest)
        if choices and not kept and not (ends and value.get("usage")):
            return b""
        self._count(value)
        value["choices"] = kept
        if self._before.id is not None:
            value["id"] = self._before.id
        if self._before.created is not None:
            value["created"] = self._before.created
        return encoded(value)

    def _count(self, value: dict[str, Any]) -> None:
        """The chunk's usage, put right where it is that of a part of the answer."""
        if not value.get("usage"):
            return
        value["usage"], self.usage = parted(value["usage"], self._before.pieces if self._continued else 0)

    def _rest(self, choice: dict[str, Any]) -> dict[str, Any] | None:
        """What of a choice's piece is new; None if nothing is."""
        index = choice.get("index", 0)
        said = self._before.choices.get(index) or Said()
        new = False
        if "text" in choice:
            choice["text"] = self._past(index, said, ("text", -1), choice["text"])
            new = bool(choice["text"])
        delta = choice.get("delta")
        if isinstance(delta, dict):
            choice["delta"] = self._rest_of_delta(index, said, delta)
            new = new or bool(choice["delta"])
        if choice.get("finish_reason"):
            self._end(index)
            if said.finished:
                choice["finish_reason"] = None
            else:
                new = True
        elif not said.finished and index not in self._ended:
            self._open.add(index)
        return choice if new else None

    def _end(self, index: int) -> None:
        """The new stream says that a choice is whole."""
        for (choice, track), at in self._at.items():
            if choice == index and at < len(self._before.choices[choice].tracks[track]):
                raise DivergedError("it is over before it has said everything")
        self._open.discard(index)
        self._ended.add(index)

    def _rest_of_delta(self, index: int, said: Said, delta: dict[str, Any]) -> dict[str, Any]:
        again = self._was_behind  # what else it says by the way was said the first time, too
        rest = {key: one for key, one in delta.items() if one is not None and (key in _KNOWN or not again)}
        if "role" in rest:
            if index in self._roles:
                del rest["role"]
            self._roles.add(index)
        for field in FIELDS:
            piece = rest.get(field)
            if piece is None:
                continue
            past = self._past(index, said, (field, -1), piece)
            if past or (not piece and "role" in rest):
                rest[field] = past
            else:
                del rest[field]
        calls = rest.get("tool_calls")
        if calls is not None:
            left = [one for call in _listed(calls) if (one := self._rest_of_call(index, said, call)) is not None]
            if left:
                rest["tool_calls"] = left
            else:
                del rest["tool_calls"]
        return rest

    def _rest_of_call(self, index: int, said: Said, call: Any) -> dict[str, Any] | None:
        number = call.get("index") if isinstance(call, dict) else None
        if not isinstance(number, int):
            raise DivergedError("its tool calls have no numbers")
        rest = dict(call)
        begun = (index, number) in self._calls
        self._calls.add((index, number))
        if begun:
            rest.pop("id", None)
            rest.pop("type", None)
        function = call.get("function")
        if isinstance(function, dict):
            rest["function"] = left = dict(function)
            for key in ("name", "arguments"):
                if left.get(key) is None:
                    continue
                left[key] = self._past(index, said, (key, number), left[key])
                if not left[key] and begun:
                    del left[key]
            if not left:
                del rest["function"]
        return rest if not begun or "function" in rest else None

    def _past(self, index: int, said: Said, track: Track, piece: Any) -> str:
        """What `piece` says beyond what was delivered of its track."""
        if piece is None or piece == "":
            return ""
        if not isinstance(piece, str):
            raise DivergedError("its chunks are of another shape")
        have = said.tracks.get(track)
        if have is None:
            if self._continued and track[0] in _THOUGHTS:
                raise DivergedError("it thinks anew")
            return piece
        at = self._at[index, track]
        need = have[at : at + len(piece)]
        if not piece.startswith(need):
            raise DivergedError("it says something else")
        if need:
            self._at[index, track] = at + len(need)
            self._behind -= at + len(need) == len(have)
        rest = piece[len(need) :]
        if rest and (track != said.last or track[0] == "name"):
            raise DivergedError("it says more before what followed")
        return rest


def _listed(calls: Any) -> list[Any]:
    if not isinstance(calls, list):
        raise DivergedError("its chunks are of another shape")
    return calls
