"""A client that holds an answer back until it is whole, for answers that the gateway changes."""

from typing import Final

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.gateway.values import Client

LARGEST: Final = 256 * 1024 * 1024  # bytes of an answer that are held


class Collected:
    """Bounds go to the real client; what is sent stays here. `release` sends it on."""

    write_paused = False
    head_sent = False

    def __init__(self, client: Client) -> None:
        self._client = client
        self._parts: list[bytes] = []
        self._size = 0
        self._cut = False
        self.status = 0
        self.head = b""

    @property
    def body(self) -> bytes:
        return b"".join(self._parts)

    async def drain(self) -> None:
        """There is always room."""

    def end_within(self, seconds: float) -> None:
        self._client.end_within(seconds)

    def expect_within(self, seconds: float, what: str, total: float | None = None) -> None:
        self._client.expect_within(seconds, what, total)

    def keep_waiting(self, why: str, head: bytes) -> None:
        """It gets one whole answer, and nothing before that."""

    def send_whole(self, status: int, head: bytes, body: bytes) -> None:
        self.status, self.head = status, head
        self.send(body)

    def send_head(self, status: int, head: bytes, length: int | None) -> None:
        self.status, self.head = status, head

    def send(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > LARGEST:
            raise ApiError(UPSTREAM_ERROR, f"The answer is larger than {LARGEST} bytes.")
        self._parts.append(data)

    def finish(self) -> None:
        """It is whole."""

    def finish_and_close(self) -> None:
        self._cut = True

    def cut(self) -> None:
        self._cut = True

    def release(self, body: bytes) -> None:
        """Send it on, with `body` in the place of its own. Raises ApiError (502) for an answer that broke off."""
        if self._cut:
            raise ApiError(UPSTREAM_ERROR, "The answer broke off.")
        self._client.send_whole(self.status, self.head, body)
