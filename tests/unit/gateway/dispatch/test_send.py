"""Calls reach the first target that answers them, over real connections; what is lost on the way is told apart."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.dispatch import send as module
from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.dispatch.retries import pause
from nexus.gateway.dispatch.send import Dispatcher
from nexus.gateway.dispatch.troubles import Trouble
from nexus.gateway.health.circuit import Failure
from nexus.gateway.health.health import Health
from nexus.gateway.registry.snapshot import Target
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Call, ClientGoneError, Plan, Reply, Retries, Timeouts
from nexus.policies.stopwatch import Stopwatch
from tests.servers.caller import Caller
from tests.servers.calls import BODY, endpoint, make_call, make_instance, make_target
from tests.servers.cards import model
from tests.servers.listeners import full_listener
from tests.servers.peer import Peer, Side


class Sending:
    """One call on its way to its targets."""

    def __init__(
        self, dispatcher: Dispatcher, plan: Plan, call: Call | None = None, shunned: int | None = None
    ) -> None:
        self.lease = Lease()
        if shunned is not None:
            self.lease.shunned = plan.targets[shunned].names[1:]
        self.caller = Caller()
        self.dispatcher = dispatcher
        self.plan = plan
        self.caller.start(dispatcher.send(call or make_call(), plan, self.caller, self.lease))

    async def reply(self) -> Reply:
        reply: Reply = await self.caller.result()
        return reply

    async def error(self) -> ApiError:
        with pytest.raises(ApiError) as caught:
            await self.reply()
        return caught.value


Send = Callable[..., Sending]
JSON = b"content-type: application/json"
HALF = b"HTTP/1.1 200 OK\r\n" + JSON + b"\r\ncontent-length: 40\r\n\r\n{"


@pytest.fixture
def refused() -> list[str]:
    """The instances of which was told that they take no connections."""
    return []


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def logged() -> list[dict[str, object]]:
    return []


@pytest.fixture
def send(upstreams: Upstreams, refused: list[str], health: Health, logged: list[dict[str, object]]) -> Send:
    def log(level: str, event: str, **fields: object) -> None:
        logged.append({"level": level, "event": event, **fields})

    def told(url: str, reason: str) -> None:
        refused.append(url)

    dispatcher = Dispatcher(upstreams, told, health=health, log=log, draw=lambda: 0.0)

    def begin(
        *urls: str,
        attempts: int = 3,
        ratio: float = 0.2,
        call: Call | None = None,
        shunned: int | None = None,
        **timeouts: float,
    ) -> Sending:
        targets = tuple(make_target(url, instance=url) for url in urls)
        return Sending(dispatcher, Plan(targets, Timeouts(**timeouts), Retries(attempts, ratio)), call, shunned)

    return begin


@pytest.fixture
async def refusing() -> str:
    """A URL where nobody listens."""
    async with Peer() as peer:
        return peer.url


async def test_the_answer_of_the_first_target(send: Send, peer: Peer, upstreams: Upstreams) -> None:
    sending = send(peer.url)
    side = await peer.accept()
    head, body = await side.request()
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert body == BODY
    assert upstreams.in_flight(peer.url) == 1
    side.answer(b'{"a":1}')
    reply = await sending.reply()
    assert (reply.answer.take(), reply.attempts, reply.target.instance.url) == (b'{"a":1}', 1, peer.url)
    sending.lease.release()
    assert upstreams.in_flight(peer.url) == 0


async def test_a_connection_is_used_again(send: Send, peer: Peer) -> None:
    side = await pooled(send, peer)
    sending = send(peer.url)
    await side.request()
    side.answer(b"again")
    assert (await sending.reply()).answer.take() == b"again"


async def test_a_target_that_refuses_is_told_of_and_left_for_the_next(
    send: Send, peer: Peer, refusing: str, refused: list[str], upstreams: Upstreams
) -> None:
    sending = send(refusing, peer.url)
    side = await peer.accept()
    assert (upstreams.in_flight(refusing), upstreams.in_flight(peer.url)) == (0, 1)
    await side.request()
    side.answer()
    reply = await sending.reply()
    assert (reply.attempts, reply.target.instance.url) == (2, peer.url)
    assert refused == [refusing]


async def test_where_all_refuse_it_is_503(send: Send, refusing: str, refused: list[str], upstreams: Upstreams) -> None:
    sending = send(refusing, refusing)
    error = await sending.error()
    assert (error.status, error.code, error.retry_after) == (503, "no_ready_service", 1)
    assert error.message.startswith("svc takes no connections: ")
    assert refused == [refusing, refusing]
    assert sending.lease.attempts == 2
    sending.lease.release()
    assert upstreams.in_flight(refusing) == 0


async def test_a_target_that_takes_no_connection_in_time_is_left(send: Send, peer: Peer, refused: list[str]) -> None:
    with full_listener() as port:
        url = f"http://127.0.0.1:{port}"
        sending = send(url, peer.url, connect=0.05)
        side = await peer.accept()
        await side.request()
        side.answer()
        assert (await sending.reply()).attempts == 2
        assert refused == [url]


async def test_where_none_takes_a_connection_in_time_it_is_503(send: Send) -> None:
    with full_listener() as port:
        error = await send(f"http://127.0.0.1:{port}", connect=0.05).error()
    assert (error.code, error.message) == ("no_ready_service", "svc takes no connections: no connection within 0.05 s")


@pytest.mark.parametrize("end", [Side.reset, Side.close])
async def test_a_connection_that_ends_before_anything_came_is_no_answer(
    send: Send, peer: Peer, end: Callable[[Side], None], refused: list[str]
) -> None:
    async with Peer() as broken:
        sending = send(broken.url, peer.url)
        lost = await broken.accept()
        await lost.request()
        end(lost)
        side = await peer.accept()
        await side.request()
        side.answer()
        assert (await sending.reply()).attempts == 2
    assert refused == []


@pytest.mark.parametrize("data", [b"H", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", HALF])
async def test_as_long_as_the_client_has_nothing_another_one_is_asked(send: Send, peer: Peer, data: bytes) -> None:
    async with Peer() as broken:
        sending = send(broken.url, peer.url)
        side = await broken.accept()
        await side.request()
        side.send(data)
        side.close()
        other = await peer.accept()
        await other.request()
        other.answer(b"{}", JSON)
        reply = await sending.reply()
    assert (reply.answer.take(), reply.attempts, reply.target.instance.url) == (b"{}", 2, peer.url)


@pytest.mark.parametrize("data", [b"H", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_what_must_not_be_made_twice_is_not_sent_twice(send: Send, peer: Peer, data: bytes) -> None:
    sending = send(peer.url, peer.url, call=make_call(at=endpoint("images.generations")))
    side = await peer.accept()
    await side.request()
    side.send(data)
    side.close()
    error = await sending.error()
    assert (error.status, error.code, sending.lease.attempts) == (502, "upstream_error", 1)


async def test_an_event_stream_that_began_is_a_reply_even_if_it_broke(send: Send, peer: Peer) -> None:
    sending = send(peer.url, attempts=1)
    side = await peer.accept()
    await side.request()
    side.events(b"data: 1\n\n")
    side.close()
    reply = await sending.reply()
    assert reply.answer.take() == b"data: 1\n\n"


async def test_where_all_break_it_is_502(send: Send, peer: Peer) -> None:
    sending = send(peer.url, peer.url, attempts=2)
    for _ in range(2):
        side = await peer.accept()
        await side.request()
        side.close()
    error = await sending.error()
    assert (error.status, sending.lease.attempts) == (502, 2)
    assert error.message == "svc: the service closed the connection."


async def pooled(send: Send, peer: Peer) -> Side:
    """A connection that waits in the pool."""
    sending = send(peer.url)
    side = await peer.accept()
    await side.request()
    side.answer()
    await sending.reply()
    sending.lease.release()
    return side


async def test_a_pooled_connection_that_closes_under_a_request_costs_a_new_one_only(send: Send, peer: Peer) -> None:
    stale = await pooled(send, peer)
    sending = send(peer.url)
    await stale.request()
    stale.close()
    side = await peer.accept()
    await side.request()
    side.answer(b"fresh")
    reply = await sending.reply()
    assert (reply.answer.take(), reply.attempts) == (b"fresh", 1)


async def test_what_must_not_be_made_twice_never_goes_out_on_a_connection_that_may_be_closed(
    send: Send, peer: Peer
) -> None:
    await pooled(send, peer)
    sending = send(peer.url, peer.url, call=make_call(at=endpoint("images.generations")))
    fresh = await peer.accept()
    await fresh.request()
    fresh.close()
    assert (await sending.error()).status == 502
    assert sending.lease.attempts == 1


async def test_a_pooled_connection_that_is_lost_after_a_while_is_an_attempt_that_failed(
    send: Send, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = await pooled(send, peer)
    monkeypatch.setattr(module, "_STALE", 0.0)
    sending = send(peer.url, attempts=1)
    await stale.request()
    stale.close()
    error = await sending.error()
    assert (error.status, error.message) == (502, "svc: the service closed the connection.")


async def test_a_fresh_connection_that_closes_is_not_tried_for_ever(send: Send, peer: Peer) -> None:
    stale = await pooled(send, peer)
    sending = send(peer.url, attempts=1)
    await stale.request()
    stale.close()
    side = await peer.accept()
    await side.request()
    side.close()
    assert (await sending.error()).status == 502


async def test_a_pooled_connection_that_breaks_after_a_byte_is_502(send: Send, peer: Peer) -> None:
    stale = await pooled(send, peer)
    sending = send(peer.url, attempts=1)
    await stale.request()
    stale.send(b"HTTP/1.1 200")
    stale.close()
    assert (await sending.error()).status == 502


@pytest.mark.parametrize("trouble", ["late", "an error", "no JSON", "cut"])
async def test_a_kept_connection_on_which_no_good_answer_comes_is_left_for_the_next(
    send: Send, peer: Peer, upstreams: Upstreams, trouble: str
) -> None:
    kept = await pooled(send, peer)
    async with Peer() as other:
        sending = send(peer.url, other.url, first_byte=0.05)
        await kept.request()
        if trouble == "an error":
            kept.answer(status=500)
        elif trouble == "no JSON":
            kept.answer(b"{", JSON)
        elif trouble == "cut":
            kept.send(HALF)
            kept.close()
        side = await other.accept()
        await side.request()
        side.answer(b"{}", JSON)
        reply = await sending.reply()
        assert (reply.attempts, reply.target.instance.url) == (2, other.url)
        assert (upstreams.in_flight(peer.url), upstreams.in_flight(other.url)) == (0, 1)


async def test_on_a_kept_connection_an_answer_may_come_piece_by_piece(send: Send, peer: Peer) -> None:
    kept = await pooled(send, peer)
    sending = send(peer.url)
    await kept.request()
    kept.send(HALF)
    await asyncio.sleep(0.02)
    kept.send(b" " * 38 + b"}")
    reply = await sending.reply()
    assert (len(reply.answer.take()), reply.attempts) == (40, 1)


async def test_who_lost_a_kept_connection_gets_a_new_one_and_not_the_next_kept_one(send: Send, peer: Peer) -> None:
    waiting = [send(peer.url), send(peer.url)]
    kept = [await peer.accept(), await peer.accept()]
    for sending, side in zip(waiting, kept, strict=True):
        await side.request()
        side.answer()
        await sending.reply()
    for sending in waiting:
        sending.lease.release()
    sending = send(peer.url)
    await kept[1].request()
    kept[1].close()
    fresh = await peer.accept()
    await fresh.request()
    fresh.answer(b"fresh")
    assert (await sending.reply()).answer.take() == b"fresh"


async def test_an_instance_that_moves_under_a_call_keeps_its_new_connections(
    send: Send, peer: Peer, upstreams: Upstreams
) -> None:
    kept = await pooled(send, peer)
    sending = send(peer.url)
    await kept.request()
    moved = replace(sending.plan.targets[0].instance, data_url="http://127.0.0.1:9")
    pool = upstreams.pool(moved)
    kept.send(HALF)
    await asyncio.sleep(0.02)
    kept.send(b" " * 38 + b"}")
    assert (await sending.reply()).attempts == 1
    sending.lease.release()
    assert upstreams.pool(moved) is pool


async def test_on_a_kept_connection_the_whole_call_is_bounded(send: Send, peer: Peer) -> None:
    kept = await pooled(send, peer)
    sending = send(peer.url, peer.url, total=0.05)
    await kept.request()
    error = await sending.error()
    assert (error.status, sending.lease.attempts) == (504, 1)
    sending.lease.release()
    await kept.closed()


async def test_a_client_that_leaves_closes_the_kept_connection_that_it_waits_on(
    send: Send, peer: Peer, upstreams: Upstreams
) -> None:
    kept = await pooled(send, peer)
    sending = send(peer.url)
    await kept.request()
    sending.caller.leave()
    with pytest.raises(ClientGoneError):
        await sending.reply()
    sending.lease.release()
    await kept.closed()
    assert upstreams.in_flight(peer.url) == 0


async def test_a_body_that_cannot_be_sent_takes_no_kept_connection(send: Send, peer: Peer) -> None:
    kept = await pooled(send, peer)
    unreadable = send(peer.url, call=make_call("another", b'{"model":"another","\xff":1}'))
    assert (await unreadable.error()).status == 400
    unreadable.lease.release()
    sending = send(peer.url)
    await kept.request()
    kept.answer(b"again")
    assert (await sending.reply()).answer.take() == b"again"


async def test_a_stream_on_a_kept_connection_is_well_only_at_its_end(send: Send, peer: Peer, health: Health) -> None:
    kept = await pooled(send, peer)
    sending = send(peer.url)
    await kept.request()
    kept.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 40\r\n\r\ndata: {}\n\n")
    reply = await sending.reply()
    assert not health.troubled
    kept.close()
    async with asyncio.timeout(10):
        while not reply.answer.failure:
            await asyncio.sleep(0)
    sending.lease.release()
    assert health.troubled


async def test_where_circuits_are_open_the_probe_is_noted_and_its_answer_closes_them(
    send: Send, peer: Peer, health: Health
) -> None:
    kept = await pooled(send, peer)
    health.paused(make_target(peer.url, instance=peer.url), 0.01)
    sending = send(peer.url)
    await kept.request()
    await asyncio.sleep(0.02)
    kept.answer(b"{}", JSON)
    await sending.reply()
    assert not health.troubled


async def test_a_service_that_does_not_begin_in_time_is_504_and_its_connection_is_closed(
    send: Send, peer: Peer, upstreams: Upstreams
) -> None:
    sending = send(peer.url, first_byte=0.05)
    side = await peer.accept()
    await side.request()
    side.send(b"HTTP/1.1 200 OK\r\n\r\n")  # a head alone is no beginning
    error = await sending.error()
    assert (error.status, error.message) == (504, "The service did not begin to answer in time.")
    sending.lease.release()
    await side.closed()
    assert upstreams.in_flight(peer.url) == 0


async def test_the_whole_call_is_bounded(send: Send, peer: Peer) -> None:
    assert (await send(peer.url, total=0.05).error()).status == 504


async def connecting(peer: Peer) -> None:
    """The client leaves before the connection is there."""


async def asked(peer: Peer) -> None:
    """The client leaves when the service has its request."""
    await (await peer.accept()).request()


@pytest.mark.parametrize("phase", [connecting, asked])
async def test_a_client_that_leaves_takes_its_call_along(
    send: Send, peer: Peer, upstreams: Upstreams, phase: Callable[[Peer], Awaitable[None]]
) -> None:
    sending = send(peer.url)
    await phase(peer)
    sending.caller.leave()
    with pytest.raises(ClientGoneError):
        await sending.reply()
    sending.lease.release()
    sending.lease.release()
    assert upstreams.in_flight(peer.url) == 0
    assert sending.lease.target is not None


# --- loans: what a service asks the gateway with, for as long as it answers


class Loans:
    """Lends and keeps count of what is out."""

    def __init__(self) -> None:
        self.lent: list[str] = []
        self.out: list[str] = []

    def lend(self, name: str) -> "Loans.Loan":
        loan = Loans.Loan(self, f"{name}-{len(self.lent)}")
        self.lent.append(loan.name)
        self.out.append(loan.name)
        return loan

    class Loan:
        def __init__(self, loans: "Loans", name: str) -> None:
            self.loans, self.name = loans, name
            self.lines = f"x-nexus-gateway: http://gw\r\nx-nexus-delegation: {name}\r\n"

        def give_back(self) -> None:
            self.loans.out.remove(self.name)


@pytest.fixture
def loans() -> Loans:
    return Loans()


@pytest.fixture
def send_asking(upstreams: Upstreams, loans: Loans) -> Send:
    """Sends to services that ask the gateway themselves, or (a URL in `quiet`) do not."""
    dispatcher = Dispatcher(upstreams, lambda url, reason: None, loans.lend)

    def begin(*urls: str, quiet: str = "", **timeouts: float) -> Sending:
        asking = tuple(make_target(url, uses=() if url == quiet else ("ocr",)) for url in urls)
        return Sending(dispatcher, Plan(asking, Timeouts(**timeouts), Retries(len(urls))))

    return begin


async def test_a_service_that_asks_is_told_what_with(send_asking: Send, peer: Peer, loans: Loans) -> None:
    sending = send_asking(peer.url)
    side = await peer.accept()
    head, _ = await side.request()
    assert b"x-nexus-gateway: http://gw\r\n" in head
    assert b"x-nexus-delegation: administrator-0\r\n" in head
    side.answer()
    await sending.reply()
    assert loans.out == ["administrator-0"]  # until its answer has been relayed
    sending.lease.release()
    sending.lease.release()
    assert loans.out == []


async def test_a_service_that_asks_nobody_gets_nothing(send_asking: Send, peer: Peer, loans: Loans) -> None:
    send_asking(peer.url, quiet=peer.url)
    head, _ = await (await peer.accept()).request()
    assert b"x-nexus-gateway" not in head
    assert b"x-nexus-delegation" not in head
    assert loans.lent == []


async def test_each_target_gets_a_loan_of_its_own(send_asking: Send, peer: Peer, refusing: str, loans: Loans) -> None:
    sending = send_asking(refusing, peer.url)
    side = await peer.accept()
    head, _ = await side.request()
    assert b"x-nexus-delegation: administrator-1\r\n" in head
    assert loans.out == ["administrator-1"]
    side.close()
    await sending.error()
    sending.lease.release()
    assert loans.out == []


async def test_a_loan_to_one_that_refuses_does_not_go_on_to_the_next(
    send_asking: Send, peer: Peer, refusing: str, loans: Loans
) -> None:
    sending = send_asking(refusing, peer.url, quiet=peer.url)
    side = await peer.accept()
    head, _ = await side.request()
    assert b"x-nexus-delegation" not in head
    assert loans.out == []
    side.answer()
    await sending.reply()


@pytest.mark.parametrize("how", ["refused", "broken", "late", "left", "left while connecting"])
async def test_however_a_call_ends_its_loan_does(
    send_asking: Send, peer: Peer, refusing: str, loans: Loans, how: str
) -> None:
    sending = send_asking(refusing if how == "refused" else peer.url, first_byte=0.05 if how == "late" else 60)
    if how != "refused" and how != "left while connecting":
        side = await peer.accept()
        await side.request()
        if how == "broken":
            side.close()
    if how.startswith("left"):
        sending.caller.leave()
    with pytest.raises((ApiError, ClientGoneError)):
        await sending.reply()
    sending.lease.release()
    assert len(loans.lent) == 1
    assert loans.out == []


# --- answers that are none


async def served(peer: Peer, body: bytes = b"{}", *lines: bytes, status: int = 200) -> Side:
    """The next call at `peer`, answered."""
    side = await peer.accept()
    await side.request()
    side.answer(body, *(lines or (JSON,)), status=status)
    return side


ENVELOPE = b'{"error":{"message":"the engine says no","type":"x","code":%b}}'


@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (500, b"oops", JSON),
        (502, b"", JSON),
        (503, ENVELOPE % b"null", JSON),
        (504, b"", JSON),
        (429, b"", JSON),
        (200, ENVELOPE % b"null", JSON),
        (200, b' { "error": "no"}', JSON),
        (200, b"<html></html>", b"content-type: text/html; charset=utf-8"),
        (200, b"", JSON),
        (200, b'{"a": "x"broken}', JSON),
        (200, b'{"a": [1', JSON),
        (200, b'data: {"error":{"message":"no"}}\n\n', b"content-type: text/event-stream"),
    ],
)
async def test_the_next_one_is_asked_where_a_service_fails(
    send: Send, peer: Peer, status: int, body: bytes, line: bytes, logged: list[dict[str, object]]
) -> None:
    async with Peer() as failing:
        sending = send(failing.url, peer.url)
        await served(failing, body, line, status=status)
        await served(peer, b'{"a":1}')
        reply = await sending.reply()
    assert (reply.answer.take(), reply.attempts) == (b'{"a":1}', 2)
    (line_of_log,) = logged
    assert (line_of_log["event"], line_of_log["attempt"], line_of_log["request_id"]) == ("attempt_failed", 1, "req-1")


async def test_who_is_shunned_is_asked_only_where_nobody_else_is(send: Send, peer: Peer) -> None:
    async with Peer() as other:
        sending = send(peer.url, other.url, shunned=0)
        await served(other, b'{"a":1}')
        assert (await sending.reply()).target.instance.url == other.url
        alone = send(peer.url, shunned=0)
        await served(peer, b'{"a":2}')
        assert (await alone.reply()).answer.take() == b'{"a":2}'


async def test_an_answer_in_an_encoding_of_its_own_is_not_read(send: Send, peer: Peer) -> None:
    sending = send(peer.url)
    await served(peer, b"\x1f\x8b", JSON + b"\r\ncontent-encoding: gzip")
    assert (await sending.reply()).answer.take() == b"\x1f\x8b"


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_an_only_instance_is_asked_again_after_a_moment(send: Send, peer: Peer, status: int) -> None:
    sending = send(peer.url)
    side = await served(peer, b"", status=status)
    await side.request()
    side.answer(b'{"a":1}', JSON)
    assert (await sending.reply()).attempts == 2


async def test_the_wait_before_it_is_asked_again_holds_no_instance(
    send: Send, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: list[float] = []

    def tick() -> float:
        ticks.append(time.monotonic())
        return ticks[-1]

    monkeypatch.setattr(Lease, "stopwatch", Stopwatch(tick))
    sending = send(peer.url)
    side = await served(peer, b"", status=503)
    await side.request()
    side.answer(b'{"a":1}', JSON)
    await sending.reply()
    _, stopped, begun_again = ticks
    assert begun_again - stopped >= 0.9 * pause(Trouble(Failure.REFUSED, ""), 1, 0.0)  # type: ignore[operator]


async def test_the_last_answer_is_passed_on_as_it_is(send: Send, peer: Peer) -> None:
    sending = send(peer.url, attempts=2)
    side = await served(peer, ENVELOPE % b"1", status=503)
    await side.request()
    side.answer(ENVELOPE % b"2", JSON, status=503)
    reply = await sending.reply()
    assert (reply.answer.head.status, reply.answer.take(), reply.attempts) == (503, ENVELOPE % b"2", 2)


async def test_who_wants_to_be_left_alone_for_long_is_passed_on_at_once(send: Send, peer: Peer, health: Health) -> None:
    sending = send(peer.url)
    await served(peer, b"", b"retry-after: 30", status=429)
    reply = await sending.reply()
    assert (reply.answer.head.status, reply.attempts) == (429, 1)
    assert 29 < health.wait(reply.target, health.clock()) <= 30


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 501])
@pytest.mark.parametrize("code", [b"null", b'"content_filter"', b'"content_policy_violation"'])
async def test_a_request_that_is_refused_is_not_sent_again(send: Send, peer: Peer, status: int, code: bytes) -> None:
    sending = send(peer.url, peer.url)
    await served(peer, ENVELOPE % code, status=status)
    reply = await sending.reply()
    assert (reply.answer.head.status, reply.attempts, reply.answer.take()) == (status, 1, ENVELOPE % code)


async def test_an_error_that_calls_itself_200_is_told_as_one(send: Send, peer: Peer) -> None:
    sending = send(peer.url, attempts=1)
    await served(peer, ENVELOPE % b'"content_filter"')
    error = await sending.error()
    assert (error.status, error.code) == (400, "content_filter")
    sending = send(peer.url, attempts=1)
    await served(peer, ENVELOPE % b"null")
    error = await sending.error()
    assert (error.status, error.message) == (502, "svc: it answered 200 with an error: the engine says no.")


@pytest.mark.parametrize(
    "body",
    [
        ENVELOPE % b'"context_length_exceeded"',
        b'{"error":{"code":400,"message":"the request exceeds the available context size","type":"x"}}',
        b'{"error":{"message":"This model\'s maximum context length is 8192 tokens."}}',
    ],
)
async def test_a_prompt_that_is_too_long_goes_to_who_takes_more(
    upstreams: Upstreams, peer: Peer, body: bytes, refusing: str
) -> None:
    async with Peer() as larger:
        sizes = ((peer.url, 8192), (refusing, 4096), (refusing, None), (larger.url, 32768))
        targets = tuple(
            Target(make_instance(url=url, models=({**model("m"), "context_length": size},)), "m") for url, size in sizes
        )
        dispatcher = Dispatcher(upstreams, lambda url, reason: None)
        sending = Sending(dispatcher, Plan(targets, Timeouts()))
        await served(peer, body, status=400)
        await served(larger, b'{"a":1}')
        reply = await sending.reply()
        assert (reply.answer.take(), reply.attempts) == (b'{"a":1}', 2)
        assert [target.instance.url for target in sending.lease.tried] == [peer.url]


async def test_one_that_never_answers_is_left_for_the_next(send: Send, peer: Peer) -> None:
    async with Peer() as silent:
        sending = send(silent.url, peer.url, first_byte=0.05)
        lost = await silent.accept()
        await lost.request()
        side = await peer.accept()
        await side.request()
        await lost.closed()
        side.answer(b"{}", JSON)
        assert (await sending.reply()).attempts == 2


async def test_comments_and_a_head_are_no_beginning(send: Send, peer: Peer) -> None:
    sending = send(peer.url, first_byte=0.05, attempts=1)
    side = await peer.accept()
    await side.request()
    side.events(b": hello\n\n", b"data:\n\n")
    error = await sending.error()
    assert (error.status, error.code) == (504, "upstream_timeout")


async def test_comments_before_the_first_event_are_part_of_the_answer(send: Send, peer: Peer) -> None:
    sending = send(peer.url)
    side = await peer.accept()
    await side.request()
    side.events(b": hello\n\n")
    side.send(b"data: 1\n\n")
    reply = await sending.reply()
    assert b"".join((reply.answer.take(),)) == b": hello\n\ndata: 1\n\n"


async def test_after_the_whole_calls_time_nobody_else_is_asked(send: Send, peer: Peer) -> None:
    sending = send(peer.url, peer.url, total=0.05)
    error = await sending.error()
    assert (error.status, sending.lease.attempts) == (504, 1)


async def test_without_a_budget_nothing_is_sent_twice(send: Send, peer: Peer) -> None:
    sending = send(peer.url, peer.url, ratio=0)
    await served(peer, b"", status=500)
    assert (await sending.reply()).attempts == 1


async def test_one_that_fails_again_and_again_has_its_circuit_opened(send: Send, peer: Peer, health: Health) -> None:
    target = make_target(peer.url)
    for _ in range(5):
        assert health.allows(target, health.clock())
        sending = send(peer.url, attempts=1)
        await served(peer, b"", b"connection: close", status=500)
        await sending.reply()
        sending.lease.release()
    assert not health.allows(target, health.clock())
    sending = send(peer.url, attempts=1)
    await served(peer)
    await sending.reply()
    assert not health.troubled


async def test_a_stream_is_well_only_at_its_end(send: Send, peer: Peer, health: Health) -> None:
    health.failed(make_target(peer.url), Failure.STATUS)
    for whole in (False, True):
        sending = send(peer.url)
        side = await peer.accept()
        await side.request()
        side.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 18\r\n\r\ndata: 1\n\n")
        reply = await sending.reply()
        assert health.troubled
        if whole:
            side.send(b"data: 2\n\n")
        else:
            side.close()
        while not (reply.answer.complete or reply.answer.failure):
            await asyncio.sleep(0)
        sending.lease.release()
        assert health.troubled is not whole


async def test_another_answer_after_one_that_was_cut(send: Send, peer: Peer) -> None:
    async with Peer() as broken:
        sending = send(broken.url, peer.url)
        side = await broken.accept()
        await side.request()
        side.events(b"data: 1\n\n")
        reply = await sending.reply()
        caller = Caller()
        other = make_call(body=b'{"model":"m","messages":[1]}')
        caller.start(sending.dispatcher.again(other, sending.plan, caller, sending.lease))
        await side.closed()
        second = await peer.accept()
        _, body = await second.request()
        assert body == other.request.body
        second.answer(b"{}", JSON)
        again: Reply = await caller.result()
        assert (reply.attempts, again.attempts, again.target.instance.url) == (1, 2, peer.url)
        assert [target.instance.url for target in sending.lease.tried] == [broken.url]
        sending.lease.release()


async def test_there_is_no_more_after_the_last_attempt(send: Send, peer: Peer) -> None:
    sending = send(peer.url, attempts=1)
    await served(peer)
    await sending.reply()
    caller = Caller()
    caller.start(sending.dispatcher.again(make_call(), sending.plan, caller, sending.lease))
    with pytest.raises(ApiError) as caught:
        await caller.result()
    assert caught.value.status == 502
