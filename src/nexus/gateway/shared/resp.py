"""Redis' own words (RESP2): a command in bytes, and replies out of whatever pieces a connection brings them in.

The protocol: https://redis.io/docs/latest/develop/reference/protocol-spec/.
"""

from collections.abc import Iterator
from typing import Final

from nexus.gateway.shared.errors import RedisError

_END: Final = b"\r\n"
_LARGEST: Final = 1_048_576  # bytes of a reply that is not whole yet; nothing that is asked for has so many

Reply = int | bytes | None | RedisError | list["Reply"]
"""A number, text, nothing, an error, or several of these."""


class BrokenReplyError(RedisError):
    """What came is no reply."""


def bulk(*words: bytes | str | int) -> bytes:
    """Words of a command, as they stand in it."""
    return b"".join([b"$%d\r\n%b\r\n" % (len(raw), raw) for raw in map(_raw, words)])


def command(*words: bytes | str | int) -> bytes:
    """A whole command."""
    return b"*%d\r\n%b" % (len(words), bulk(*words))


class Replies:
    """Takes pieces, gives the replies that are whole."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> Iterator[Reply]:
        """The replies that `data` completes. Raises BrokenReplyError."""
        data = self._rest + data if self._rest else data
        at = 0
        try:
            while at < len(data):
                read = _read(data, at)
                if read is None:
                    break
                reply, at = read
                yield reply
        finally:
            self._rest = data[at:]
        if len(self._rest) > _LARGEST:
            raise BrokenReplyError("a reply is too long")


def _read(data: bytes, at: int) -> tuple[Reply, int] | None:
    """The reply that begins at `at`, and where it ends; None where it is not whole."""
    end = data.find(_END, at)
    if end < 0:
        return None
    kind, line, after = data[at : at + 1], data[at + 1 : end], end + 2
    if kind == b":":
        return _number(line), after
    if kind == b"+":
        return line, after
    if kind == b"-":
        return RedisError(line.decode("utf-8", "replace")), after
    if kind == b"$":
        return _text(data, after, _number(line))
    if kind == b"*":
        return _several(data, after, _number(line))
    raise BrokenReplyError("what came is no reply of Redis")


def _text(data: bytes, at: int, size: int) -> tuple[Reply, int] | None:
    if size < 0:
        return None, at
    end = at + size
    return (data[at:end], end + 2) if len(data) >= end + 2 else None


def _several(data: bytes, at: int, count: int) -> tuple[Reply, int] | None:
    if count < 0:
        return None, at
    replies: list[Reply] = []
    for _ in range(count):
        read = _read(data, at)
        if read is None:
            return None
        reply, at = read
        replies.append(reply)
    return replies, at


def _number(line: bytes) -> int:
    try:
        return int(line)
    except ValueError as error:
        raise BrokenReplyError("a number is none") from error


def _raw(word: bytes | str | int) -> bytes:
    if isinstance(word, bytes):
        return word
    return b"%d" % word if isinstance(word, int) else word.encode()
