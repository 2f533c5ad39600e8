"""Gateways that count together: two real ones before one upstream, and a real Redis that is also killed and paused."""

import hashlib
import itertools
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers import postgres, redis
from tests.servers.gateway import Gateway, chat_body
from tests.servers.raw import Answer, RawClient, request, wait_until
from tests.servers.redis import PASSWORD, Redis
from tests.servers.scripted import ScriptedUpstream

CHAT = "/v1/chat/completions"
HANG = {"kind": "hang"}
LEASE = 2

pytestmark = pytest.mark.skipif(redis.why_not() != "", reason=redis.why_not())


def entry(name: str) -> str:
    return f"  - {{name: {name}, sha256: {hashlib.sha256(name.encode()).hexdigest()}, policy: {name}}}\n"


POLICIES = {
    "many": "rpm: 200",
    "some": "concurrency: 20",
    "words": "tpm: 600",
    "hundred": "concurrency: 100",
    "free": "models: ['*']",
    "uploads": "rpm: 3",
    "all": "rpm: 1000, tpm: 100000, concurrency: 4",
}
CONFIG = "policies:\n" + "".join(f"  {name}: {{{text}}}\n" for name, text in POLICIES.items())
CONFIG += "tokens:\n" + "".join(map(entry, POLICIES))


@dataclass(frozen=True)
class Pair:
    first: Gateway
    second: Gateway
    upstream: ScriptedUpstream
    redis: Redis

    @property
    def both(self) -> tuple[Gateway, Gateway]:
        return self.first, self.second


@contextmanager
def pair(folder: Path, **env: str) -> Iterator[Pair]:
    """Two gateways whose policies are the same."""
    with ExitStack() as opened:
        shared = opened.enter_context(Redis())
        upstream = opened.enter_context(ScriptedUpstream())
        gateways = []
        for name in ("first", "second"):
            (folder / name).mkdir()
            (folder / name / "nexus.yaml").write_text(CONFIG)
            own = {"NEXUS_REDIS_URL": shared.url, "NEXUS_LEASE_SECONDS": str(LEASE), **env}
            gateways.append(opened.enter_context(Gateway(folder / name, [upstream.url], own)))
        for gateway in gateways:
            gateway.wait_for_state(upstream.url, "ready")
        yield Pair(*gateways, upstream, shared)
        for gateway in gateways:
            told = gateway.stdout.read_text() + gateway.stderr.read_text()
            assert PASSWORD not in told
            assert '"status":500' not in told


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Gateways that share a PostgreSQL, too, and a Redis that nothing happens to."""
    if reason := postgres.why_not():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("steady")
    with postgres.postgres() as server, pair(folder, NEXUS_DATABASE_URL=f"postgresql://{server}/postgres") as gateways:
        yield gateways
        assert [shared(gateway) for gateway in gateways.both] == [1, 1]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path) as gateways:
        yield gateways


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Pair]:
    with pair(tmp_path, NEXUS_LIMITS_WITHOUT_REDIS="closed") as gateways:
        yield gateways


def shared(gateway: Gateway) -> float:
    """What /metrics says of it."""
    families = text_string_to_metric_families(gateway.get("/metrics").body.decode())
    (value,) = [one.value for family in families for one in family.samples if one.name == "nexus_limits_shared"]
    return value


def wait_for_sharing(pair: Pair, value: int, within: float = 3.0) -> None:
    wait_until(lambda: all(shared(gateway) == value for gateway in pair.both), within)


def chat(gateway: Gateway, name: str, script: dict[str, Any] | None = None, **fields: Any) -> Answer:
    answer: Answer = gateway.post(CHAT, chat_body(script, **fields), token=name)
    return answer


@dataclass
class Load:
    """Calls to both gateways in turn, from sixteen threads; `statuses` and the `longest` call, in seconds."""

    statuses: Counter[int]
    longest: float = 0.0


def under_load(pair: Pair, name: str, count: int, meanwhile: Callable[[int], None] = lambda _: None) -> Load:
    """`meanwhile` is told the number of each call before it is made."""
    load, lock, turns = Load(Counter()), threading.Lock(), itertools.count()

    def go() -> None:
        while True:
            with lock:
                turn = next(turns)
            if turn >= count:
                return
            meanwhile(turn)
            begun = time.monotonic()
            status = chat(pair.both[turn % 2], name).status
            with lock:
                load.longest = max(load.longest, time.monotonic() - begun)
                load.statuses[status] += 1

    threads = [threading.Thread(target=go) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return load


@contextmanager
def hanging(gateway: Gateway, upstream: ScriptedUpstream, name: str, count: int) -> Iterator[None]:
    """Calls that run until the end of the block; their clients leave then."""
    before = len(upstream.seen)
    with ExitStack() as opened:
        for _ in range(count):
            client = opened.enter_context(RawClient(gateway.port))
            client.send(request(CHAT, chat_body(HANG), token=name))
        upstream.wait_for(lambda: len(upstream.seen) == before + count)
        yield


def log_of(gateway: Gateway) -> list[str]:
    """What it has told of Redis, oldest first."""
    told = gateway.stdout.read_text().split('"event":"')[1:]
    return [word for word in (one.partition('"')[0] for one in told) if word.startswith("limits_")]


def test_a_minute_has_its_requests_at_both_together(steady: Pair) -> None:
    steady.upstream.seen.clear()
    made = steady.first.post("/v1/admin/tokens", {"name": "of-the-database", "policy": "many"}).json()["token"]
    wait_until(lambda: steady.second.get("/v1/models", token=made).status == 200)
    begun = time.monotonic()
    load = under_load(steady, made, 500)
    assert time.monotonic() - begun < 60
    assert set(load.statuses) == {200, 429}
    assert 190 <= load.statuses[200] <= 200
    assert len(steady.upstream.seen) == load.statuses[200]
    for gateway in steady.both:
        refused = chat(gateway, made)
        assert refused.header("x-ratelimit-remaining-requests") == "0"
        assert 1 <= int(refused.header("retry-after")) <= 61
        with (
            openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=made, max_retries=0) as client,
            pytest.raises(openai.RateLimitError, match="200 requests a minute") as caught,
        ):
            client.chat.completions.create(model="scripted", messages=[{"role": "user", "content": "Hello?"}])
        assert caught.value.code == "rate_limit_exceeded"


def test_each_tells_what_is_left_of_both(steady: Pair) -> None:
    left = [int(chat(steady.both[turn % 2], "all").header("x-ratelimit-remaining-requests")) for turn in range(6)]
    assert left == [999, 998, 997, 996, 995, 994]


def test_calls_at_once_are_those_of_both_together(steady: Pair) -> None:
    before = len(steady.upstream.seen)
    with ExitStack() as opened:
        clients = [opened.enter_context(RawClient(steady.both[turn % 2].port)) for turn in range(60)]
        for client in clients:
            client.send(request(CHAT, chat_body(HANG), token="some"))
        answers: list[Answer] = []
        readers = [threading.Thread(target=_read, args=(client, answers), daemon=True) for client in clients]
        for reader in readers:
            reader.start()
        wait_until(lambda: len(answers) == 40)
        assert {(one.status, one.error["code"]) for one in answers} == {(429, "concurrency_exceeded")}
        assert len(steady.upstream.seen) == before + 20
        assert chat(steady.first, "some").status == 429
    for reader in readers:
        reader.join()
    for gateway in steady.both:
        wait_until(lambda gateway=gateway: chat(gateway, "some").status == 200)
    with hanging(steady.first, steady.upstream, "some", 10), hanging(steady.second, steady.upstream, "some", 10):
        assert [chat(gateway, "some").status for gateway in steady.both] == [429, 429]


def _read(client: RawClient, answers: list[Answer]) -> None:
    """One answer, unless the connection is closed before."""
    try:
        answers.append(client.answer())
    except (OSError, ValueError, AssertionError):
        return


def test_a_minute_has_its_tokens_at_both_together(steady: Pair) -> None:
    answers = [chat(steady.both[turn % 2], "words") for turn in range(60)]
    used = 12 * sum(answer.status == 200 for answer in answers)
    assert 570 <= used <= 611  # the last one may exceed what is left by its answer
    assert answers[-1].error["code"] == "rate_limit_exceeded"
    assert answers[-1].header("x-ratelimit-remaining-tokens") == "0"


def test_uploads_are_requests_of_both_together(steady: Pair) -> None:
    form = b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    form += b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--b--\r\n'
    options: Any = {"token": "uploads", "headers": {"content-type": "multipart/form-data; boundary=b"}}
    statuses = [steady.both[turn % 2].post("/v1/files", form, **options).status for turn in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert chat(steady.first, "uploads").status == 429


def test_the_processes_of_one_gateway_count_together(tmp_path: Path) -> None:
    with Redis() as shared, ScriptedUpstream() as upstream:
        (tmp_path / "nexus.yaml").write_text(CONFIG)
        with Gateway(tmp_path, [upstream.url], {"NEXUS_REDIS_URL": shared.url, "NEXUS_WORKERS": "3"}) as gateway:
            wait_until(lambda: gateway.stdout.read_text().count('"first_round_done"') == 3, 20)
            load = under_load(Pair(gateway, gateway, upstream, shared), "many", 400)
            assert set(load.statuses) == {200, 429}
            assert 190 <= load.statuses[200] <= 200
            samples = gateway.get("/metrics").body.decode().splitlines()
            assert [one.rpartition(" ")[2] for one in samples if one.startswith("nexus_limits_shared{")] == ["1.0"] * 3


def test_the_places_of_a_killed_gateway_are_free_within_the_lease(local: Pair) -> None:
    with hanging(local.first, local.upstream, "hundred", 100):
        assert chat(local.second, "hundred").error["code"] == "concurrency_exceeded"
        begun = time.monotonic()
        local.first.process.send_signal(signal.SIGKILL)
        local.first.process.wait(10)
        wait_until(lambda: chat(local.second, "hundred").status == 200 and time.monotonic() > begun + LEASE, LEASE + 1)
    with hanging(local.second, local.upstream, "hundred", 100):
        assert chat(local.second, "hundred").status == 429
    local.first.__enter__()


def test_a_long_call_keeps_its_place_longer_than_a_lease(local: Pair) -> None:
    with hanging(local.first, local.upstream, "all", 4):
        until = time.monotonic() + 2 * LEASE
        wait_until(lambda: chat(local.second, "all").status != 429 or time.monotonic() > until, 3 * LEASE)
        assert time.monotonic() > until
    wait_until(lambda: chat(local.second, "all").status == 200, LEASE / 2)


@pytest.mark.parametrize("harm", [Redis.kill, Redis.pause], ids=["killed", "paused"])
def test_redis_goes_away_under_load_and_each_counts_on(local: Pair, harm: Callable[[Redis], None]) -> None:
    """Nobody is let in whom a gateway alone would have refused: what was shared is counted there as well."""
    load = under_load(local, "many", 800, lambda turn: harm(local.redis) if turn == 100 else None)
    assert set(load.statuses) == {200, 429}
    assert 200 <= load.statuses[200] <= 400
    assert load.longest < 2
    wait_for_sharing(local, 0)
    assert chat(local.first, "many").error["code"] == "rate_limit_exceeded"
    local.redis.kill()
    local.redis.start()
    begun = time.monotonic()
    wait_for_sharing(local, 1)
    assert time.monotonic() - begun < 2
    assert chat(local.first, "all").status == 200
    for gateway in local.both:
        wait_until(lambda gateway=gateway: log_of(gateway) == ["limits_shared", "limits_not_shared", "limits_shared"])


@pytest.mark.parametrize("harm", [Redis.kill, Redis.pause], ids=["killed", "paused"])
def test_redis_goes_away_under_load_and_nobody_is_let_in(closed: Pair, harm: Callable[[Redis], None]) -> None:
    load = under_load(closed, "many", 300, lambda turn: harm(closed.redis) if turn == 100 else None)
    assert set(load.statuses) <= {200, 429, 503}
    assert load.statuses[503] > 100
    assert load.longest < 2
    refused = chat(closed.second, "many")
    assert (refused.status, refused.error["code"], refused.header("retry-after")) == (503, "overloaded", "1")
    assert chat(closed.second, "free").status == 200
    assert closed.second.chat().status == 200
    closed.redis.kill()
    closed.redis.start()
    wait_for_sharing(closed, 1)
    assert chat(closed.second, "all").status == 200


def test_calls_that_end_while_redis_is_away_leave_nothing_behind(tmp_path: Path) -> None:
    """The lease is long, so that nothing is given back by its end."""
    with pair(tmp_path, NEXUS_LEASE_SECONDS="300") as gateways:
        with hanging(gateways.first, gateways.upstream, "all", 4):
            assert chat(gateways.second, "all").status == 429
            gateways.redis.pause()
            wait_until(lambda: chat(gateways.second, "all").status == 200)
            wait_for_sharing(gateways, 0)
        gateways.first.wait_until_idle()
        gateways.redis.proceed()
        wait_for_sharing(gateways, 1)
        with hanging(gateways.second, gateways.upstream, "all", 4):
            assert chat(gateways.first, "all").status == 429
        gateways.second.wait_until_idle()
        with gateways.redis.client() as looked:
            wait_until(
                lambda: not [key for key in looked.scan_iter("*:calls") if looked.zrange(key, 0, 0) != [b"probe"]]
            )


def test_calls_that_began_while_redis_was_away_are_counted_when_it_is_back(local: Pair) -> None:
    local.redis.kill()
    wait_for_sharing(local, 0)
    with hanging(local.first, local.upstream, "all", 4):
        assert chat(local.second, "all").status == 200
        local.redis.start()
        wait_for_sharing(local, 1)
        assert chat(local.second, "all").error["code"] == "concurrency_exceeded"
    wait_until(lambda: chat(local.second, "all").status == 200, LEASE / 2)


def test_a_gateway_starts_without_redis_and_everything_in_it_expires(local: Pair) -> None:
    assert {chat(local.first, name).status for name in POLICIES} == {200}
    with local.redis.client() as looked:
        lives = [looked.pttl(key) for key in looked.scan_iter()]
    assert len(lives) >= 6
    assert min(lives) > 0
    local.redis.kill()
    begun = time.monotonic()
    local.first.__exit__(None, None, None)
    local.first.__enter__()
    assert time.monotonic() - begun < 15
    local.first.wait_for_state(local.upstream.url, "ready")
    assert (chat(local.first, "all").status, shared(local.first)) == (200, 0)
    local.redis.start()
    wait_for_sharing(local, 1)
