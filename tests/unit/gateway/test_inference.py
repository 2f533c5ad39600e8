"""The story end to end: every way it can end gives back what was taken and is recorded once."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from time import time

import pytest
from msgspec.structs import replace

from nexus.gateway.admit.gate import Gate
from nexus.gateway.admit.slots import Slots
from nexus.gateway.admit.treasurer import Treasurer
from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.dispatch.send import Dispatcher
from nexus.gateway.inference import Inference
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import Snapshot
from nexus.gateway.siding import Siding
from nexus.gateway.storage import refusal
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Call, Headers, Outcome, Request, Rules, Timeouts
from nexus.gateway.views import Views
from nexus.jobs.values import Job, Order, State
from nexus.policies.budgets import Budget, Budgets
from nexus.policies.policy import Policy
from nexus.policies.spending import Spendings
from nexus.policies.token import Bearer
from nexus.store.errors import DatabaseError
from tests.servers.caller import Caller
from tests.servers.calls import endpoint, make_instance, make_request
from tests.servers.peer import Peer, Side


class Lane:
    """The stages, joined as the gateway joins them, before one service that the test plays."""

    def __init__(self, upstreams: Upstreams, snapshot: Snapshot, limit: int, siding: Siding | None = None) -> None:
        self.upstreams = upstreams
        self.snapshot = snapshot
        self.slots = Slots(limit)
        self.spendings = Spendings()
        self.views = Views(lambda: self.snapshot)
        self.timeouts = Timeouts()
        self.rules = Rules()
        self.fault: Exception | None = None
        self.refused: list[str] = []
        self.recorded: list[Outcome] = []
        self.asked: list[tuple[str, str | None]] = []
        self.inference = Inference(
            there=self,
            view=self.views.of,
            timeouts=self._timeouts,
            in_flight=upstreams.in_flight,
            gate=Gate(self.slots, self.views, treasurer=Treasurer(self.spendings)),
            dispatcher=Dispatcher(upstreams, lambda url, reason: self.refused.append(url)),
            record=self.recorded.append,
            siding=siding,
            ruled=self,
        )

    def _timeouts(self, operation: str, model: str | None) -> Timeouts:
        if self.fault is not None:
            raise self.fault
        self.asked.append((operation, model))
        return self.timeouts

    def begin(self, request: Request | None = None) -> Caller:
        caller = Caller()
        caller.start(self.inference.serve(request or make_request(), caller))
        return caller

    def outcome(self) -> Outcome:
        """The only record; nothing is held any more."""
        (outcome,) = self.recorded
        assert self.slots.taken == 0
        assert set(self.upstreams.loads().values()) <= {0}
        return outcome


@pytest.fixture
def lane(upstreams: Upstreams, peer: Peer) -> Lane:
    return Lane(upstreams, build([make_instance(url=peer.url)], {}), limit=2)


async def asked(peer: Peer) -> Side:
    side = await peer.accept()
    await side.request()
    return side


async def test_an_answer(lane: Lane, peer: Peer) -> None:
    caller = lane.begin()
    side = await asked(peer)
    assert lane.slots.taken == 1
    side.answer(b'{"usage":{"prompt_tokens":7}}', b"content-type: application/json")
    await caller.result()
    assert (caller.status, caller.end) == (200, "whole")
    outcome = lane.outcome()
    assert (outcome.level, outcome.event, outcome.status, outcome.error) == ("info", "request", 200, "")
    assert (outcome.model, outcome.service, outcome.instance) == ("m", "svc", "svc-1")
    assert (outcome.request_id, outcome.token, outcome.operation) == ("req-1", "administrator", "chat.completions")
    assert (outcome.bytes_in, outcome.bytes_out) == (len(make_request().body), len(caller.body))
    assert (outcome.attempts, outcome.stream) == (1, False)
    assert outcome.usage is not None
    assert outcome.usage.prompt_tokens == 7
    assert outcome.ttft_ms is not None
    assert 0 < outcome.ttft_ms <= outcome.ms
    assert lane.asked == [("chat.completions", "m")]


@pytest.mark.parametrize("end", ["answered", "left", "refused"])
async def test_what_a_call_holds_counts_for_its_callers_budgets(lane: Lane, peer: Peer, end: str) -> None:
    budgets = Budgets(Budget(requests=1))
    lease, caller = Lease(), Caller()
    request = make_request(bearer=Bearer("ada", Policy("p", budgets=budgets)))
    caller.start(lane.inference.serve(request, caller, lease))
    side = await asked(peer)
    assert lease.stopwatch is not None
    if end == "left":
        caller.leave()
    else:
        body = b'{"usage":{"prompt_tokens":7}}' if end == "answered" else b"{}"
        side.answer(body, b"content-type: application/json", status=200 if end == "answered" else 400)
        await caller.result()
    lane.outcome()
    used = lane.spendings.of("ada", time(), budgets.zone).day.here
    assert used.requests == 1
    assert 0 < used.engine_seconds == lease.stopwatch.seconds
    assert (used.tokens > 0) == (end != "refused")  # who leaves has had the prompt read
    again = lane.begin(request)
    assert (again.status, json.loads(again.body)["error"]["code"]) == (429, "budget_exceeded")


async def test_who_has_no_budgets_is_not_measured(lane: Lane, peer: Peer) -> None:
    lease, caller = Lease(), Caller()
    caller.start(lane.inference.serve(make_request(bearer=Bearer("ada", Policy("p", rpm=9))), caller, lease))
    (await asked(peer)).answer()
    await caller.result()
    assert lease.stopwatch is None


async def test_a_bad_request(lane: Lane) -> None:
    caller = lane.begin(make_request(b"{"))
    assert (caller.status, caller.end) == (400, "whole")
    assert caller.lines() == [b"content-type: application/json", b"x-request-id: req-1"]
    outcome = lane.outcome()
    assert (outcome.level, outcome.status, outcome.error) == ("info", 400, "invalid_request_error")
    assert (outcome.model, outcome.service, outcome.attempts) == ("", "", 0)
    assert outcome.ttft_ms is None


async def test_an_unknown_model_is_in_no_record(lane: Lane) -> None:
    """A client could make up any number of names."""
    caller = lane.begin(make_request(b'{"model":"made-up"}'))
    assert caller.status == 404
    outcome = lane.outcome()
    assert (outcome.error, outcome.model) == ("model_not_found", "")


async def test_too_many_at_once(lane: Lane, peer: Peer) -> None:
    running = [lane.begin(), lane.begin()]
    sides = [await asked(peer), await asked(peer)]
    third = lane.begin()
    assert third.status == 503
    assert json.loads(third.body)["error"]["code"] == "overloaded"
    assert lane.slots.taken == 2
    for side, caller in zip(sides, running, strict=True):
        side.answer()
        await caller.result()
    assert lane.slots.taken == 0
    assert [outcome.status for outcome in lane.recorded] == [503, 200, 200]


async def test_a_service_that_refuses(lane: Lane, peer: Peer) -> None:
    await peer.stop()
    caller = lane.begin()
    await caller.result()
    assert caller.status == 503
    assert {b"retry-after: 1", b"x-nexus-service: svc", b"x-nexus-attempts: 1"} <= set(caller.lines())
    outcome = lane.outcome()
    assert (outcome.level, outcome.error, outcome.service) == ("error", "no_ready_service", "svc")
    assert lane.refused == [peer.url]


async def test_a_service_that_breaks(lane: Lane, peer: Peer) -> None:
    caller = lane.begin()
    for _ in range(3):
        (await asked(peer)).close()
    await caller.result()
    assert caller.status == 502
    assert b"x-nexus-attempts: 3" in caller.lines()
    assert (lane.outcome().level, lane.outcome().error) == ("error", "upstream_error")


async def test_a_service_that_takes_too_long(lane: Lane, peer: Peer) -> None:
    lane.timeouts = Timeouts(first_byte=0.02)
    caller = lane.begin()
    side = await asked(peer)
    await caller.result()
    assert caller.status == 504
    assert lane.outcome().error == "upstream_timeout"
    await side.closed()


async def test_a_stream_that_is_cut_is_an_error_though_its_status_is_200(lane: Lane, peer: Peer) -> None:
    lane.rules = Rules(resumes=False)
    caller = lane.begin(make_request(b'{"model":"m","stream":true}'))
    side = await asked(peer)
    side.events(b"data: {}\n\n")
    side.close()
    await caller.result()
    assert caller.end == "closed"
    outcome = lane.outcome()
    assert (outcome.level, outcome.status, outcome.error, outcome.stream) == ("error", 200, "upstream_error", True)


async def test_a_stream_that_is_cut_goes_on_in_another_attempt(lane: Lane, peer: Peer) -> None:
    caller = lane.begin(make_request(b'{"model":"m","stream":true}'))
    for events in (b"data: {}\n\n", b"data: [DONE]\n\n"):
        side = await asked(peer)
        side.events(events)
        side.close()
    await caller.result()
    assert (caller.end, caller.body.endswith(b"data: [DONE]\n\n")) == ("finished", True)
    outcome = lane.outcome()
    assert (outcome.level, outcome.status, outcome.error, outcome.attempts) == ("info", 200, "", 2)


async def before_anything(lane: Lane, peer: Peer, caller: Caller) -> None:
    """The connection to the service is not there yet."""


async def before_the_answer(lane: Lane, peer: Peer, caller: Caller) -> None:
    await asked(peer)


async def in_the_answer(lane: Lane, peer: Peer, caller: Caller) -> None:
    (await asked(peer)).events(b"data: {}\n\n")
    await caller.until(lambda caller: bool(caller.body))


async def while_nobody_reads(lane: Lane, peer: Peer, caller: Caller) -> None:
    caller.write_paused = True
    await in_the_answer(lane, peer, caller)


@pytest.mark.parametrize("phase", [before_anything, before_the_answer, in_the_answer, while_nobody_reads])
async def test_a_client_that_leaves(
    lane: Lane, peer: Peer, phase: Callable[[Lane, Peer, Caller], Awaitable[None]]
) -> None:
    caller = lane.begin()
    await phase(lane, peer, caller)
    caller.leave()
    await caller.result()
    outcome = lane.outcome()
    assert (outcome.level, outcome.status, outcome.error) == ("info", 499, "client_closed")
    assert not caller.end


async def test_a_stream_that_breaks_off_goes_on_at_who_is_there_by_then(lane: Lane, peer: Peer) -> None:
    async with Peer() as newcomer:
        caller = lane.begin(make_request(b'{"model":"m","messages":[],"stream":true}'))
        side = await asked(peer)
        side.events(b'data: {"choices":[{"index":0,"delta":{"content":"one "}}]}\n\n')
        await caller.until(lambda caller: bool(caller.body))
        lane.snapshot = build([make_instance(url=newcomer.url)], {})
        side.close()
        other = await asked(newcomer)
        other.events(
            b'data: {"choices":[{"index":0,"delta":{"content":"one two"},"finish_reason":"stop"}]}\n\n',
            b"data: [DONE]\n\n",
        )
        other.close()
        await caller.result()
    assert (caller.body.count(b"one "), caller.body.count(b"two"), caller.end) == (1, 1, "finished")
    assert lane.outcome().attempts == 2


async def ask(lane: Lane, side: Side, request: Request | None = None) -> Caller:
    """A call that is answered on a connection that is there."""
    caller = lane.begin(request)
    await side.request()
    side.answer()
    await caller.result()
    assert caller.status == 200
    return caller


@pytest.fixture
async def side(lane: Lane, peer: Peer) -> Side:
    """The service's end of a connection that is kept."""
    caller = lane.begin()
    side = await asked(peer)
    side.answer()
    await caller.result()
    return side


async def test_the_plan_of_a_lone_instance_is_thought_out_once(lane: Lane, side: Side) -> None:
    for _ in range(3):
        await ask(lane, side)
    assert lane.asked == [("chat.completions", "m")]
    lane.rules = Rules()
    await ask(lane, side)
    await ask(lane, side)
    assert len(lane.asked) == 2
    lane.snapshot = build([make_instance(url=lane.snapshot.instances[0].url)], {})
    await ask(lane, side)
    await ask(lane, side)
    assert len(lane.asked) == 3


async def test_a_plan_that_stands_is_not_for_who_has_little_time(lane: Lane, side: Side) -> None:
    await ask(lane, side)
    request = make_request()
    hurried = replace(request, head=replace(request.head, timeout=0.05))
    caller = lane.begin(hurried)
    await side.request()
    await caller.result()
    assert caller.status == 504


async def test_a_model_that_is_gone_has_no_plan_that_stands(lane: Lane, side: Side) -> None:
    await ask(lane, side)
    lane.snapshot = build([make_instance(url=lane.snapshot.instances[0].url, models=("other",))], {})
    caller = lane.begin()
    await caller.result()
    assert caller.status == 404


async def test_the_connection_serves_the_next_call(lane: Lane, peer: Peer) -> None:
    caller = lane.begin()
    side = await asked(peer)
    side.answer()
    await caller.result()
    caller = lane.begin()
    await side.request()
    side.answer(b"again")
    await caller.result()
    assert caller.body == b"again"


async def test_equally_busy_instances_take_turns(lane: Lane, peer: Peer) -> None:
    async with Peer() as other:
        lane.snapshot = build([make_instance(url=peer.url), make_instance(url=other.url)], {})
        for first, second in ((other, peer), (other, peer)):
            for expected in (first, second):
                caller = lane.begin()
                if not lane.upstreams.in_flight(expected.url):
                    pytest.fail("the other one was asked twice in a row")
                caller.leave()
                await caller.result()


async def test_a_fault_of_ours_gives_everything_back(lane: Lane) -> None:
    lane.fault = ZeroDivisionError()
    caller = lane.begin()
    with pytest.raises(ZeroDivisionError):
        await caller.result()
    outcome = lane.outcome()
    assert (outcome.level, outcome.status) == ("error", 500)


# --- what leaves the lane for a moment


class Aside:
    """Desk, files and pictures of a siding; `fault` is what each of them raises."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.taken: list[bytes] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def accept(self, call: Call, base_url: str) -> Job:
        self.taken.append(call.request.body)
        return Job(1, Order("job_1", "images.edits", "", "", "", 0, ""), State.QUEUED, 0.0)

    async def settled(self, job: Job, seconds: float) -> Job:
        await self.gate.wait()
        if self.fault:
            raise self.fault
        return job

    async def answer(self, job: Job) -> tuple[int, Headers, bytes]:
        return 202, [(b"location", b"/v1/jobs/job_1")], b"{}"

    async def files(self, body: bytes, token: str) -> bytes:
        if self.fault:
            raise self.fault
        return body.replace(b'"file_id"', b'"image_url"')

    async def pictures(self, body: bytes, token: str, job: str | None, base_url: str) -> bytes:
        if self.fault:
            raise self.fault
        return b"with urls"


@pytest.fixture
async def aside() -> Aside:
    return Aside()


@pytest.fixture
def slow_lane(upstreams: Upstreams, peer: Peer, aside: Aside) -> Lane:
    snapshot = build([make_instance(url=peer.url, operations=("images.edits",))], {})
    siding = Siding(aside, aside.files, aside.pictures, lambda host: "http://gw")
    return Lane(upstreams, snapshot, limit=2, siding=siding)


def edit(fields: bytes) -> Request:
    return make_request(b'{"model":"m"%b}' % fields, at=endpoint("images.edits"))


async def test_a_call_that_is_put_off_asks_no_service_and_is_recorded_once(slow_lane: Lane, aside: Aside) -> None:
    caller = slow_lane.begin(edit(b',"background":true,"image":{"file_id":"f"}'))
    await caller.result()
    assert (caller.status, caller.body) == (202, b"{}")
    outcome = slow_lane.outcome()
    assert (outcome.status, outcome.service, outcome.attempts, outcome.bytes_out) == (202, "", 0, 2)
    assert len(aside.taken) == 1
    assert b'"file_id"' in aside.taken[0]
    assert b'"background"' not in aside.taken[0]


async def test_a_client_that_leaves_while_it_waits_for_its_job(slow_lane: Lane, aside: Aside) -> None:
    aside.gate.clear()
    caller = slow_lane.begin(edit(b',"background":true'))
    async with asyncio.timeout(5):
        while not aside.taken:
            await asyncio.sleep(0)
    assert slow_lane.slots.taken == 1
    caller.leave()
    await caller.result()
    assert (slow_lane.outcome().status, slow_lane.outcome().error) == (499, "client_closed")


async def test_a_service_is_sent_the_bytes_of_files(slow_lane: Lane, peer: Peer) -> None:
    caller = slow_lane.begin(edit(b',"image":{"file_id":"f"}'))
    side = await peer.accept()
    _, body = await side.request()
    assert body == b'{"model":"m","image":{"image_url":"f"}}'
    side.answer()
    await caller.result()
    assert caller.status == 200
    slow_lane.outcome()


async def test_pictures_are_sent_as_urls_once_the_answer_is_whole(slow_lane: Lane, peer: Peer) -> None:
    caller = slow_lane.begin(edit(b',"response_format":"url"'))
    side = await asked(peer)
    side.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\n{")
    side.send(b"  }")
    await caller.result()
    assert (caller.status, caller.body, caller.length) == (200, b"with urls", 9)
    assert b"x-nexus-service: svc" in caller.lines()
    outcome = slow_lane.outcome()
    assert (outcome.status, outcome.bytes_out, outcome.service) == (200, 9, "svc")


async def test_an_answer_that_breaks_off_while_it_is_held_back_is_502(slow_lane: Lane, peer: Peer) -> None:
    caller = slow_lane.begin(edit(b',"response_format":"url"'))
    side = await asked(peer)
    side.send(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n{")
    side.close()
    await caller.result()
    assert (caller.status, json.loads(caller.body)["error"]["code"]) == (502, "upstream_error")
    assert (slow_lane.outcome().status, slow_lane.outcome().error) == (502, "upstream_error")


@pytest.mark.parametrize("fields", [b',"image":{"file_id":"f"}', b',"response_format":"url"', b',"background":true'])
async def test_a_storage_that_fails_is_503_wherever_it_is_needed(
    slow_lane: Lane, peer: Peer, aside: Aside, fields: bytes
) -> None:
    aside.fault = DatabaseError("secret")
    if b"file_id" in fields:  # which tells its client by itself
        aside.fault = refusal(aside.fault)
    caller = slow_lane.begin(edit(fields))
    if b"url" in fields:
        (await asked(peer)).answer()
    await caller.result()
    assert (caller.status, json.loads(caller.body)["error"]["code"]) == (503, "storage_unavailable")
    assert b"secret" not in caller.body
    assert slow_lane.outcome().error == "storage_unavailable"


async def test_who_hands_in_the_lease_sees_whom_the_call_was_sent_to(lane: Lane, peer: Peer) -> None:
    lease, caller = Lease(), Caller()
    caller.start(lane.inference.serve(make_request(), caller, lease))
    side = await asked(peer)
    assert lease.target is not None
    assert lease.target.instance.url == peer.url
    side.answer()
    await caller.result()
    lane.outcome()
