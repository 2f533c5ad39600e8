"""Slow work as durable jobs: asked for, waited for, watched, called off; and never lost, whoever is killed."""

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers.gateway import TOKEN, Gateway
from tests.servers.jobs import PATH, look, result, submit, wait_for
from tests.servers.raw import RawClient, wait_until
from tests.servers.slow_service import SlowService

PAGE = Path(__file__).parents[2] / "docs" / "jobs.md"
SET_UP, *EXAMPLES = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
LONG = {"steps": 400, "pace": 0.05}


@pytest.fixture
def gateway(start_before_slow: Callable[..., Gateway]) -> Gateway:
    return start_before_slow()


def test_a_job_is_taken_at_once_and_answered_later(gateway: Gateway, slow: SlowService) -> None:
    job = submit(gateway, "one")
    assert (job["object"], job["operation"], job["status"]) == ("job", "music.generations", "queued")
    assert result(gateway, job).status == 404
    done = wait_for(gateway, job, "completed")
    assert (done["progress"], done["attempts"], done["service"], done["error"]) == (100, 1, "slow", None)
    assert done["created_at"] <= done["started_at"] <= done["completed_at"] < done["expires_at"]
    assert done["result"] == {"url": f"/v1/jobs/{job['id']}/result", "content_type": "audio/wav", "bytes": 12}
    answer = result(gateway, job)
    assert (answer.status, answer.header("content-type"), answer.body) == (200, "audio/wav", b"sound of one")
    assert result(gateway, job, headers={"range": "bytes=6-7"}).body == b"of"
    assert slow.count("end") == {"one": 1}


def test_a_client_that_waits_gets_the_answer_itself(gateway: Gateway) -> None:
    answer = gateway.post(PATH, {"prompt": "quick"}, headers={"prefer": "respond-async, wait=10"})
    assert (answer.status, answer.header("content-type"), answer.body) == (200, "audio/wav", b"sound of quick")
    identity = answer.header("x-nexus-job")
    assert look(gateway, {"id": identity})["status"] == "completed"


def test_a_client_that_waits_too_short_gets_the_job(gateway: Gateway) -> None:
    began = time.monotonic()
    answer = gateway.post(PATH, {"prompt": "slow", **LONG}, headers={"prefer": 'wait="1", respond-async'})
    assert (answer.status, answer.header("preference-applied")) == (202, "respond-async")
    assert time.monotonic() - began >= 1
    assert answer.json()["status"] == "in_progress"
    gateway.get(f"/v1/jobs/{answer.json()['id']}", method="DELETE")


def test_without_a_wish_for_it_nothing_becomes_a_job(gateway: Gateway) -> None:
    for wish in ({"background": False}, {"background": None}, {}):
        assert gateway.post(PATH, {"prompt": "now", **wish}).status == 200
    assert gateway.post(PATH, {"prompt": "now"}, headers={"prefer": "wait=10"}).status == 200
    assert gateway.get("/v1/jobs").json()["data"] == []


def test_the_eleventh_waits_its_turn_and_is_told_its_place(gateway: Gateway, slow: SlowService) -> None:
    jobs = [submit(gateway, f"song {number}", steps=3, pace=0.1) for number in range(11)]
    places = [look(gateway, job)["position"] for job in jobs]
    assert places[-1] in (9, 10)  # one runs, or is through already
    assert [place for place in places if place is not None] == sorted(place for place in places if place is not None)
    for job in jobs:
        wait_for(gateway, job, "completed")
    assert slow.most_at_once() == 1
    assert slow.count("end") == {f"song {number}": 1 for number in range(11)}
    assert [entry["prompt"] for entry in slow.entries() if entry["what"] == "end"] == [
        f"song {number}" for number in range(11)
    ]


def test_the_time_that_is_left_is_told_once_runs_have_shown_it(gateway: Gateway) -> None:
    assert submit(gateway, "first", steps=4, pace=0.2)["eta_seconds"] is None
    wait_until(lambda: gateway.get("/v1/jobs?status=completed").json()["data"])
    jobs = [submit(gateway, f"{number}", steps=4, pace=0.2) for number in range(3)]
    etas = [look(gateway, job)["eta_seconds"] for job in jobs]
    assert 0 <= etas[0] < etas[2] < 10


def test_progress_is_told_as_it_comes_and_the_end_at_last(gateway: Gateway) -> None:
    job = submit(gateway, "watched", steps=30, pace=0.2)
    answer = gateway.get(f"/v1/jobs/{job['id']}/events", timeout=40.0)
    assert answer.header("content-type") == "text/event-stream; charset=utf-8"
    events = [block.split("\n") for block in answer.body.decode().strip().split("\n\n")]
    told = [json.loads(lines[1].removeprefix("data: ")) for lines in events]
    assert [lines[0] for lines in events] == [f"event: {one['type']}" for one in told]
    assert [one["type"] for one in told[:-1]] == ["job.progress"] * (len(told) - 1)
    assert told[-1]["type"] == "job.completed"
    steps = [one["job"]["progress"] for one in told]
    assert steps == sorted(steps)
    assert len({step for step in steps if 0 < step < 100}) >= 3
    assert any(one["job"]["message"].startswith("step ") for one in told)


def test_calling_a_run_off_stops_the_engine_within_a_second(gateway: Gateway, slow: SlowService) -> None:
    job = submit(gateway, "unwanted", **LONG)
    wait_until(lambda: slow.count("begin"))
    began = time.monotonic()
    answer = gateway.get(f"/v1/jobs/{job['id']}", method="DELETE")
    assert (answer.status, answer.json()["status"]) == (200, "cancelled")
    wait_until(lambda: slow.count("cancelled"), 1.0)
    assert time.monotonic() - began < 1
    time.sleep(1.2)  # longer than the runner's look: nobody takes it up again
    assert look(gateway, job)["status"] == "cancelled"
    assert slow.count("begin") == {"unwanted": 1}


def test_calling_off_what_waits_lets_the_others_move_up(gateway: Gateway, slow: SlowService) -> None:
    first, second, third = [submit(gateway, name, steps=10, pace=0.1) for name in ("a", "b", "c")]
    wait_until(lambda: look(gateway, first)["status"] == "in_progress")
    assert look(gateway, third)["position"] == 2
    assert gateway.post(f"/v1/jobs/{second['id']}/cancel", {}).json()["status"] == "cancelled"
    assert look(gateway, third)["position"] == 1
    wait_for(gateway, third, "completed")
    assert slow.count("begin") == {"a": 1, "c": 1}


def test_an_ended_job_is_deleted_with_its_result(gateway: Gateway) -> None:
    job = submit(gateway, "done")
    wait_for(gateway, job, "completed")
    assert gateway.post(f"/v1/jobs/{job['id']}/cancel", {}).status == 400
    answer = gateway.get(f"/v1/jobs/{job['id']}", method="DELETE")
    assert answer.json() == {"id": job["id"], "object": "job.deleted", "deleted": True}
    assert gateway.get(f"/v1/jobs/{job['id']}").status == 404
    assert result(gateway, job).status == 404
    assert not list((gateway.folder / ".nexus" / "files").rglob("*answer*"))


def test_what_cannot_be_done_is_said_at_once_or_told_of_the_job(gateway: Gateway) -> None:
    unknown = gateway.post(PATH, {"prompt": "x", "model": "unheard-of", "background": True})
    assert (unknown.status, unknown.error["code"]) == (404, "model_not_found")
    both = gateway.post(PATH, {"prompt": "x", "stream": True, "background": True})
    assert (both.status, both.error["param"]) == (400, "background")
    nobody = gateway.post("/v1/images/generations", {"prompt": "x", "background": True})
    assert (nobody.status, nobody.error["code"]) == (503, "no_ready_service")
    wrong = gateway.post(PATH, {"prompt": "x", "background": "perhaps"})
    assert (wrong.status, wrong.error["param"]) == (400, "background")
    failed = wait_for(gateway, submit(gateway, "x", refuse=True), "failed")
    assert (failed["error"]["param"], failed["error"]["code"], failed["attempts"]) == (
        "refuse",
        "invalid_request_error",
        1,
    )
    missing = result(gateway, failed)
    assert (missing.status, missing.error["code"]) == (404, "job_failed")
    waited = gateway.post(PATH, {"prompt": "x", "refuse": True}, headers={"prefer": "respond-async, wait=10"})
    assert (waited.status, waited.error["param"]) == (400, "refuse")


def test_jobs_are_listed_by_what_they_are(gateway: Gateway) -> None:
    done = [submit(gateway, f"{number}") for number in range(3)]
    for job in done:
        wait_for(gateway, job, "completed")
    failed = submit(gateway, "no", refuse=True)
    wait_for(gateway, failed, "failed")

    def listed(query: str) -> list[str]:
        return [job["id"] for job in gateway.get(f"/v1/jobs?{query}").json()["data"]]

    ids = [job["id"] for job in done]
    assert listed("") == [failed["id"], *reversed(ids)]
    assert listed("state=completed&order=asc") == ids
    assert listed("status=failed&operation=music.generations") == [failed["id"]]
    assert listed("operation=ocr") == listed("model=none") == []
    page = gateway.get(f"/v1/jobs?order=asc&limit=2&after={ids[0]}").json()
    assert [job["id"] for job in page["data"]] == ids[1:]
    assert (page["first_id"], page["last_id"], page["has_more"]) == (ids[1], ids[2], True)
    for query in ("state=lost", "limit=0", "limit=x", "order=up", "after=job_0"):
        assert gateway.get(f"/v1/jobs?{query}").status == 400, query


def test_results_are_kept_until_they_expire(start_before_slow: Callable[..., Gateway]) -> None:
    gateway = start_before_slow(config="jobs: {keep: 1}\n")
    job = submit(gateway, "short-lived")
    done = wait_for(gateway, job, "completed")
    assert done["expires_at"] - done["completed_at"] == 1
    wait_until(lambda: gateway.get(f"/v1/jobs/{job['id']}").status == 404, 45)
    assert not list((gateway.folder / ".nexus" / "files" / "jobs").rglob("*answer*"))


def test_a_service_that_is_killed_does_its_job_when_it_is_back(gateway: Gateway, slow: SlowService) -> None:
    job = submit(gateway, "phoenix", steps=10, pace=0.05, die=True)
    slow.wait_dead()
    slow.start()
    done = wait_for(gateway, job, "completed", 30)
    assert done["attempts"] == 2
    assert slow.count("begin") == {"phoenix": 2}
    assert slow.count("end") == {"phoenix": 1}
    assert result(gateway, job).body == b"sound of phoenix"


def test_a_job_that_kills_its_service_each_time_fails_in_the_end(
    start_before_slow: Callable[..., Gateway], slow: SlowService
) -> None:
    gateway = start_before_slow(config="jobs: {max_attempts: 1}\n")
    job = submit(gateway, "poison", steps=4, die=True)
    failed = wait_for(gateway, job, "failed", 30)
    assert (failed["error"]["code"], failed["attempts"]) == ("upstream_error", 1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_a_gateway_that_comes_back_has_lost_nothing(
    start_before_slow: Callable[..., Gateway], slow: SlowService, number: signal.Signals
) -> None:
    gateway = start_before_slow()
    done = submit(gateway, "before")
    wait_for(gateway, done, "completed")
    running = submit(gateway, "in the middle", steps=40, pace=0.05)
    waiting = submit(gateway, "behind")
    wait_until(lambda: slow.count("begin")["in the middle"])
    gateway.process.send_signal(number)
    gateway.process.wait(20)
    wait_until(lambda: slow.count("cancelled")["in the middle"], 2.0)  # nobody is there to take the answer
    gateway.__enter__()
    assert result(gateway, done).body == b"sound of before"
    assert wait_for(gateway, running, "completed", 40)["attempts"] == (2 if number == signal.SIGKILL else 1)
    wait_for(gateway, waiting, "completed")
    assert slow.count("end") == {"before": 1, "in the middle": 1, "behind": 1}
    assert result(gateway, running).body == b"sound of in the middle"


def test_a_client_that_leaves_while_it_waits_leaves_its_job_behind(gateway: Gateway, slow: SlowService) -> None:
    body = json.dumps({"prompt": "left behind", "steps": 10, "pace": 0.1}).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n"
        f"prefer: respond-async, wait=30\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode()
    with RawClient(gateway.port) as client:
        client.send(head + body)
        wait_until(lambda: slow.count("begin"))
    (job,) = gateway.get("/v1/jobs").json()["data"]
    wait_for(gateway, job, "completed")


def test_many_who_submit_at_once_all_get_a_job(gateway: Gateway, slow: SlowService) -> None:
    jobs: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda n=n: jobs.append(submit(gateway, f"{n}", steps=1, pace=0.01)))  # type: ignore[misc]
        for n in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len({job["id"] for job in jobs}) == 30
    for job in jobs:
        wait_for(gateway, job, "completed", 40)
    assert set(slow.count("end").values()) == {1}


def test_more_than_may_wait_are_refused(start_before_slow: Callable[..., Gateway]) -> None:
    gateway = start_before_slow(config="jobs: {max_queued: 2}\n")
    running = submit(gateway, "running", **LONG)
    wait_until(lambda: look(gateway, running)["status"] == "in_progress")
    submit(gateway, "a")
    submit(gateway, "b")
    refused = gateway.post(PATH, {"prompt": "c", "background": True})
    assert (refused.status, refused.error["code"]) == (503, "overloaded")
    assert refused.header("retry-after") is not None


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_the_page_shows_runs(gateway: Gateway, example: str) -> None:
    gateway.wait_for_storage()
    (gateway.folder / ".nexus" / "api_key").write_text(TOKEN + "\n")
    script = f"set -eu\n{SET_UP.replace('http://127.0.0.1:8800', gateway.url)}{example}"
    done = subprocess.run(["bash", "-c", script], cwd=gateway.folder, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in re.findall(r"--output (\S+)", example):
        assert (gateway.folder / name).read_bytes().startswith(b"sound of ")
    for event in ("job.progress", "job.completed") if "/events" in example else ():
        assert f"event: {event}".encode() in done.stdout
