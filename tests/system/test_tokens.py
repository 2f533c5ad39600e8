"""Tokens of the database from outside: made by the command line, used by the official client, void within a second."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.servers.databases import EITHER
from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.jobs import submit, wait_for
from tests.servers.postgres import postgres, why_not
from tests.servers.raw import RawClient, fetch, request, wait_until
from tests.servers.scripted import ScriptedUpstream

CHAT = "/v1/chat/completions"
CONFIG = f"""
policies:
  few: {{rpm: 2}}
tokens:
  - {{name: declared, sha256: {sha256(b"sk-declared").hexdigest()}, policy: few}}
"""
DOC = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
WITHIN = 1.0  # seconds until a change is in force everywhere
SLACK = 0.3  # seconds that a look, two busy cores and the asking itself may take


@dataclass
class Replicas:
    """Two gateways that share a database, and every secret that they have made."""

    first: Gateway
    second: Gateway
    secrets: list[str] = field(default_factory=list)

    @property
    def both(self) -> tuple[Gateway, Gateway]:
        return self.first, self.second

    def typed(self, *words: str, at: Gateway | None = None) -> str:
        """What `nexus token …` prints at one of them."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith("NEXUS_")}
        env = {**outside, "NEXUS_URL": (at or self.first).url, "NEXUS_API_KEY": TOKEN}
        command = [sys.executable, "-m", "nexus.cli", "token", *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def make(self, *words: str, at: Gateway | None = None) -> str:
        """A new token, made or rotated by the command line."""
        self.secrets.append(self.typed(*words, at=at))
        return self.secrets[-1]


@pytest.fixture(scope="module", params=EITHER)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("shared")
    with request.param(folder) as url:
        yield {"NEXUS_DATABASE_URL": url, "NEXUS_FILES_URL": str(folder / "files")}


@pytest.fixture(scope="module")
def replicas(
    shared: dict[str, str], upstream_of_module: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replicas]:
    """Two gateways; none of what they tell may hold a secret that they made, or what is kept of it."""
    with ExitStack() as stack:
        gateways = []
        for name in ("first", "second"):
            folder = tmp_path_factory.mktemp(name)
            (folder / "nexus.yaml").write_text(CONFIG)
            gateways.append(stack.enter_context(Gateway(folder, [upstream_of_module.url], shared)))
        for gateway in gateways:
            gateway.wait_for_state(upstream_of_module.url, "ready")
            gateway.wait_for_storage()
        made = Replicas(*gateways)
        made.secrets.append(made.first.post("/v1/admin/tokens", {"name": "logged"}).json()["token"])
        assert status(made.first, made.secrets[0]) == 200
        yield made
    told = "".join(one.stdout.read_text() + one.stderr.read_text() for one in made.both)
    assert '"token":"logged"' in told
    for secret in (TOKEN, *made.secrets):
        assert secret not in told
        assert sha256(secret.encode()).hexdigest() not in told


def status(gateway: Gateway, token: str) -> int:
    """What a chat is answered with."""
    found: int = gateway.post(CHAT, chat_body(), token=token).status
    return found


def everywhere(replicas: Replicas, token: str, wanted: int, since: float) -> None:
    """Both answer so within a second of `since`; they are asked until they do."""
    for gateway in replicas.both:
        wait_until(lambda gateway=gateway: status(gateway, token) == wanted, 10)
        assert time.monotonic() - since < WITHIN + SLACK, gateway.url


def client(gateway: Gateway, token: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=token, max_retries=0, timeout=10)


def ask(of: openai.OpenAI) -> Any:
    return of.chat.completions.create(model="scripted", messages=[{"role": "user", "content": "Hello?"}])


def shown(replicas: Replicas, name: str) -> dict[str, Any]:
    token: dict[str, Any] = replicas.second.get(f"/v1/admin/tokens/{name}").json()
    return token


def test_made_at_one_it_works_at_both_and_revoked_at_neither(replicas: Replicas) -> None:
    token = replicas.make("create", "everywhere", "--owner", "Ada")
    everywhere(replicas, token, 200, time.monotonic())
    clients = [client(gateway, token) for gateway in replicas.both]
    for one in clients:
        assert ask(one).choices
    replicas.second.get("/v1/admin/tokens/everywhere", method="DELETE")
    since = time.monotonic()
    everywhere(replicas, token, 401, since)
    for one in clients:
        with one, pytest.raises(openai.AuthenticationError) as caught:
            ask(one)
        assert caught.value.code == "invalid_api_key"


def test_a_connection_that_is_open_is_no_way_in(replicas: Replicas) -> None:
    """Its head was let in before, and comes again byte by byte."""
    token = replicas.make("create", "kept-open")
    everywhere(replicas, token, 200, time.monotonic())
    asked = request(CHAT, chat_body(), token=token)
    with RawClient(replicas.first.port) as one:
        for _ in range(3):
            one.send(asked)
            assert one.answer().status == 200
        replicas.typed("revoke", "kept-open", at=replicas.second)
        since = time.monotonic()

        def refused() -> bool:
            one.send(asked)
            return bool(one.answer().status == 401)

        wait_until(refused, 10)
        assert time.monotonic() - since < WITHIN + SLACK


def test_rotated_at_one_the_old_is_dead_at_both(replicas: Replicas) -> None:
    old = replicas.make("create", "turning")
    everywhere(replicas, old, 200, time.monotonic())
    new = replicas.make("rotate", "turning", at=replicas.second)
    since = time.monotonic()
    assert (status(replicas.second, old), status(replicas.second, new)) == (401, 200)  # where it was asked: at once
    everywhere(replicas, old, 401, since)
    everywhere(replicas, new, 200, since)


def test_it_expires_by_itself(replicas: Replicas) -> None:
    until = datetime.now(UTC) + timedelta(seconds=4)
    token = replicas.make("create", "short", "--expires", until.isoformat())
    wait_until(lambda: status(replicas.second, token) == 200, 2)
    wait_until(lambda: status(replicas.second, token) == 401, 10)
    assert -0.1 < (datetime.now(UTC) - until).total_seconds() < WITHIN
    assert "expired" in replicas.second.post(CHAT, chat_body(), token=token).json()["error"]["message"]
    assert shown(replicas, "short")["state"] == "expired"


def test_when_it_was_used_last_is_told_by_the_other_one(replicas: Replicas) -> None:
    token = replicas.make("create", "seldom")
    assert shown(replicas, "seldom")["last_used_at"] is None
    assert status(replicas.first, token) == 200
    at = time.time()
    wait_until(lambda: shown(replicas, "seldom")["last_used_at"], 5)
    assert abs(shown(replicas, "seldom")["last_used_at"] - at) < 2


def test_a_policy_of_the_file_bounds_it(replicas: Replicas) -> None:
    token = replicas.make("create", "bounded", "--policy", "few")
    with client(replicas.first, token) as one:
        ask(one)
        ask(one)
        with pytest.raises(openai.RateLimitError):
            ask(one)


def test_only_the_administrator_may_and_no_secret_is_ever_told_again(replicas: Replicas) -> None:
    token = replicas.make("create", "curious")
    everywhere(replicas, token, 200, time.monotonic())
    for gateway in replicas.both:
        assert gateway.get("/v1/admin/tokens", token=token).status == 403
        assert gateway.get("/v1/admin/audit", token=token).status == 403
    told = "".join(
        answer.body.decode()
        for gateway in replicas.both
        for answer in (gateway.get("/v1/admin/tokens"), gateway.get("/v1/admin/audit?limit=1000"))
    )
    told += replicas.typed("list") + replicas.typed("list", "--json") + replicas.typed("show", "curious", "--json")
    assert "curious" in told
    for secret in replicas.secrets:
        assert secret not in told
        assert sha256(secret.encode()).hexdigest() not in told


def test_what_the_file_declares_is_read_only(replicas: Replicas) -> None:
    listed = {one["name"]: one for one in json.loads(replicas.typed("list", "--json"))}
    assert listed["declared"]["read_only"] is True
    assert replicas.first.get("/v1/admin/tokens/declared", method="DELETE").status == 403
    assert replicas.first.post("/v1/admin/tokens", {"name": "declared"}).status == 409
    assert status(replicas.first, "sk-declared") == 200


def test_what_was_done_is_written_down_by_both(replicas: Replicas) -> None:
    replicas.make("create", "watched")
    replicas.make("rotate", "watched", at=replicas.second)
    identity = shown(replicas, "watched")["id"]
    replicas.typed("revoke", identity)
    page = replicas.second.get(f"/v1/admin/audit?subject={identity}").json()
    assert [(one["actor"], one["action"]) for one in page["data"]] == [
        ("administrator", "token.revoke"),
        ("administrator", "token.rotate"),
        ("administrator", "token.create"),
    ]


def test_what_the_page_shows_can_be_typed(replicas: Replicas) -> None:
    blocks = [rest.split("```")[0] for rest in DOC.split("```sh\n")[1:]]
    (shell,) = [block for block in blocks if "nexus token" in block]
    script = shell.replace(".venv/bin/nexus", f"{sys.executable} -m nexus.cli")
    env = {**os.environ, "NEXUS_URL": replicas.first.url, "NEXUS_API_KEY": TOKEN}
    command = ["bash", "-euc", f'{script}\necho "$token"']
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60)
    *_, said, token = done.stdout.splitlines()
    assert (said, token[:7]) == ("revoked: ci", "sk-nxt-")
    assert status(replicas.first, token) == 401
    replicas.secrets.append(token)


def test_jobs_belong_to_the_name_through_a_rotation(start_before_slow: Callable[..., Gateway]) -> None:
    gateway = start_before_slow()
    gateway.wait_for_storage()
    made = gateway.post("/v1/admin/tokens", {"name": "worker"}).json()
    body = {"model": "slow", "prompt": "mine", "steps": 1, "background": True}
    answer = fetch(gateway.port, "/v1/music/generations", body, token=made["token"])
    assert answer.status == 202, answer
    other = submit(gateway, "the administrator's", steps=1)
    rotated = gateway.post("/v1/admin/tokens/worker/rotate", {}).json()
    jobs = gateway.get("/v1/jobs", token=rotated["token"]).json()["data"]
    assert [job["id"] for job in jobs] == [answer.json()["id"]]
    assert gateway.get(f"/v1/jobs/{other['id']}", token=rotated["token"]).status == 404
    wait_for(gateway, answer.json(), "completed", 20)


def test_a_gateway_begun_anew_knows_its_tokens(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    """Before it has read them, it says so, in a way that clients try again at."""
    with Gateway(tmp_path, [upstream.url]) as gateway:
        gateway.wait_for_storage()
        token = gateway.post("/v1/admin/tokens", {"name": "ci"}).json()["token"]
    with Gateway(tmp_path, [upstream.url]) as gateway:
        answers = {gateway.get("/v1/models", token=token).status}

        def let_in() -> bool:
            answers.add(gateway.get("/v1/models", token=token).status)
            return 200 in answers

        wait_until(let_in, 10)
        assert answers <= {200, 503}
        assert gateway.get("/v1/models", token=token + "x").status == 401


def test_a_database_that_goes_away_leaves_who_was_let_in(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    if reason := why_not():
        pytest.skip(reason)
    with ExitStack() as stack:
        database = stack.enter_context(ExitStack())
        server = database.enter_context(postgres())
        env = {"NEXUS_DATABASE_URL": f"postgresql://{server}/postgres"}
        gateway = stack.enter_context(Gateway(tmp_path, [upstream.url], env))
        gateway.wait_for_state(upstream.url, "ready")
        gateway.wait_for_storage()
        token = gateway.post("/v1/admin/tokens", {"name": "ci"}).json()["token"]
        assert status(gateway, token) == 200
        database.close()
        wait_until(lambda: b"tokens_not_read" in gateway.stdout.read_bytes(), 10)
        assert status(gateway, token) == 200
        assert status(gateway, token + "x") == 401
        refused = gateway.post("/v1/admin/tokens", {"name": "more"})
        assert (refused.status, refused.json()["error"]["code"]) == (503, "storage_unavailable")
