"""One answer: whole, streamed or an error, and never made to look finished when it is not."""

from typing import Any

from nexus.contract.errors import CONCURRENCY_EXCEEDED, INTERNAL_ERROR, ApiError
from nexus.sdk.engine import Content
from nexus.sdk.responder import Responder

ERROR = ApiError(INTERNAL_ERROR, "over")


class Sent:
    """What went over ASGI."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def __call__(self, message: Any) -> None:
        self.messages.append(message)

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def finished(self) -> bool:
        return not self.messages[-1].get("more_body", True)


async def test_a_whole_answer() -> None:
    sent = Sent()
    respond = Responder(sent)
    await respond.whole(Content(b"{}", "application/json"))
    assert (sent.headers["content-length"], sent.body, sent.finished) == ("2", b"{}", True)
    assert (respond.status, respond.finished) == (200, True)


async def test_a_stream_and_its_end() -> None:
    sent = Sent()
    respond = Responder(sent)
    await respond.begin("text/event-stream")
    await respond.item(b"data: 1\n\n")
    assert not sent.finished
    await respond.end(done_marker=True)
    assert sent.body == b"data: 1\n\ndata: [DONE]\n\n"
    assert sent.finished
    assert "content-length" not in sent.headers


async def test_bytes_have_no_done_marker() -> None:
    sent = Sent()
    respond = Responder(sent)
    await respond.begin("audio/wav")
    await respond.end(done_marker=True)
    assert sent.body == b""


async def test_an_error_as_the_answer() -> None:
    sent = Sent()
    await Responder(sent).error(ApiError(CONCURRENCY_EXCEEDED, "full", retry_after=1.2))
    assert sent.messages[0]["status"] == 429
    assert sent.headers["retry-after"] == "2"


async def test_an_error_inside_events_is_the_last_one() -> None:
    sent = Sent()
    respond = Responder(sent)
    await respond.begin("text/event-stream")
    await respond.error(ERROR)
    assert sent.body.startswith(b'data: {"error"')
    assert sent.finished
    before = len(sent.messages)
    await respond.error(ERROR)
    assert len(sent.messages) == before


async def test_an_error_inside_bytes_leaves_them_unfinished() -> None:
    sent = Sent()
    respond = Responder(sent)
    await respond.begin("audio/wav")
    await respond.error(ERROR)
    assert not sent.finished
    assert not respond.finished
