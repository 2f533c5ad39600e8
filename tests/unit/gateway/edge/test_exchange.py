"""What the stages say of an answer becomes HTTP, and what happens to the caller interrupts the stages."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from nexus.contract.errors import OVERLOADED, ApiError
from nexus.gateway.drive import Signal
from nexus.gateway.edge import exchange
from nexus.gateway.values import Client, ClientGoneError, Request
from tests.servers.raw import ClosedError
from tests.servers.raw import request as make

CHAT = "/v1/chat/completions"
Serve = Callable[..., Awaitable[Any]]


def ask(**options: Any) -> bytes:
    return make(CHAT, b"{}", token="sk-test", **options)


class Kept:
    """A story that waits at its signal and keeps what interrupts it."""

    def __init__(self) -> None:
        self.signal = Signal()
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.error: BaseException | None = None
        self.client: Client

    async def __call__(self, request: Request, client: Client) -> None:
        self.client = client
        self.begun.set()
        try:
            await self.wait(client)
        except (ApiError, ClientGoneError) as error:
            self.error = error
            if isinstance(error, ApiError):
                client.send_whole(error.status, b"", error.body())
        finally:
            self.ended.set()

    async def wait(self, client: Client) -> None:
        await self.signal


async def happens(event: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        await event.wait()


async def test_a_whole_answer_is_framed_by_its_length(serve: Serve) -> None:
    connection = await (await serve()).connect()
    connection.send(make(CHAT, b'{"a":1}', token="sk-test", headers={"x-request-id": "mine"}))
    answer = await connection.answer()
    assert (answer.status, answer.body) == (200, b'{"a":1}')
    names = [name for name, _ in answer.headers]
    assert names == ["date", "x-request-id", "content-length"]
    assert answer.header("x-request-id") == "mine"


async def in_pieces(request: Request, client: Client) -> None:
    client.send_head(200, b"x: y\r\n", None)
    client.send(b"one")
    client.send(b"two" * 10)
    client.finish()


async def test_pieces_of_unknown_length_are_chunks(serve: Serve) -> None:
    connection = await (await serve(in_pieces)).connect()
    connection.send(ask())
    _, headers = await connection.head()
    assert ("transfer-encoding", "chunked") in headers
    assert [await connection.chunk() for _ in range(3)] == [b"one", b"two" * 10, b""]
    connection.send(ask())
    assert (await connection.answer()).body == b"one" + b"two" * 10


async def test_http_1_0_gets_them_until_the_connection_ends(serve: Serve) -> None:
    connection = await (await serve(in_pieces)).connect()
    connection.send(ask(version="1.0", headers={"connection": "keep-alive"}))
    answer = await connection.answer()
    assert answer.header("transfer-encoding") is None
    assert answer.header("connection") == "close"
    assert answer.body == b"one" + b"two" * 10


async def test_http_1_0_is_told_that_its_connection_stays(serve: Serve) -> None:
    connection = await (await serve()).connect()
    for _ in range(2):
        connection.send(ask(version="1.0", headers={"connection": "keep-alive"}))
        assert (await connection.answer()).header("connection") == "keep-alive"


async def test_a_known_length_is_told(serve: Serve) -> None:
    async def story(request: Request, client: Client) -> None:
        client.send_head(200, b"", 4)
        client.send(b"ab")
        client.send(b"cd")
        client.finish()

    connection = await (await serve(story)).connect()
    for _ in range(2):
        connection.send(ask())
        answer = await connection.answer()
        assert (answer.header("content-length"), answer.body) == ("4", b"abcd")


@pytest.mark.parametrize("status", [204, 304])
async def test_bodiless_answers_have_no_framing(serve: Serve, status: int) -> None:
    async def story(request: Request, client: Client) -> None:
        if request.body == b"{}":
            client.send_whole(status, b"", b"")
        else:
            client.send_head(status, b"", None)
            client.finish()

    connection = await (await serve(story)).connect()
    for body in (b"{}", b"[]", b"{}"):
        connection.send(make(CHAT, body, token="sk-test"))
        told, headers = await connection.head()
        assert told == status
        assert [name for name, _ in headers] == ["date"]


async def test_finish_and_close_ends_the_body_and_the_connection(serve: Serve) -> None:
    async def story(request: Request, client: Client) -> None:
        client.send_head(200, b"", None)
        client.send(b"one")
        client.finish_and_close()

    connection = await (await serve(story)).connect()
    connection.send(ask())
    assert (await connection.answer()).body == b"one"
    assert await connection.rest() == b""


async def test_a_cut_answer_cannot_be_taken_for_whole(serve: Serve) -> None:
    async def story(request: Request, client: Client) -> None:
        client.send_head(200, b"", None)
        client.send(b"one")
        client.cut()

    connection = await (await serve(story)).connect()
    connection.send(ask())
    with pytest.raises(ClosedError):
        await connection.answer()


async def test_a_client_that_leaves_interrupts_the_story_at_its_wait(serve: Serve) -> None:
    story = Kept()
    served = await serve(story)
    connection = await served.connect()
    connection.send(ask())
    await happens(story.begun)
    connection.close()
    await happens(story.ended)
    assert isinstance(story.error, ClientGoneError)


@pytest.mark.parametrize(("bound", "told"), [("next", "answer"), ("end", "")])
async def test_a_bound_that_passes_interrupts_the_story(serve: Serve, bound: str, told: str) -> None:
    class Bound(Kept):
        async def wait(self, client: Client) -> None:
            if bound == "next":
                client.expect_within(0.01, "answer")
            else:
                client.end_within(0.01)
            await self.signal

    story = Bound()
    connection = await (await serve(story)).connect()
    connection.send(ask())
    answer = await connection.answer()
    assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
    assert f"did not {told}" in answer.error["message"]


async def test_a_later_bound_takes_the_place_of_the_one_before(serve: Serve) -> None:
    class Bound(Kept):
        async def wait(self, client: Client) -> None:
            client.expect_within(0.01, "begin")
            client.expect_within(0.3, "go on")
            client.end_within(60)
            await self.signal

    connection = await (await serve(Bound())).connect()
    connection.send(ask())
    assert "did not go on" in (await connection.answer()).error["message"]


async def test_a_client_that_does_not_read_pauses_the_story(serve: Serve) -> None:
    paused, size = asyncio.Event(), 200_000

    async def story(request: Request, client: Client) -> None:
        client.send_head(200, b"", None)
        for _ in range(200):
            client.send(b"x" * size)
            if client.write_paused:
                paused.set()
                await client.drain()
        client.finish()

    connection = await (await serve(story)).connect()
    connection.send(ask())
    await happens(paused)
    assert len((await connection.answer()).body) == 200 * size


async def test_a_story_that_fails_is_500_and_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async def story(request: Request, client: Client) -> None:
        raise ZeroDivisionError("a fault of ours")

    served = await serve(story)
    connection = await served.connect()
    with caplog.at_level(logging.ERROR):
        connection.send(ask(headers={"x-request-id": "mine"}))
        answer = await connection.answer()
    assert (answer.status, answer.error["code"]) == (500, "internal_error")
    assert served.recorded == []  # the story has recorded it
    assert "a fault of ours" not in answer.body.decode()
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.__dict__["request_id"] == "mine"
    connection.send(ask())
    assert (await connection.answer()).status == 500


async def test_a_story_that_fails_in_its_answer_cuts_it(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async def story(request: Request, client: Client) -> None:
        client.send_head(200, b"", None)
        client.send(b"one")
        raise ZeroDivisionError

    connection = await (await serve(story)).connect()
    with caplog.at_level(logging.ERROR):
        connection.send(ask())
        with pytest.raises(ClosedError):
            await connection.answer()


async def test_a_refused_request_is_recorded(serve: Serve) -> None:
    served = await serve()
    connection = await served.connect()
    connection.send(make(CHAT, b"{}", token="sk-wrong"))
    assert (await connection.answer()).status == 401
    (outcome,) = served.recorded
    assert (outcome.status, outcome.error, outcome.operation) == (401, "invalid_api_key", "chat.completions")
    assert outcome.token == ""
    assert served.told == []


class TestKeepWaiting:
    """A caller that reads events hears by comments that its answer is still to come."""

    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exchange, "KEEP_ALIVE_SECONDS", 0.01)

    async def told(self, serve: Serve, answer: Callable[[Client], None], **options: Any) -> tuple[Any, bytes]:
        """The head, and the body after the first comment, of an answer that begins then."""
        kept = Kept()

        async def story(request: Request, client: Client) -> None:
            client.keep_waiting("waiting", b"x-ratelimit-limit-requests: 3\r\n")
            kept.client = client
            await kept.signal
            try:
                answer(client)
            except ApiError as error:
                client.send_whole(error.status, b"x-nexus-service: svc\r\n", error.body())

        connection = await (await serve(story)).connect()
        connection.send(ask(**options))
        status, headers = await connection.head()
        assert status == 200
        assert await connection.chunk() == b": waiting\n\n"
        kept.signal.set()
        rest = []
        while chunk := await connection.chunk():
            rest.append(chunk)
        return dict(headers), b"".join(one for one in rest if one != b": waiting\n\n")

    async def test_comments_come_before_the_events(self, serve: Serve) -> None:
        def answer(client: Client) -> None:
            assert client.head_sent
            lines = b"content-type: text/event-stream\r\nx-nexus-service: svc\r\nx-nexus-attempts: 1\r\n"
            client.send_head(200, lines, None)
            client.send(b"data: 1\n\n")
            client.finish()

        headers, body = await self.told(serve, answer, headers={"x-request-id": "mine"})
        assert headers["content-type"] == "text/event-stream; charset=utf-8"
        assert headers["transfer-encoding"] == "chunked"
        assert (headers["x-request-id"], headers["x-ratelimit-limit-requests"]) == ("mine", "3")
        assert body == b": x-nexus-service: svc\n: x-nexus-attempts: 1\n\ndata: 1\n\n"

    async def test_a_later_error_is_one_event(self, serve: Serve) -> None:
        error = ApiError(OVERLOADED, "full")
        headers, body = await self.told(serve, lambda client: client.send_whole(503, b"", error.body()))
        assert body == b"data: " + error.body() + b"\n\n"
        assert "connection" not in headers

    async def test_what_is_no_stream_is_no_answer(self, serve: Serve) -> None:
        def whole(client: Client) -> None:
            client.send_whole(200, b"content-type: application/json\r\n", b"{}")

        def piecewise(client: Client) -> None:
            client.send_head(200, b"content-type: audio/wav\r\n", 5)

        for answer in (whole, piecewise):
            _, body = await self.told(serve, answer)
            assert body.startswith(b': x-nexus-service: svc\n\ndata: {"error":{"message":"The service was asked for')
            assert body.count(b"data:") == 1

    async def test_whole_events_are_passed_on(self, serve: Serve) -> None:
        head = b"content-type: text/event-stream\r\n"
        _, body = await self.told(serve, lambda client: client.send_whole(200, head, b"data: 1\n\n"))
        assert body == b"data: 1\n\n"

    async def test_a_fault_of_ours_is_told_too(self, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
        def answer(client: Client) -> None:
            raise RuntimeError("oops")

        _, body = await self.told(serve, answer)
        assert b'"code":"internal_error"' in body
        assert "oops" in caplog.text

    async def test_comments_go_on_until_there_is_an_answer(self, serve: Serve) -> None:
        async def story(request: Request, client: Client) -> None:
            client.keep_waiting("waiting", b"")
            client.keep_waiting("loading\nm", b"")
            await Signal()

        connection = await (await serve(story)).connect()
        connection.send(ask())
        await connection.head()
        for _ in range(3):
            assert await connection.chunk() == b": loading m\n\n"

    async def test_an_answer_in_time_has_none(self, serve: Serve) -> None:
        kept = Kept()

        async def story(request: Request, client: Client) -> None:
            client.keep_waiting("waiting", b"")
            client.send_head(200, b"content-type: text/event-stream\r\n", None)
            client.send(b"data: 1\n\n")
            kept.begun.set()
            try:
                await kept.signal
            finally:
                kept.ended.set()

        connection = await (await serve(story)).connect()
        connection.send(ask())
        await connection.head()
        assert await connection.chunk() == b"data: 1\n\n"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await connection.chunk()
        connection.close()
        await happens(kept.ended)

    async def test_a_client_that_leaves_meanwhile_is_noticed(self, serve: Serve) -> None:
        kept = Kept()

        async def wait(client: Client) -> None:
            client.keep_waiting("waiting", b"")
            await kept.signal

        kept.wait = wait  # type: ignore[method-assign]
        connection = await (await serve(kept)).connect()
        connection.send(ask())
        await connection.head()
        connection.close()
        await happens(kept.ended)
        assert isinstance(kept.error, ClientGoneError)
