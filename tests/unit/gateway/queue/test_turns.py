"""Calls before a service that is full: told by the real story, upstream and clock; the peer is the test's."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from nexus.contract.card import Card
from nexus.contract.errors import ApiError
from nexus.gateway.admit.gate import Gate
from nexus.gateway.admit.slots import Slots
from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.dispatch.send import Dispatcher
from nexus.gateway.inference import Inference
from nexus.gateway.queue import turns as module
from nexus.gateway.registry.index import build
from nexus.gateway.registry.snapshot import Instance, Snapshot, State
from nexus.gateway.relay.result import Relayed
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Call, Outcome, Plan, QueueRules, Timeouts
from nexus.gateway.views import Views
from nexus.policies.policy import Policy
from nexus.policies.token import Bearer
from tests.servers.caller import Caller
from tests.servers.calls import BODY, endpoint, make_call, make_instance, make_request, make_target
from tests.servers.cards import card, model
from tests.servers.peer import Peer, Side
from tests.servers.turns import make_turns


class Lane:
    """The story with a queue. `show` makes another snapshot; `begin` asks as a token with a priority."""

    def __init__(self, upstreams: Upstreams) -> None:
        self.upstreams = upstreams
        self.snapshot = Snapshot()
        self.rules = QueueRules()
        self.turns = make_turns(upstreams, lambda: self.snapshot, lambda: self.rules)
        self.slots = Slots()
        self.recorded: list[Outcome] = []
        views = Views(lambda: self.snapshot)
        self.inference = Inference(
            there=self,
            view=views.of,
            timeouts=lambda operation, model: Timeouts(first_byte=10),
            in_flight=upstreams.in_flight,
            gate=Gate(self.slots, views),
            dispatcher=Dispatcher(upstreams, lambda url, reason: None),
            record=self.recorded.append,
            turns=self.turns,
        )

    def show(self, *instances: Instance, **aliases: str) -> None:
        self.snapshot = build(instances, aliases)
        self.turns.changed()

    def begin(
        self, name: str = "", priority: str = "interactive", token: str = "ada", body: bytes = BODY, **request: Any
    ) -> Caller:
        bearer = Bearer(token, Policy(priority, priority=priority))
        body = body.replace(b"[]", json.dumps([name]).encode())
        caller = Caller()
        caller.start(self.inference.serve(make_request(body, bearer=bearer, **request), caller))
        return caller

    def is_idle(self) -> bool:
        return not self.turns.waiting and not self.slots.taken and set(self.upstreams.loads().values()) <= {0}


@pytest.fixture
async def lane(upstreams: Upstreams, peer: Peer) -> AsyncIterator[Lane]:
    lane = Lane(upstreams)
    lane.show(make_instance(url=peer.url, places=1))
    yield lane
    await lane.turns.close()


async def name_at(side: Side) -> str:
    """Whose request has come."""
    _, body = await side.request()
    name: str = json.loads(body)["messages"][0]
    return name


async def served(side: Side, caller: Caller) -> None:
    side.answer()
    await caller.result()
    assert caller.status == 200


async def test_one_waits_for_the_place_of_another_and_tells_so(lane: Lane, peer: Peer) -> None:
    first, second = lane.begin("first"), lane.begin("second")
    side = await peer.accept()
    assert await name_at(side) == "first"
    assert lane.turns.waiting == 1
    assert lane.turns.counts() == {("chat.completions", "svc", "m", "interactive"): 1}
    await served(side, first)
    assert lane.turns.waiting == 0
    assert await name_at(side) == "second"
    await served(side, second)
    assert lane.is_idle()
    one, other = lane.recorded
    assert (one.queued_ms, one.priority) == (None, "")
    assert other.queued_ms is not None
    assert 0 < other.queued_ms <= other.ms
    assert other.priority == "interactive"


async def test_each_freed_place_is_given_once_in_fair_order(lane: Lane, peer: Peer) -> None:
    running = lane.begin("running")
    side = await peer.accept()
    await side.request()
    callers = {name: lane.begin(name, token=name[0]) for name in ("a1", "a2", "b1")}
    batch = lane.begin("batch", "batch", token="c")
    for name in ("a1", "b1", "a2"):
        await served(side, running)
        assert lane.upstreams.in_flight(peer.url) == 1
        assert await name_at(side) == name
        running = callers[name]
    await served(side, running)
    assert await name_at(side) == "batch"
    await served(side, batch)
    assert lane.is_idle()


async def test_where_somebody_else_has_room_nobody_waits(lane: Lane, peer: Peer) -> None:
    async with Peer() as other:
        lane.show(make_instance(url=peer.url, places=1), make_instance("big", url=other.url, places=8))
        callers = [lane.begin(str(number)) for number in range(9)]
        assert lane.turns.waiting == 0
        assert (lane.upstreams.in_flight(peer.url), lane.upstreams.in_flight(other.url)) == (1, 8)
        for caller in callers:
            caller.leave()
        assert lane.is_idle()


async def test_who_declares_no_places_is_never_full(lane: Lane, peer: Peer) -> None:
    said = card("svc", operations=("chat.completions",), models=("m",))
    del said["capabilities"]["max_concurrency"]
    lane.show(Instance(peer.url, "static", State.READY, Card.model_validate(said)))
    callers = [lane.begin() for _ in range(5)]
    assert (lane.turns.waiting, lane.upstreams.in_flight(peer.url)) == (0, 5)
    for caller in callers:
        caller.leave()


async def test_who_leaves_is_out_at_once(lane: Lane, peer: Peer) -> None:
    first, second, third = (lane.begin(name) for name in ("1", "2", "3"))
    side = await peer.accept()
    await side.request()
    second.leave()
    assert lane.turns.waiting == 1
    assert lane.recorded[0].status == 499
    await served(side, first)
    assert await name_at(side) == "3"
    await served(side, third)
    assert lane.is_idle()


async def test_a_place_whose_caller_left_goes_to_the_next(lane: Lane, peer: Peer) -> None:
    first, second = lane.begin("1"), lane.begin("2")
    (await peer.accept(),)
    first.leave()
    side = await peer.accept()
    assert await name_at(side) == "2"
    await served(side, second)
    assert lane.is_idle()


async def test_who_is_asked_again_by_the_same_call_has_no_place_for_another_meanwhile(lane: Lane, peer: Peer) -> None:
    first, second = lane.begin("a"), lane.begin("b")
    side = await peer.accept()
    assert await name_at(side) == "a"
    side.answer(status=500)
    assert await name_at(side) == "a"
    assert (lane.turns.waiting, lane.upstreams.in_flight(peer.url)) == (1, 1)
    await served(side, first)
    assert await name_at(side) == "b"
    await served(side, second)
    assert lane.is_idle()


async def test_who_waits_too_long_is_told_to_come_again(
    lane: Lane, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)
    lane.rules = QueueRules(max_seconds=0.05)
    first, second = lane.begin(), lane.begin()
    await second.result()
    assert second.status == 503
    assert b"retry-after: 1" in second.lines()
    error = json.loads(second.body)["error"]
    assert error["code"] == "overloaded"
    assert error["message"] == "All places for 'm' are taken, and nobody had room within 0.05 s."
    assert (lane.recorded[0].status, lane.recorded[0].priority) == (503, "interactive")
    assert (lane.recorded[0].queued_ms or 0) >= 49
    first.leave()
    assert lane.is_idle()


async def test_a_full_queue_takes_nobody_but_in_a_lower_ones_place(lane: Lane, peer: Peer) -> None:
    lane.rules = QueueRules(max_waiting=1)
    running, waiting, late = lane.begin(), lane.begin("batch", "batch"), lane.begin("late", "batch")
    assert late.status == 503
    assert json.loads(late.body)["error"]["message"] == "All places for 'm' are taken, and 1 calls wait already."
    assert waiting.status == 0
    better = lane.begin("better")
    assert (waiting.status, better.status) == (503, 0)
    assert lane.turns.waiting == 1
    running.leave()
    better.leave()
    assert lane.is_idle()


async def test_nobody_waits_where_none_may(lane: Lane, peer: Peer) -> None:
    lane.rules = QueueRules(max_waiting=0)
    first, second = lane.begin(), lane.begin()
    assert (first.status, second.status) == (0, 503)
    first.leave()


async def test_hundreds_that_end_on_the_spot_take_no_stack(lane: Lane, peer: Peer) -> None:
    """Each is given a place, cannot be sent, and gives it back in the very callback that gave it."""
    lane.show(make_instance(url=peer.url, places=1), nick="m")
    running = lane.begin("running")
    side = await peer.accept()
    await side.request()
    broken = [lane.begin(body=b'{"model":"nick","\xff":1}') for _ in range(900)]
    last = lane.begin("last")
    assert lane.turns.waiting == 901
    await served(side, running)
    assert {caller.status for caller in broken} == {400}
    assert await name_at(side) == "last"
    await served(side, last)
    assert lane.is_idle()


async def test_a_new_instance_takes_those_who_wait(lane: Lane, peer: Peer) -> None:
    callers = [lane.begin(str(number)) for number in range(4)]
    assert lane.turns.waiting == 3
    async with Peer() as other:
        lane.show(make_instance(url=peer.url, places=1), make_instance("more", url=other.url, places=2))
        assert lane.turns.waiting == 1
        assert lane.upstreams.in_flight(other.url) == 2
        for caller in callers:
            caller.leave()
        assert lane.is_idle()


async def test_who_waits_when_the_service_goes_is_served_when_it_is_back(lane: Lane, peer: Peer) -> None:
    first, second = lane.begin("1"), lane.begin("2")
    side = await peer.accept()
    await side.request()
    lane.show(make_instance(url=peer.url, places=1, state=State.UNREACHABLE))
    await served(side, first)
    assert (lane.turns.waiting, second.status) == (1, 0)
    lane.show(make_instance(url=peer.url, places=1))
    assert await name_at(side) == "2"
    await served(side, second)
    assert lane.is_idle()


async def test_a_model_that_is_no_more_is_not_waited_for(lane: Lane, peer: Peer) -> None:
    first, second = lane.begin("1"), lane.begin("2")
    lane.show(make_instance(url=peer.url, places=1, models=("other",)))
    assert second.status == 404
    first.leave()
    assert lane.is_idle()


async def test_a_place_that_comes_free_unnoticed_is_found(
    lane: Lane, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)
    first, second = lane.begin("1"), lane.begin("2")
    (await peer.accept(),)
    lane.snapshot = build([make_instance(url=peer.url, places=2)], {})
    assert await name_at(await peer.accept()) == "2"
    first.leave()
    second.leave()


async def test_a_jobs_run_stands_back(lane: Lane, peer: Peer) -> None:
    at = msgspec.structs.replace(endpoint("chat.completions"), job="running")
    first, run = lane.begin("1"), lane.begin("run", at=at)
    assert lane.turns.counts() == {("chat.completions", "svc", "m", "batch"): 1}
    first.leave()
    run.leave()


async def test_who_may_wait_no_longer_goes_to_a_fallback_that_has_room(
    upstreams: Upstreams, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)
    best, other = make_target("http://best", places=1), make_target("http://other", "small", places=1)
    turns = make_turns(upstreams, rules=lambda: QueueRules(max_seconds=0.03))
    upstreams.pool(best.instance).in_flight = 1

    def plan(call: Call) -> Plan:
        return Plan((best, other), Timeouts(), alike=1)

    call, waited = make_call(), Relayed()
    course: Plan = await caller.run(turns.turn(call, plan, plan(call), waited))
    assert course.targets == (other, best)
    assert waited.queued is not None
    assert waited.queued >= 0.029  # the loop's clock goes by milliseconds
    upstreams.pool(other.instance).in_flight = 1
    again = Caller()
    with pytest.raises(ApiError, match="All places") as told:
        await again.run(turns.turn(call, plan, plan(call), waited))
    assert told.value.kind.code == "overloaded"
    await turns.close()


class TestCold:
    """A model that is not in memory, at a service that loads none by itself."""

    @pytest.fixture
    def cold(self, lane: Lane, peer: Peer) -> Lane:
        lane.show(self.instance(peer, "unloaded"))
        return lane

    def instance(self, peer: Peer, state: str) -> Instance:
        return make_instance(url=peer.url, places=2, models=(model("m", state=state), model("n")))

    async def test_it_is_loaded_once_for_all_who_ask(self, cold: Lane, peer: Peer) -> None:
        first, second = cold.begin("1"), cold.begin("2", body=b'{"model":"m","stream":true,"messages":[]}')
        side = await peer.accept()
        head, body = await side.request()
        assert head.startswith(b"POST /v1/models/m/load HTTP/1.1\r\n")
        assert body == b""
        assert cold.turns.waiting == 2
        assert cold.turns.loading() == ((peer.url, "m"),)
        assert second.told_to_wait == ["waiting", "loading m"]
        assert first.told_to_wait == []
        side.answer(b'{"id":"m","state":"ready"}')
        await side.closed()
        cold.show(self.instance(peer, "unloaded"))  # a card that was read before
        assert cold.turns.waiting == 2
        cold.show(self.instance(peer, "ready"))
        assert cold.turns.waiting == 0
        for caller in (first, second):
            caller.leave()
        assert cold.is_idle()

    async def test_one_that_cannot_be_loaded_is_an_error_for_all_and_for_a_while(self, cold: Lane, peer: Peer) -> None:
        callers = [cold.begin("1"), cold.begin("2")]
        side = await peer.accept()
        await side.request()
        side.answer(b'{"error":{"message":"out of memory"}}', status=502)
        for caller in callers:
            await caller.result()
        late = cold.begin("3")
        for caller in (*callers, late):
            assert caller.status == 503
            assert json.loads(caller.body)["error"] == {
                "message": "svc could not load 'm': out of memory.",
                "type": "server_error",
                "param": None,
                "code": "no_ready_service",
            }
            assert b"retry-after: 5" in caller.lines()
        assert cold.is_idle()

    async def test_one_that_is_being_loaded_is_waited_for(self, lane: Lane, peer: Peer) -> None:
        lane.show(self.instance(peer, "loading"))
        caller = lane.begin("1")
        assert (lane.turns.waiting, lane.turns.loading()) == (1, ())
        lane.show(self.instance(peer, "ready"))
        assert await name_at(await peer.accept()) == "1"
        caller.leave()
        assert lane.is_idle()

    async def test_one_that_has_failed_is_told_at_once(self, lane: Lane, peer: Peer) -> None:
        lane.show(self.instance(peer, "failed"))
        assert lane.begin("1").status == 503

    async def test_who_leaves_does_not_end_the_load(self, cold: Lane, peer: Peer) -> None:
        caller = cold.begin("1")
        side = await peer.accept()
        await side.request()
        caller.leave()
        assert cold.is_idle()
        assert cold.turns.loading() == ((peer.url, "m"),)
        side.answer()
        await side.closed()
        async with asyncio.timeout(5):
            while cold.turns.loading():
                await asyncio.sleep(0)

    async def test_a_stream_from_one_that_loads_by_itself_is_told_what_it_waits_for(
        self, lane: Lane, peer: Peer
    ) -> None:
        lane.show(make_instance(url=peer.url, models=({**model("m", state="unloaded"), "on_demand": True},)))
        caller = lane.begin("1", body=b'{"model":"m","stream":true,"messages":[]}')
        assert caller.told_to_wait == ["waiting", "loading m"]
        assert await name_at(await peer.accept()) == "1"
        caller.leave()


async def test_the_whole_time_of_a_call_runs_while_it_waits(
    lane: Lane, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "perf_counter", iter((0.0, 100.0)).__next__)
    first = lane.begin("1")
    side = await peer.accept()
    await side.request()
    caller, lease = Caller(), Lease()
    caller.start(lane.inference.serve(make_request(bearer=Bearer("ada")), caller, lease))
    await served(side, first)
    await side.request()
    assert lease.until == pytest.approx(time.time() + Timeouts().total - 100, abs=5)
    await served(side, caller)


async def test_the_time_that_a_client_gives_runs_while_its_call_waits(lane: Lane, peer: Peer) -> None:
    """It is told to the service by when the answer must be through."""
    began = time.time()
    first = lane.begin("1")
    side = await peer.accept()
    await side.request()
    request = make_request(bearer=Bearer("ada"))
    head = msgspec.structs.replace(request.head, timeout=8.0)
    waited = msgspec.structs.replace(request, head=head, started=time.perf_counter() - 3)
    caller, lease = Caller(), Lease()
    caller.start(lane.inference.serve(waited, caller, lease))
    await served(side, first)
    await side.request()
    assert began + 4 < lease.until < time.time() + 5
    await served(side, caller)
