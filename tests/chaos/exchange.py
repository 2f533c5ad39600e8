"""One request at a service that misbehaves, and the bytes of its answer in the fault's own hands."""

import asyncio
import json
import re
import socket
import struct
from contextlib import suppress
from typing import Any

from tests.chaos.answers import OPERATIONS, UPLOAD, Answer, answer

_FORM_MODEL = re.compile(rb'name="model"\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]+)\r\n')


class Exchange:
    """What was asked, and ways to answer it well or badly. `attempt` counts those for its model, from 1."""

    attempt = 1

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        path: str,
        headers: dict[str, str],
        body: bytes,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self.path = path
        self.headers = headers
        self.fields, self.model = _read(headers, body)
        self.operation = "stream" if self.fields.get("stream") else OPERATIONS.get(path, "")
        self.damaged = self.operation == "transcription" and UPLOAD not in body
        self.kept = True  # whether another request may come on this connection

    @property
    def prefill(self) -> str | None:
        """What the answer is to go on from, if the last message is the assistant's."""
        messages = self.fields.get("messages") or [{}]
        return str(messages[-1]["content"]) if messages[-1].get("role") == "assistant" else None

    @property
    def known(self) -> Answer:
        """The whole answer to this request."""
        return answer(self.operation, self.model)

    # --- an answer that is as it should be

    async def well(self, whole: Answer | None = None, pause: float = 0.0) -> None:
        """A whole answer, each piece after a pause in seconds: events in chunks, anything else with its length."""
        whole = whole or self.known
        if whole.tail or pause:
            self.head(whole.content_type)
            for piece in (*whole.pieces, *whole.tail):
                self.chunk(piece)
                if pause:
                    await asyncio.sleep(pause)
            self.end()
        else:
            self.whole(200, whole.body, whole.content_type)

    def whole(self, status: int, body: bytes, content_type: str = "application/json", *lines: str) -> None:
        """An answer with its length."""
        fields = "".join(f"{line}\r\n" for line in (f"content-type: {content_type}", *lines))
        self.send(f"HTTP/1.1 {status} X\r\n{fields}content-length: {len(body)}\r\n\r\n".encode() + body)

    def refuse(self, status: int, code: str, message: str, *lines: str) -> None:
        """An error in the envelope."""
        error = {"message": message, "type": "server_error", "param": None, "code": code}
        self.whole(status, json.dumps({"error": error}).encode(), "application/json", *lines)

    def head(self, content_type: str, framing: str = "transfer-encoding: chunked") -> None:
        """The head of an answer whose body follows."""
        self.send(f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n{framing}\r\n\r\n".encode())

    def chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        self.send(b"0\r\n\r\n")

    # --- bytes, and ends that should not be

    def send(self, data: bytes) -> None:
        """Raises ConnectionError once the other side has left."""
        if self._writer.transport.is_closing():
            raise ConnectionError("the caller left")
        self._writer.write(data)

    async def taken(self) -> None:
        """Wait until what was sent has left, or nearly. Raises ConnectionError once the other side has left."""
        await self._writer.drain()

    async def sent(self) -> None:
        """The same, and long enough for the other side to have read and passed it on."""
        await self.taken()
        await asyncio.sleep(0.05)

    def close(self) -> None:
        self.kept = False
        self._writer.close()

    def reset(self) -> None:
        """RST instead of FIN."""
        self.kept = False
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def half_close(self) -> None:
        """FIN, while this side reads on until the other one closes."""
        self._writer.write_eof()
        await self.left()

    async def left(self) -> None:
        """Say nothing more until the other side closes."""
        self.kept = False
        with suppress(ConnectionError):
            while await self._reader.read(65_536):
                pass


async def read_exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange | None:
    """The next request on a connection; None when there is no other one."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    try:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return Exchange(reader, writer, first.split(" ")[1], headers, body)


def _read(headers: dict[str, str], body: bytes) -> tuple[dict[str, Any], str]:
    """The fields of a JSON request, and the model that it or a form names."""
    if headers.get("content-type", "").startswith("multipart/form-data"):
        found = _FORM_MODEL.search(body)
        return {}, found[1].decode() if found else ""
    fields = json.loads(body) if body else {}
    return fields, str(fields.get("model", ""))
