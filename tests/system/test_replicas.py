"""Two gateways that share their storage share their jobs and files: SQLite and a folder, or PostgreSQL and S3."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.bucket import KEY, SECRET, bucket
from tests.servers.gateway import Gateway
from tests.servers.jobs import look, result, submit, wait_for
from tests.servers.postgres import postgres, why_not
from tests.servers.raw import wait_until
from tests.servers.slow_service import SlowService


@dataclass(frozen=True)
class Replicas:
    first: Gateway
    second: Gateway


def on_one_machine(folder: Path) -> Iterator[dict[str, str]]:
    yield {"NEXUS_DATABASE_URL": f"sqlite:///{folder}/shared.db", "NEXUS_FILES_URL": str(folder / "shared-files")}


def on_several(_: Path) -> Iterator[dict[str, str]]:
    if reason := why_not():
        pytest.skip(reason)
    with postgres() as server, bucket() as files:
        yield {
            "NEXUS_DATABASE_URL": f"postgresql://{server}/postgres",
            "NEXUS_FILES_URL": f"s3://{files.name}/nexus",
            "NEXUS_S3_ENDPOINT": files.endpoint,
            "NEXUS_S3_ACCESS_KEY_ID": KEY,
            "NEXUS_S3_SECRET_ACCESS_KEY": SECRET,
        }


@pytest.fixture(params=[on_one_machine, on_several], ids=["sqlite-folder", "postgresql-s3"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    yield from request.param(tmp_path)


@pytest.fixture
def replicas(shared: dict[str, str], start_before_slow: Callable[..., Gateway]) -> Replicas:
    return Replicas(start_before_slow("first", **shared), start_before_slow("second", **shared))


def told(gateway: Gateway, name: str) -> float | None:
    """What /metrics says of the jobs of the slow service's operation."""
    families = text_string_to_metric_families(gateway.get("/metrics").body.decode())
    values = [one.value for family in families for one in family.samples if one.name == name]
    return values[0] if values else None


def test_waiting_jobs_are_told_by_both_and_each_running_one_by_one(replicas: Replicas) -> None:
    """Each of the two begins one at most; what waits is the same for both, what runs is added up."""
    both = (replicas.first, replicas.second)
    jobs = [submit(gateway, "long", steps=600, pace=0.1) for gateway in both for _ in range(3)]

    def settled() -> bool:
        waiting = {told(gateway, "nexus_jobs_waiting") for gateway in both}
        running = [told(gateway, "nexus_jobs_running") or 0 for gateway in both]
        begun = sum(look(replicas.first, job)["status"] == "in_progress" for job in jobs)
        return 0 < begun == sum(running) and max(running) == 1 and waiting == {len(jobs) - begun}

    wait_until(settled, 15)
    for job in jobs:
        replicas.first.post(f"/v1/jobs/{job['id']}/cancel", {})
    for name in ("nexus_jobs_waiting", "nexus_jobs_running"):
        wait_until(lambda name=name: {told(gateway, name) for gateway in both} <= {0, None}, 15)
    assert told(replicas.first, "nexus_jobs_waiting") == 0


def test_each_job_is_done_once_whoever_took_it(replicas: Replicas, slow: SlowService) -> None:
    first, second = replicas.first, replicas.second
    jobs = [submit(gateway, f"{number}", steps=2) for number in range(10) for gateway in (first, second)]
    for job in jobs:
        wait_for(second, job, "completed", 40)
    assert set(slow.count("end").values()) == {2}
    assert {look(first, job)["attempts"] for job in jobs} == {1}
    assert {result(first, job).status for job in jobs} == {200}


def test_a_job_is_called_off_at_the_gateway_that_does_not_run_it(replicas: Replicas, slow: SlowService) -> None:
    first, second = replicas.first, replicas.second
    job = submit(first, "called off elsewhere", steps=400, pace=0.05)
    wait_until(lambda: slow.count("begin"))
    other = second if first.instance(slow.url)["in_flight"] else first
    other.get(f"/v1/jobs/{job['id']}", method="DELETE")
    wait_until(lambda: slow.count("cancelled"), 1.0)


def test_what_a_killed_gateway_ran_is_taken_over(replicas: Replicas, slow: SlowService) -> None:
    job = submit(replicas.first, "orphan", steps=60, pace=0.05)
    wait_until(lambda: slow.count("begin"))
    runs_here = replicas.first.instance(slow.url)["in_flight"]
    owner, other = (replicas.first, replicas.second) if runs_here else (replicas.second, replicas.first)
    owner.process.send_signal(signal.SIGKILL)
    owner.process.wait(10)
    assert wait_for(other, job, "completed", 40)["attempts"] == 2
    assert slow.count("end") == {"orphan": 1}
    assert result(other, job).body == b"sound of orphan"
    owner.__enter__()


def test_a_file_that_one_took_the_other_hands_out(replicas: Replicas) -> None:
    form = (
        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nwhat it says\r\n--b--\r\n'
    )
    made = replicas.first.post("/v1/files", form, headers={"content-type": "multipart/form-data; boundary=b"})
    assert made.status == 200, made
    content = replicas.second.get(f"/v1/files/{made.json()['id']}/content", headers={"range": "bytes=5-6"})
    assert (content.status, content.body) == (206, b"it")
