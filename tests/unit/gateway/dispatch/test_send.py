"""Calls reach the first target that takes them, over real connections; what is lost on the way is told apart."""

from collections.abc import Awaitable, Callable

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.dispatch.send import Dispatcher, Lease
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import ClientGoneError, Plan, Reply, Timeouts
from nexus.policies.stopwatch import Stopwatch
from tests.servers.caller import Caller
from tests.servers.calls import BODY, make_call, make_target
from tests.servers.listeners import full_listener
from tests.servers.peer import Peer, Side


class Sending:
    """One call on its way to its targets."""

    def __init__(self, dispatcher: Dispatcher, plan: Plan) -> None:
        self.lease = Lease()
        self.caller = Caller()
        self.caller.start(dispatcher.send(make_call(), plan, self.caller, self.lease))

    async def reply(self) -> Reply:
        reply: Reply = await self.caller.result()
        return reply

    async def error(self) -> ApiError:
        with pytest.raises(ApiError) as caught:
            await self.reply()
        return caught.value


Send = Callable[..., Sending]


@pytest.fixture
def refused() -> list[str]:
    """The instances of which was told that they take no connections."""
    return []


@pytest.fixture
def send(upstreams: Upstreams, refused: list[str]) -> Send:
    dispatcher = Dispatcher(upstreams, lambda url, reason: refused.append(url))

    def begin(*urls: str, **timeouts: float) -> Sending:
        return Sending(dispatcher, Plan(tuple(make_target(url) for url in urls), Timeouts(**timeouts)))

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


async def test_after_one_byte_of_an_answer_nobody_else_is_asked(send: Send, peer: Peer) -> None:
    async with Peer() as broken:
        sending = send(broken.url, peer.url)
        side = await broken.accept()
        await side.request()
        side.send(b"H")
        side.close()
        error = await sending.error()
    assert (error.status, error.code) == (502, "upstream_error")
    assert error.message == "svc: the service closed the connection."
    assert sending.lease.attempts == 1


async def test_garbage_is_502_and_nobody_else_is_asked(send: Send, peer: Peer) -> None:
    async with Peer() as broken:
        sending = send(broken.url, peer.url)
        side = await broken.accept()
        await side.request()
        side.send(b"garbage\r\n\r\n")
        error = await sending.error()
    assert (error.status, sending.lease.attempts) == (502, 1)
    assert "not valid HTTP" in error.message


async def test_a_body_that_began_is_a_reply_even_if_it_broke(send: Send, peer: Peer) -> None:
    sending = send(peer.url)
    side = await peer.accept()
    await side.request()
    side.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab")
    side.close()
    reply = await sending.reply()
    assert reply.answer.take() == b"ab"


async def test_where_all_break_it_is_502(send: Send, peer: Peer) -> None:
    sending = send(peer.url, peer.url)
    for _ in range(2):
        side = await peer.accept()
        await side.request()
        side.close()
    error = await sending.error()
    assert (error.status, sending.lease.attempts) == (502, 2)


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


async def test_a_fresh_connection_that_closes_is_not_tried_for_ever(send: Send, peer: Peer) -> None:
    stale = await pooled(send, peer)
    sending = send(peer.url)
    await stale.request()
    stale.close()
    side = await peer.accept()
    await side.request()
    side.close()
    assert (await sending.error()).status == 502


async def test_a_pooled_connection_that_breaks_after_a_byte_is_502(send: Send, peer: Peer) -> None:
    stale = await pooled(send, peer)
    sending = send(peer.url)
    await stale.request()
    stale.send(b"HTTP/1.1 200")
    stale.close()
    assert (await sending.error()).status == 502


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
        return Sending(dispatcher, Plan(asking, Timeouts(**timeouts)))

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


async def test_what_is_measured_is_how_long_an_instance_is_held(upstreams: Upstreams) -> None:
    now = 10.0
    lease = Lease()
    lease.stopwatch = Stopwatch(lambda: now)
    pool = upstreams.pool(make_target("http://127.0.0.1:9").instance)
    for held, pause in ((2.0, 5.0), (0.5, 0.0)):  # an attempt, a wait between two, and another
        lease.take(make_target(), pool)
        now += held
        lease.release()
        now += pause
    lease.take(make_target(), pool)
    now += 0.25
    lease.take(make_target(), pool)  # the next one at once
    now += 0.25
    lease.release()
    lease.release()
    assert (lease.stopwatch.seconds, pool.in_flight) == (3.0, 0)
