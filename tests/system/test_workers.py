"""NEXUS_WORKERS: several processes that clients take for one gateway."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.servers.cards import card
from tests.servers.gateway import PYTHON, TOKEN, Gateway
from tests.servers.raw import fetch, wait_until
from tests.servers.scripted import ScriptedUpstream

COUNT = 3
SECRET = "registration-0123456789abcdef"


@pytest.fixture
def several(start_gateway: Callable[..., Gateway], upstream: ScriptedUpstream) -> Gateway:
    env = {"NEXUS_WORKERS": str(COUNT), "NEXUS_REGISTRATION_SECRET": SECRET}
    gateway = start_gateway(upstream, env=env)
    wait_until(lambda: gateway.stdout.read_text().count('"first_round_done"') == COUNT, 20)
    return gateway


def workers(gateway: Gateway) -> list[psutil.Process]:
    return psutil.Process(gateway.process.pid).children()


def statuses(gateway: Gateway, path: str, times: int = 12 * COUNT, **options: str) -> set[int]:
    """What the workers answer; each question is a connection of its own, which any of them may get."""
    return {fetch(gateway.port, path, **options).status for _ in range(times)}


def test_one_that_is_killed_takes_no_other_request_with_it_and_comes_back(several: Gateway) -> None:
    first = workers(several)
    assert len(first) == COUNT
    number = int(first[0].environ()["NEXUS_WORKER"].split(".")[1])  # the first by its pid, where pids begin anew: any
    first[0].kill()
    assert {several.chat().status for _ in range(200)} == {200}
    wait_until(lambda: len(workers(several)) == COUNT and first[0] not in workers(several))
    assert any(line["event"] == "worker_ended" and line["worker"] == number for line in several.log_lines())


def test_a_revoked_token_is_void_at_all_of_them_within_a_second(several: Gateway) -> None:
    several.wait_for_storage()
    made = several.post("/v1/admin/tokens", {"name": "ada"})
    token = made.json()["token"]
    wait_until(lambda: statuses(several, "/v1/models", token=token) == {200})
    assert several.get(f"/v1/admin/tokens/{made.json()['id']}", method="DELETE").status == 200
    revoked = time.monotonic()
    wait_until(lambda: statuses(several, "/v1/models", token=token) == {401}, 1.5)
    assert time.monotonic() - revoked < 1.5


def test_a_service_that_announces_itself_to_one_is_known_to_all(
    several: Gateway, stack: ExitStack, upstream: ScriptedUpstream
) -> None:
    other = stack.enter_context(ScriptedUpstream(card("other", models=("announced",))))
    headers = {"authorization": f"Bearer {SECRET}"}
    assert fetch(several.port, "/v1/registry", {"base_url": other.url}, headers=headers).status == 200
    wait_until(lambda: statuses(several, "/v1/models/announced", token=TOKEN) == {200}, 4)
    assert fetch(several.port, "/v1/registry", {"base_url": other.url}, headers=headers, method="DELETE").status == 200
    wait_until(lambda: statuses(several, "/v1/models/announced", token=TOKEN) == {404}, 4)


def test_without_redis_each_counts_on_its_own_and_the_log_says_so(several: Gateway) -> None:
    told = [line for line in several.log_lines() if line["event"] == "limits_not_shared"]
    assert [(line["reason"], line["meanwhile"]) for line in told] == [("NEXUS_REDIS_URL is not set", "local")]


def test_metrics_are_those_of_all(several: Gateway) -> None:
    for _ in range(40):
        assert several.chat().status == 200

    def counted() -> float:
        lines = several.get("/metrics").body.decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith("nexus_requests_total") and "chat.completions" in line
        )

    wait_until(lambda: counted() == 40)


def test_the_log_has_whole_lines_only(several: Gateway) -> None:
    for _ in range(100):
        several.chat()
    wait_until(lambda: several.stdout.read_text().count('"chat.completions"') == 100)
    for line in several.stdout.read_text().splitlines():
        assert json.loads(line)["event"]


def test_all_end_with_the_one_that_keeps_them(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, [], {"NEXUS_WORKERS": str(COUNT)})
    gateway.__enter__()
    left = workers(gateway)
    gateway.process.send_signal(signal.SIGKILL)
    gateway.process.wait()
    psutil.wait_procs(left, 15)
    assert not [one for one in left if one.is_running()]


def test_a_setting_that_cannot_be_used_ends_all_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "nexus.yaml").write_text("aliasses: {}\n")
    env = {"NEXUS_WORKERS": "2", "NEXUS_PORT": "0", "NEXUS_API_KEY": TOKEN, "PATH": "/usr/bin"}
    command = [PYTHON, "-m", "nexus.cli", "gateway"]
    ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        "nexus: nexus.yaml: aliasses: there is no such key; did you mean aliases? (line 1)"
    ]
