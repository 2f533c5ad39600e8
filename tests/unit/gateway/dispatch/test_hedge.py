"""Two attempts at one call, over real connections: the first to answer is kept, nothing of the other one is left."""

import asyncio
import re
import weakref
from collections.abc import AsyncIterator, Callable

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.dispatch.latency import FEWEST
from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.dispatch.send import Dispatcher
from nexus.gateway.health.circuit import Failure
from nexus.gateway.health.health import Health
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import ClientGoneError, Hedge, LateError, Plan, Reply, Retries, Timeouts
from nexus.policies.stopwatch import Stopwatch
from tests.servers.caller import Caller
from tests.servers.calls import endpoint, make_call, make_target
from tests.servers.listeners import full_listener
from tests.servers.peer import Peer, Side

JSON = b"content-type: application/json"
CALL_AT = endpoint("embeddings")
SOON = Hedge(0.01)
NEVER = Hedge(30.0)
_DEADLINE = re.compile(rb"x-nexus-deadline: ([0-9.]+)")


class Loan:
    """Leave to ask, which counts how often it was given back."""

    lines = "x-loan: 1\r\n"

    def __init__(self) -> None:
        self.returned = 0

    def give_back(self) -> None:
        self.returned += 1


class Bench:
    """A dispatcher before two services of one model."""

    def __init__(self, upstreams: Upstreams, first: Peer, second: Peer) -> None:
        self.first, self.second = first, second
        self.upstreams = upstreams
        self.health = Health()
        self.refused: list[str] = []
        self.loans: list[Loan] = []
        self.logged: list[dict[str, object]] = []
        self.told_to_end: list[list[bytes]] = []
        self.dispatcher = Dispatcher(
            upstreams,
            lambda url, _: self.refused.append(url),
            self._lend,
            health=self.health,
            log=self._log,
            draw=lambda: 0.0,
        )
        self.lease = Lease()
        self.caller = Caller()

    def _lend(self, _: str) -> Loan:
        self.loans.append(Loan())
        return self.loans[-1]

    def _log(self, level: str, event: str, **fields: object) -> None:
        self.logged.append({"level": level, "event": event, **fields})

    def send(
        self,
        hedge: Hedge | None = SOON,
        attempts: int = 3,
        ratio: float = 0.2,
        first: str = "",
        second: str = "",
        **timeouts: float,
    ) -> None:
        """Send a call with a lease of its own."""
        self.lease, self.caller = Lease(), Caller()
        fields = {"operations": ("embeddings",), "uses": ("chat.completions",)}
        targets = tuple(make_target(url, **fields) for url in (first or self.first.url, second or self.second.url))
        plan = Plan(targets, Timeouts(**timeouts), Retries(attempts, ratio), 2, hedge)
        self.caller.start(self.dispatcher.send(make_call(at=CALL_AT), plan, self.caller, self.lease))

    async def asked(self, peer: Peer) -> Side:
        side = await peer.accept()
        head, _ = await side.request()
        self.told_to_end.append(_DEADLINE.findall(head))
        return side

    async def both(self) -> tuple[Side, Side]:
        """The sides of both attempts, each of which has its request."""
        return await self.asked(self.first), await self.asked(self.second)

    async def reply(self) -> Reply:
        reply: Reply = await self.caller.result()
        return reply

    @property
    def running(self) -> tuple[int, int]:
        return self.upstreams.in_flight(self.first.url), self.upstreams.in_flight(self.second.url)

    def nothing_left(self, url: str) -> bool:
        """Whether nothing runs there, is open or is being opened."""
        return self.upstreams.pool(make_target(url).instance).expire(0.0)

    def ended(self) -> None:
        """Whatever the call held is given back, once."""
        self.lease.release()
        assert self.running == (0, 0)
        assert [loan.returned for loan in self.loans] == [1] * len(self.loans)


@pytest.fixture
async def bench(upstreams: Upstreams) -> AsyncIterator[Bench]:
    async with Peer() as first, Peer() as second:
        yield Bench(upstreams, first, second)


async def test_the_second_answers_first(bench: Bench) -> None:
    bench.send()
    slow, quick = await bench.both()
    assert bench.running == (1, 1)
    quick.answer(b'{"a":2}', JSON)
    reply = await bench.reply()
    await slow.closed()
    assert (reply.answer.take(), reply.attempts, reply.target.instance.url) == (b'{"a":2}', 2, bench.second.url)
    assert (bench.lease.target, bench.lease.attempts) == (reply.target, 2)
    assert [target.instance.url for target in bench.lease.tried] == [bench.first.url]
    assert bench.running == (0, 1)
    assert [loan.returned for loan in bench.loans] == [1, 0]
    assert bench.dispatcher.hedged == {("embeddings", "won"): 1}
    bench.ended()
    assert bench.health.troubled is False
    assert bench.logged == []


async def test_the_first_answers_first(bench: Bench) -> None:
    bench.send()
    slow, other = await bench.both()
    slow.answer(b'{"a":1}', JSON)
    reply = await bench.reply()
    await other.closed()
    assert (reply.answer.take(), reply.attempts, reply.target.instance.url) == (b'{"a":1}', 2, bench.first.url)
    assert bench.running == (1, 0)
    assert bench.dispatcher.hedged == {("embeddings", "lost"): 1}
    bench.ended()


@pytest.mark.parametrize("end", ["first", "second", "first fails", "left"])
async def test_both_count_for_as_long_as_they_hold_an_instance(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    now = 0.0
    watch = Stopwatch(lambda: now)
    monkeypatch.setattr(Lease, "stopwatch", watch)
    bench.send()
    slow, quick = await bench.both()
    now = 10.0
    if end == "left":
        bench.caller.leave()
        with pytest.raises(ClientGoneError):
            await bench.reply()
        bench.ended()
        assert watch.seconds == 20.0
        return
    if end == "first fails":
        slow.close()
        await until(lambda: bench.running == (0, 1))
        now = 12.0
    (slow if end == "first" else quick).answer(b"{}", JSON)
    await bench.reply()
    now += 3.0  # while its answer is passed on, the one that won is still held
    bench.ended()
    assert watch.seconds == {"first": 23.0, "second": 23.0, "first fails": 25.0}[end]


async def test_who_wins_keeps_the_connection_for_the_next_call(bench: Bench) -> None:
    bench.send()
    slow, quick = await bench.both()
    quick.answer(b"{}", JSON)
    await bench.reply()
    bench.ended()
    bench.send()
    again = await bench.asked(bench.first)
    await quick.request()
    quick.answer(b'{"again":1}', JSON)
    assert (await bench.reply()).answer.take() == b'{"again":1}'
    await again.closed()
    await slow.closed()
    bench.ended()


async def test_an_answer_that_is_larger_goes_on_where_it_began(bench: Bench) -> None:
    bench.send()
    slow, quick = await bench.both()
    quick.send(b"HTTP/1.1 200 OK\r\n" + JSON + b"\r\ncontent-length: 2000000\r\n\r\n[")
    reply = await bench.reply()
    await slow.closed()
    assert not reply.answer.complete
    assert bench.running == (0, 1)
    quick.close()
    await Caller().run(_until_it_ends(reply))
    bench.ended()
    assert bench.health.troubled  # the circuits hear that it broke off


async def _until_it_ends(reply: Reply) -> None:
    while not (reply.answer.complete or reply.answer.failure):
        await reply.answer


async def test_one_that_answers_soon_is_alone(bench: Bench) -> None:
    bench.send(NEVER)
    (await bench.asked(bench.first)).answer(b"{}", JSON)
    assert (await bench.reply()).attempts == 1
    assert bench.running == (1, 0)
    assert bench.dispatcher.hedged == {}
    bench.ended()


@pytest.mark.parametrize("bounds", [{"attempts": 1}, {"ratio": 0.0}, {"second": "itself"}])
async def test_there_is_no_second_where_there_may_be_none(bench: Bench, bounds: dict[str, float | str]) -> None:
    if "second" in bounds:
        bounds = {"second": bench.first.url}
    bench.send(Hedge(0.001), **bounds)  # type: ignore[arg-type]
    await _answered_alone(bench)


async def until(condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def _passed(seconds: float) -> None:
    """Until the loop's own clock says so: timers that were set for earlier have run."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    await over.wait()


async def _answered_alone(bench: Bench) -> None:
    """The first answers, though not at once, and there was no second."""
    side = await bench.asked(bench.first)
    await asyncio.wait_for(_passed(0.02), 5)
    assert bench.running == (1, 0)
    side.answer(b"{}", JSON)
    assert (await bench.reply()).attempts == 1
    bench.ended()


async def test_one_whose_circuit_is_open_is_no_second(bench: Bench) -> None:
    target = make_target(bench.second.url)
    bench.health.failed(target, Failure.REFUSED)
    bench.send(Hedge(0.001))
    await _answered_alone(bench)


async def test_the_first_fails_and_the_second_goes_on(bench: Bench) -> None:
    bench.send()
    broken, quick = await bench.both()
    broken.close()
    await broken.closed()
    await until(lambda: bench.running == (0, 1))
    quick.answer(b"{}", JSON)
    reply = await bench.reply()
    assert (reply.attempts, reply.target.instance.url) == (2, bench.second.url)
    (line,) = bench.logged
    assert (line["event"], line["attempt"], line["failure"], line["next"]) == ("attempt_failed", 1, "closed", "svc-1")
    assert bench.health.troubled
    bench.ended()


async def test_the_second_fails_and_the_first_goes_on(bench: Bench) -> None:
    bench.send()
    slow, busy = await bench.both()
    busy.answer(b'{"error":{"message":"busy"}}', JSON, status=429)
    await until(lambda: bench.running == (1, 0))
    slow.answer(b"{}", JSON)
    reply = await bench.reply()
    assert (reply.attempts, reply.target.instance.url) == (2, bench.first.url)
    assert (bench.logged[0]["attempt"], bench.logged[0]["answered"]) == (2, 429)
    assert bench.dispatcher.hedged == {("embeddings", "lost"): 1}
    bench.ended()


async def test_a_second_that_takes_no_connection_is_told_of(bench: Bench) -> None:
    async with Peer() as gone:
        refusing = gone.url
    bench.send(second=refusing)
    slow = await bench.asked(bench.first)
    await until(lambda: bench.refused)
    assert bench.refused == [refusing]
    slow.answer(b"{}", JSON)
    assert (await bench.reply()).target.instance.url == bench.first.url
    bench.ended()
    assert bench.upstreams.in_flight(refusing) == 0


async def test_both_fail_and_the_table_says_what_is_next(bench: Bench) -> None:
    """The last to fail is tried again, as there is nobody else."""
    bench.send()
    one, other = await bench.both()
    one.answer(b"{}", JSON, status=500)
    await until(lambda: bench.running == (0, 1))
    other.answer(b"{}", JSON, status=500)
    await other.request()
    assert bench.running == (0, 1)
    other.answer(b'{"third":1}', JSON)
    reply = await bench.reply()
    assert (reply.answer.take(), reply.attempts) == (b'{"third":1}', 3)
    assert [target.instance.url for target in bench.lease.tried] == [bench.first.url, bench.second.url]
    bench.ended()


async def test_both_fail_for_good(bench: Bench) -> None:
    bench.send(attempts=2)
    one, other = await bench.both()
    other.close()
    await until(lambda: bench.running == (1, 0))
    one.answer(b'{"error":{"message":"no"}}', JSON, status=503)
    reply = await bench.reply()
    assert (reply.answer.head.status, reply.attempts, reply.target.instance.url) == (503, 2, bench.first.url)
    bench.ended()


async def test_a_refusal_of_the_request_is_the_answer(bench: Bench) -> None:
    bench.send()
    slow, strict = await bench.both()
    strict.answer(b'{"error":{"message":"no such dimension"}}', JSON, status=400)
    reply = await bench.reply()
    await slow.closed()
    assert (reply.answer.head.status, reply.attempts) == (400, 2)
    bench.ended()


async def test_each_attempt_has_bounds_of_its_own(bench: Bench) -> None:
    """The first is late while the second is not yet; then that one is as well."""
    bench.send(Hedge(0.05), attempts=2, first_byte=0.1)
    one, other = await bench.both()
    await one.closed()
    assert bench.running == (0, 1)
    with pytest.raises(LateError) as late:
        await bench.reply()
    assert (late.value.status, bench.lease.attempts) == (504, 2)
    bench.ended()
    await other.closed()
    assert [line["failure"] for line in bench.logged] == ["late", "late"]


async def test_the_calls_own_bound_ends_both(bench: Bench) -> None:
    bench.send(total=0.2)
    one, other = await bench.both()
    assert len(bench.told_to_end[0]) == 1
    assert bench.told_to_end[0] == bench.told_to_end[1]
    with pytest.raises(LateError) as late:
        await bench.reply()
    assert late.value.final
    bench.ended()
    await one.closed()
    await other.closed()


async def test_a_client_that_leaves_ends_both(bench: Bench) -> None:
    bench.send()
    one, other = await bench.both()
    bench.caller.leave()
    assert bench.running == (1, 0)  # the first is in the call's lease
    with pytest.raises(ClientGoneError):
        await bench.reply()
    assert bench.lease.attempts == 2
    bench.ended()
    await one.closed()
    await other.closed()


async def test_a_client_that_leaves_while_the_second_connects(bench: Bench) -> None:
    with full_listener() as port:
        url = f"http://127.0.0.1:{port}"
        bench.send(second=url, connect=30)
        one = await bench.asked(bench.first)
        await until(lambda: bench.upstreams.in_flight(url))
        bench.caller.leave()
        with pytest.raises(ClientGoneError):
            await bench.reply()
        await until(lambda: bench.nothing_left(url))
        bench.ended()
        await one.closed()


@pytest.mark.parametrize("connects", ["first", "second"])
async def test_one_that_still_connects_is_given_up_when_the_other_answers(bench: Bench, connects: str) -> None:
    with full_listener() as port:
        url = f"http://127.0.0.1:{port}"
        bench.send(**{connects: url}, connect=30)
        other = await bench.asked(bench.first if connects == "second" else bench.second)
        await until(lambda: bench.upstreams.in_flight(url))
        other.answer(b"{}", JSON)
        assert (await bench.reply()).attempts == 2
        await until(lambda: bench.nothing_left(url))
        bench.ended()
    assert bench.refused == []


@pytest.mark.parametrize("answers", [0, 1])
async def test_a_call_that_has_ended_is_freed_at_once(bench: Bench, answers: int) -> None:
    """By its reference count: neither timers nor attempts keep it."""
    bench.send()
    sides = await bench.both()
    sides[answers].answer(b"{}", JSON)
    await bench.reply()
    bench.ended()
    kept = weakref.ref(bench.lease)
    bench.lease, bench.caller = Lease(), Caller()
    assert kept() is None


async def test_a_percentile_counts_once_enough_calls_are_known(bench: Bench) -> None:
    hedge = Hedge(share=0.95)
    bench.send(hedge)
    side = await bench.asked(bench.first)
    for number in range(FEWEST):
        side.answer(b"{}", JSON)
        assert (await bench.reply()).attempts == 1
        bench.ended()
        bench.send(hedge)
        if number < FEWEST - 1:
            await side.request()
    quick = await bench.asked(bench.second)
    quick.answer(b"{}", JSON)
    reply = await bench.reply()
    assert (reply.attempts, reply.target.instance.url) == (2, bench.second.url)
    await side.closed()
    bench.ended()


async def test_a_call_that_is_not_hedged_is_not(bench: Bench) -> None:
    bench.send(None)
    side = await bench.asked(bench.first)
    side.answer(b"{}", JSON)
    assert (await bench.reply()).attempts == 1
    bench.ended()


async def test_a_body_that_cannot_be_sent_is_the_clients_error(bench: Bench) -> None:
    """The instance knows the model under another name, and the body's keys are no text."""
    bench.lease, bench.caller = Lease(), Caller()
    plan = Plan((make_target(bench.first.url, "other"), make_target(bench.second.url, "other")), Timeouts(), hedge=SOON)
    call = make_call(body=b'{"model":"m","\xff":1}', at=CALL_AT)
    bench.caller.start(bench.dispatcher.send(call, plan, bench.caller, bench.lease))
    with pytest.raises(ApiError) as caught:
        await bench.reply()
    assert caught.value.status == 400
    bench.ended()
